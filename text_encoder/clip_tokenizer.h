// The CLIP tokenizer, from vocab.json and merges.txt as published (spec/hunyuanvideo.md 3.2).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/json_reader.h"
#include "text_encoder/added_tokens.h"
#include "text_encoder/byte_level_bpe.h"
#include "text_encoder/word_pattern.h"

namespace reel::text_encoder {

/// A text's tokens with the text that they were found in.
struct ClipTokens {
  std::string text;           ///< normalised: composed, single spaces, lower case
  std::vector<Token> tokens;  ///< without the beginning and the end; `begin` counts bytes of `text`
};

/// Text to ids, equal to transformers' CLIPTokenizer (5.23, on tokenizers) for the same folder.
/// A tokenizer.json beside the two files is not read. Immutable.
class ClipTokenizer {
 public:
  /// Throws WeightError for a file that is missing or damaged.
  explicit ClipTokenizer(const std::filesystem::path& folder);

  /// `text` must be valid UTF-8. Special tokens are found where their names stand in it; where the
  /// folder says "normalized", as the published one does, in any case of letters.
  ClipTokens tokenize(std::string_view text) const;

  int64_t bos_id() const { return bos_id_; }
  int64_t eos_id() const { return eos_id_; }
  int64_t pad_id() const { return pad_id_; }

 private:
  ClipTokenizer(const JsonReader& vocabulary, const std::filesystem::path& folder);

  ByteLevelBpe bpe_;
  WordPattern pattern_;
  AddedTokens added_;             // found in the text as it is
  AddedTokens added_normalized_;  // found in the normalised text
  int64_t bos_id_;
  int64_t eos_id_;
  int64_t pad_id_;
};

}  // namespace reel::text_encoder
