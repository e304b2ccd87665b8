// A model folder's JSON: every reader of a config gets the same text, and what it accepts must make
// a table of weights.
#include "dit/config.h"
#include "dit/weight_table.h"
#include "pipeline/generation_request.h"
#include "schedulers/config.h"
#include "tests/fuzz/input_file.h"
#include "text_encoder/clip_text.h"
#include "text_encoder/llama.h"
#include "vae/config.h"
#include "vae/weight_table.h"
#include "weights/diffusers_index.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace reel;
  const std::string_view text = fuzz::text_of(data, size);
  fuzz::may_refuse([&] {
    const auto json = JsonReader::parse(text, "config.json", JsonOwner::kModel);
    fuzz::may_refuse([&] {
      const auto config = dit::read_config(json);
      dit::weight_table(config).num_parameters();
      dit::diffusers_rules(config);
    });
    fuzz::may_refuse([&] {
      const auto config = vae::Config::read(json);
      vae::decoder_table(config).num_parameters();
      vae::encoder_table(config).num_parameters();
    });
    fuzz::may_refuse([&] { schedulers::read_config(json); });
    fuzz::may_refuse(
        [&] { text_encoder::llama_table(text_encoder::LlamaConfig::read(json)).num_parameters(); });
    fuzz::may_refuse([&] {
      text_encoder::clip_text_table(text_encoder::ClipTextConfig::read(json)).num_parameters();
    });
    const auto file = fuzz::input_file("config.json", text);
    fuzz::may_refuse([&] { weights::check_diffusers_index(file); });
    fuzz::may_refuse([&] { pipeline::read_model_defaults(file); });
  });
  return 0;
}
