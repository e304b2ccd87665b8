#include "weights/load_weights.h"

#include <ATen/ops/empty.h>
#include <c10/core/ScalarType.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <unordered_set>

#include "core/device.h"
#include "core/error.h"
#include "core/printable.h"
#include "core/problems.h"
#include "core/tensor_check.h"
#include "weights/transfer.h"

namespace reel::weights {
namespace {

constexpr size_t kMostListed = 10;  // of each kind of problem

// Problems of one kind; the last line says how many are not listed.
void add_problems(Problems& problems, const std::vector<std::string>& lines, const char* kind) {
  for (size_t i = 0; i < std::min(lines.size(), kMostListed); ++i) problems.add(lines[i]);
  if (lines.size() > kMostListed) {
    problems.add("... and ", lines.size() - kMostListed, " more tensors that are ", kind);
  }
}

bool is_computable(at::ScalarType dtype) {
  return dtype == at::kFloat || dtype == at::kHalf || dtype == at::kBFloat16 ||
         dtype == at::kDouble;
}

bool is_unused(const std::string& name, const UnusedNames& unused) {
  std::string_view inner = name;
  if (inner.starts_with(unused.prefix)) inner.remove_prefix(unused.prefix.size());
  const auto begins = [&](const std::string& text) {
    return name.starts_with(text) || inner.starts_with(text);
  };
  const auto ends = [&](const std::string& text) { return name.ends_with(text); };
  return std::any_of(unused.beginnings.begin(), unused.beginnings.end(), begins) ||
         std::any_of(unused.endings.begin(), unused.endings.end(), ends);
}

// Thousands of tensors with the same fault deserve one line.
void refuse_eight_bit_floats(const std::string& where, const std::vector<const TensorInfo*>& used) {
  const auto is_fp8 = [](const TensorInfo* info) { return c10::isFloat8Type(info->dtype); };
  const auto count = std::count_if(used.begin(), used.end(), is_fp8);
  if (count == 0) return;
  const TensorInfo* first = *std::find_if(used.begin(), used.end(), is_fp8);
  fail<WeightError>(where, ": 8-bit floats are not supported: got ", count, " such tensors (",
                    describe(*first), " is the first), want bf16, fp16 or fp32 weights");
}

// Reports at most one call for each percent.
class ProgressMeter {
 public:
  ProgressMeter(const LoadProgress& progress, uint64_t total)
      : progress_(progress), total_(total) {}

  void add(uint64_t bytes) { reach(done_ + bytes); }

  void reach(uint64_t done) {
    done_ = done;
    const uint64_t percent = total_ == 0 ? 100 : done_ * 100 / total_;
    if (progress_ && percent > percent_) progress_(done_, total_);
    percent_ = percent;
  }

