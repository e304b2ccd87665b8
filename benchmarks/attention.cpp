// Our attention against cuDNN's dense one in the same process: lengths, densities, strides,
// variants of the kernel, on random block masks and on the synthetic mixture with scoring and
// selection.
#include <ATen/ATen.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <functional>

#include "attention/device_attend.h"
#include "attention/device_plan.h"
#include "attention/true_recall.h"
#include "benchmarks/attention_cases.h"
#include "benchmarks/attention_report.h"
#include "benchmarks/synthetic_qk.h"
#include "benchmarks/timed_runs.h"
#include "core/error.h"
#include "core/stopwatch.h"

namespace reel::benchmarks {
namespace {

using attention::BlockGrid;
using attention::DeviceLists;
using attention::DevicePlan;
using attention::PlanOptions;
using attention::ScoreKernel;
using attention::TimePoint;
using attention::kernels::AttendVariant;

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

PlanOptions options_of(const std::string& scoring) {
  PlanOptions options;
  if (scoring == "bf16") return options;
  if (scoring != "e4m3" && scoring != "e4m3_apart") {
    fail<ConfigError>("--scoring: got ", scoring, ", want bf16, e4m3 or e4m3_apart");
  }
  options.kernel = ScoreKernel::kSm90E4m3;
  options.tuning.apart = scoring == "e4m3_apart";
  options.tuning.skew = false;  // the faster way with e4m3 (docs/kernels/score.md)
  return options;
}

BlockGrid grid_of(const AttentionCase& test, int64_t stride) {
  return {.num_tokens = test.length,
          .text_length = test.text_length,
          .block = 128,
          .stride = stride,
          .causal = test.causal};
}

double visible_blocks(const AttentionCase& test) {
  const auto blocks = static_cast<double>(grid_of(test, 8).num_blocks());
  return test.causal ? blocks * (blocks + 1) / 2 : blocks * blocks;
}

double density_of(const AttentionCase& test, const DevicePlan& plan) {
  return plan.selected.to(at::kDouble).mean().item<double>() / visible_blocks(test);
}

// The bits of a mask as numpy reads them: int32 [A, n, ceil(n / 32)].
void write_npy(const std::string& path, const at::Tensor& words) {
  const at::Tensor host = words.cpu().contiguous();
  std::string header = "{'descr': '<i4', 'fortran_order': False, 'shape': (" +
                       std::to_string(host.size(0)) + ", " + std::to_string(host.size(1)) + ", " +
                       std::to_string(host.size(2)) + "), }";
  header.resize((header.size() + 11 + 63) / 64 * 64 - 11, ' ');  // with what comes before it
  header += '\n';
  std::ofstream file(path, std::ios::binary);
  file << "\x93NUMPY\x01" << '\0' << static_cast<char>(header.size() % 256)
       << static_cast<char>(header.size() / 256) << header;
  file.write(static_cast<const char*>(host.const_data_ptr()),
             static_cast<std::streamsize>(host.nbytes()));
  if (!file.flush()) fail<IoError>("--write-lists: cannot write ", path);
}

class Runner {
 public:
  Runner(AttentionReport& report, std::string lists_path)
      : report_(report), lists_path_(std::move(lists_path)) {}

  void run(const AttentionCase& test) {
    const Inputs inputs = draw(test);
    double unragged_ms = 0;
    if (test.cudnn && test.unragged && test.length % 128 != 0) {
      const int64_t whole = test.length / 128 * 128;
      const auto cut = [&](const at::Tensor& x) { return x.slice(1, 0, whole).contiguous(); };
      const Inputs shorter = {cut(inputs.q), cut(inputs.k), cut(inputs.v)};
      unragged_ms = median_ms(test.repeats, [&] { cudnn(shorter, test.causal); });
      AttentionCase unragged = test;
      unragged.length = whole;
      unragged.text_length = test.text_length - (test.length - whole);
      report_.set_dense(unragged_ms, 0);
      report_.add(unragged, {.kernel = "cudnn", .method = "dense", .attend_ms = unragged_ms});
    }
    report_.set_dense(0, 0);
    if (test.cudnn) {
      const double ms = median_ms(test.repeats, [&] { cudnn(inputs, test.causal); });
      report_.set_dense(ms, unragged_ms);
      report_.add(test, {.kernel = "cudnn", .method = "dense", .attend_ms = ms});
    }
    attend(test, inputs, {}, {.method = "dense"});
    if (test.mixture) {
      for (const int64_t stride : test.strides) run_mixture(test, inputs, stride);
    } else {
      run_masks(test, inputs);
    }
    if (test.cudnn && test.unragged) {  // by how much the clock has moved meanwhile
      const double ms = median_ms(test.repeats, [&] { cudnn(inputs, test.causal); });
      report_.add(test, {.kernel = "cudnn", .method = "dense", .attend_ms = ms});
    }
  }

