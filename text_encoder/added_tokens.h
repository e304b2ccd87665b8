// Tokens that are found in a text before it is cut into words, such as <|eot_id|>.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace reel::text_encoder {

/// A set of such tokens.
class AddedTokens {
 public:
  /// Adds a token; `content` must not be empty.
  void add(std::string content, int64_t id);

  /// Calls, from left to right, `found` for every token in `text` (the leftmost, of those the
  /// longest) and `between` for every stretch without one.
  void split(std::string_view text,
             const std::function<void(int64_t id, size_t begin, size_t end)>& found,
             const std::function<void(size_t begin, size_t end)>& between) const;

 private:
  const std::pair<std::string, int64_t>* at(std::string_view rest) const;

  std::vector<std::pair<std::string, int64_t>> tokens_;  // longest first
};

}  // namespace reel::text_encoder
