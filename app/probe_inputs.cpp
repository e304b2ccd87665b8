#include "app/probe_inputs.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "core/problems.h"
#include "core/tensor_check.h"
#include "weights/safetensors.h"

namespace reel::app {
namespace {

std::string want_text(const WantedTensor& wanted, const std::map<char, int64_t>& sizes) {
  std::string text = "[";
  for (const char letter : wanted.letters) {
    if (text.size() > 1) text += ", ";
    text += letter;
    if (const auto known = sizes.find(letter); known != sizes.end()) {
      text += " = " + std::to_string(known->second);
    }
  }
  return text + "]";
}

// Binds letters seen for the first time; false if the shape does not fit the letters.
bool fits(const std::vector<int64_t>& shape, const std::string& letters,
          std::map<char, int64_t>& sizes) {
  if (shape.size() != letters.size()) return false;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] < 1) return false;
    if (sizes.try_emplace(letters[i], shape[i]).first->second != shape[i]) return false;
  }
  return true;
}

bool is_wanted_dtype(at::ScalarType dtype, bool integer) {
  if (integer) return dtype == at::kLong;
  return dtype == at::kFloat || dtype == at::kHalf || dtype == at::kBFloat16;
}

weights::TensorSource open_as_user(const std::filesystem::path& path) {
  try {
    return weights::open_safetensors(path);
  } catch (const WeightError& error) {
    throw ConfigError(std::string("--in: ") + error.what());
  }
}

}  // namespace

std::map<std::string, at::Tensor> read_probe_inputs(const std::filesystem::path& path,
                                                    const std::vector<WantedTensor>& wanted,
                                                    std::map<char, int64_t> sizes) {
  const auto source = open_as_user(path);
  Problems problems;
  std::map<std::string, at::Tensor> tensors;
  for (const auto& want : wanted) {
    const auto* info = source.find(want.name);
    if (info == nullptr) {
      if (want.required) problems.add(want.name, ": tensor is missing");
      continue;
    }
    if (!is_wanted_dtype(info->dtype, want.integer)) {
      problems.add(want.name, ": wrong dtype: got ", c10::toString(info->dtype), ", want ",
                   want.integer ? "int64" : "fp32, fp16 or bf16");
      continue;
    }
    if (!fits(info->shape, want.letters, sizes)) {
      problems.add(want.name, ": wrong shape: got ", shape_text(info->shape), ", want ",
                   want_text(want, sizes));
      continue;
    }
    const at::Tensor tensor = source.tensor(want.name);
    tensors[want.name] = want.integer ? tensor : tensor.to(at::kFloat);
  }
  for (const auto& info : source.infos()) {
    const bool known = std::any_of(wanted.begin(), wanted.end(),
                                   [&](const auto& want) { return want.name == info.name; });
    if (!known) problems.add(info.name, ": this stage has no such tensor");
  }
  problems.throw_if_any<ConfigError>(path.string());
  return tensors;
}

std::vector<int64_t> valid_prefixes(const at::Tensor& mask, const std::string& name) {
  std::vector<int64_t> lengths;
  const auto rows = mask.contiguous();
  for (int64_t b = 0; b < rows.size(0); ++b) {
    const auto* row = rows[b].const_data_ptr<int64_t>();
    const int64_t size = rows.size(1);
    const int64_t valid = std::find_if(row, row + size, [](int64_t x) { return x != 1; }) - row;
    const bool padded = std::all_of(row + valid, row + size, [](int64_t x) { return x == 0; });
    if (valid == 0 || !padded) {
      fail<ConfigError>(name, ": row ", b, ": want ones, at least one, then zeros");
    }
    lengths.push_back(valid);
  }
  return lengths;
}

}  // namespace reel::app
