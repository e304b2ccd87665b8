// From a prompt to what the transformer is told about it: both tokenizers and both encoders.
// L text tokens that are kept (docs/SHAPES.md).
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <string_view>
#include <vector>

#include "text_encoder/clip_text.h"
#include "text_encoder/llama.h"
#include "text_encoder/prompt_tokenizer.h"

namespace reel::text_encoder {

/// One prompt, encoded.
struct EncodedPrompt {
  at::Tensor states;  ///< [L, D_text]: the template's beginning cropped off, padding dropped
  at::Tensor pooled;  ///< [D_clip]
  std::vector<std::string> warnings;  ///< one line for each encoder that had to cut the prompt
};

/// Owns what it needs; on the device and in the dtype of the encoders' weights.
class TextConditioner {
 public:
  TextConditioner(PromptTokenizer tokenizer, Llama llama, ClipText clip);

  /// Throws ConfigError if `prompt` is not UTF-8.
  EncodedPrompt encode(std::string_view prompt, Template which) const;

 private:
  PromptTokenizer tokenizer_;
  Llama llama_;
  ClipText clip_;
};

}  // namespace reel::text_encoder
