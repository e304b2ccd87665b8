// Our attention against cuDNN's dense one in the same process: lengths, densities, variants of the
// kernel, on random block masks and on the synthetic mixture with scoring and selection.
#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <nlohmann/json.hpp>

#include "attention/device_attend.h"
#include "attention/device_plan.h"
#include "attention/true_recall.h"
#include "benchmarks/given_plan.h"
#include "benchmarks/synthetic_qk.h"
#include "benchmarks/timed_runs.h"
#include "core/error.h"

namespace reel::benchmarks {
namespace {

using attention::BlockGrid;
using attention::DeviceLists;
using attention::DevicePlan;
using attention::TimePoint;
using attention::kernels::AttendVariant;

struct Flags {
  std::vector<int64_t> lengths = {118'800 + 256};
  std::vector<double> densities = {0.1, 0.344, 0.455};
  std::vector<std::string> variants = {"lazy"};
  std::vector<int64_t> strides = {8};
  std::vector<double> taus = {0.9};
  int64_t text_length = 256;
  int64_t num_heads = 24;
  int64_t head_dim = 128;
  int64_t batch = 1;
  int repeats = 5;
  int64_t recall_samples = 4;
  bool causal = false;
  bool mixture = false;
  bool no_cudnn = false;
  std::string json;
};

struct Inputs {
  at::Tensor q, k, v;  // [B, S, A, D]
};

// The median after one run that is not counted.
double median_ms(int repeats, const std::function<void()>& run) {
  run();
  std::vector<double> ms;
  for (int i = 0; i < repeats; ++i) {
    const auto start = TimePoint::now(at::kCUDA);
    run();
    ms.push_back(start.ms_until(TimePoint::now(at::kCUDA)));
  }
  return median(ms);
}

class Sweep {
 public:
  explicit Sweep(const Flags& flags) : flags_(flags), rows_(nlohmann::json::array()) {}

  void run() {
    for (const int64_t length : flags_.lengths) run_length(length);
    if (!flags_.json.empty()) {
      std::FILE* file = std::fopen(flags_.json.c_str(), "w");
      if (file == nullptr) fail<IoError>("--json: cannot write ", flags_.json);
      const std::string text = nlohmann::json{
          {"format", 1},
          {"benchmark", "attention"},
          {"heads", flags_.num_heads},
          {"head_dim", flags_.head_dim},
          {"causal", flags_.causal},
          {"rows", rows_}}.dump(1);
      const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
      if (std::fclose(file) != 0 || !written) fail<IoError>("--json: write failed");
    }
  }

 private:
  BlockGrid grid(int64_t length, int64_t stride) const {
    return {.num_tokens = length,
            .text_length = flags_.text_length,
            .block = 128,
            .stride = stride,
            .causal = flags_.causal};
  }

  // Work of all visible pairs in TFLOP.
  double dense_work(int64_t length) const {
    const auto tokens = static_cast<double>(length);
    return 4e-12 * tokens * tokens * static_cast<double>(flags_.head_dim) *
           static_cast<double>(flags_.num_heads * flags_.batch) * (flags_.causal ? 0.5 : 1.0);
  }

  double pairs(int64_t length) const {
    const auto blocks = static_cast<double>(grid(length, 8).num_blocks());
    return flags_.causal ? blocks * (blocks + 1) / 2 : blocks * blocks;
  }

  void run_length(int64_t length) {
    const auto options = at::TensorOptions(at::kBFloat16).device(at::kCUDA);
    const auto draw = [&] {
      return at::randn({flags_.batch, length, flags_.num_heads, flags_.head_dim}, options);
    };
    Inputs inputs = {draw(), draw(), draw()};
    if (flags_.mixture) draw_mixture(length, inputs);
    dense_ms_ = 0;
    if (!flags_.no_cudnn) {
      dense_ms_ = median_ms(flags_.repeats, [&] { cudnn(inputs); });
      report(length, "cudnn dense", dense_ms_, 1.0, {});
    }
    for (const auto& name : flags_.variants) {
      const auto variant = attention::parse_attend_variant(name);
      const double ms = median_ms(flags_.repeats, [&] { attend(inputs, {}, variant); });
      report(length, name + " dense", ms, 1.0, {});
    }
    if (flags_.mixture) {
      run_mixture(length, inputs);
    } else {
      run_random(length, inputs);
    }
  }

