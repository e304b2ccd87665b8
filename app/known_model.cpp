#include "app/known_model.h"

#include "app/request_flags.h"
#include "media/frame_rate.h"
#include "pipeline/models.h"

namespace reel::app {
KnownModel read_known_model(const std::filesystem::path& folder, const weights::PartPaths& parts) {
  KnownModel model{.folder = weights::find_model_folder(folder, parts),
                   .defaults = {},
                   .facts = {},
                   .num_channels = 0};
  if (model.folder.defaults) {
    model.defaults = pipeline::read_model_defaults(*model.folder.defaults);
  }
  if (!model.defaults.flow_shift) {
    model.defaults.flow_shift = pipeline::read_flow_shift(model.folder);
  }
  const auto config = pipeline::read_transformer_config(model.folder);
  model.facts = {.embeds_guidance = config.embeds_guidance,
                 .num_layers = config.num_layers(),
                 .num_heads = config.num_heads};
  model.num_channels = config.channels;
  return model;
}

std::optional<KnownModel> try_model(const ParsedFlags& flags, std::exception_ptr& broken,
                                    Problems& problems) {
  const auto folder = flags.text("--model");
  if (!folder) {
    problems.add("--model: is missing: want a checkpoint folder");
    return std::nullopt;
  }
  try {
    return read_known_model(*folder, part_paths(flags));
  } catch (const WeightError&) {
    broken = std::current_exception();
    return std::nullopt;
  }
}

void check_frame_rate(const std::string& text, Problems& problems) {
  try {
    media::parse_frame_rate(text);
  } catch (const ConfigError& error) {
    problems.add(error.what());
  }
}

}  // namespace reel::app
