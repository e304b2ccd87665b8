#include "media/frame_rate.h"

#include <charconv>
#include <cstdint>
#include <numeric>
#include <optional>
#include <string_view>

#include "core/error.h"

namespace reel::media {
namespace {

constexpr int64_t kLargest = 1'000'000;  // of either part, so that products stay exact

std::optional<int64_t> whole_number(std::string_view digits) {
  if (digits.empty() || digits.front() == '-') return std::nullopt;
  int64_t value = 0;
  const char* end = digits.data() + digits.size();
  const auto parsed = std::from_chars(digits.data(), end, value);
  const bool good = parsed.ec == std::errc() && parsed.ptr == end;
  return good && value <= kLargest ? std::optional(value) : std::nullopt;
}

// "23.976" is 23976 / 10^3.
std::optional<int64_t> power_of_ten(size_t exponent) {
  if (exponent > 6) return std::nullopt;
  int64_t power = 1;
  for (size_t i = 0; i < exponent; ++i) power *= 10;
  return power;
}

}  // namespace

FrameRate parse_frame_rate(const std::string& text) {
  const std::string_view view = text;
  std::optional<int64_t> num;
  std::optional<int64_t> den = 1;
  if (const size_t slash = view.find('/'); slash != std::string_view::npos) {
    num = whole_number(view.substr(0, slash));
    den = whole_number(view.substr(slash + 1));
  } else if (const size_t point = view.find('.'); point != std::string_view::npos) {
    const std::string_view decimals = view.substr(point + 1);
    num = decimals.empty() ? std::nullopt
                           : whole_number(text.substr(0, point) + std::string(decimals));
    den = power_of_ten(decimals.size());
  } else {
    num = whole_number(view);
  }
  if (!num || !den || *num < 1 || *den < 1) {
    fail<ConfigError>("--fps: not a frame rate: got ", text, ", want 24, 23.976 or 24000/1001");
  }
  if (*num > 1000 * *den || *num * 1000 < *den) {
    fail<ConfigError>("--fps: out of range: got ", text, ", want 0.001 to 1000");
  }
  const int64_t divisor = std::gcd(*num, *den);
  return {static_cast<int>(*num / divisor), static_cast<int>(*den / divisor)};
}

std::string frame_rate_text(FrameRate rate) {
  const std::string num = std::to_string(rate.num);
  return rate.den == 1 ? num : num + "/" + std::to_string(rate.den);
}

}  // namespace reel::media
