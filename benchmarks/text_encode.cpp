// Encoding one prompt: Llama over template and prompt, and CLIP, with drawn weights.
#include "benchmarks/timed_runs.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>

#include "core/device.h"
#include "core/random.h"
#include "text_encoder/clip_text.h"
#include "text_encoder/llama.h"

namespace reel::benchmarks {
namespace {

struct ModelFlags {
  int64_t width = 512;
  int64_t heads = 8;
  int64_t key_heads = 2;
  int64_t layers = 8;
  int64_t mlp_width = 1792;
  int64_t vocab_size = 8192;
  int64_t tokens = 95 + 64;
};

text_encoder::LlamaConfig llama_config(const ModelFlags& flags) {
  text_encoder::LlamaConfig config;
  config.hidden_size = flags.width;
  config.intermediate_size = flags.mlp_width;
  config.num_layers = flags.layers + 2;  // the last two never run
  config.num_heads = flags.heads;
  config.num_key_value_heads = flags.key_heads;
  config.head_dim = flags.width / flags.heads;
  config.vocab_size = flags.vocab_size;
  config.norm_epsilon = 1e-5;
  config.rope_theta = 500000.0;
  return config;
}

text_encoder::ClipTextConfig clip_config() {
  text_encoder::ClipTextConfig config;  // CLIP-L with a small vocabulary
  config.hidden_size = 768;
  config.intermediate_size = 3072;
  config.num_layers = 12;
  config.num_heads = 12;
  config.vocab_size = 1024;
  config.max_tokens = 77;
  config.eos_id = config.vocab_size - 1;
  config.norm_epsilon = 1e-5;
  return config;
}

weights::WeightStore draw(const weights::WeightTable& table, at::Device device,
                          at::ScalarType dtype) {
  NormalStream stream(1);
  std::map<std::string, at::Tensor> tensors;
  for (const auto& spec : table.specs()) {
    tensors[spec.name] = stream.next(spec.shape).mul_(0.02).to(device, dtype);
  }
  return weights::WeightStore(std::move(tensors));
}

int run(int argc, char** argv) {
  CLI::App app("Encoding a prompt, timed");
  RunFlags flags;
  ModelFlags model;
  app.add_option("--width", model.width)->check(CLI::PositiveNumber);
  app.add_option("--heads", model.heads)->check(CLI::PositiveNumber);
  app.add_option("--key-heads", model.key_heads)->check(CLI::PositiveNumber);
  app.add_option("--layers", model.layers, "of Llama that run")->check(CLI::PositiveNumber);
  app.add_option("--mlp-width", model.mlp_width)->check(CLI::PositiveNumber);
  app.add_option("--tokens", model.tokens, "template and prompt")->check(CLI::PositiveNumber);
  return run_benchmark("text_encode", app, flags, argc, argv, [&] {
    const at::Device device = parse_device(flags.device);
    const at::ScalarType dtype = parse_dtype(flags.dtype);
    const auto config = llama_config(model);
    const auto table = text_encoder::llama_table(config);
    auto store = draw(table, device, dtype);
    auto clip_store = draw(text_encoder::clip_text_table(clip_config()), device, dtype);
    const auto llama = std::make_shared<text_encoder::Llama>(config, store);
    const auto clip = std::make_shared<text_encoder::ClipText>(clip_config(), clip_store);
    const auto long_ids = at::TensorOptions().dtype(at::kLong);
    const at::Tensor ids = at::arange(model.tokens, long_ids).remainder(model.vocab_size);
    const at::Tensor clip_ids = at::full({1, 77}, clip_config().eos_id, long_ids);
    const auto encode = [=, tokens = model.tokens] {
      llama->forward(ids.unsqueeze(0), {tokens});
      clip->forward(clip_ids);
      synchronize(device);
    };
    const double llama_matrices =
        static_cast<double>(table.num_parameters() - model.vocab_size * model.width);
    return HotPath{encode,
                   {{"tokens", model.tokens}, {"llama_parameters", table.num_parameters()}},
                   {{"GFLOP", 2e-9 * llama_matrices * static_cast<double>(model.tokens)}}};
  });
}

}  // namespace
}  // namespace reel::benchmarks

int main(int argc, char** argv) {
  return reel::benchmarks::run(argc, argv);
}
