// The score kernels against double precision.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <ostream>
#include <tuple>
#include <vector>

#include "attention/device_plan.h"
#include "attention/xattention_cpu.h"
#include "tests/kernels/score_reference.h"
#include "tests/support/gpu.h"

namespace reel::attention {
namespace {

constexpr double kBound = 5e-4;  // log2 units

enum class Layout {
  kHeadsOutside,  // [A, S, D], as the transformer writes q and k
  kHeadsInside,   // [S, A, D]
  kInterleaved,   // [S, 3, A, D], q, k and v of one product
  kGaps,          // rows and heads with unused room between them
};

struct Case {
  const char* name;
  BlockGrid grid;
  int64_t num_heads;
  int64_t head_dim;
  Layout layout = Layout::kHeadsOutside;
  double gain = 1.5;
};

void PrintTo(const Case& test, std::ostream* stream) {
  *stream << test.name;
}

struct Tokens {
  at::Tensor q, k;  // [S, A, D]
};

at::Tensor laid_out(const at::Tensor& x, Layout layout) {
  const int64_t tokens = x.size(0), heads = x.size(1), dim = x.size(2);
  switch (layout) {
    case Layout::kHeadsOutside:
      return x.transpose(0, 1).contiguous().transpose(0, 1);
    case Layout::kHeadsInside:
      return x.contiguous();
    case Layout::kInterleaved: {
      const at::Tensor all = at::full({tokens, 3, heads, dim}, 1e4, x.options());
      all.select(1, 1).copy_(x);
      return all.select(1, 1);
    }
    case Layout::kGaps: {
      const at::Tensor all = at::full({heads + 1, tokens + 3, dim + 8}, 1e4, x.options());
      at::Tensor view = all.slice(0, 1).slice(1, 2, tokens + 2).slice(2, 0, dim).transpose(0, 1);
      view.copy_(x);
      return view;
    }
  }
  return {};
}

// Runs of tokens have a direction in common, so that blocks differ in mass.
Tokens draw(const Case& test, at::Device device) {
  constexpr int64_t kRun = 97;
  auto seeded = at::globalContext().defaultGenerator(device).clone();
  seeded.set_current_seed(7);
  const auto options = at::TensorOptions(at::kFloat).device(device);
  const auto normal = [&](int64_t tokens) {
    return at::randn({tokens, test.num_heads, test.head_dim}, seeded, options);
  };
  const at::Tensor common = normal(test.grid.num_tokens / kRun + 1)
                                .repeat_interleave(kRun, 0)
                                .slice(0, 0, test.grid.num_tokens);
  const auto tokens = [&] {
    return laid_out(((common + 0.5 * normal(test.grid.num_tokens)) * test.gain).to(at::kBFloat16),
                    test.layout);
  };
  return {tokens(), tokens()};
}

at::Tensor run_score(const at::Tensor& q, const at::Tensor& k, const BlockGrid& grid,
                     const ScorePart& part, ScoreKernel kernel,
                     const kernels::ScoreTuning& tuning = {}) {
  return score_part(scored_operand(q, grid, kernel), scored_operand(k, grid, kernel), grid, part,
                    kernel, tuning);
}

// Which scores a row's query block may see; the others are not written if causal: [rows, columns].
at::Tensor visible(const at::Tensor& scores, const BlockGrid& grid, int64_t first_query) {
  const auto options = scores.options().dtype(at::kLong);
  const int64_t per_block = grid.strided_per_block();
  const at::Tensor query =
      at::floor_divide(at::arange(scores.size(1), options), per_block) + first_query;
  const at::Tensor key = at::arange(scores.size(2), options);
  return grid.causal ? key.le(query.unsqueeze(1)) : key.ge(0).expand({scores.size(1), -1});
}

// Largest error over the scored key blocks that a row may see; infinity if one is NaN.
double score_error(const at::Tensor& scores, const at::Tensor& want, const BlockGrid& grid,
                   int64_t first_query) {
  const at::Tensor got = scores.slice(2, 0, grid.num_scored()).to(at::kDouble);
  // -inf minus -inf
  const at::Tensor both_empty = got.isneginf().logical_and(want.isneginf());
  const double worst = (got - want)
                           .abs()
                           .masked_fill(both_empty, 0.0)
                           .masked_fill(visible(got, grid, first_query).logical_not(), 0.0)
                           .max()
                           .item<double>();
  return std::isnan(worst) ? std::numeric_limits<double>::infinity() : worst;
}

class ScoreGpu : public ::testing::TestWithParam<std::tuple<ScoreKernel, Case>> {};

TEST_P(ScoreGpu, AgreesWithDoublePrecision) {
  REEL_REQUIRE_GPU();
  const auto& [kernel, test] = GetParam();
  const auto tokens = draw(test, at::kCUDA);
  if (kernel == ScoreKernel::kSm90 &&
      best_score_kernel(tokens.q, tokens.k, test.grid) != ScoreKernel::kSm90) {
    GTEST_SKIP() << "not on this GPU";
  }
  const int64_t num_scored = test.grid.num_scored();
  const ScorePart all = {0, test.num_heads, 0, num_scored};
  const at::Tensor got = run_score(tokens.q, tokens.k, test.grid, all, kernel);
  const at::Tensor want = testing::reference_scores(tokens.q, tokens.k, test.grid, 0, num_scored);
  EXPECT_LT(score_error(got, want, test.grid, 0), kBound);
  if (!test.grid.causal) {
    EXPECT_TRUE(got.slice(2, num_scored).isneginf().all().item<bool>()) << "padding";
  }
  const at::Tensor hidden = visible(got, test.grid, 0).logical_not();
  for (int run = 0; run < 5; ++run) {
    const at::Tensor again = run_score(tokens.q, tokens.k, test.grid, all, kernel);
    EXPECT_TRUE(at::equal(got.masked_fill(hidden, 0.0), again.masked_fill(hidden, 0.0))) << run;
  }
}

const Case kSmall[] = {
    {"OneBlock", {128, 0, 128, 8}, 1, 128},
    {"TwoBlocksAndATail", {300, 0, 128, 8}, 2, 128},
    {"Stride4", {1000, 0, 128, 4}, 2, 128},
    {"Stride8", {1000, 0, 128, 8}, 3, 128},
    {"Stride16", {1000, 0, 128, 16}, 2, 128},
    {"Stride4Dim64", {1000, 17, 128, 4}, 2, 64},
    {"Stride8Dim64", {1000, 17, 128, 8}, 2, 64},
    {"Stride16Dim64", {1000, 17, 128, 16}, 2, 64},
    {"HeadsInside", {1300, 77, 128, 8}, 3, 128, Layout::kHeadsInside},
    {"Interleaved", {1300, 77, 128, 8}, 3, 128, Layout::kInterleaved},
    {"Gaps", {1300, 77, 128, 8}, 3, 64, Layout::kGaps},
    {"Causal", {1300, 0, 128, 8, true}, 2, 128},
    {"CausalStride4", {1300, 0, 128, 4, true}, 2, 64},
    {"CausalStride16", {2500, 0, 128, 16, true}, 2, 128},
};
const Case kMedium[] = {
    {"L4103", {4103, 64, 128, 8}, 5, 128},
    {"L8192", {8192, 0, 128, 8}, 7, 128, Layout::kHeadsInside},
    {"L9000Stride16", {9000, 256, 128, 16}, 3, 128},
    {"L9000Stride4", {9000, 256, 128, 4}, 3, 64},
    {"Causal8192", {8192, 0, 128, 8, true}, 3, 128},
    {"Causal16384", {16384, 0, 128, 16, true}, 1, 128},
    {"LargeLogits", {4103, 64, 128, 8}, 2, 128, Layout::kHeadsOutside, 2.0},
};

std::string case_name(const ::testing::TestParamInfo<std::tuple<ScoreKernel, Case>>& info) {
  const ScoreKernel kernel = std::get<0>(info.param);
  const char* name = kernel == ScoreKernel::kSimple ? "Simple"
                     : kernel == ScoreKernel::kMma  ? "Mma"
                                                    : "Sm90";
  return std::string(name) + std::get<1>(info.param).name;
}

const auto kKernels =
    ::testing::Values(ScoreKernel::kSimple, ScoreKernel::kMma, ScoreKernel::kSm90);
INSTANTIATE_TEST_SUITE_P(Small, ScoreGpu, ::testing::Combine(kKernels, ::testing::ValuesIn(kSmall)),
                         case_name);
INSTANTIATE_TEST_SUITE_P(Medium, ScoreGpu,
                         ::testing::Combine(kKernels, ::testing::ValuesIn(kMedium)), case_name);

TEST(ScoreGpuParts, EqualTheWholeBitByBit) {
  REEL_REQUIRE_GPU();
  const Case test = {"", {9000, 100, 128, 8}, 3, 128};
  const auto tokens = draw(test, at::kCUDA);
  const auto kernel = best_score_kernel(tokens.q, tokens.k, test.grid);
  const int64_t num_scored = test.grid.num_scored();
  const at::Tensor whole = run_score(tokens.q, tokens.k, test.grid, {0, 3, 0, num_scored}, kernel);
  for (const int64_t cap : {int64_t{1}, int64_t{100'000}, int64_t{5'000'000}}) {
    for (const auto& part : score_parts(test.grid, 3, cap)) {
      const at::Tensor got = run_score(tokens.q, tokens.k, test.grid, part, kernel);
      const at::Tensor want =
          whole.slice(0, part.first_head, part.first_head + part.num_heads)
              .slice(1, part.first_query * 16, (part.first_query + part.num_queries) * 16);
      ASSERT_TRUE(at::equal(got, want)) << part.first_head << ' ' << part.first_query;
    }
  }
}

// e4m3 scores of q and k, and what they are compared with.
struct E4m3Scores {
  at::Tensor exact;       // of the bf16 numbers
  at::Tensor of_rounded;  // of the numbers rounded to e4m3
  at::Tensor got;
};

E4m3Scores score_e4m3(const Case& test, const Tokens& tokens, const kernels::ScoreTuning& tuning) {
  const int64_t num_scored = test.grid.num_scored();
  const auto rounded = [&](const at::Tensor& x) {
    const auto operand = scored_operand(x, test.grid, ScoreKernel::kSm90E4m3);
    const at::Tensor values = operand.tokens.view(at::kFloat8_e4m3fn).to(at::kDouble) *
                              operand.magnitude.view({-1, 1, 1}) / 448.0;
    return values.transpose(0, 1);
  };
  BlockGrid scored = test.grid;
  scored.num_tokens = num_scored * test.grid.block;
  scored.text_length = 0;
  const ScorePart all = {0, test.num_heads, 0, num_scored};
  return {testing::reference_scores(tokens.q, tokens.k, test.grid, 0, num_scored),
          testing::reference_scores(rounded(tokens.q), rounded(tokens.k), scored, 0, num_scored),
          run_score(tokens.q, tokens.k, test.grid, all, ScoreKernel::kSm90E4m3, tuning)};
}

const Case kE4m3[] = {
    {"Stride8", {4103, 64, 128, 8}, 3, 128, Layout::kHeadsOutside, 1.0},
    {"Stride16", {4103, 64, 128, 16}, 3, 128, Layout::kHeadsInside, 1.0},
    {"Stride4", {4103, 64, 128, 4}, 3, 128, Layout::kInterleaved, 0.01},
    {"Causal", {4103, 0, 128, 8, true}, 3, 128, Layout::kHeadsOutside, 1.0},
};

class ScoreGpuE4m3 : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    REEL_REQUIRE_GPU();
    tokens_ = draw(GetParam(), at::kCUDA);
    if (best_score_kernel(tokens_.q, tokens_.k, GetParam().grid) != ScoreKernel::kSm90) {
      GTEST_SKIP() << "not on this GPU";
    }
  }

  Tokens tokens_;
};

// Sums of 128 products are 4 steps of 32: too few for the lost bits to add up, so what is left is
// the rounding of the inputs (root of the mean square, log2 units) and next to nothing else.
TEST_P(ScoreGpuE4m3, AddedUpApartOnlyTheInputsAreRounded) {
  const Case& test = GetParam();
  const auto scores = score_e4m3(test, tokens_, {.apart = true});
  const at::Tensor hidden = visible(scores.exact, test.grid, 0).logical_not();
  const at::Tensor error = (scores.got.slice(2, 0, test.grid.num_scored()) - scores.exact)
                               .masked_fill(hidden, 0.0)
                               .nan_to_num(0.0);
  EXPECT_LT(error.square().mean().sqrt().item<double>(), 3e-2);
  EXPECT_LT(score_error(scores.got, scores.of_rounded, test.grid, 0), 2e-2);
}

// Hopper adds e4m3 products to sums with 13 bits after the leading one and drops the rest. A step
// of 32 products then loses up to some 5 units of 2^-13 of the sum so far where most products have
// one sign (docs/kernels/score.md), so a logit comes out nearer to 0 by up to that share for each
// step: 2 % at stride 8. A phase that is left out or met twice would cost 12 %.
TEST_P(ScoreGpuE4m3, WithinTheTensorCoresLogitsShrinkByTheLostBits) {
  const Case& test = GetParam();
  const auto scores = score_e4m3(test, tokens_, {});
  const double steps = static_cast<double>(test.grid.stride * test.head_dim) / 32;
  const double share = 5 * steps / 8192;
  const double largest =
      scores.of_rounded.masked_fill(scores.of_rounded.isneginf(), 0.0).max().item<double>();
  EXPECT_LT(score_error(scores.got, scores.of_rounded, test.grid, 0), share * largest + 5e-3);
}

// Spec of the option: what is selected holds tau of the exact mass, to within .005.
TEST_P(ScoreGpuE4m3, SelectsTheMassThatIsAskedFor) {
  constexpr double kTau = 0.9;
  const Case& test = GetParam();
  const std::vector<double> taus(static_cast<size_t>(test.num_heads), kTau);
  Protection none;
  none.self = false;
  for (const bool apart : {false, true}) {
    const auto scores = score_e4m3(test, tokens_, {.apart = apart});
    const int64_t num_scored = test.grid.num_scored();
    const at::Tensor hidden = visible(scores.exact, test.grid, 0).logical_not();
    const auto mass_of = [&](const at::Tensor& of) {
      const at::Tensor seen = of.slice(2, 0, num_scored)
                                  .to(at::kDouble)
                                  .masked_fill(hidden, -std::numeric_limits<double>::infinity());
      return testing::reference_mass(seen, test.grid).cpu();
    };
    const at::Tensor exact = mass_of(scores.exact);
    const auto selected = [&](const at::Tensor& mass) {
      return select_blocks(mass.to(at::kFloat).contiguous(), taus, test.grid, none)
          .mask()
          .slice(1, 0, num_scored)
          .slice(2, 0, num_scored)
          .to(at::kDouble);
    };
    const at::Tensor taken = selected(mass_of(scores.got));
    const at::Tensor recall = (exact * taken).sum(2);
    EXPECT_GE(recall.mean().item<double>(), kTau - 5e-3) << apart;
    EXPECT_GE(recall.min().item<double>(), kTau - 3e-2) << apart;
    const double more = taken.sum().item<double>() / selected(exact).sum().item<double>();
    EXPECT_GT(more, 0.97) << apart;
    EXPECT_LT(more, apart ? 1.03 : 1.5);  // shrunken logits need more blocks
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, ScoreGpuE4m3, ::testing::ValuesIn(kE4m3),
                         [](const ::testing::TestParamInfo<Case>& test) {
                           return test.param.name;
                         });

TEST(ScoreGpuTuning, ChangesNoBit) {
  REEL_REQUIRE_GPU();
  for (const int64_t stride : {4, 8, 16}) {
    const Case test = {"", {9000, 100, 128, stride}, 3, 128};
    const auto tokens = draw(test, at::kCUDA);
    if (best_score_kernel(tokens.q, tokens.k, test.grid) != ScoreKernel::kSm90) {
      GTEST_SKIP() << "not on this GPU";
    }
    const ScorePart all = {0, 3, 0, test.grid.num_scored()};
    const auto run = [&](const kernels::ScoreTuning& tuning) {
      return run_score(tokens.q, tokens.k, test.grid, all, ScoreKernel::kSm90, tuning);
    };
    const at::Tensor want = run({});
    for (const int cluster : {1, 2}) {
      for (const bool skew : {false, true}) {
        for (const int band : {1, 3, 16}) {
          EXPECT_TRUE(at::equal(run({cluster, skew, band}), want))
              << stride << ' ' << cluster << ' ' << skew << ' ' << band;
        }
      }
    }
  }
}

TEST(ScoreGpuLarge, ReadsBeyondTwoToThe31Elements) {
  REEL_REQUIRE_GPU();
  const Case test = {"", {4096, 0, 128, 8}, 2, 128};
  const auto packed = draw(test, at::kCUDA);
  const auto spread = [](const at::Tensor& x) {
    const at::Tensor wide = at::empty({x.size(0) * (int64_t{1} << 20)}, x.options());
    at::Tensor view = wide.as_strided(x.sizes(), {int64_t{1} << 20, 256, 1});
    view.copy_(x);
    return view;
  };
  const at::Tensor q = spread(packed.q), k = spread(packed.k);
  const auto kernel = best_score_kernel(q, k, test.grid);
  const at::Tensor want = run_score(packed.q, packed.k, test.grid, {0, 2, 0, 32}, kernel);
  EXPECT_TRUE(at::equal(run_score(q, k, test.grid, {0, 2, 0, 32}, kernel), want));
}

TEST(ScoreGpuLarge, FullLengthAgreesWithDoublePrecisionOnSomeRows) {
  REEL_REQUIRE_GPU();
  for (const int64_t stride : {8, 16, 4}) {
    const Case test = {"", {118'800 + 256, 256, 128, stride}, 1, 128};
    const auto tokens = draw(test, at::kCUDA);
    const auto kernel = best_score_kernel(tokens.q, tokens.k, test.grid);
    const int64_t per_block = test.grid.strided_per_block();
    const at::Tensor got = run_score(tokens.q, tokens.k, test.grid, {0, 1, 0, 928}, kernel);
    for (const int64_t query : {0, 463, 920}) {
      const at::Tensor want = testing::reference_scores(tokens.q, tokens.k, test.grid, query, 8);
      EXPECT_LT(score_error(got.slice(1, query * per_block, (query + 8) * per_block), want,
                            test.grid, query),
                kBound)
          << stride << ' ' << query;
    }
    const at::Tensor simple =
        run_score(tokens.q, tokens.k, test.grid, {0, 1, 0, 928}, ScoreKernel::kSimple);
    EXPECT_LT((got - simple).abs().max().item<double>(), kBound) << stride;
  }
}

TEST(ScoreReference, GivesTheMassOfTheCpuImplementation) {
  for (const bool causal : {false, true}) {
    const Case test = {"", {1000, 0, 128, 8, causal}, 2, 64};
    const auto tokens = draw(test, at::kCPU);
    const at::Tensor scores = testing::reference_scores(tokens.q, tokens.k, test.grid, 0, 7);
    const at::Tensor mass = score_blocks_cpu(tokens.q, tokens.k, test.grid);
    EXPECT_LT((testing::reference_mass(scores, test.grid) - mass).abs().max().item<double>(), 2e-6);
  }
}

}  // namespace
}  // namespace reel::attention