 private:
  // Image tokens of the mixture on a grid of the right number of frames, random text after them.
  static Inputs draw(const AttentionCase& test) {
    const auto options = at::TensorOptions(at::kBFloat16).device(at::kCUDA);
    const auto normal = [&] {
      // heads outside in memory, as the transformer gives q and k
      return at::randn({test.batch, test.num_heads, test.length, test.head_dim}, options)
          .transpose(1, 2);
    };
    Inputs inputs = {normal(), normal(), normal()};
    if (!test.mixture) return inputs;
    const int64_t image = test.length - test.text_length;
    const int64_t frame = kFullGrid.num_rows * kFullGrid.num_columns;
    TokenGrid tokens = kFullGrid;
    tokens.num_frames = (image + frame - 1) / frame;
    const auto drawn = draw_queries_and_keys(tokens, mixture(test.num_heads), test.head_dim,
                                             /*seed=*/1, options);
    inputs.q[0].slice(0, 0, image).copy_(drawn.q.slice(0, 0, image));
    inputs.k[0].slice(0, 0, image).copy_(drawn.k.slice(0, 0, image));
    return inputs;
  }

  static void cudnn(const Inputs& inputs, bool causal) {
    at::_scaled_dot_product_cudnn_attention(
        inputs.q.transpose(1, 2), inputs.k.transpose(1, 2), inputs.v.transpose(1, 2),
        /*attn_bias=*/{}, /*compute_log_sumexp=*/false, /*dropout_p=*/0.0, causal);
  }

  // `row` holds everything but the kernel and its time.
  void attend(const AttentionCase& test, const Inputs& inputs,
              const std::optional<DeviceLists>& lists, AttentionRow row) {
    for (const auto& name : test.variants) {
      const auto variant = attention::parse_attend_variant(name);
      row.kernel = name;
      row.attend_ms = median_ms(test.repeats, [&] {
        attention::attend_on_device(inputs.q, inputs.k, inputs.v, lists, test.causal, variant);
      });
      report_.add(test, row);
    }
  }

  void run_masks(const AttentionCase& test, const Inputs& inputs) {
    const int64_t n = grid_of(test, 8).num_blocks();
    for (const double density : test.densities) {
      at::Tensor mask =
          at::rand({test.batch * test.num_heads, n, n}, inputs.q.options().dtype(at::kFloat))
              .lt(density);
      mask.select(2, n - 1).fill_(true);
      if (test.causal) mask = mask.tril().logical_or(at::eye(n, mask.options()));
      const DevicePlan plan = DevicePlan::of_mask(mask.to(at::kByte));
      attend(test, inputs, DeviceLists{plan.keys, plan.counts},
             {.method = "mask", .density = density_of(test, plan)});
    }
  }

  static DevicePlan plan_once(const AttentionCase& test, const Inputs& inputs, int64_t stride,
                              double tau, const PlanOptions& options,
                              std::vector<TimePoint>& moments) {
    const std::vector<double> taus(static_cast<size_t>(test.num_heads), tau);
    return attention::plan_on_device(inputs.q[0], inputs.k[0], grid_of(test, stride), taus, {},
                                     options, moments);
  }

  // The tau that selects `wanted` of the blocks, to within .001.
  static double tau_of_density(const AttentionCase& test, const Inputs& inputs, int64_t stride,
                               double wanted, const PlanOptions& options) {
    if (wanted >= 1.0) return 1.0;
    double low = 0, high = 1, tau = 0.9;
    for (int step = 0; step < 14; ++step) {
      std::vector<TimePoint> moments;
      const double density =
          density_of(test, plan_once(test, inputs, stride, tau, options, moments));
      if (std::abs(density - wanted) < 1e-3) break;
      (density < wanted ? low : high) = tau;
      tau = (low + high) / 2;
    }
    return tau;
  }

  void run_mixture(const AttentionCase& test, const Inputs& inputs, int64_t stride) {
    for (const auto& scoring : test.scoring) {
      const PlanOptions options = options_of(scoring);
      std::vector<double> taus = test.taus;
      if (stride == test.strides.front() && (scoring == test.scoring.front() || test.unragged)) {
        for (const double density : test.densities) {
          taus.push_back(tau_of_density(test, inputs, stride, density, options));
        }
      }
      for (const double tau : taus) run_tau(test, inputs, stride, tau, scoring);
    }
  }

