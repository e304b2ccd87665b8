#include "text_encoder/added_tokens.h"

#include <algorithm>

namespace reel::text_encoder {

void AddedTokens::add(std::string content, int64_t id) {
  const auto place = std::find_if(tokens_.begin(), tokens_.end(), [&](const auto& token) {
    return token.first.size() < content.size();
  });
  tokens_.insert(place, {std::move(content), id});
}

const std::pair<std::string, int64_t>* AddedTokens::at(std::string_view rest) const {
  const auto token = std::find_if(tokens_.begin(), tokens_.end(), [&](const auto& candidate) {
    return rest.starts_with(candidate.first);
  });
  return token == tokens_.end() ? nullptr : &*token;
}

void AddedTokens::split(std::string_view text,
                        const std::function<void(int64_t id, size_t begin, size_t end)>& found,
                        const std::function<void(size_t begin, size_t end)>& between) const {
  size_t end = 0;  // of what is handed out
  for (size_t position = 0; position < text.size();) {
    const auto* token = at(text.substr(position));
    if (token == nullptr) {
      ++position;
      continue;
    }
    if (position > end) between(end, position);
    end = position + token->first.size();
    found(token->second, position, end);
    position = end;
  }
  if (end < text.size()) between(end, text.size());
}

}  // namespace reel::text_encoder
