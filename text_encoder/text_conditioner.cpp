#include "text_encoder/text_conditioner.h"

#include <ATen/ATen.h>

namespace reel::text_encoder {
namespace {

// [1, S] int64.
at::Tensor one_row(const std::vector<int64_t>& ids) {
  return at::tensor(ids, at::TensorOptions().dtype(at::kLong)).unsqueeze(0);
}

}  // namespace

TextConditioner::TextConditioner(PromptTokenizer tokenizer, Llama llama, ClipText clip)
    : tokenizer_(std::move(tokenizer)), llama_(std::move(llama)), clip_(std::move(clip)) {}

EncodedPrompt TextConditioner::encode(std::string_view prompt, Template which) const {
  const TokenizedPrompt tokens = tokenizer_.tokenize(prompt, which);
  const at::Tensor states = llama_.forward(one_row(tokens.llama_ids), {tokens.llama_valid})[0];
  EncodedPrompt encoded;
  encoded.states = states.narrow(0, tokens.crop, tokens.llama_valid - tokens.crop);
  encoded.pooled = clip_.forward(one_row(tokens.clip_ids)).pooled[0];
  if (!tokens.llama_cut.empty()) {
    encoded.warnings.push_back("the prompt is longer than the text encoder reads; cut off: \"" +
                               tokens.llama_cut + "\"");
  }
  if (!tokens.clip_cut.empty()) {
    encoded.warnings.push_back("the prompt is longer than CLIP reads; cut off there: \"" +
                               tokens.clip_cut + "\"");
  }
  return encoded;
}

}  // namespace reel::text_encoder
