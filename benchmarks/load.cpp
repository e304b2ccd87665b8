// Loading a transformer: from a safetensors file in the diffusers layout to fused tensors on the
// device. The file is drawn, and in the page cache after the first run: this measures the program,
// not the disk.
#include <filesystem>

#include "benchmarks/scratch_folder.h"
#include "benchmarks/timed_runs.h"
#include "benchmarks/transformer_sizes.h"
#include "core/device.h"
#include "core/random.h"
#include "dit/weight_table.h"
#include "weights/load_weights.h"
#include "weights/safetensors.h"

namespace reel::benchmarks {
namespace {

struct ModelFlags {
  int64_t double_blocks = 4;
  int64_t single_blocks = 8;
  int64_t heads = 8;
  std::string stored = "bf16";
};

// Writes the published tensors; returns their size in bytes.
double write_model(const std::filesystem::path& file, const std::vector<weights::Recipe>& recipes,
                   at::ScalarType stored) {
  std::map<std::string, at::Tensor> tensors;
  double num_bytes = 0;
  NormalStream stream(1);
  for (const auto& recipe : recipes) {
    for (const auto& part : recipe.parts) {
      const at::Tensor tensor = stream.next(part.shape).to(stored);
      num_bytes += static_cast<double>(tensor.nbytes());
      tensors[part.name] = tensor;
    }
  }
  weights::save_safetensors(file, tensors);
  return num_bytes;
}

int run(int argc, char** argv) {
  CLI::App app("Loading a transformer, timed");
  RunFlags flags;
  ModelFlags model;
  app.add_option("--double-blocks", model.double_blocks)->check(CLI::NonNegativeNumber);
  app.add_option("--single-blocks", model.single_blocks)->check(CLI::NonNegativeNumber);
  app.add_option("--heads", model.heads, "of 128 channels each")->check(CLI::PositiveNumber);
  app.add_option("--stored", model.stored, "dtype in the file");
  const ScratchFolder scratch;
  const std::filesystem::path file = scratch / "model.safetensors";
  return run_benchmark("load", app, flags, argc, argv, [&] {
    const dit::Config config =
        transformer_config(model.heads, model.double_blocks, model.single_blocks);
    const auto recipes =
        weights::recipes_for(dit::weight_table(config), dit::diffusers_rules(config));
    const double num_bytes = write_model(file, recipes, parse_dtype(model.stored));
    const at::Device device = parse_device(flags.device);
    const at::ScalarType dtype = parse_dtype(flags.dtype);
    const auto load = [=] {
      weights::load_weights("transformer", weights::open_safetensors(file), recipes, {}, device,
                            dtype);
      synchronize(device);
    };
    return HotPath{
        load, {{"stored", model.stored}, {"file_bytes", num_bytes}}, {{"GB", num_bytes * 1e-9}}};
  });
}

}  // namespace
}  // namespace reel::benchmarks

int main(int argc, char** argv) {
  return reel::benchmarks::run(argc, argv);
}
