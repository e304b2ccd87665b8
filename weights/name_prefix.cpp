#include "weights/name_prefix.h"

#include "core/error.h"
#include "core/printable.h"

// Prefixes: spec/hunyuanvideo.md 2.3 (Llama), 2.4 (CLIP), 5.1 (VAE), 10 (transformer).
namespace reel::weights {

const NamePrefixes& transformer_prefixes() {
  static const NamePrefixes kKnown{{"", "model.model.", "model.diffusion_model."},
                                   {kOfficialTransformerAnchor, kDiffusersTransformerAnchor}};
  return kKnown;
}

const NamePrefixes& vae_prefixes() {
  static const NamePrefixes kKnown{{"", "vae."}, {"post_quant_conv.weight"}};
  return kKnown;
}

const NamePrefixes& llama_prefixes() {
  static const NamePrefixes kKnown{{"", "model.", "language_model.model.", "model.language_model."},
                                   {"layers.0.input_layernorm.weight"}};
  return kKnown;
}

const NamePrefixes& clip_text_prefixes() {
  static const NamePrefixes kKnown{{"text_model.", ""}, {"embeddings.token_embedding.weight"}};
  return kKnown;
}

NameMatch find_prefix(const TensorSource& source, const NamePrefixes& known) {
  for (const auto prefix : known.prefixes) {
    for (const auto anchor : known.anchors) {
      const std::string name = std::string(prefix) + std::string(anchor);
      if (source.find(name) != nullptr) return {std::string(prefix), std::string(anchor)};
    }
  }
  std::string anchors;
  for (const auto anchor : known.anchors) {
    if (!anchors.empty()) anchors += " or ";
    anchors += anchor;
  }
  const auto& infos = source.infos();
  fail<WeightError>(source.where(), ": not the kind of model that belongs here: got ",
                    infos.empty() ? "no tensors" : printable(infos.front().name) + " and others",
                    ", want ", anchors);
}

}  // namespace reel::weights
