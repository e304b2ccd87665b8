#include "text_encoder/tokenizer_files.h"

#include <charconv>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/printable.h"

namespace reel::text_encoder {
namespace {

void refuse_flag(const JsonReader& json, const std::string& key) {
  if (json.has(key) && json.boolean(key)) json.fail_at(key, "not supported: got true, want false");
}

// A token is a plain string, or an object that describes it, or absent.
std::optional<AddedToken> read_special(const JsonReader& json, const std::string& key) {
  if (json.is_null(key)) return std::nullopt;
  if (json.raw(key).is_object()) return read_added_token(json.object(key));
  return AddedToken{json.string(key), 0, false};
}

std::optional<JsonReader> open_if_there(const std::filesystem::path& file) {
  if (!std::filesystem::exists(file)) return std::nullopt;
  return JsonReader::open(file, JsonOwner::kModel);
}

}  // namespace

AddedToken read_added_token(const JsonReader& json) {
  for (const char* flag : {"lstrip", "rstrip", "single_word"}) refuse_flag(json, flag);
  AddedToken token{json.string("content"), 0, false};
  if (token.content.empty()) json.fail_at("content", "empty: want a token's text");
  if (json.has("id")) token.id = json.integer("id");
  if (json.has("normalized")) token.normalized = json.boolean("normalized");
  return token;
}

TokenizerFiles::TokenizerFiles(const std::filesystem::path& folder)
    : config_(open_if_there(folder / "tokenizer_config.json")),
      map_(open_if_there(folder / "special_tokens_map.json")) {
  if (!config_ || config_->is_null("added_tokens_decoder")) return;
  const JsonReader decoder = config_->object("added_tokens_decoder");
  for (const std::string& key : decoder.keys()) {
    AddedToken token = read_added_token(decoder.object(key));
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), token.id);
    if (error != std::errc{} || end != key.data() + key.size()) {
      decoder.fail_at(key, "not an id: got " + printable(key) + ", want a whole number");
    }
    added_.emplace(token.content, token);
  }
}

std::optional<AddedToken> TokenizerFiles::special(const std::string& key) const {
  const auto in_config = config_ ? read_special(*config_, key) : std::nullopt;
  const auto in_map = map_ ? read_special(*map_, key) : std::nullopt;
  auto token = in_config ? in_config : in_map;
  if (!token) return std::nullopt;
  const auto described = added_.find(token->content);
  if (described != added_.end()) {
    token->normalized = described->second.normalized;
  } else if (in_map && in_map->content == token->content && in_map->normalized) {
    token->normalized = true;
  }
  return token;
}

}  // namespace reel::text_encoder