  void run_tau(const AttentionCase& test, const Inputs& inputs, int64_t stride, double tau,
               const std::string& scoring) {
    const PlanOptions options = options_of(scoring);
    std::vector<double> score, select;
    DevicePlan plan;
    for (int i = 0; i <= test.repeats; ++i) {
      std::vector<TimePoint> moments;
      plan = plan_once(test, inputs, stride, tau, options, moments);
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
    AttentionRow row = {.method = "xattention", .density = density_of(test, plan)};
    row.details = {{"scoring", scoring},
                   {"stride", stride},
                   {"tau", tau},
                   {"score_ms", median(score)},
                   {"select_ms", median(select)}};
    if (test.recall_samples > 0) {
      const at::Tensor recall = attention::true_recall(inputs.q[0], inputs.k[0], plan.mask(),
                                                       grid_of(test, stride), test.recall_samples);
      row.details["recall"] = recall.mean().item<double>();
      row.details["recall_least_head"] = recall.min().item<double>();
    }
    attend(test, inputs, DeviceLists{plan.keys, plan.counts}, row);
    if (!lists_path_.empty() && std::abs(row.density - 0.344) < 5e-3) {
      write_npy(lists_path_, plan.mask_words);
      lists_path_.clear();
    }
  }

  AttentionReport& report_;
  std::string lists_path_;
};

struct Flags {
  AttentionCase single = {.group = "single", .taus = {0.9}, .densities = {0.1, 0.344, 0.455}};
  std::vector<int64_t> lengths = {118'800 + 256};
  std::string preset;
  double seconds = 1e9;
  std::string json;
  std::string write_lists;
  std::string commit;
};

void add_flags(CLI::App& app, Flags& flags) {
  AttentionCase& single = flags.single;
  app.add_option("--preset", flags.preset, "issue or sweep; the cases' own flags are ignored");
  app.add_option("--lengths", flags.lengths, "joint tokens, text included")->delimiter(',');
  app.add_option("--densities", single.densities)->delimiter(',');
  app.add_option("--variants", single.variants, "of our kernel")->delimiter(',');
  app.add_option("--strides", single.strides)->delimiter(',');
  app.add_option("--taus", single.taus)->delimiter(',');
  app.add_option("--scoring", single.scoring, "bf16, e4m3, e4m3_apart")->delimiter(',');
  app.add_option("--text-length", single.text_length);
  app.add_option("--heads", single.num_heads)->check(CLI::PositiveNumber);
  app.add_option("--head-dim", single.head_dim);
  app.add_option("--batch", single.batch, "random masks only")->check(CLI::PositiveNumber);
  app.add_option("--repeats", single.repeats)->check(CLI::PositiveNumber);
  app.add_option("--recall-samples", single.recall_samples, "query blocks a head");
  app.add_flag("--causal", single.causal);
  app.add_flag("--mixture", single.mixture, "synthetic queries and keys, scored and selected");
  app.add_flag("!--no-cudnn", single.cudnn);
  app.add_flag("--unragged", single.unragged, "cuDNN at whole blocks too");
  app.add_option("--seconds", flags.seconds, "no case starts later than this");
  app.add_option("--json", flags.json, "file for all figures");
  app.add_option("--write-lists", flags.write_lists,
                 "file for the mask of the first plan of density .344, as peers read it");
  app.add_option("--commit", flags.commit, "of this program, for the JSON");
}

void run(const Flags& flags) {
  const Stopwatch watch;
  std::vector<AttentionCase> cases;
  if (!flags.preset.empty()) {
    cases = preset_cases(flags.preset);
  } else {
    for (const int64_t length : flags.lengths) {
      cases.push_back(flags.single);
      cases.back().length = length;
    }
  }
  AttentionReport report(flags.json, {{"commit", flags.commit}});
  Runner runner(report, flags.write_lists);
  for (const AttentionCase& test : cases) {
    if (watch.elapsed_ms() > flags.seconds * 1e3) {
      report.leave_out(test, "no time left");
      continue;
    }
    try {
      runner.run(test);
    } catch (const c10::Error& error) {
      report.leave_out(test, error.what_without_backtrace());
    }
  }
}

int main_with(int argc, char** argv) {
  Flags flags;
  CLI::App app("Attention on a GPU against cuDNN's dense attention");
  add_flags(app, flags);
  return run_program("attention", app, argc, argv, [&] { run(flags); });
}

}  // namespace
}  // namespace reel::benchmarks

int main(int argc, char** argv) {
  return reel::benchmarks::main_with(argc, argv);
}
