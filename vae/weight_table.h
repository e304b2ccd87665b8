// Names and shapes of the VAE's tensors, the same in both published layouts
// (spec/hunyuanvideo.md 5.3, 5.4). The two halves load apart: rendering needs the decoder only.
#pragma once

#include <string>
#include <vector>

#include "vae/config.h"
#include "weights/weight_table.h"

namespace reel::vae {

/// Everything named post_quant_conv.* and decoder.*.
weights::WeightTable decoder_table(const Config& config);

/// Everything named encoder.* and quant_conv.*.
weights::WeightTable encoder_table(const Config& config);

/// Beginnings of the names that a file holds for the other half: known, and not to be loaded.
std::vector<std::string> names_unused_by_decoder();
std::vector<std::string> names_unused_by_encoder();

}  // namespace reel::vae
