// Attention alone on the synthetic mixture: score, select and attend against dense attention in the
// same process, in turn. Prints medians; ratios are medians over the pairs.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include <iostream>

#include "attention/dense.h"
#include "attention/xattention.h"
#include "benchmarks/timed_runs.h"
#include "core/device.h"
#include "core/error.h"
#include "core/random.h"
#include "tests/support/given_plan.h"
#include "tests/support/synthetic_qk.h"

namespace reel::benchmarks {
namespace {

struct Flags {
  std::string device = "cpu";
  std::string dtype = "fp32";
  int threads = 2;
  int pairs = 9;
  std::vector<int64_t> grid = {17, 16, 16};  // 256 x 256 x 65
  int64_t text_length = 64;
  int64_t num_heads = 4;
  int64_t head_dim = 64;
  double tau = 0.9;
  int64_t stride = 8;
  int64_t block = 128;
  double density = 0;
  bool json = false;
};

struct Inputs {
  at::Tensor q, k, v;  // [S, A, D]
};

Inputs draw(const Flags& flags) {
  const testing::TokenGrid grid = {flags.grid[0], flags.grid[1], flags.grid[2]};
  const auto image = testing::draw_queries_and_keys(grid, testing::mixture(flags.num_heads),
                                                    flags.head_dim, /*seed=*/1);
  NormalStream stream(2);
  const auto text = [&] {
    return stream.next({flags.text_length, flags.num_heads, flags.head_dim});
  };
  const auto options =
      at::TensorOptions(parse_device(flags.device)).dtype(parse_dtype(flags.dtype));
  const at::Tensor q = at::cat({image.q, text()}).to(options);
  const at::Tensor k = at::cat({image.k, text()}).to(options);
  return {q, k, stream.next(q.sizes()).to(options)};
}

// One dense and one sparse run in turn; all in milliseconds.
struct Pair {
  double dense, score, select, attend;
  double sparse() const { return score + select + attend; }
};

Pair run_pair(const Inputs& inputs, const attention::SparseCall& call,
              attention::SparseResult& result) {
  const auto device = inputs.q.device();
  synchronize(device);
  const auto start = attention::TimePoint::now(device);
  attention::dense_attention(inputs.q.unsqueeze(0), inputs.k.unsqueeze(0), inputs.v.unsqueeze(0));
  const auto end = attention::TimePoint::now(device);
  result = attention::run_sparse_call(inputs.q, inputs.k, inputs.v, call);
  const auto& at = result.borders;
  return {start.ms_until(end), at[0].ms_until(at[1]), at[1].ms_until(at[2]), at[2].ms_until(at[3])};
}

nlohmann::json measure(const Flags& flags) {
  const c10::InferenceMode inference;
  at::set_num_threads(flags.threads);
  const Inputs inputs = draw(flags);
  attention::SparseCall call = {
      .grid = {.num_tokens = inputs.q.size(0),
               .text_length = flags.text_length,
               .block = flags.block,
               .stride = flags.stride},
      .rule = attention::SparseRule::kXAttention,
      .taus = std::vector<double>(static_cast<size_t>(flags.num_heads), flags.tau),
      .protection = {},
      .given_mask = {}};
  attention::SparseResult result;
  run_pair(inputs, call, result);
  if (flags.density > 0) {
    call.given_mask =
        testing::plan_of_density(result.block_mass, call.grid, call.protection, flags.density);
  }
  std::vector<double> dense, score, select, attend, ratio, attend_ratio;
  for (int i = 0; i < flags.pairs; ++i) {
    const Pair pair = run_pair(inputs, call, result);
    dense.push_back(pair.dense);
    score.push_back(pair.score);
    select.push_back(pair.select);
    attend.push_back(pair.attend);
    ratio.push_back(pair.sparse() / pair.dense);
    attend_ratio.push_back(pair.attend / pair.dense);
  }
  const auto tokens = static_cast<double>(inputs.q.size(0));
  const double dense_gflop =
      4e-9 * tokens * tokens * static_cast<double>(flags.num_heads * flags.head_dim);
  double density = 0;
  for (const double value : result.density) density += value / static_cast<double>(flags.num_heads);
  return {{"format", 1},
          {"benchmark", "attention"},
          {"device", flags.device},
          {"dtype", flags.dtype},
          {"threads", flags.threads},
          {"tokens", inputs.q.size(0)},
          {"text_length", flags.text_length},
          {"heads", flags.num_heads},
          {"head_dim", flags.head_dim},
          {"tau", flags.tau},
          {"stride", flags.stride},
          {"block", flags.block},
          {"given_plan", flags.density > 0},
          {"density", density},
          {"density_by_head", result.density},
          {"pairs", flags.pairs},
          {"dense_ms", median(dense)},
          {"score_ms", median(score)},
          {"select_ms", median(select)},
          {"attend_ms", median(attend)},
          {"sparse_over_dense", median(ratio)},
          {"attend_over_dense", median(attend_ratio)},
          {"dense_GFLOP_per_s", dense_gflop / median(dense) * 1e3},
          {"attend_GFLOP_per_s", dense_gflop * density / median(attend) * 1e3}};
}

void print(const nlohmann::json& report) {
  for (const auto& item : report.items()) std::cout << item.key() << ' ' << item.value() << '\n';
}

int run(int argc, char** argv) {
  Flags flags;
  CLI::App app("XAttention against dense attention on synthetic queries and keys");
  app.add_option("--device", flags.device, "cpu, cuda or cuda:N");
  app.add_option("--dtype", flags.dtype, "fp32, bf16 or fp16");
  app.add_option("--threads", flags.threads)->check(CLI::PositiveNumber);
  app.add_option("--pairs", flags.pairs)->check(CLI::PositiveNumber);
  app.add_option("--grid", flags.grid, "latent frames, token rows, token columns")->expected(3);
  app.add_option("--text-length", flags.text_length);
  app.add_option("--heads", flags.num_heads)->check(CLI::PositiveNumber);
  app.add_option("--head-dim", flags.head_dim)->check(CLI::PositiveNumber);
  app.add_option("--tau", flags.tau);
  app.add_option("--stride", flags.stride);
  app.add_option("--block", flags.block);
  app.add_option("--density", flags.density,
                 "attend to a given plan of this density; 0: to what tau selects");
  app.add_flag("--json", flags.json, "print one JSON object");
  CLI11_PARSE(app, argc, argv);
  try {
    const auto report = measure(flags);
    flags.json ? void(std::cout << report.dump() << '\n') : print(report);
  } catch (const Error& error) {
    std::cerr << "attention: " << error.what() << '\n';
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace reel::benchmarks

int main(int argc, char** argv) {
  return reel::benchmarks::run(argc, argv);
}
