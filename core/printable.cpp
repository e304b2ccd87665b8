#include "core/printable.h"

#include "core/utf8.h"

namespace reel {
namespace {

constexpr size_t kEnd = 80;

// C0, DEL and C1 controls, which could move the cursor, and the two line separators.
bool is_control(char32_t code_point) {
  return code_point < 0x20 || (code_point >= 0x7f && code_point < 0xa0) || code_point == 0x2028 ||
         code_point == 0x2029;
}

void append_escaped(std::string& line, std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (const char byte : bytes) {
    const auto value = static_cast<unsigned char>(byte);
    line += "\\x";
    line += kDigits[value >> 4];
    line += kDigits[value & 15];
  }
}

void append_printable(std::string& line, std::string_view text) {
  while (!text.empty()) {
    const size_t num_valid = find_invalid_utf8(text).value_or(text.size());
    for (size_t end = 0; end < num_valid;) {
      const size_t begin = end;
      const char32_t code_point = next_code_point(text, end);
      const auto bytes = text.substr(begin, end - begin);
      if (is_control(code_point)) {
        append_escaped(line, bytes);
      } else {
        line += bytes;
      }
    }
    text.remove_prefix(num_valid);
    append_escaped(line, text.substr(0, 1));
    if (!text.empty()) text.remove_prefix(1);
  }
}

bool continues_sequence(char byte) {
  return (static_cast<unsigned char>(byte) & 0xc0U) == 0x80;
}

}  // namespace

std::string all_printable(std::string_view text) {
  std::string line;
  append_printable(line, text);
  return line;
}

std::string printable(std::string_view text) {
  if (text.size() <= 2 * kEnd) return all_printable(text);
  std::string line;
  size_t head = kEnd;
  size_t tail = text.size() - kEnd;
  // At most the three bytes that a character can continue with.
  for (int i = 0; i < 3 && continues_sequence(text[head]); ++i) --head;
  for (int i = 0; i < 3 && continues_sequence(text[tail]); ++i) ++tail;
  append_printable(line, text.substr(0, head));
  line += "...";
  append_printable(line, text.substr(tail));
  return line;
}

}  // namespace reel
