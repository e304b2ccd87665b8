// Loading a transformer of HunyuanVideo's size to a GPU: what load_weights() does with several
// threads and pinned memory, against the plain path tensor by tensor, and the same into the host
// memory that offloaded blocks wait in.
//
// The file is in the diffusers layout and in memory only, as a file that has just been read is:
// this measures the program and the bus, not a disk.
#include <ATen/ATen.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>
#include <thread>

#include "benchmarks/timed_runs.h"
#include "benchmarks/transformer_sizes.h"
#include "core/device.h"
#include "core/error.h"
#include "core/stopwatch.h"
#include "dit/block_stream.h"
#include "dit/weight_table.h"
#include "weights/load_weights.h"
#include "weights/safetensors.h"

namespace reel::benchmarks {
namespace {

using Tensors = std::map<std::string, at::Tensor>;

struct Flags {
  int64_t double_blocks = 20;
  int64_t single_blocks = 40;
  int64_t heads = 24;
  int repeats = 3;
  std::string device = "cuda";
  std::string json;
};

// A safetensors file of bf16 numbers without a name.
class MemoryFile {
 public:
  explicit MemoryFile(const std::vector<weights::Recipe>& recipes) {
    nlohmann::json header;
    for (const auto& recipe : recipes) {
      for (const auto& part : recipe.parts) {
        const auto begin = data_bytes_;
        data_bytes_ += static_cast<size_t>(part.num_elements()) * 2;
        header[part.name] = {
            {"dtype", "BF16"}, {"shape", part.shape}, {"data_offsets", {begin, data_bytes_}}};
      }
    }
    const std::string text = header.dump();
    const uint64_t length = text.size();
    descriptor_ = memfd_create("model", MFD_CLOEXEC);
    if (descriptor_ < 0) fail<IoError>("memfd_create failed");
    write(&length, sizeof(length), 0);
    write(text.data(), text.size(), sizeof(length));
    write_numbers(sizeof(length) + text.size());
  }
  ~MemoryFile() { ::close(descriptor_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  std::string path() const { return fmt::format("/proc/self/fd/{}", descriptor_); }
  double gigabytes() const { return static_cast<double>(data_bytes_) * 1e-9; }

 private:
  void write(const void* data, size_t size, size_t offset) const {
    const char* bytes = static_cast<const char*>(data);
    while (size > 0) {
      const ssize_t count = ::pwrite(descriptor_, bytes, size, static_cast<off_t>(offset));
      if (count <= 0) fail<IoError>("the memory file cannot be written: is there enough memory?");
      bytes += count;
      size -= static_cast<size_t>(count);
      offset += static_cast<size_t>(count);
    }
  }

  // The same odd number of random numbers over and over, so that no two tensors are alike.
  void write_numbers(size_t data_begin) const {
    const at::Tensor numbers = at::randn({8'000'009}).to(at::kBFloat16);
    const size_t piece = numbers.nbytes();
    const auto num_threads = static_cast<size_t>(num_usable_cores());
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < num_threads; ++i) {
      threads.emplace_back([&, i] {
        for (size_t at = i * piece; at < data_bytes_; at += num_threads * piece) {
          write(numbers.data_ptr(), std::min(piece, data_bytes_ - at), data_begin + at);
        }
      });
    }
  }

  int descriptor_ = -1;
  size_t data_bytes_ = 0;
};

class LoadToGpu {
 public:
  explicit LoadToGpu(const Flags& flags)
      : flags_(flags),
        config_(transformer_config(flags.heads, flags.double_blocks, flags.single_blocks)),
        device_(parse_device(flags.device)),
        recipes_(weights::recipes_for(dit::weight_table(config_), dit::diffusers_rules(config_))),
        file_(recipes_) {
    std::printf("%.1f GB of bf16 weights in %zu tensors, made in %.1f s, %d cores\n",
                file_.gigabytes(), recipes_.size(), watch_.elapsed_ms() * 1e-3, num_usable_cores());
  }

  void run() {
    measure_bus();
    for (int i = 0; i < flags_.repeats; ++i) {
      add_run("threads", [&] { load_with_threads(); });
    }
    weights::WeightStore loaded = load_with_threads();
    std::optional<weights::WeightStore> plain;
    add_run("plain", [&] { plain.emplace(load_plainly()); });
    bool equal = true;
    for (const auto& name : plain->left()) {
      equal = equal && at::equal(loaded.take(name), plain->take(name));
    }
    plain.reset();
    report_["equal"] = equal;
    std::printf("the same tensors on both ways: %s\n", equal ? "yes" : "NO");
    add_run("threads, warm", [&] { load_with_threads(); });
    load_blocks();
    write_json();
  }

