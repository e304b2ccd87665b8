// Score and select alone on the synthetic mixture, for every way to walk the tiles that is asked
// for: milliseconds, TFLOP/s, density, recall.
#include <ATen/ATen.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "attention/dense.h"
#include "attention/device_plan.h"
#include "attention/true_recall.h"
#include "benchmarks/synthetic_qk.h"
#include "benchmarks/timed_runs.h"
#include "core/device.h"
#include "core/error.h"

namespace reel::benchmarks {
namespace {

using attention::BlockGrid;
using attention::DevicePlan;
using attention::ScoreKernel;
using attention::TimePoint;

struct Flags {
  std::vector<int64_t> grid = {33, 45, 80};
  int64_t text_length = 256;
  int64_t num_heads = 24;
  int64_t head_dim = 128;
  int64_t stride = 8;
  double tau = 0.9;
  bool causal = false;
  bool simple = false;
  bool mma = false;
  bool e4m3 = false;
  bool apart = false;
  bool dense = false;
  bool select_by_block = false;
  int repeats = 10;
  int64_t recall_samples = 0;
  std::vector<std::string> tunings = {"2,1,8"};
  int64_t workspace_mib = 1024;
};

struct Inputs {
  at::Tensor q, k;  // [S, A, D]
};

Inputs draw(const Flags& flags) {
  const auto options = at::TensorOptions(at::kBFloat16).device(at::kCUDA);
  const TokenGrid grid = {flags.grid[0], flags.grid[1], flags.grid[2]};
  const auto image =
      draw_queries_and_keys(grid, mixture(flags.num_heads), flags.head_dim, /*seed=*/1, options);
  const auto with_text = [&](const at::Tensor& x) {
    const at::Tensor text =
        at::randn({flags.num_heads, flags.text_length, flags.head_dim}, options);
    return at::cat({x.transpose(0, 1), text}, 1).transpose(0, 1);
  };
  return {with_text(image.q), with_text(image.k)};
}

struct Measured {
  double score_ms, select_ms;
  DevicePlan plan;
};

Measured run_once(const Inputs& inputs, const BlockGrid& grid, const Flags& flags,
                  const attention::PlanOptions& options) {
  std::vector<TimePoint> moments;
  const std::vector<double> taus(static_cast<size_t>(flags.num_heads), flags.tau);
  Measured measured = {
      0, 0, attention::plan_on_device(inputs.q, inputs.k, grid, taus, {}, options, moments)};
  for (size_t i = 0; i + 2 < moments.size(); i += 3) {
    measured.score_ms += moments[i].ms_until(moments[i + 1]);
    measured.select_ms += moments[i + 1].ms_until(moments[i + 2]);
  }
  return measured;
}

void measure(const std::string& name, const Inputs& inputs, const BlockGrid& grid,
             const Flags& flags, const attention::PlanOptions& options) {
  std::vector<double> score, select;
  Measured last = run_once(inputs, grid, flags, options);
  for (int i = 0; i < flags.repeats; ++i) {
    last = run_once(inputs, grid, flags, options);
    score.push_back(last.score_ms);
    select.push_back(last.select_ms);
  }
  const auto rows = static_cast<double>(grid.num_scored() * grid.strided_per_block());
  const double tera = 2e-12 * rows * rows * static_cast<double>(flags.stride * flags.head_dim) *
                      static_cast<double>(flags.num_heads) * (flags.causal ? 0.5 : 1.0);
  const auto blocks = static_cast<double>(grid.num_blocks());
  const double pairs = flags.causal ? blocks * (blocks + 1) / 2 : blocks * blocks;
  const double density = last.plan.selected.to(at::kDouble).mean().item<double>() / pairs;
  std::printf("%-18s score %8.3f ms %6.1f TFLOP/s  select %7.3f ms  density %.4f\n", name.c_str(),
              median(score), tera / median(score) * 1e3, median(select), density);
  if (flags.recall_samples > 0) {
    const at::Tensor recall =
        attention::true_recall(inputs.q, inputs.k, last.plan.mask(), grid, flags.recall_samples);
    std::printf("%-18s true recall mean %.4f least head %.4f\n", name.c_str(),
                recall.mean().item<double>(), recall.min().item<double>());
  }
  std::fflush(stdout);
}

void measure_dense(const Inputs& inputs) {
  const auto heads = [](const at::Tensor& x) { return x.unsqueeze(0); };
  std::vector<double> ms;
  for (int i = 0; i < 4; ++i) {
    const auto start = TimePoint::now(at::kCUDA);
    attention::dense_attention(heads(inputs.q), heads(inputs.k), heads(inputs.k));
    ms.push_back(start.ms_until(TimePoint::now(at::kCUDA)));
  }
  std::printf("%-18s %8.3f ms\n", "cuDNN dense", median({ms.begin() + 1, ms.end()}));
}

// "cluster,skew,band"
attention::kernels::ScoreTuning parse_tuning(const std::string& text) {
  attention::kernels::ScoreTuning tuning;
  int skew = 0;
  if (std::sscanf(text.c_str(), "%d,%d,%d", &tuning.cluster, &skew, &tuning.band) != 3) {
    fail<ConfigError>("--tuning: got ", text, ", want cluster,skew,band");
  }
  tuning.skew = skew != 0;
  return tuning;
}

void run(const Flags& flags) {
  const Inputs inputs = draw(flags);
  const BlockGrid grid = {.num_tokens = inputs.q.size(0),
                          .text_length = flags.text_length,
                          .block = 128,
                          .stride = flags.stride,
                          .causal = flags.causal};
  std::printf("S %ld text %ld heads %ld D %ld stride %ld tau %.2f causal %d\n", grid.num_tokens,
              grid.text_length, flags.num_heads, flags.head_dim, flags.stride, flags.tau,
              flags.causal);
  attention::PlanOptions options = {.kernel = ScoreKernel::kSimple,
                                    .tuning = {},
                                    .keep_mass = false,
                                    .workspace_bytes = flags.workspace_mib << 20,
                                    .select_by_block = flags.select_by_block};
  if (flags.simple) measure("simple", inputs, grid, flags, options);
  options.kernel = ScoreKernel::kMma;
  if (flags.mma) measure("mma", inputs, grid, flags, options);
  options.kernel = flags.e4m3 || flags.apart ? ScoreKernel::kSm90E4m3 : ScoreKernel::kSm90;
  for (const auto& tuning : flags.tunings) {
    options.tuning = parse_tuning(tuning);
    options.tuning.apart = flags.apart;
    measure((flags.apart  ? "e4m3 apart "
             : flags.e4m3 ? "e4m3 "
                          : "bf16 ") +
                tuning,
            inputs, grid, flags, options);
  }
  if (flags.dense) measure_dense(inputs);
}

int main_with(int argc, char** argv) {
  Flags flags;
  CLI::App app("Score and select on synthetic queries and keys, on a GPU");
  app.add_option("--grid", flags.grid, "latent frames, token rows, token columns")->expected(3);
  app.add_option("--text-length", flags.text_length);
  app.add_option("--heads", flags.num_heads)->check(CLI::PositiveNumber);
  app.add_option("--head-dim", flags.head_dim);
  app.add_option("--stride", flags.stride);
  app.add_option("--tau", flags.tau);
  app.add_option("--repeats", flags.repeats)->check(CLI::PositiveNumber);
  app.add_option("--recall-samples", flags.recall_samples, "query blocks a head");
  app.add_option("--tuning", flags.tunings, "cluster,skew,band, several");
  app.add_option("--workspace-mib", flags.workspace_mib);
  app.add_flag("--causal", flags.causal);
  app.add_flag("--simple", flags.simple, "the plain kernel too");
  app.add_flag("--mma", flags.mma, "the kernel for other GPUs than Hopper's too");
  app.add_flag("--e4m3", flags.e4m3, "score q and k rounded to e4m3");
  app.add_flag("--e4m3-apart", flags.apart, "the same with sums of 128 products added up in fp32");
  app.add_flag("--select-by-block", flags.select_by_block,
               "select by the kernel of long sequences");
  app.add_flag("--dense", flags.dense, "cuDNN's dense attention too");
  return run_program("score_select", app, argc, argv, [&] { run(flags); });
}

}  // namespace
}  // namespace reel::benchmarks

int main(int argc, char** argv) {
  return reel::benchmarks::main_with(argc, argv);
}
