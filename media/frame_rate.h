// Frames per second as an exact fraction, such as 24000/1001.
#pragma once

#include <string>

namespace reel::media {

/// num / den frames per second, in lowest terms, both positive.
struct FrameRate {
  int num = 0;
  int den = 1;

  double fps() const { return static_cast<double>(num) / den; }
  bool operator==(const FrameRate&) const = default;
};

/// Reads "24", "23.976" (taken as 23976/1000) or "24000/1001". Throws ConfigError, naming --fps,
/// unless the text is such a number, at most 1000 per second and at least 1 per 1000 s.
FrameRate parse_frame_rate(const std::string& text);

/// "24" or "24000/1001".
std::string frame_rate_text(FrameRate rate);

}  // namespace reel::media
