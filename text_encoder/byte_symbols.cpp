#include "text_encoder/byte_symbols.h"

#include "core/utf8.h"

namespace reel::text_encoder {
namespace {

constexpr char32_t kFirstReplacement = 0x100;
constexpr char32_t kNumReplacements = 68;

bool stands_for_itself(unsigned byte) {
  return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
}

// Which byte each code point below U+0144 stands for, or -1.
std::array<int, kFirstReplacement + kNumReplacements> invert_symbols() {
  std::array<int, kFirstReplacement + kNumReplacements> bytes;
  bytes.fill(-1);
  for (size_t byte = 0; byte < 256; ++byte) bytes[byte_symbols()[byte]] = static_cast<int>(byte);
  return bytes;
}

}  // namespace

const std::array<char32_t, 256>& byte_symbols() {
  static const auto kSymbols = [] {
    std::array<char32_t, 256> symbols;
    char32_t next = kFirstReplacement;
    for (unsigned byte = 0; byte < 256; ++byte) {
      symbols[byte] = stands_for_itself(byte) ? byte : next++;
    }
    return symbols;
  }();
  return kSymbols;
}

std::optional<std::string> bytes_of_symbols(std::string_view symbols) {
  static const auto kBytes = invert_symbols();
  std::string bytes;
  for (size_t position = 0; position < symbols.size();) {
    const char32_t symbol = next_code_point(symbols, position);
    if (symbol >= kBytes.size() || kBytes[symbol] < 0) return std::nullopt;
    bytes += static_cast<char>(kBytes[symbol]);
  }
  return bytes;
}

}  // namespace reel::text_encoder