  void cudnn(const Inputs& inputs) const {
    at::_scaled_dot_product_cudnn_attention(
        inputs.q.transpose(1, 2), inputs.k.transpose(1, 2), inputs.v.transpose(1, 2),
        /*attn_bias=*/{}, /*compute_log_sumexp=*/false, /*dropout_p=*/0.0, flags_.causal);
  }

  void attend(const Inputs& inputs, const std::optional<DeviceLists>& lists,
              AttendVariant variant) const {
    attention::attend_on_device(inputs.q, inputs.k, inputs.v, lists, flags_.causal, variant);
  }

  // Image tokens of the mixture on a grid of the right number of frames, random text after them.
  void draw_mixture(int64_t length, Inputs& inputs) const {
    const int64_t image = length - flags_.text_length;
    const int64_t frame = kFullGrid.num_rows * kFullGrid.num_columns;
    TokenGrid tokens = kFullGrid;
    tokens.num_frames = (image + frame - 1) / frame;
    const auto drawn = draw_queries_and_keys(tokens, benchmarks::mixture(flags_.num_heads),
                                             flags_.head_dim, /*seed=*/1, inputs.q.options());
    inputs.q[0].slice(0, 0, image).copy_(drawn.q.slice(0, 0, image));
    inputs.k[0].slice(0, 0, image).copy_(drawn.k.slice(0, 0, image));
  }

  void run_random(int64_t length, const Inputs& inputs) {
    const int64_t n = grid(length, 8).num_blocks();
    for (const double density : flags_.densities) {
      const int64_t items = flags_.batch * flags_.num_heads;
      at::Tensor mask = at::rand({items, n, n}, inputs.q.options().dtype(at::kFloat)).lt(density);
      mask.select(2, n - 1).fill_(true);
      if (flags_.causal) mask = mask.tril().logical_or(at::eye(n, mask.options()));
      run_lists(length, inputs, DevicePlan::of_mask(mask.to(at::kByte)), "random", {});
    }
  }

  void run_lists(int64_t length, const Inputs& inputs, const DevicePlan& plan,
                 const std::string& label, const nlohmann::json& more) {
    const double density = plan.selected.to(at::kDouble).mean().item<double>() / pairs(length);
    const DeviceLists lists = {plan.keys, plan.counts};
    for (const auto& name : flags_.variants) {
      const auto variant = attention::parse_attend_variant(name);
      const double ms = median_ms(flags_.repeats, [&] { attend(inputs, lists, variant); });
      report(length, name + " " + label, ms, density, more);
    }
  }

  void run_mixture(int64_t length, const Inputs& inputs) {
    const at::Tensor q = inputs.q[0];
    const at::Tensor k = inputs.k[0];
    for (const int64_t stride : flags_.strides) {
      const BlockGrid blocks = grid(length, stride);
      attention::PlanOptions options;
      for (const double tau : flags_.taus) {
        const std::vector<double> taus(static_cast<size_t>(flags_.num_heads), tau);
        std::vector<double> score, select;
        DevicePlan plan;
        for (int i = 0; i <= flags_.repeats; ++i) {
          std::vector<TimePoint> moments;
          plan = attention::plan_on_device(q, k, blocks, taus, {}, options, moments);
          double score_ms = 0;
          double select_ms = 0;
          for (size_t m = 0; m + 2 < moments.size(); m += 3) {
            score_ms += moments[m].ms_until(moments[m + 1]);
            select_ms += moments[m + 1].ms_until(moments[m + 2]);
          }
          if (i == 0) continue;
          score.push_back(score_ms);
          select.push_back(select_ms);
        }
        nlohmann::json more = {{"stride", stride},
                               {"tau", tau},
                               {"score_ms", median(score)},
                               {"select_ms", median(select)}};
        if (flags_.recall_samples > 0) {
          const at::Tensor recall =
              attention::true_recall(q, k, plan.mask(), blocks, flags_.recall_samples);
          more["recall"] = recall.mean().item<double>();
        }
        char label[64];
        std::snprintf(label, sizeof(label), "S=%ld tau %.2f", stride, tau);
        run_lists(length, inputs, plan, label, more);
      }
      if (!flags_.causal && !flags_.densities.empty()) run_given(length, inputs, blocks);
    }
  }

