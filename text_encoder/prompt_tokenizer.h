// From a prompt to the ids that both text encoders read (spec/hunyuanvideo.md 2.1, 2.2, 2.4).
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "text_encoder/clip_tokenizer.h"
#include "text_encoder/llama_tokenizer.h"
#include "text_encoder/prompt_template.h"

namespace reel::text_encoder {

/// A prompt for both encoders.
struct TokenizedPrompt {
  std::vector<int64_t> llama_ids;  ///< [256 + crop], template included, padded on the right
  int64_t llama_valid;             ///< true tokens in it, more than crop
  int64_t crop;                    ///< tokens of the template before the prompt
  std::vector<int64_t> clip_ids;   ///< [77]: beginning, tokens, end, padding
  int64_t clip_valid;              ///< true tokens in it, beginning and end included
  std::string llama_cut;           ///< what of the prompt did not fit, or ""
  std::string clip_cut;            ///< the same for CLIP, normalised as CLIP reads it
};

/// Both tokenizers of a model folder. Immutable.
class PromptTokenizer {
 public:
  /// Takes the folders with tokenizer.json (Llama) and with vocab.json (CLIP). Throws WeightError.
  PromptTokenizer(const std::filesystem::path& tokenizer, const std::filesystem::path& tokenizer_2);

  /// Strips white space off both ends of `prompt`, then tokenizes it. Throws ConfigError, with the
  /// byte's offset in `prompt`, if it is not UTF-8.
  TokenizedPrompt tokenize(std::string_view prompt, Template which) const;

  /// Tokens of the template before the prompt, beginning of text included.
  int64_t crop(Template which) const { return crops_[static_cast<size_t>(which)]; }

 private:
  void tokenize_llama(std::string_view prompt, Template which, TokenizedPrompt& result) const;
  void tokenize_clip(std::string_view prompt, TokenizedPrompt& result) const;

  LlamaTokenizer llama_;
  ClipTokenizer clip_;
  std::array<int64_t, 2> crops_;
};

}  // namespace reel::text_encoder
