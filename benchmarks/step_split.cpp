// One step of a transformer of HunyuanVideo's size on one GPU, dense and sparse: milliseconds of
// attention, of matrix products and of the rest.
//
// Weights are random and drawn on the GPU. The plan of "given" is the one that the synthetic
// mixture of queries and keys has at --density; scoring and selection run and count all the same.
#include <ATen/ATen.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>

#include "benchmarks/drawn_step.h"
#include "benchmarks/kernel_trace.h"
#include "benchmarks/measured_step.h"
#include "benchmarks/timed_runs.h"
#include "core/device.h"
#include "core/stopwatch.h"
#include "dit/transformer.h"

namespace reel::benchmarks {
namespace {

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
    return attention_of(mode, config_, flags_.tau, flags_.stride, plan_);
  }

  void forward(attention::Attention& attention) const {
    transformer_.forward(inputs_, attention.at_step(0));
  }

  void run_mode(const std::string& mode) {
    auto attention = make_attention(mode);
    const MeasuredStep step = measure_step(transformer_, inputs_, flags_.shape, attention);
    std::printf(
        "%-8s step %9.1f ms  density %.4f  score %7.1f select %6.1f attend %8.1f  products %7.1f "
        "(%.0f TFLOP/s)  rest %7.1f  %s\n",
        mode.c_str(), step.step_ms, step.density, step.score_ms, step.select_ms, step.attend_ms,
        step.products_ms, step.product_rate(), step.rest_ms(), step.kernels.dump().c_str());
    for (const auto& [name, op] : step.operators) {
      if (op.ms > kSmallShare * step.step_ms) {
        std::printf("           %-40s %9.2f ms %6ld calls\n", name.c_str(), op.ms, op.calls);
      }
    }
    std::fflush(stdout);
    nlohmann::json row = step.json();
    row["mode"] = mode;
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
    write_report(flags_.json, {{"format", 1},
                               {"benchmark", "step_split"},
                               {"image_tokens", grid_of(flags_.shape).num_tokens()},
                               {"text_tokens", flags_.shape.text_tokens},
                               {"double_blocks", flags_.shape.num_double_blocks},
                               {"single_blocks", flags_.shape.num_single_blocks},
                               {"heads", config_.num_heads},
                               {"head_dim", config_.head_dim},
                               {"rows", rows_}});
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
  return run_program("step_split", app, argc, argv, [&] { StepSplit(flags).run(); });
}

}  // namespace
}  // namespace reel::benchmarks

int main(int argc, char** argv) {
  return reel::benchmarks::main_with(argc, argv);
}
