#include "text_encoder/prompt_template.h"

namespace reel::text_encoder {
namespace {

constexpr std::string_view kVideoBefore =
    "<|start_header_id|>system<|end_header_id|>\n\n"
    "Describe the video by detailing the following aspects: "
    "1. The main content and theme of the video."
    "2. The color, shape, size, texture, quantity, text, and spatial relationships of the objects."
    "3. Actions, events, behaviors temporal relationships, physical movement changes of the "
    "objects."
    "4. background environment, light, style and atmosphere."
    "5. camera angles, movements, and transitions used in the video:<|eot_id|>"
    "<|start_header_id|>user<|end_header_id|>\n\n";

constexpr std::string_view kImageBefore =
    "<|start_header_id|>system<|end_header_id|>\n\n"
    "Describe the image by detailing the color, shape, size, texture, quantity, text, spatial "
    "relationships of the objects and background:<|eot_id|>"
    "<|start_header_id|>user<|end_header_id|>\n\n";

constexpr std::string_view kAfter = "<|eot_id|>";

}  // namespace

TemplateText template_text(Template which) {
  return {which == Template::kVideo ? kVideoBefore : kImageBefore, kAfter};
}

}  // namespace reel::text_encoder