 private:
  weights::WeightStore load_with_threads() const {
    auto store = weights::load_weights("transformer", weights::open_safetensors(file_.path()),
                                       recipes_, {}, device_, at::kBFloat16);
    synchronize(device_);
    return store;
  }

  weights::WeightStore load_plainly() const {
    const auto source = weights::open_safetensors(file_.path());
    auto store = weights::assemble(
        recipes_, [&](const std::string& name) { return source.tensor(name); }, device_,
        at::kBFloat16);
    synchronize(device_);
    return store;
  }

  // Into the memory of offloaded blocks, and pinning it.
  void load_blocks() {
    const auto options = at::TensorOptions(at::kBFloat16).device(device_);
    dit::BlockStream blocks(config_, options);
    add_run("blocks to host memory", [&] {
      auto tensors = blocks.host_tensors();
      for (const auto& recipe : recipes_) {
        auto& tensor = tensors[recipe.target.name];
        if (!tensor.defined()) tensor = at::empty(recipe.target.shape, options);
      }
      weights::load_weights_into(tensors, "transformer", weights::open_safetensors(file_.path()),
                                 recipes_, {});
      synchronize(device_);
    });
    add_run("pinning it", [&] { blocks.pin(); });
    if (device_.is_cpu()) return;
    const auto pass = [&] {
      for (int64_t block = 0; block < config_.num_layers(); ++block) {
        blocks.before(block);
        blocks.after(block);
      }
      synchronize(device_);
    };
    for (int i = 0; i < 2; ++i) add_run("blocks through their slots", pass);
  }

  // One large copy from pinned memory: the most that any way can reach.
  void measure_bus() {
    if (device_.is_cpu()) return;
    const auto options = at::TensorOptions(at::kByte);
    const at::Tensor host = at::empty({int64_t{1} << 30}, options.pinned_memory(true));
    const at::Tensor target = at::empty_like(host, options.device(device_));
    std::vector<double> ms;
    for (int i = 0; i < 6; ++i) {
      const Stopwatch watch;
      target.copy_(host, /*non_blocking=*/true);
      synchronize(device_);
      ms.push_back(watch.elapsed_ms());
    }
    report_["bus_GB_per_s"] = static_cast<double>(host.nbytes()) * 1e-6 / median(ms);
    std::printf("bus: %.1f GB/s from pinned memory\n", report_["bus_GB_per_s"].get<double>());
  }

  template <typename Load>
  void add_run(const char* way, const Load& load) {
    const Stopwatch watch;
    load();
    const double ms = watch.elapsed_ms();
    const double rate = file_.gigabytes() * 1e3 / ms;
    std::printf("%-28s %9.1f ms %6.2f GB/s\n", way, ms, rate);
    std::fflush(stdout);
    report_["runs"].push_back({{"way", way}, {"ms", ms}, {"GB_per_s", rate}});
  }

  void write_json() {
    report_.update({{"format", 1},
                    {"benchmark", "load_to_gpu"},
                    {"file_GB", file_.gigabytes()},
                    {"tensors", recipes_.size()},
                    {"cores", num_usable_cores()}});
    write_report(flags_.json, report_);
  }

  Stopwatch watch_;
  Flags flags_;
  dit::Config config_;
  at::Device device_;
  std::vector<weights::Recipe> recipes_;
  MemoryFile file_;
  nlohmann::json report_;
};

int main_with(int argc, char** argv) {
  Flags flags;
  CLI::App app("Loading a transformer to a GPU, timed");
  app.add_option("--double-blocks", flags.double_blocks)->check(CLI::NonNegativeNumber);
  app.add_option("--single-blocks", flags.single_blocks)->check(CLI::NonNegativeNumber);
  app.add_option("--heads", flags.heads, "of 128 channels each")->check(CLI::PositiveNumber);
  app.add_option("--repeats", flags.repeats)->check(CLI::PositiveNumber);
  app.add_option("--device", flags.device, "cuda, or cpu to try it");
  app.add_option("--json", flags.json, "file for all figures");
  return run_program("load_to_gpu", app, argc, argv, [&] { LoadToGpu(flags).run(); });
}

}  // namespace
}  // namespace reel::benchmarks

int main(int argc, char** argv) {
  return reel::benchmarks::main_with(argc, argv);
}
