#include "pipeline/known_model.h"

#include "media/frame_rate.h"
#include "pipeline/models.h"

namespace reel::pipeline {

KnownModel read_known_model(const std::filesystem::path& folder, const weights::PartPaths& parts) {
  KnownModel model{.folder = weights::find_model_folder(folder, parts),
                   .defaults = {},
                   .facts = {},
                   .num_channels = 0};
  if (model.folder.defaults) model.defaults = read_model_defaults(*model.folder.defaults);
  if (!model.defaults.flow_shift) model.defaults.flow_shift = read_flow_shift(model.folder);
  const auto config = read_transformer_config(model.folder);
  model.facts = {.embeds_guidance = config.embeds_guidance,
                 .num_layers = config.num_layers(),
                 .num_heads = config.num_heads};
  model.num_channels = config.channels;
  return model;
}

void check_frame_rate(const std::string& text, Problems& problems) {
  try {
    media::parse_frame_rate(text);
  } catch (const ConfigError& error) {
    problems.add(error.what());
  }
}

}  // namespace reel::pipeline