  // The heaviest blocks of the mixture at wanted densities; the last plan's scoring is not counted.
  void run_given(int64_t length, const Inputs& inputs, const BlockGrid& blocks) {
    attention::PlanOptions options;
    options.keep_mass = true;
    std::vector<TimePoint> moments;
    const std::vector<double> taus(static_cast<size_t>(flags_.num_heads), 0.9);
    const DevicePlan scored =
        attention::plan_on_device(inputs.q[0], inputs.k[0], blocks, taus, {}, options, moments);
    for (const double density : flags_.densities) {
      const at::Tensor mask = plan_of_density(scored.block_mass, blocks, {}, density);
      run_lists(length, inputs, DevicePlan::of_mask(mask), "given", {{"stride", blocks.stride}});
    }
  }

  void report(int64_t length, const std::string& name, double attend_ms, double density,
              const nlohmann::json& more) {
    const double plan_ms = more.contains("score_ms")
                               ? more["score_ms"].get<double>() + more["select_ms"].get<double>()
                               : 0.0;
    const double rate = dense_work(length) * density / attend_ms * 1e3;
    const double total_ms = attend_ms + plan_ms;
    std::printf("L %7ld D %ld %-26s attend %9.3f ms density %.4f %6.1f TFLOP/s", length,
                flags_.head_dim, name.c_str(), attend_ms, density, rate);
    nlohmann::json row = {{"length", length},       {"name", name},   {"density", density},
                          {"attend_ms", attend_ms}, {"tflops", rate}, {"total_ms", total_ms}};
    if (dense_ms_ > 0) {
      const double dense_rate = dense_work(length) / dense_ms_ * 1e3;
      std::printf("  %5.1f%% of cuDNN, x%.3f", 100 * rate / dense_rate, dense_ms_ / total_ms);
      row["share_of_dense_rate"] = rate / dense_rate;
      row["speed_up"] = dense_ms_ / total_ms;
    }
    if (more.contains("score_ms")) {
      std::printf("  score %.3f select %.3f share %.1f%%", more["score_ms"].get<double>(),
                  more["select_ms"].get<double>(), 100 * plan_ms / total_ms);
    }
    if (more.contains("recall")) std::printf("  recall %.4f", more["recall"].get<double>());
    std::printf("\n");
    std::fflush(stdout);
    row.update(more.is_object() ? more : nlohmann::json::object());
    rows_.push_back(row);
  }

  Flags flags_;
  nlohmann::json rows_;
  double dense_ms_ = 0;
};

int main_with(int argc, char** argv) {
  Flags flags;
  CLI::App app("Attention on a GPU against cuDNN's dense attention");
  app.add_option("--lengths", flags.lengths, "joint tokens, text included")->delimiter(',');
  app.add_option("--densities", flags.densities)->delimiter(',');
  app.add_option("--variants", flags.variants, "of our kernel")->delimiter(',');
  app.add_option("--strides", flags.strides)->delimiter(',');
  app.add_option("--taus", flags.taus)->delimiter(',');
  app.add_option("--text-length", flags.text_length);
  app.add_option("--heads", flags.num_heads)->check(CLI::PositiveNumber);
  app.add_option("--head-dim", flags.head_dim);
  app.add_option("--batch", flags.batch, "random masks only")->check(CLI::PositiveNumber);
  app.add_option("--repeats", flags.repeats)->check(CLI::PositiveNumber);
  app.add_option("--recall-samples", flags.recall_samples, "query blocks a head");
  app.add_flag("--causal", flags.causal);
  app.add_flag("--mixture", flags.mixture, "synthetic queries and keys, scored and selected");
  app.add_flag("--no-cudnn", flags.no_cudnn);
  app.add_option("--json", flags.json, "file for all figures");
  CLI11_PARSE(app, argc, argv);
  try {
    const c10::InferenceMode inference;
    Sweep(flags).run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "attention: %s\n", error.what());
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace reel::benchmarks

int main(int argc, char** argv) {
  return reel::benchmarks::main_with(argc, argv);
}
