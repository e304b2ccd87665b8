// Pieces of tokenizer_config.json and special_tokens_map.json that both tokenizers read.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "core/json_reader.h"

namespace reel::text_encoder {

/// A token that is found in a text before it is cut into words.
struct AddedToken {
  std::string content;
  int64_t id = 0;
  bool normalized = false;  ///< looked for in the normalised text, not in the text as it is
};

/// Reads one description of such a token, with its id if it has one. Throws WeightError if it wants
/// white space around it taken in (lstrip, rstrip) or stands for whole words only (single_word).
AddedToken read_added_token(const JsonReader& json);

/// What tokenizer_config.json and special_tokens_map.json of a folder say; neither need be there.
class TokenizerFiles {
 public:
  explicit TokenizerFiles(const std::filesystem::path& folder);

  /// The special token `key` ("pad_token"), from the first file that names it. Its `normalized` is
  /// that of the description with the same content, wherever it stands.
  std::optional<AddedToken> special(const std::string& key) const;

  /// The config's "added_tokens_decoder", by content.
  const std::map<std::string, AddedToken>& added() const { return added_; }

 private:
  std::optional<JsonReader> config_;
  std::optional<JsonReader> map_;
  std::map<std::string, AddedToken> added_;
};

}  // namespace reel::text_encoder
