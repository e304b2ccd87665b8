#include "app/report_flags.h"

#include <algorithm>

#include "app/setting_text.h"
#include "core/printable.h"

namespace reel::app {

std::optional<std::vector<attention::LayerHead>> mask_heads(
    const ParsedFlags& flags, const std::optional<pipeline::ModelFacts>& facts,
    Problems& problems) {
  const auto list = flags.text("--mask-heads");
  if (list && *list == "none") return std::nullopt;
  std::vector<attention::LayerHead> heads;
  if (!list || *list == "auto") return heads;
  for (const auto& text : split_filled(*list, ',')) {
    const auto parts = split(text, ':');
    const auto layer = parse_integer(parts.front());
    const auto head = parse_integer(parts.back());
    if (parts.size() != 2 || !layer || !head || *layer < 0 || *head < 0) {
      problems.add("--mask-heads: not a head: got ", printable(text),
                   ", want LAYER:HEAD, ..., auto or none");
    } else if (facts && (*layer >= facts->num_layers || *head >= facts->num_heads)) {
      problems.add("--mask-heads: the model has no such head: got ", text, ", want layers 0 to ",
                   facts->num_layers - 1, ", heads 0 to ", facts->num_heads - 1);
    } else if (std::ranges::find(heads, attention::LayerHead{*layer, *head}) == heads.end()) {
      heads.push_back({*layer, *head});
    }
  }
  if (heads.empty() && problems.empty()) {
    problems.add("--mask-heads: names no head: want LAYER:HEAD, ..., auto or none");
  }
  return heads;
}

}  // namespace reel::app
