// The Llama-3 tokenizer, from tokenizer.json as published (spec/hunyuanvideo.md 3.1).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>
#include <vector>

#include "core/json_reader.h"
#include "text_encoder/added_tokens.h"
#include "text_encoder/byte_level_bpe.h"
#include "text_encoder/word_pattern.h"

namespace reel::text_encoder {

/// Text to ids, equal to Hugging Face's tokenizers for the same file. Immutable.
class LlamaTokenizer {
 public:
  /// Reads tokenizer.json, and the padding token from tokenizer_config.json or, if that names none,
  /// special_tokens_map.json. A padding side in these files does not matter: the published program
  /// always pads on the right. Throws WeightError for a file that is missing, damaged, or asks for
  /// something that Llama-3's does not have.
  explicit LlamaTokenizer(const std::filesystem::path& folder);

  /// The tokens of `text`, special ones too where their names stand in it; no beginning of text.
  /// `text` must be valid UTF-8. `Token::begin` counts bytes of `text`.
  std::vector<Token> tokenize(std::string_view text) const;

  /// What stands in front of every text: <|begin_of_text|>.
  const std::vector<int64_t>& prefix() const { return prefix_; }

  int64_t pad_id() const { return pad_id_; }

 private:
  explicit LlamaTokenizer(const JsonReader& json, const std::filesystem::path& folder);

  ByteLevelBpe bpe_;
  WordPattern pattern_;
  AddedTokens added_;             // found in the text as it is
  AddedTokens added_normalized_;  // found in what the first leave
  std::vector<int64_t> prefix_;
  int64_t pad_id_;
};

}  // namespace reel::text_encoder
