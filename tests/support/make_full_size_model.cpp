// Writes a model folder of HunyuanVideo's published size with random weights, in the diffusers
// layout: the whole program can be tried on a machine, its memory and its speed, without a
// checkpoint. 42 GB; its clips show noise.
//
//     make_full_size_model DIR [--double-blocks N] [--single-blocks N] [--text-layers N]
//
// Tokenizers are the tiny model's, because random embeddings need no vocabulary of their own.
#include <ATen/ATen.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/tiny_model.h"
#include "weights/safetensors.h"

namespace reel::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int64_t kShardBytes = 4'000'000'000;
constexpr int64_t kPoolSize = int64_t{1} << 26;

struct Flags {
  fs::path folder;
  fs::path configs = "tests/data/tiny_model";
  int64_t double_blocks = 20;
  int64_t single_blocks = 40;
  int64_t text_layers = 32;
  unsigned threads = 8;
};

// spec/hunyuanvideo.md 1.1, 2.3, 2.4 and 4.1: what the published configs say otherwise than the
// tiny ones.
json published_sizes(const Flags& flags) {
  return {{"transformer",
           {{"in_channels", 16},
            {"out_channels", 16},
            {"num_attention_heads", 24},
            {"num_layers", flags.double_blocks},
            {"num_single_layers", flags.single_blocks},
            {"pooled_projection_dim", 768},
            {"text_embed_dim", 4096}}},
          {"vae",
           {{"block_out_channels", {128, 256, 512, 512}},
            {"latent_channels", 16},
            {"norm_num_groups", 32}}},
          {"text_encoder",
           {{"head_dim", 128},
            {"hidden_size", 4096},
            {"intermediate_size", 14'336},
            {"num_attention_heads", 32},
            {"num_hidden_layers", flags.text_layers},
            {"num_key_value_heads", 8},
            {"vocab_size", 128'320}}},
          {"text_encoder_2",
           {{"hidden_size", 768},
            {"intermediate_size", 3072},
            {"num_attention_heads", 12},
            {"num_hidden_layers", 12},
            {"vocab_size", 49'408}}}};
}

void write_json(const fs::path& file, const json& value) {
  std::ofstream stream(file, std::ios::binary);
  stream.exceptions(std::ios::failbit | std::ios::badbit);
  stream << value.dump(2) << "\n";
}

// Normal numbers once; every tensor is a stretch of them, because twenty thousand million draws
// would take minutes.
class Pool {
 public:
  Pool() : numbers_(at::empty({kPoolSize}, at::kFloat)) {
    constexpr int64_t kSeed = 7;
    std::mt19937_64 engine(kSeed);
    std::normal_distribution<float> normal;
    float* values = numbers_.data_ptr<float>();
    for (int64_t i = 0; i < kPoolSize; ++i) values[i] = normal(engine);
  }

  // The rules of draw_weights.h.
  at::Tensor draw(const weights::WeightSpec& spec, at::ScalarType dtype) const {
    double scale = 1.0;
    double shift = 0.0;
    if (spec.name.ends_with("bias")) {
      scale = 0.1;
    } else if (spec.shape.size() == 1) {
      scale = 0.2;
      shift = 1.0;
    } else {
      scale = 1.0 / std::sqrt(static_cast<double>(spec.num_elements() / spec.shape[0]));
    }
    const at::Tensor tensor = at::empty({spec.num_elements()}, dtype);
    auto from = static_cast<int64_t>(std::hash<std::string>{}(spec.name) % kPoolSize);
    for (int64_t at = 0; at < tensor.numel();) {
      const int64_t count = std::min(tensor.numel() - at, kPoolSize - from);
      tensor.narrow(0, at, count).copy_(numbers_.narrow(0, from, count).mul(scale).add_(shift));
      at += count;
      from = 0;
    }
    return tensor.view(spec.shape);
  }

 private:
  at::Tensor numbers_;
};

struct Shard {
  fs::path file;
  std::vector<weights::WeightSpec> specs;
  at::ScalarType dtype;
};

// As few files as hold kShardBytes each, named as diffusers and transformers name them, and their
// index.
std::vector<Shard> shards_of(const fs::path& folder, const std::string& stem,
                             const std::vector<weights::WeightSpec>& specs, at::ScalarType dtype) {
  const auto item = static_cast<int64_t>(c10::elementSize(dtype));
  std::vector<Shard> shards;
  int64_t bytes = kShardBytes;
  int64_t total = 0;
  for (const auto& spec : specs) {
    const int64_t size = spec.num_elements() * item;
    if (bytes + size > kShardBytes) {
      shards.push_back({.file = {}, .specs = {}, .dtype = dtype});
      bytes = 0;
    }
    shards.back().specs.push_back(spec);
    bytes += size;
    total += size;
  }
  json index = {{"metadata", {{"total_size", total}}}, {"weight_map", json::object()}};
  for (size_t i = 0; i < shards.size(); ++i) {
    std::array<char, 32> number{};
    std::snprintf(number.data(), number.size(), "-%05zu-of-%05zu", i + 1, shards.size());
    const std::string name =
        stem + (shards.size() == 1 ? "" : number.data()) + std::string(".safetensors");
    shards[i].file = folder / name;
    for (const auto& spec : shards[i].specs) index["weight_map"][spec.name] = name;
  }
  if (shards.size() > 1) write_json(folder / (stem + ".safetensors.index.json"), index);
  return shards;
}

std::vector<Shard> write_configs(const Flags& flags) {
  fs::create_directories(flags.folder);
  fs::copy(flags.configs, flags.folder,
           fs::copy_options::recursive | fs::copy_options::overwrite_existing);
  fs::remove(flags.folder / "seeds.json");
  std::vector<Shard> shards;
  const json sizes = published_sizes(flags);
  for (const auto& [part, changes] : sizes.items()) {
    const fs::path folder = flags.folder / part;
    std::ifstream stream(flags.configs / part / "config.json");
    auto config = json::parse(stream);
    config.update(changes);
    write_json(folder / "config.json", config);
    const bool encodes_text = part.starts_with("text_encoder");
    const auto found = shards_of(folder, encodes_text ? "model" : "diffusion_pytorch_model",
                                 published_part_specs(flags.folder, part),
                                 part == "vae" ? at::kHalf : at::kBFloat16);
    shards.insert(shards.end(), found.begin(), found.end());
  }
  return shards;
}

void write_shards(const std::vector<Shard>& shards, unsigned num_threads) {
  const Pool pool;
  std::atomic<size_t> next = 0;
  std::mutex mutex;
  std::exception_ptr error;
  const auto work = [&] {
    for (size_t i = next++; i < shards.size(); i = next++) {
      try {
        std::map<std::string, at::Tensor> tensors;
        for (const auto& spec : shards[i].specs) {
          tensors[spec.name] = pool.draw(spec, shards[i].dtype);
        }
        weights::save_safetensors(shards[i].file, tensors, {{"format", "pt"}});
      } catch (...) {
        const std::scoped_lock lock(mutex);
        error = std::current_exception();
        next = shards.size();
      }
    }
  };
  std::vector<std::jthread> threads;
  for (unsigned i = 0; i < num_threads; ++i) threads.emplace_back(work);
  threads.clear();
  if (error) std::rethrow_exception(error);
}

int run(int argc, char** argv) {
  Flags flags;
  CLI::App app("Writes a model folder of HunyuanVideo's size with random weights");
  app.add_option("dir", flags.folder, "the folder to write")->required();
  app.add_option("--configs", flags.configs, "the tiny model's configs and tokenizers")
      ->check(CLI::ExistingDirectory);
  app.add_option("--double-blocks", flags.double_blocks)->check(CLI::PositiveNumber);
  app.add_option("--single-blocks", flags.single_blocks)->check(CLI::PositiveNumber);
  app.add_option("--text-layers", flags.text_layers)->check(CLI::PositiveNumber);
  app.add_option("--threads", flags.threads, "files in the making, 4 GB of memory each")
      ->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);
  write_shards(write_configs(flags), flags.threads);
  return 0;
}

}  // namespace
}  // namespace reel::testing

int main(int argc, char** argv) {
  try {
    return reel::testing::run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "make_full_size_model: " << error.what() << "\n";
    return 1;
  }
}
