// What stands around a prompt when the Llama encoder reads it (spec/hunyuanvideo.md 2.1).
#pragma once

#include <cstdint>
#include <string_view>

namespace reel::text_encoder {

enum class Template { kVideo, kImage };

/// The two parts of a template.
struct TemplateText {
  std::string_view before;
  std::string_view after;
};

TemplateText template_text(Template which);

/// How many text positions are left for the prompt and the template's end, in both templates.
inline constexpr int64_t kMaxTextTokens = 256;

/// How many positions CLIP reads, beginning and end included.
inline constexpr int64_t kClipPositions = 77;

}  // namespace reel::text_encoder