 private:
  const LoadProgress& progress_;
  uint64_t total_;
  uint64_t done_ = 0;
  uint64_t percent_ = 0;
};

uint64_t stored_bytes(const TensorSource& source, const Recipe& recipe) {
  uint64_t bytes = 0;
  for (const auto& part : recipe.parts) bytes += source.find(part.name)->bytes;
  return bytes;
}

void prefetch(const TensorSource& source, const Recipe& recipe) {
  for (const auto& part : recipe.parts) {
    const TensorInfo& info = *source.find(part.name);
    info.file->prefetch(info.offset, info.bytes);
  }
}

uint64_t stored_bytes(const TensorSource& source, const std::vector<Recipe>& recipes) {
  uint64_t bytes = 0;
  for (const auto& recipe : recipes) bytes += stored_bytes(source, recipe);
  return bytes;
}

int num_threads(uint64_t bytes) {
  constexpr uint64_t kWorthAThread = 64U << 20;
  constexpr uint64_t kMostThreads = 8;  // fill the bus; more of them only wait for it
  const auto cores = static_cast<uint64_t>(num_usable_cores());
  return static_cast<int>(std::min({1 + bytes / kWorthAThread, kMostThreads, cores}));
}

// All but the checks.
void fill(const std::map<std::string, at::Tensor>& targets, const TensorSource& source,
          const std::vector<Recipe>& recipes, const LoadProgress& progress) {
  const uint64_t total = stored_bytes(source, recipes);
  ProgressMeter meter(progress, total);
  std::vector<Transfer> transfers;
  uint64_t scattered = 0;
  for (const auto& recipe : recipes) {
    const at::Tensor& target = targets.at(recipe.target.name);
    if (auto planned = plan_transfers(source, recipe, target)) {
      std::move(planned->begin(), planned->end(), std::back_inserter(transfers));
      continue;
    }
    const auto part = [&](const std::string& name) { return source.tensor(name); };
    at::Tensor(target).copy_(assemble_one(recipe, part, target.device(), target.scalar_type()));
    scattered += stored_bytes(source, recipe);
    meter.reach(scattered);
  }
  run_transfers(std::move(transfers), num_threads(total),
                [&](uint64_t done) { meter.reach(scattered + done); });
}

}  // namespace

void check_weights(const std::string& where, const TensorSource& source,
                   const std::vector<Recipe>& recipes, const UnusedNames& unused) {
  std::vector<const TensorInfo*> used;
  std::unordered_set<std::string> wanted;
  std::vector<std::string> missing;
  std::vector<std::string> ill_shaped;
  std::vector<std::string> ill_typed;
  std::vector<std::string> extra;
  for (const auto& recipe : recipes) {
    for (const auto& part : recipe.parts) {
      wanted.insert(part.name);
      const TensorInfo* info = source.find(part.name);
      if (info == nullptr) {
        missing.push_back(part.name + ": missing: want shape " + shape_text(part.shape));
        continue;
      }
      used.push_back(info);
      if (info->shape != part.shape) {
        ill_shaped.push_back(part.name + ": wrong shape: got " + shape_text(info->shape) +
                             ", want " + shape_text(part.shape));
      }
      if (!is_computable(info->dtype)) {
        ill_typed.push_back(part.name + ": wrong dtype: got " + c10::toString(info->dtype) +
                            ", want a float");
      }
    }
  }
  refuse_eight_bit_floats(where, used);
  for (const auto& info : source.infos()) {
    if (!wanted.contains(info.name) && !is_unused(info.name, unused)) {
      extra.push_back(printable(info.name) + ": not a tensor of this model: got shape " +
                      shape_text(info.shape));
    }
  }
  Problems problems;
  add_problems(problems, missing, "missing");
  add_problems(problems, extra, "not of this model");
  add_problems(problems, ill_shaped, "of a wrong shape");
  add_problems(problems, ill_typed, "of a wrong dtype");
  problems.throw_if_any<WeightError>(where);
}

WeightStore load_weights(const std::string& where, const TensorSource& source,
                         const std::vector<Recipe>& recipes, const UnusedNames& unused,
                         at::Device device, at::ScalarType dtype, const LoadProgress& progress) {
  check_weights(where, source, recipes, unused);
  std::map<std::string, at::Tensor> tensors;
  if (!device.is_cpu()) {
    const auto options = at::TensorOptions().dtype(dtype).device(device);
    for (const auto& recipe : recipes) {
      tensors[recipe.target.name] = at::empty(recipe.target.shape, options);
    }
    fill(tensors, source, recipes, progress);
    return WeightStore(std::move(tensors));
  }
  ProgressMeter meter(progress, stored_bytes(source, recipes));
  const auto part = [&](const std::string& name) { return source.tensor(name); };
  for (size_t i = 0; i < recipes.size(); ++i) {
    // While one tensor is copied, the disk already reads the next.
    if (i + 1 < recipes.size()) prefetch(source, recipes[i + 1]);
    tensors[recipes[i].target.name] = assemble_one(recipes[i], part, device, dtype);
    meter.add(stored_bytes(source, recipes[i]));
  }
  return WeightStore(std::move(tensors));
}

void load_weights_into(const std::map<std::string, at::Tensor>& targets, const std::string& where,
                       const TensorSource& source, const std::vector<Recipe>& recipes,
                       const UnusedNames& unused, const LoadProgress& progress) {
  check_weights(where, source, recipes, unused);
  fill(targets, source, recipes, progress);
}

}  // namespace reel::weights
