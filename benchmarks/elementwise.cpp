// The transformer's element-wise kernels at the sizes of a 13B step: milliseconds, and GB/s beside
// those of a plain copy. Products with an epilogue stand beside product and pass apart.
#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <functional>
#include <nlohmann/json.hpp>

#include "attention/time_point.h"
#include "benchmarks/drawn_step.h"
#include "benchmarks/timed_runs.h"
#include "dit/elementwise.h"
#include "dit/elementwise_gpu.h"
#include "dit/fused_linear.h"
#include "dit/gpu_product.h"
#include "dit/linear.h"
#include "dit/rope.h"

namespace reel::benchmarks {
namespace {

struct Flags {
  StepShape shape;
  int repeats = 5;
  bool plain = true;
  std::string json;
};

class Elementwise {
 public:
  explicit Elementwise(const Flags& flags)
      : flags_(flags),
        config_(config_of(flags.shape)),
        num_tokens_(grid_of(flags.shape).num_tokens() + flags.shape.text_tokens),
        rows_(nlohmann::json::array()) {}

  void run() {
    const int64_t width = config_.width();
    tokens_ = draw({num_tokens_, width});
    normed_ = draw({num_tokens_, width});
    wide_ = draw({num_tokens_, width + config_.mlp_width});
    const at::Tensor vectors = draw({4, width});
    const double unit = bytes_of(tokens_);
    show("copy", 2 * unit, [&] { normed_.copy_(tokens_); });
    show("norm_modulate", 2 * unit,
         [&] { dit::layer_norm_modulate(tokens_, vectors[0], vectors[1], normed_); });
    if (flags_.plain) {
      show("norm_modulate, plain", 2 * unit,
           [&] { dit::plain::layer_norm_modulate(tokens_, vectors[0], vectors[1], normed_); });
    }
    show("add_gated", 3 * unit, [&] { dit::add_gated_(tokens_, normed_, vectors[2]); });
    heads();
    products();
    write_json();
  }

 private:
  static at::Tensor draw(at::IntArrayRef sizes) {
    return at::empty(sizes, at::TensorOptions(at::kBFloat16).device(at::kCUDA)).normal_();
  }

  static dit::Linear draw_linear(int64_t out, int64_t in) {
    return {draw({out, in}).mul_(1.0 / std::sqrt(static_cast<double>(in))), draw({out})};
  }

  static double bytes_of(const at::Tensor& x) {
    return static_cast<double>(x.numel() * x.element_size());
  }

  void heads() {
    const at::Tensor qkv = draw({num_tokens_, 3, config_.num_heads, config_.head_dim});
    const at::Tensor weight = draw({2, config_.head_dim});
    const TokenGrid grid = grid_of(flags_.shape);
    const dit::Rope rope =
        dit::make_rope(config_, {grid.num_frames, grid.num_rows, grid.num_columns}, at::kCUDA);
    const double unit = bytes_of(qkv) / 3;
    const double angles = bytes_of(rope.cos) + bytes_of(rope.sin);
    show("qk_norm_rope, q and k", 4 * unit + angles,
         [&] { dit::qk_norms_rope_(qkv, weight[0], weight[1], &rope); });
    show("qk_norm_rope, q, then k", 4 * unit + 2 * angles, [&] {
      dit::qk_norm_rope_(qkv.select(1, 0), weight[0], rope);
      dit::qk_norm_rope_(qkv.select(1, 1), weight[1], rope);
    });
    if (!flags_.plain) return;
    show("qk_norm_rope, plain", 4 * unit + 2 * angles, [&] {
      dit::plain::qk_norm_rope_(qkv.select(1, 0), weight[0], rope);
      dit::plain::qk_norm_rope_(qkv.select(1, 1), weight[1], rope);
    });
  }

  // Bytes are those of the pass that an epilogue spares.
  void products() {
    const int64_t width = config_.width();
    const int64_t mlp = config_.mlp_width;
    const at::Tensor hidden = wide_.narrow(1, width, mlp);
    const at::Tensor left = wide_.narrow(1, 0, width);
    const dit::Linear up = draw_linear(mlp, width);
    const double hidden_bytes = 2 * static_cast<double>(num_tokens_ * mlp * 2);
    show("bias_gelu", hidden_bytes, [&] { dit::gpu::bias_gelu_(hidden, up.bias()); });
    show("up product alone", 0, [&] { up.product_into(normed_, hidden); });
    show("up product, then bias_gelu", 0, [&] {
      up.product_into(normed_, hidden);
      dit::gpu::bias_gelu_(hidden, up.bias());
    });
    show("up product with gelu epilogue", 0,
         [&] { dit::gpu::product_gelu(normed_, up.weight(), up.bias(), hidden); });
    const at::Tensor gate = draw({width}).mul_(0.1);
    const auto down = [&](const std::string& name, const at::Tensor& x) {
      const dit::Linear linear = draw_linear(width, x.size(1));
      show(name + " product alone", 0, [&] { linear.into(x, normed_); });
      show(name + " product, then add_gated", 0, [&] {
        linear.into(x, normed_);
        dit::add_gated_(tokens_, normed_, gate);
      });
      show(name + " product that adds, gate folded", 0, [&] {
        dit::gpu::add_product_(tokens_, x, linear.weight() * gate.unsqueeze(1),
                               linear.bias() * gate);
      });
    };
    down("projection", left);
    down("double block's down", hidden);
    down("single block's down", wide_);
  }

  // `bytes` 0: no rate.
  void show(const std::string& name, double bytes, const std::function<void()>& run) {
    run();
    std::vector<double> times;
    for (int i = 0; i < flags_.repeats; ++i) {
      const auto start = attention::TimePoint::now(at::kCUDA);
      run();
      times.push_back(start.ms_until(attention::TimePoint::now(at::kCUDA)));
    }
    const double ms = median(times);
    nlohmann::json row = {{"name", name}, {"ms", ms}, {"all_ms", times}};
    std::string rate;
    if (bytes > 0) {
      const double gb_per_s = bytes * 1e-6 / ms;
      if (copy_rate_ == 0) copy_rate_ = gb_per_s;
      row["GB_per_s"] = gb_per_s;
      row["of_copy"] = gb_per_s / copy_rate_;
      rate = fmt::format("{:7.0f} GB/s  {:5.2f} of a copy's", gb_per_s, gb_per_s / copy_rate_);
    }
    std::printf("%-48s %9.3f ms %s\n", name.c_str(), ms, rate.c_str());
    std::fflush(stdout);
    rows_.push_back(std::move(row));
  }

  void write_json() const {
    write_report(flags_.json, {{"format", 1},
                               {"benchmark", "elementwise"},
                               {"tokens", num_tokens_},
                               {"width", config_.width()},
                               {"rows", rows_}});
  }

  Flags flags_;
  dit::Config config_;
  int64_t num_tokens_;
  at::Tensor tokens_, normed_, wide_;
  double copy_rate_ = 0;
  nlohmann::json rows_;
};

int main_with(int argc, char** argv) {
  Flags flags;
  CLI::App app("Element-wise kernels of a 13B transformer on a GPU, against the copy rate");
  add_shape_flags(app, flags.shape);
  app.add_option("--repeats", flags.repeats)->check(CLI::PositiveNumber);
  app.add_flag("!--no-plain", flags.plain, "leave out LibTorch's formulas");
  app.add_option("--json", flags.json, "file for all figures");
  return run_program("elementwise", app, argc, argv, [&] { Elementwise(flags).run(); });
}

}  // namespace
}  // namespace reel::benchmarks

int main(int argc, char** argv) {
  return reel::benchmarks::main_with(argc, argv);
}
