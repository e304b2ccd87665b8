#include "pipeline/run_state.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "core/json_reader.h"
#include "core/sha256.h"
#include "core/tensor_check.h"
#include "weights/safetensors.h"

namespace reel::pipeline {
namespace {

using nlohmann::json;

constexpr int kFormat = 1;
constexpr int kHashFormat = 1;  // raised when the same request gives other latents
constexpr int64_t kMostSteps = 10'000;
constexpr int64_t kMostFrames = 4001;
constexpr int64_t kLargestSide = 2048;  // latent pixels
constexpr const char* kFinal = "latents";
constexpr const char* kUnfinished = "unfinished_latents";  // nobody should decode these by mistake
constexpr const char* kRecord = "sparsereel";

json steps_json(const RunState& state) {
  json steps = json::array();
  for (const auto& step : state.steps) {
    steps.push_back({{"ms", step.elapsed_ms}, {"dense", step.dense}, {"density", step.density}});
  }
  return steps;
}

json stages_json(const RunState& state) {
  json stages = json::array();
  for (const auto& [name, ms] : state.stages_ms) stages.push_back({{"name", name}, {"ms", ms}});
  return stages;
}

weights::TensorSource open(const std::filesystem::path& file) {
  try {
    return weights::open_safetensors(file);
  } catch (const WeightError& error) {  // the user's file, not the model's
    throw ConfigError(error.what());
  }
}

void check_shape(const std::string& where, const std::vector<int64_t>& shape) {
  const auto fits = [&](size_t axis, int64_t most) {
    return shape[axis] >= 1 && shape[axis] <= most;
  };
  if (shape.size() == 5 && shape[0] == 1 && fits(1, 1024) && fits(2, kMostFrames) &&
      fits(3, kLargestSide) && fits(4, kLargestSide)) {
    return;
  }
  fail<ConfigError>(where, ": wrong shape: got ", shape_text(shape),
                    ", want [1, C, T, h, w], the latents of one clip");
}

at::Tensor read_latents(const weights::TensorSource& source, const std::string& name) {
  const std::string where = source.where() + ": " + name;
  const auto& info = *source.find(name);
  check_shape(where, info.shape);
  const auto usable = {at::kFloat, at::kHalf, at::kBFloat16, at::kDouble};
  if (std::find(usable.begin(), usable.end(), info.dtype) == usable.end()) {
    fail<ConfigError>(where, ": wrong dtype: got ", c10::toString(info.dtype),
                      ", want fp32, fp16 or bf16");
  }
  at::Tensor latents = source.tensor(name).to(at::kFloat, /*non_blocking=*/false, /*copy=*/true);
  if (!at::isfinite(latents).all().item<bool>()) {
    fail<ConfigError>(where, ": holds values that are not finite");
  }
  return latents;
}

// Which tensor the file holds. Neither is an error that tells what it may be instead.
std::string tensor_name(const weights::TensorSource& source) {
  for (const char* name : {kFinal, kUnfinished}) {
    if (source.find(name) == nullptr) continue;
    if (source.infos().size() == 1) return name;
    fail<ConfigError>(source.where(), ": ", source.infos().size(), " tensors: want ", name,
                      " alone");
  }
  const bool is_noise = source.find("noise") != nullptr;
  fail<ConfigError>(source.where(), ": tensor is missing: want latents",
                    is_noise ? "; this is noise, which generate --latents takes"
                             : "; --save-latents writes such files");
}

void read_steps(const JsonReader& record, RunState& state) {
  const auto steps = record.objects("steps");
  state.num_steps = record.positive("num_steps");
  if (state.num_steps > kMostSteps || std::ssize(steps) > state.num_steps) {
    record.fail_at("steps", "more than the run has");
  }
  for (size_t i = 0; i < steps.size(); ++i) {
    state.steps.push_back({static_cast<int64_t>(i), state.num_steps, steps[i].number("ms"),
                           steps[i].boolean("dense"), steps[i].number("density")});
  }
}

void read_record(const JsonReader& record, RunState& state) {
  if (record.integer("format") != kFormat) {
    record.fail_at("format", "unknown version: got " + std::to_string(record.integer("format")) +
                                 ", want " + std::to_string(kFormat));
  }
  state.hash = record.string("hash");
  read_steps(record, state);
  state.density = record.raw("density");
  if (!state.density.is_array()) record.fail_at("density", "wrong type: want an array");
  for (const auto& stage : record.objects("stages")) {
    state.stages_ms.emplace_back(stage.string("name"), stage.number("ms"));
  }
  state.num_text_tokens = record.integer("text_tokens");
  const std::string sum = record.object("clip").string("latents_sha256");
  if (sum != sha256(state.latents)) {
    record.object("clip").fail_at("latents_sha256",
                                  "is not that of the tensor: the file is damaged or was changed");
  }
  state.clip = record.raw("clip");
}

}  // namespace

std::string latents_hash(const GenerationRequest& request, uint64_t seed,
                         const std::string& schedule_hash, const RunIdentity& identity,
                         const std::string& noise_sha256) {
  json files = json::array();
  for (const auto& file : identity.model_files) files.push_back({file.bytes, file.header_sha256});
  json all = {{"format", kHashFormat},
              {"request", request.to_json(seed)},
              {"attention", schedule_hash},
              {"weights", std::move(files)},
              {"tokenizers", identity.tokenizers_sha256},
              {"device", request.compute.device.is_cuda() ? "cuda" : "cpu"},
              {"dtype", identity.dtype},
              {"noise", noise_sha256}};
  for (const char* key : {"vae_tiling", "fps", "noise_file"}) all["request"].erase(key);
  return sha256(all.dump(-1, ' ', false, json::error_handler_t::replace));
}

void write_run_state(OutputFile& file, const RunState& state) {
  const json record = {{"format", kFormat},
                       {"hash", state.hash},
                       {"num_steps", state.num_steps},
                       {"steps", steps_json(state)},
                       {"density", state.density},
                       {"stages", stages_json(state)},
                       {"text_tokens", state.num_text_tokens},
                       {"clip", state.clip}};
  weights::write_safetensors(
      file, {{state.finished() ? kFinal : kUnfinished, state.latents}},
      {{kRecord, record.dump(-1, ' ', false, json::error_handler_t::replace)}});
}

RunState read_run_state(const std::filesystem::path& file) {
  const auto source = open(file);
  const std::string name = tensor_name(source);
  RunState state;
  state.latents = read_latents(source, name);
  const auto record = source.metadata().find(kRecord);
  if (record != source.metadata().end()) {
    read_record(JsonReader::parse(record->second, file.string(), JsonOwner::kUser), state);
  }
  if (state.finished() != (name == kFinal)) {
    fail<ConfigError>(file.string(), ": ", name, ": does not go with ", state.steps.size(), " of ",
                      state.num_steps, " steps");
  }
  return state;
}

}  // namespace reel::pipeline
