// One step of a transformer of HunyuanVideo's size on one GPU, dense and sparse: milliseconds of
// attention, of matrix products and of the rest.
//
// Weights are random and drawn on the GPU. The plan of "given" is the one that the synthetic
// mixture of queries and keys has at --density; scoring and selection run and count all the same.
#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>

#include "benchmarks/drawn_step.h"
#include "benchmarks/kernel_trace.h"
#include "benchmarks/op_times.h"
#include "benchmarks/timed_runs.h"
#include "core/device.h"
#include "core/error.h"
#include "core/stopwatch.h"
#include "dit/transformer.h"

namespace reel::benchmarks {
namespace {

using attention::GpuKernels;

struct Flags {
  StepShape shape;
  double density = 0.344;
  double tau = 0.344;
  int64_t stride = 8;
  std::vector<std::string> modes = {"given", "selected", "dense", "cudnn"};
  bool kernel_names = false;
  std::string json;
};

dit::Transformer drawn_transformer(const dit::Config& config) {
  weights::WeightStore store(draw_weights(config));
  return {config, store};
}

class StepSplit {
 public:
  explicit StepSplit(const Flags& flags)
      : flags_(flags),
        config_(config_of(flags.shape)),
        transformer_(drawn_transformer(config_)),
        inputs_(draw_inputs(flags.shape, config_)),
        plan_(mixture_plan(flags.shape, config_, flags.density, flags.stride)),
        rows_(nlohmann::json::array()) {
    synchronize(at::kCUDA);
    std::printf(
        "%ld + %ld tokens, %ld double and %ld single blocks of %ld x %ld, ready in %.1f s\n",
        grid_of(flags_.shape).num_tokens(), flags_.shape.text_tokens,
        flags_.shape.num_double_blocks, flags_.shape.num_single_blocks, config_.num_heads,
        config_.head_dim, watch_.elapsed_ms() * 1e-3);
    std::fflush(stdout);
  }

  void run() {
    auto warm_up = make_attention(flags_.modes.front());
    forward(warm_up);
    synchronize(at::kCUDA);
    for (const auto& mode : flags_.modes) run_mode(mode);
    if (flags_.kernel_names) {
      for (const auto& mode : flags_.modes) print_kernels(mode);
    }
  }

 private:
  attention::Attention make_attention(const std::string& mode) const {
    if (mode == "dense") return {};
    if (mode == "cudnn") {
      attention::Attention attention;
      attention.use_kernels(GpuKernels::kLibTorch);
      return attention;
    }
    if (mode != "given" && mode != "selected") {
      fail<ConfigError>("--modes: got ", mode, ", want given, selected, dense or cudnn");
    }
    auto attention = sparse_attention(config_, flags_.tau, flags_.stride);
    if (mode == "given") attention.give_plan(plan_);
    return attention;
  }

  void forward(attention::Attention& attention) const {
    transformer_.forward(inputs_, attention.at_step(0));
  }

  // Of all products of the blocks, which are nearly all of a step's, in TFLOP.
  double product_work() const {
    const auto tokens =
        static_cast<double>(grid_of(flags_.shape).num_tokens() + flags_.shape.text_tokens);
    const auto width = static_cast<double>(config_.width());
    const auto mlp = static_cast<double>(config_.mlp_width);
    return static_cast<double>(config_.num_layers()) * 2e-12 * tokens * width *
           (4 * width + 2 * mlp);
  }

