// vocab.json, merges.txt, special_tokens_map.json and a prompt, with NUL bytes between them.
#include "text_encoder/clip_tokenizer.h"

#include "core/utf8.h"
#include "tests/fuzz/input_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace reel;
  const auto parts = fuzz::split_input(fuzz::text_of(data, size), 4);
  fuzz::input_file("vocab.json", parts[0]);
  fuzz::input_file("merges.txt", parts[1]);
  fuzz::input_file("special_tokens_map.json", parts[2]);
  fuzz::may_refuse([&] {
    const text_encoder::ClipTokenizer tokenizer(fuzz::input_folder());
    if (!find_invalid_utf8(parts[3])) tokenizer.tokenize(parts[3]);
    tokenizer.tokenize("A cat's 3 paws,  on ice <|endoftext|>\n");
  });
  return 0;
}
