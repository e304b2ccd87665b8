#include <nlohmann/json.hpp>

#include "core/json_reader.h"
#include "pipeline/generation_request.h"

namespace reel::pipeline {
namespace {

// A number or a text in JSON, as the flag of the same name takes it.
std::string flag_text(const JsonReader& json, const std::string& key) {
  if (json.raw(key).is_string()) return json.string(key);
  if (json.raw(key).is_number()) return json.raw(key).dump();
  json.fail_at(key, "wrong type: want a number or a text");
}

}  // namespace

ModelDefaults read_model_defaults(const std::filesystem::path& file) {
  const JsonReader json = JsonReader::open(file, JsonOwner::kModel);
  json.refuse_unknown_keys({"format", "width", "height", "frames", "steps", "fps", "guidance",
                            "cfg_scale", "flow_shift", "attn", "tau", "stride", "block",
                            "dense_steps"});
  if (json.integer("format") != 1) json.fail_at("format", "unknown version: want 1");
  ModelDefaults defaults;
  const auto integer = [&json](const std::string& key, std::optional<int64_t>& value) {
    if (json.has(key)) value = json.positive(key);
  };
  const auto number = [&json](const std::string& key, std::optional<double>& value) {
    if (json.has(key)) value = json.number(key);
  };
  const auto text = [&json](const std::string& key, std::optional<std::string>& value) {
    if (json.has(key)) value = flag_text(json, key);
  };
  integer("width", defaults.width);
  integer("height", defaults.height);
  integer("frames", defaults.frames);
  integer("steps", defaults.steps);
  integer("stride", defaults.stride);
  integer("block", defaults.block);
  number("guidance", defaults.guidance);
  number("cfg_scale", defaults.cfg_scale);
  number("flow_shift", defaults.flow_shift);
  number("tau", defaults.tau);
  text("fps", defaults.frame_rate);
  text("attn", defaults.attention_mode);
  text("dense_steps", defaults.dense_steps);
  return defaults;
}

}  // namespace reel::pipeline
