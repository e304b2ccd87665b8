// What published files put in front of a model's tensor names, found by one name that must be
// there.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "weights/tensor_source.h"

namespace reel::weights {

/// Prefixes that files of one kind of model are known to use, and names that follow them.
struct NamePrefixes {
  std::vector<std::string_view> prefixes;  ///< the first that fits is taken
  std::vector<std::string_view> anchors;   ///< one of them is in every such file
};

/// What was found in a file.
struct NameMatch {
  std::string prefix;
  std::string anchor;  ///< tells spellings apart where a model has more than one
};

/// Official and diffusers' transformer files; the anchor tells which of the two.
const NamePrefixes& transformer_prefixes();
inline constexpr std::string_view kOfficialTransformerAnchor = "img_in.proj.weight";
inline constexpr std::string_view kDiffusersTransformerAnchor = "x_embedder.proj.weight";

const NamePrefixes& vae_prefixes();
const NamePrefixes& llama_prefixes();
const NamePrefixes& clip_text_prefixes();

/// The first prefix, with the first anchor, that names a tensor of `source`. Throws WeightError if
/// there is none: then the file holds another kind of model.
NameMatch find_prefix(const TensorSource& source, const NamePrefixes& known);

}  // namespace reel::weights
