// tokenizer.json, tokenizer_config.json and a prompt, with NUL bytes between them.
#include "text_encoder/llama_tokenizer.h"

#include "core/utf8.h"
#include "tests/fuzz/input_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace reel;
  const auto parts = fuzz::split_input(fuzz::text_of(data, size), 3);
  fuzz::input_file("tokenizer.json", parts[0]);
  fuzz::input_file("tokenizer_config.json", parts[1]);
  fuzz::may_refuse([&] {
    const text_encoder::LlamaTokenizer tokenizer(fuzz::input_folder());
    if (!find_invalid_utf8(parts[2])) tokenizer.tokenize(parts[2]);
    tokenizer.tokenize("A cat's 3 paws,  on ice <|pad|>\n");
  });
  return 0;
}
