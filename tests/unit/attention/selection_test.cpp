// Patterns and rules of the ablations against loops that spell them out.
#include "attention/selection.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "attention/oracle.h"
#include "attention/schedule.h"
#include "attention/xattention.h"
#include "core/error.h"
#include "core/random.h"

namespace reel::attention {
namespace {

constexpr int64_t kHeads = 2;
constexpr BlockGrid kGrid = {.num_tokens = 1000, .text_length = 70, .block = 64, .stride = 8};

struct Inputs {
  at::Tensor q, k, v;  // [S, A, D]
};

Inputs draw() {
  NormalStream stream(5);
  const auto next = [&] { return stream.next({kGrid.num_tokens, kHeads, 32}) * 2; };
  return {next(), next(), next()};
}

Selection selection(const std::string& pattern, const std::string& rule = "tau") {
  Problems problems;
  const auto result = parse_selection(pattern, rule, problems);
  problems.throw_if_any<ConfigError>("selection");
  return result;
}

// Mean of the chosen logits of every stride x stride square, softmax over the row, block sums.
at::Tensor naive_strided_mass(const Inputs& inputs, int64_t head,
                              const std::vector<int64_t>& phases) {
  const int64_t count = kGrid.num_scored() * kGrid.block / kGrid.stride;
  const at::Tensor logits = at::matmul(inputs.q.select(1, head).to(at::kDouble),
                                       inputs.k.select(1, head).to(at::kDouble).t()) /
                            std::sqrt(32.0);
  at::Tensor strided = at::zeros({count, count}, at::kDouble);
  const auto from = logits.accessor<double, 2>();
  auto to = strided.accessor<double, 2>();
  for (int64_t row = 0; row < count; ++row) {
    for (int64_t column = 0; column < count; ++column) {
      for (int64_t s = 0; s < kGrid.stride; ++s) {
        to[row][column] +=
            from[row * kGrid.stride + phases[static_cast<size_t>(s)]][column * kGrid.stride + s] /
            static_cast<double>(kGrid.stride);
      }
    }
  }
  const int64_t m = kGrid.num_scored();
  const int64_t per_block = kGrid.strided_per_block();
  return at::softmax(strided, 1).view({m, per_block, m, per_block}).sum({1, 3}) /
         static_cast<double>(per_block);
}

at::Tensor mass_of_call(const Inputs& inputs, const Selection& selection) {
  const SparseCall call = {.grid = kGrid,
                           .rule = SparseRule::kXAttention,
                           .taus = {0.9, 0.9},
                           .protection = {},
                           .selection = selection,
                           .given_mask = {},
                           .keep_plan = true};
  return run_sparse_call(inputs.q, inputs.k, inputs.v, call).block_mass;
}

TEST(Selection, StridedPatternsPairThePhasesThatTheyName) {
  const auto inputs = draw();
  const std::vector<int64_t> straight = {0, 1, 2, 3, 4, 5, 6, 7};
  const std::vector<int64_t> reversed = {7, 6, 5, 4, 3, 2, 1, 0};
  const auto random = query_phases(selection("random=3"), 8);
  for (const auto& [name, phases] :
       {std::pair{"antidiagonal", reversed}, std::pair{"diagonal", straight},
        std::pair{"random=3", random}}) {
    const auto mass = mass_of_call(inputs, selection(name));
    for (int64_t head = 0; head < kHeads; ++head) {
      const auto want = naive_strided_mass(inputs, head, phases);
      EXPECT_LT((mass[head] - want).abs().max().item<double>(), 1e-5) << name;
    }
  }
}

TEST(Selection, RandomPhasesAreAPermutationThatTheSeedDecides) {
  std::set<std::vector<int64_t>> different;
  for (int seed = 0; seed < 8; ++seed) {
    const auto pattern = selection("random=" + std::to_string(seed));
    const auto phases = query_phases(pattern, 16);
    EXPECT_EQ(phases, query_phases(pattern, 16));
    EXPECT_EQ(std::set<int64_t>(phases.begin(), phases.end()).size(), 16U);
    different.insert(phases);
  }
  EXPECT_EQ(different.size(), 8U);
  EXPECT_EQ(query_phases(selection("random"), 8), query_phases(selection("random=0"), 8));
}

TEST(Selection, MeanPoolScoresMeanTokens) {
  const auto inputs = draw();
  const auto mass = mass_of_call(inputs, selection("mean-pool"));
  for (int64_t head = 0; head < kHeads; ++head) {
    std::vector<at::Tensor> q, k;
    for (int64_t block = 0; block < kGrid.num_scored(); ++block) {
      const auto mean = [&](const at::Tensor& x) {
        at::Tensor sum = at::zeros({32}, at::kDouble);
        for (int64_t i = 0; i < kGrid.block; ++i) sum += x[block * kGrid.block + i][head];
        return sum / static_cast<double>(kGrid.block);
      };
      q.push_back(mean(inputs.q));
      k.push_back(mean(inputs.k));
    }
    const auto want = at::softmax(at::matmul(at::stack(q), at::stack(k).t()) / std::sqrt(32.0), 1);
    EXPECT_LT((mass[head] - want).abs().max().item<double>(), 1e-5);
  }
}

// What a row takes: forced blocks, then the best ones until there are `count`.
std::set<int64_t> naive_top(const at::Tensor& row, int64_t query, int64_t count,
                            const Protection& protection) {
  std::set<int64_t> taken;
  for (int64_t key = 0; key < kGrid.num_scored(); ++key) {
    if (key < protection.sink || (protection.self && key == query)) taken.insert(key);
  }
  while (std::ssize(taken) < count) {
    int64_t best = -1;
    for (int64_t key = 0; key < kGrid.num_scored(); ++key) {
      if (taken.contains(key)) continue;
      const auto better = [&] {
        const auto a = row[key].item<float>();
        const auto b = row[best].item<float>();
        return a > b || (a == b && std::abs(key - query) < std::abs(best - query));
      };
      if (best < 0 || better()) best = key;
    }
    taken.insert(best);
  }
  for (int64_t key = kGrid.num_scored(); key < kGrid.num_blocks(); ++key) taken.insert(key);
  return taken;
}

void expect_top(const std::string& rule, int64_t count, const Protection& protection) {
  at::Tensor mass = mass_of_call(draw(), selection("antidiagonal"));
  mass[1] = (mass[1] * 30).round() / 30;  // ties
  const auto mask = select_top_blocks(mass, selection("antidiagonal", rule), kGrid, protection);
  for (int64_t head = 0; head < kHeads; ++head) {
    for (int64_t query = 0; query < kGrid.num_blocks(); ++query) {
      std::set<int64_t> got;
      for (int64_t key = 0; key < kGrid.num_blocks(); ++key) {
        if (mask[head][query][key].item<bool>()) got.insert(key);
      }
      if (query >= kGrid.num_scored()) {
        EXPECT_EQ(std::ssize(got), kGrid.num_blocks()) << "unscored rows are dense";
      } else {
        EXPECT_EQ(got, naive_top(mass[head][query], query, count, protection))
            << rule << " head " << head << " query " << query;
      }
    }
  }
}

TEST(Selection, TopKTakesThatManyBlocksOfEveryRowForcedOnesIncluded) {
  ASSERT_EQ(kGrid.num_scored(), 14);
  expect_top("top-k=1", 1, {.text = true, .self = true, .sink = 0});
  expect_top("top-k=5", 5, {.text = true, .self = true, .sink = 2});
  expect_top("top-k=5", 5, {.text = true, .self = false, .sink = 0});
  expect_top("top-k=1", 1, {.text = true, .self = true, .sink = 3});  // more are forced
  expect_top("top-k=99", 14, {});
}

TEST(Selection, TopRatioRoundsUp) {
  expect_top("top-ratio=0.25", 4, {});  // 3.5 of 14
  expect_top("top-ratio=0.5", 7, {});
  expect_top("top-ratio=0.001", 1, {});
  expect_top("top-ratio=1", 14, {});
}

TEST(Selection, CausalRowsTakeAShareOfWhatTheySee) {
  BlockGrid grid = {.num_tokens = 640, .text_length = 0, .block = 64, .stride = 8, .causal = true};
  const auto mask = select_top_blocks(at::full({1, 10, 10}, 0.1F),
                                      selection("antidiagonal", "top-ratio=0.5"), grid, {});
  for (int64_t query = 0; query < 10; ++query) {
    EXPECT_EQ(mask[0][query].sum().item<int64_t>(), (query + 2) / 2);
    EXPECT_EQ(mask[0][query].slice(0, query + 1).sum().item<int64_t>(), 0);
  }
}

TEST(Selection, RowsThatAreNotFiniteStayDense) {
  at::Tensor mass = at::full({1, 14, 14}, 1.0F / 14);
  mass[0][3][5] = std::nanf("");
  const auto mask = select_top_blocks(mass, selection("antidiagonal", "top-k=2"), kGrid, {});
  EXPECT_EQ(mask[0][3].sum().item<int64_t>(), kGrid.num_blocks());
  EXPECT_EQ(mask[0][4].sum().item<int64_t>(), 2 + kGrid.num_blocks() - kGrid.num_scored());
}

TEST(Selection, CallsAttendToWhatTheRuleTook) {
  const auto inputs = draw();
  const SparseCall call = {.grid = kGrid,
                           .rule = SparseRule::kXAttention,
                           .taus = {0.9, 0.9},
                           .protection = {},
                           .selection = selection("diagonal", "top-k=3"),
                           .given_mask = {},
                           .keep_plan = true};
  const auto result = run_sparse_call(inputs.q, inputs.k, inputs.v, call);
  const auto again = run_sparse_call(inputs.q, inputs.k, inputs.v, call);
  EXPECT_TRUE(at::equal(result.out, again.out));
  EXPECT_TRUE(at::equal(result.mask.ne(0), select_top_blocks(result.block_mass, call.selection,
                                                             kGrid, call.protection)));
  const auto want = oracle_attend(inputs.q, inputs.k, inputs.v, result.mask, kGrid);
  EXPECT_LT((result.out - want.out).abs().max().item<double>(), 1e-4);
  const double scored_rows = 14.0 * (3 + 2);
  EXPECT_NEAR(result.density.values()[0], (scored_rows + 2 * 16) / (16.0 * 16), 1e-12);
}

TEST(Selection, RoundsToThreeBitsAfterTheLeadingOneRelativeToTheLargestOfAHead) {
  const BlockGrid grid = {.num_tokens = 130, .text_length = 2, .block = 64, .stride = 8};
  at::Tensor x = at::zeros({130, 3, 32});
  x[0][0][0] = -448.0;
  x[1][0][1] = 33.0;  // between 32 and 36
  x[2][0][2] = 35.0;  // the same
  x[3][0][3] = 1e-9;  // below the smallest
  x[0][1][0] = 4.48;  // scaled by 100
  x[1][1][1] = 0.33;
  x[0][2][0] = std::nanf("");
  x[129][0][0] = 33.0;  // text
  const at::Tensor got = round_to_e4m3(x, grid);
  EXPECT_EQ(got[0][0][0].item<float>(), -448.0F);
  EXPECT_EQ(got[1][0][1].item<float>(), 32.0F);
  EXPECT_EQ(got[2][0][2].item<float>(), 36.0F);
  EXPECT_EQ(got[3][0][3].item<float>(), 0.0F);
  EXPECT_NEAR(got[0][1][0].item<float>(), 4.48, 1e-6);
  EXPECT_NEAR(got[1][1][1].item<float>(), 0.32, 1e-6);
  EXPECT_TRUE(got.select(1, 2).slice(0, 0, 128).isnan().all().item<bool>());
  EXPECT_EQ(got[129][0][0].item<float>(), 33.0F) << "only what is scored is rounded";
  EXPECT_EQ(x[1][0][1].item<float>(), 33.0F) << "the input stays";
}

TEST(Selection, RoundedScoresAreThoseOfRoundedInputsAndKeepTheRecall) {
  const auto inputs = draw();
  const auto rounded = selection("antidiagonal:e4m3");
  const at::Tensor exact = mass_of_call(inputs, selection("antidiagonal"));
  const at::Tensor mass = mass_of_call(inputs, rounded);
  const Inputs by_hand = {round_to_e4m3(inputs.q, kGrid), round_to_e4m3(inputs.k, kGrid), inputs.v};
  EXPECT_TRUE(at::equal(mass, mass_of_call(by_hand, selection("antidiagonal"))));
  EXPECT_FALSE(at::equal(mass, exact));
  const at::Tensor taken =
      select_blocks(mass, std::vector<double>{0.9, 0.9}, kGrid, {}).mask().to(at::kFloat);
  const int64_t m = kGrid.num_scored();
  const at::Tensor recall = (exact * taken.slice(1, 0, m).slice(2, 0, m)).sum(2);
  EXPECT_GE(recall.min().item<double>(), 0.9 - 0.02);
  EXPECT_GE(recall.mean().item<double>(), 0.9);
}

TEST(Selection, ReadsWhatItPrints) {
  for (const auto* pattern : {"antidiagonal", "diagonal", "random=18446744073709551615",
                              "mean-pool", "antidiagonal:e4m3", "random=5:e4m3"}) {
    EXPECT_EQ(selection(pattern).pattern_text(), pattern);
  }
  for (const auto* rule : {"tau", "top-k=12", "top-ratio=0.25"}) {
    EXPECT_EQ(selection("diagonal", rule).rule_text(), rule);
  }
}

TEST(Selection, RefusesOtherTexts) {
  for (const auto* rule : {"", "top-k", "top-k=0", "top-k=2.5", "top-ratio=0", "top-ratio=1.5",
                           "top-ratio=nan", "tau=0.9"}) {
    Problems problems;
    parse_selection("antidiagonal", rule, problems);
    ASSERT_EQ(problems.lines().size(), 1U) << rule;
    EXPECT_EQ(problems.lines()[0].find("--rule: unknown rule: got "), 0U);
  }
  for (const auto* pattern : {"slash", "random=", "random=-1", "random=x", "mean-pool:e4m3",
                              "antidiagonal:e5m2", ":e4m3"}) {
    Problems problems;
    parse_selection(pattern, "tau", problems);
    ASSERT_EQ(problems.lines().size(), 1U) << pattern;
    EXPECT_EQ(problems.lines()[0].find("--select: unknown pattern: got "), 0U);
  }
}

TEST(Selection, ScheduleCarriesPrintsAndHashesIt) {
  ScheduleOptions options;
  const ScheduleShape shape = {.num_steps = 10, .num_layers = 2, .num_heads = 2, .sigmas = {}};
  const auto plain = AttentionSchedule::make(options, shape);
  options.select = "diagonal";
  options.rule = "top-ratio=0.25";
  const auto other = AttentionSchedule::make(options, shape);
  EXPECT_EQ(other.selection(), selection("diagonal", "top-ratio=0.25"));
  EXPECT_NE(plain.hash(), other.hash());
  EXPECT_NE(other.grid().find("select diagonal, rule top-ratio=0.25"), std::string::npos);
  EXPECT_EQ(plain.grid().find("select"), std::string::npos);
  EXPECT_EQ(other.to_json().at("select"), "diagonal");
  EXPECT_EQ(other.to_json().at("rule"), "top-ratio=0.25");
}

TEST(Selection, ScheduleRefusesWhatHasNoEffect) {
  ScheduleOptions options;
  options.mode = "reference";
  options.rule = "top-k=4";
  Problems problems;
  AttentionSchedule::make(options, {.num_steps = 10, .num_layers = 2, .num_heads = 2, .sigmas = {}},
                          problems);
  ASSERT_EQ(problems.lines().size(), 1U);
  EXPECT_EQ(problems.lines()[0],
            "--select, --rule: cannot go with --attn reference, which has its own");
}

}  // namespace
}  // namespace reel::attention
