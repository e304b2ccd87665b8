#include "text_encoder/prompt_tokenizer.h"

#include <algorithm>
#include <iomanip>
#include <sstream>

#include "core/error.h"
#include "core/utf8.h"

namespace reel::text_encoder {
namespace {

void check_utf8(std::string_view prompt) {
  const auto offset = find_invalid_utf8(prompt);
  if (!offset) return;
  std::ostringstream byte;
  byte << "0x" << std::hex << std::uppercase << std::setw(2) << std::setfill('0')
       << static_cast<unsigned>(static_cast<unsigned char>(prompt[*offset]));
  fail<ConfigError>("prompt: not valid UTF-8: got byte ", byte.str(), " at offset ", *offset,
                    ", want UTF-8");
}

// `text` from byte `begin`, or from where the character begins that this byte is part of.
std::string tail(std::string_view text, size_t begin) {
  while (begin > 0 && begin < text.size() && (text[begin] & 0xC0) == 0x80) --begin;
  return std::string(text.substr(std::min(begin, text.size())));
}

}  // namespace

PromptTokenizer::PromptTokenizer(const std::filesystem::path& tokenizer,
                                 const std::filesystem::path& tokenizer_2)
    : llama_(tokenizer), clip_(tokenizer_2) {
  for (const Template which : {Template::kVideo, Template::kImage}) {
    const auto before = llama_.tokenize(template_text(which).before);
    crops_[static_cast<size_t>(which)] =
        static_cast<int64_t>(llama_.prefix().size() + before.size());
  }
}

TokenizedPrompt PromptTokenizer::tokenize(std::string_view prompt, Template which) const {
  check_utf8(prompt);
  const std::string_view stripped = strip_whitespace(prompt);
  TokenizedPrompt result{};
  tokenize_llama(stripped, which, result);
  tokenize_clip(stripped, result);
  return result;
}

void PromptTokenizer::tokenize_llama(std::string_view prompt, Template which,
                                     TokenizedPrompt& result) const {
  const auto [before, after] = template_text(which);
  std::string text(before);
  text += prompt;
  text += after;
  const auto tokens = llama_.tokenize(text);

  result.crop = crop(which);
  const auto length = static_cast<size_t>(result.crop + kMaxTextTokens);
  result.llama_ids = llama_.prefix();
  const size_t room = length - result.llama_ids.size();
  const size_t kept = std::min(room, tokens.size());
  for (size_t i = 0; i < kept; ++i) result.llama_ids.push_back(tokens[i].id);
  result.llama_valid = static_cast<int64_t>(result.llama_ids.size());
  result.llama_ids.resize(length, llama_.pad_id());
  if (kept < tokens.size()) {
    const size_t begin = std::max(tokens[kept].begin, before.size());
    result.llama_cut = tail(prompt, begin - before.size());
  }
}

void PromptTokenizer::tokenize_clip(std::string_view prompt, TokenizedPrompt& result) const {
  const auto [text, tokens] = clip_.tokenize(prompt);
  const size_t kept = std::min(static_cast<size_t>(kClipPositions) - 2, tokens.size());
  result.clip_ids.push_back(clip_.bos_id());
  for (size_t i = 0; i < kept; ++i) result.clip_ids.push_back(tokens[i].id);
  result.clip_ids.push_back(clip_.eos_id());
  result.clip_valid = static_cast<int64_t>(result.clip_ids.size());
  result.clip_ids.resize(static_cast<size_t>(kClipPositions), clip_.pad_id());
  if (kept < tokens.size()) result.clip_cut = tail(text, tokens[kept].begin);
}

}  // namespace reel::text_encoder
