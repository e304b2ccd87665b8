#include "weights/diffusers_index.h"

#include <array>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "core/error.h"
#include "core/json_reader.h"
#include "core/printable.h"
#include "core/problems.h"

namespace reel::weights {
namespace {

constexpr std::string_view kPipeline = "HunyuanVideoPipeline";

// Tokenizers are left out: their class differs between versions, their files do not.
constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kComponents{{
    {"transformer", "HunyuanVideoTransformer3DModel"},
    {"vae", "AutoencoderKLHunyuanVideo"},
    {"text_encoder", "LlamaModel"},
    {"text_encoder_2", "CLIPTextModel"},
    {"scheduler", "FlowMatchEulerDiscreteScheduler"},
}};

// The class of ["library", "class"], or what stands there instead.
std::string class_of(const JsonReader& index, const std::string& component) {
  if (index.is_null(component)) return "nothing";
  const auto& value = index.raw(component);
  if (value.is_array() && value.size() == 2 && value[1].is_string()) {
    return printable(value[1].get<std::string>());
  }
  return printable(value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

}  // namespace

void check_diffusers_index(const std::filesystem::path& file) {
  const auto index = JsonReader::open(file, JsonOwner::kModel);
  const std::string pipeline = index.string("_class_name");
  if (pipeline != kPipeline) {
    fail<WeightError>(file.string(), ": another kind of model: got ", printable(pipeline),
                      ", want ", kPipeline);
  }
  Problems problems;
  for (const auto& [component, want] : kComponents) {
    const std::string got = class_of(index, std::string(component));
    if (got != want) problems.add(component, ": another class: got ", got, ", want ", want);
  }
  problems.throw_if_any<WeightError>(file.string());
}

}  // namespace reel::weights
