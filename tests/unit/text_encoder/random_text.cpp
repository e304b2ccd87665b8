#include "tests/unit/text_encoder/random_text.h"

#include <array>
#include <string_view>
#include <utility>

#include "core/utf8.h"

namespace reel::text_encoder {
namespace {

// splitmix64.
class RandomNumbers {
 public:
  explicit RandomNumbers(uint64_t seed) : state_(seed) {}

  uint64_t below(uint64_t limit) {
    state_ += 0x9E3779B97F4A7C15;
    uint64_t value = state_;
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
    return (value ^ (value >> 31)) % limit;
  }

 private:
  uint64_t state_;
};

constexpr std::array<std::pair<uint32_t, uint32_t>, 24> kRanges = {{
    {0x20, 0x7E},     {0x61, 0x7A},       {0x61, 0x7A},       {0x41, 0x5A},     {0x30, 0x39},
    {0x20, 0x20},     {0x09, 0x0D},       {0x00, 0x1F},       {0xA0, 0x17F},    {0x300, 0x36F},
    {0x370, 0x52F},   {0x590, 0x6FF},     {0x900, 0xDFF},     {0x1100, 0x11FF}, {0x1E00, 0x1FFF},
    {0x2000, 0x206F}, {0x2100, 0x218F},   {0x3040, 0x30FF},   {0x4E00, 0x9FFF}, {0xAC00, 0xD7A3},
    {0xF900, 0xFFFD}, {0x1F300, 0x1FAFF}, {0x10000, 0x1FFFF}, {0x0, 0x10FFFF},
}};

constexpr std::array<std::string_view, 10> kPieces = {
    "<|eot_id|>", "<|endoftext|>", "<|", "|>", "'s", "'LL", "\r\n", "\xE2\x80\x8D", "</w>", "the "};

std::string random_string(RandomNumbers& numbers) {
  std::string text;
  for (uint64_t left = numbers.below(48); left > 0; --left) {
    if (numbers.below(24) == 0) {
      text += kPieces[numbers.below(kPieces.size())];
      continue;
    }
    const auto [first, last] = kRanges[numbers.below(kRanges.size())];
    const auto point = static_cast<char32_t>(first + numbers.below(last - first + 1));
    append_utf8(text, point >= 0xD800 && point < 0xE000 ? U' ' : point);
  }
  return text;
}

}  // namespace

std::vector<std::string> random_strings(uint64_t seed, int64_t count) {
  RandomNumbers numbers(seed);
  std::vector<std::string> strings;
  for (int64_t i = 0; i < count; ++i) strings.push_back(random_string(numbers));
  return strings;
}

std::string character_in_context(char32_t code_point) {
  std::string text;
  append_utf8(text, code_point);
  text += 'a';
  append_utf8(text, code_point);
  append_utf8(text, 0x323);
  append_utf8(text, 0x301);
  text += " 1";
  append_utf8(text, code_point);
  return text;
}

}  // namespace reel::text_encoder