  void run_mode(const std::string& mode) {
    auto attention = make_attention(mode);
    const OpTimes watch;
    const auto start = attention::TimePoint::now(at::kCUDA);
    forward(attention);
    const double step_ms = start.ms_until(attention::TimePoint::now(at::kCUDA));
    const auto& statistics = attention.statistics();
    const auto times = statistics.times(0);
    const double attention_ms = times.score_ms + times.select_ms + times.attend_ms;
    const auto ops = OpTimes::totals();
    double product_ms = 0;
    for (const char* name : {"aten::addmm", "aten::mm", "aten::matmul", "aten::linear"}) {
      const auto found = ops.find(name);
      if (found != ops.end()) product_ms += found->second.ms;
    }
    const double rest_ms = step_ms - attention_ms - product_ms;
    std::printf(
        "%-8s step %9.1f ms  density %.4f  score %7.1f select %6.1f attend %8.1f  products %7.1f "
        "(%.0f TFLOP/s)  rest %7.1f  %s\n",
        mode.c_str(), step_ms, statistics.mean_density(), times.score_ms, times.select_ms,
        times.attend_ms, product_ms, product_work() / product_ms * 1e3, rest_ms,
        statistics.kernels_json().dump().c_str());
    nlohmann::json row = {{"mode", mode},
                          {"step_ms", step_ms},
                          {"density", statistics.mean_density()},
                          {"score_ms", times.score_ms},
                          {"select_ms", times.select_ms},
                          {"attend_ms", times.attend_ms},
                          {"products_ms", product_ms},
                          {"products_tflops", product_work() / product_ms * 1e3},
                          {"rest_ms", rest_ms},
                          {"attention_kernels", statistics.kernels_json()},
                          {"operators", nlohmann::json::object()}};
    for (const auto& [name, op] : ops) {
      row["operators"][name] = {{"ms", op.ms}, {"calls", op.calls}};
      if (op.ms > kSmallShare * step_ms) {
        std::printf("           %-40s %9.2f ms %6ld calls\n", name.c_str(), op.ms, op.calls);
      }
    }
    std::fflush(stdout);
    rows_.push_back(std::move(row));
    write_json();  // what was measured stays if a later mode fails
  }

  void print_kernels(const std::string& mode) const {
    auto attention = make_attention(mode);
    std::printf("%s, by kernel:\n", mode.c_str());
    for (const auto& kernel : trace_kernels([&] { forward(attention); })) {
      std::printf("  %9.2f ms %6ld calls  %.110s\n", kernel.ms, kernel.calls, kernel.name.c_str());
    }
    std::fflush(stdout);
  }

  void write_json() const {
    if (flags_.json.empty()) return;
    const std::string text = nlohmann::json{
        {"format", 1},
        {"benchmark", "step_split"},
        {"image_tokens", grid_of(flags_.shape).num_tokens()},
        {"text_tokens", flags_.shape.text_tokens},
        {"double_blocks", flags_.shape.num_double_blocks},
        {"single_blocks", flags_.shape.num_single_blocks},
        {"heads", config_.num_heads},
        {"head_dim", config_.head_dim},
        {"rows", rows_}}.dump(1);
    std::FILE* file = std::fopen(flags_.json.c_str(), "w");
    if (file == nullptr) fail<IoError>("--json: cannot write ", flags_.json);
    const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
    if (std::fclose(file) != 0 || !written) fail<IoError>("--json: write failed");
  }

  static constexpr double kSmallShare = 5e-4;  // of a step; operators below are not printed

  Stopwatch watch_;
  Flags flags_;
  dit::Config config_;
  dit::Transformer transformer_;
  dit::Inputs inputs_;
  at::Tensor plan_;
  nlohmann::json rows_;
};

int main_with(int argc, char** argv) {
  Flags flags;
  CLI::App app("One step of a 13B transformer on a GPU, split by attention, products and the rest");
  add_shape_flags(app, flags.shape);
  app.add_option("--density", flags.density, "of the given plan")->check(CLI::Range(0.0, 1.0));
  app.add_option("--tau", flags.tau, "of the selected one; random weights give about this density");
  app.add_option("--stride", flags.stride, "4, 8 or 16");
  app.add_option("--modes", flags.modes, "given, selected, dense, cudnn")->delimiter(',');
  app.add_flag("--kernel-names", flags.kernel_names, "profile each mode once more");
  app.add_option("--json", flags.json, "file for all figures");
  CLI11_PARSE(app, argc, argv);
  try {
    const c10::InferenceMode inference;
    StepSplit(flags).run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "step_split: %s\n", error.what());
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace reel::benchmarks

int main(int argc, char** argv) {
  return reel::benchmarks::main_with(argc, argv);
}
