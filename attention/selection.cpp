#include "attention/selection.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <string_view>

#include "attention/xattention_torch.h"
#include "core/error.h"
#include "core/printable.h"
#include "core/tensor_check.h"

namespace reel::attention {
namespace {

// The number after "<name>=", or nothing if `text` is something else.
template <typename Number>
bool read_value(const std::string& text, const std::string& name, Number& value) {
  if (!text.starts_with(name + "=")) return false;
  const char* first = text.data() + name.size() + 1;
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(first, end, value);
  return result.ec == std::errc() && result.ptr == end;
}

constexpr std::string_view kE4m3Suffix = ":e4m3";

bool parse_pattern(const std::string& whole, Selection& selection) {
  std::string text = whole;
  if (text.ends_with(kE4m3Suffix)) {
    selection.precision = ScorePrecision::kE4m3;
    text.resize(text.size() - kE4m3Suffix.size());
  }
  if (text == "antidiagonal") {
    selection.pattern = ScorePattern::kAntidiagonal;
  } else if (text == "diagonal") {
    selection.pattern = ScorePattern::kDiagonal;
  } else if (whole == "mean-pool") {  // it has no products that could be rounded
    selection.pattern = ScorePattern::kMeanPool;
  } else if (text == "random" || read_value(text, "random", selection.seed)) {
    selection.pattern = ScorePattern::kRandom;
  } else {
    return false;
  }
  return true;
}

bool parse_rule(const std::string& text, Selection& selection) {
  if (text == "tau") {
    selection.rule = CountRule::kTau;
  } else if (read_value(text, "top-k", selection.top_k) && selection.top_k >= 1) {
    selection.rule = CountRule::kTopK;
  } else if (read_value(text, "top-ratio", selection.top_ratio) && selection.top_ratio > 0 &&
             selection.top_ratio <= 1) {
    selection.rule = CountRule::kTopRatio;
  } else {
    return false;
  }
  return true;
}

int64_t num_taken(const Selection& selection, int64_t num_candidates) {
  if (selection.rule == CountRule::kTopK) return std::min(selection.top_k, num_candidates);
  const double share = selection.top_ratio * static_cast<double>(num_candidates);
  constexpr double kRounding = 1e-9;  // 0.1 * 30 is a little above 3
  return static_cast<int64_t>(std::ceil(share - kRounding));
}

}  // namespace

std::string Selection::pattern_text() const {
  const std::string_view suffix = precision == ScorePrecision::kE4m3 ? kE4m3Suffix : "";
  switch (pattern) {
    case ScorePattern::kAntidiagonal:
      return fmt::format("antidiagonal{}", suffix);
    case ScorePattern::kDiagonal:
      return fmt::format("diagonal{}", suffix);
    case ScorePattern::kRandom:
      return fmt::format("random={}{}", seed, suffix);
    case ScorePattern::kMeanPool:
      return "mean-pool";
  }
  return "";
}

std::string Selection::rule_text() const {
  if (rule == CountRule::kTopK) return fmt::format("top-k={}", top_k);
  if (rule == CountRule::kTopRatio) return fmt::format("top-ratio={}", top_ratio);
  return "tau";
}

Selection parse_selection(const std::string& select, const std::string& rule, Problems& problems) {
  Selection selection;
  if (!parse_pattern(select, selection)) {
    problems.add("--select: unknown pattern: got ", printable(select),
                 ", want antidiagonal, diagonal, random or random=SEED, each perhaps with :e4m3, "
                 "or mean-pool");
  }
  if (!parse_rule(rule, selection)) {
    problems.add("--rule: unknown rule: got ", printable(rule),
                 ", want tau, top-k=N with N >= 1, or top-ratio=R with R in (0, 1]");
  }
  return selection;
}

std::vector<int64_t> query_phases(const Selection& selection, int64_t stride) {
  std::vector<int64_t> phases(static_cast<size_t>(stride));
  std::iota(phases.begin(), phases.end(), 0);
  if (selection.pattern == ScorePattern::kAntidiagonal) std::ranges::reverse(phases);
  if (selection.pattern != ScorePattern::kRandom) return phases;
  // written out, because std::shuffle may draw differently in every standard library
  std::mt19937_64 generator(selection.seed);
  for (size_t left = phases.size(); left > 1; --left) {
    std::swap(phases[left - 1], phases[generator() % left]);
  }
  return phases;
}

at::Tensor reorder_phases(const at::Tensor& q, const BlockGrid& grid, const Selection& selection) {
  if (selection.pattern == ScorePattern::kAntidiagonal) return q;
  const auto phases = query_phases(selection, grid.stride);
  const int64_t num_scored = grid.num_scored() * grid.block;
  std::vector<int64_t> source(static_cast<size_t>(q.size(0)));
  std::iota(source.begin(), source.end(), 0);
  for (int64_t token = 0; token < num_scored; ++token) {
    // antidiagonal scoring pairs place stride - 1 - s of a row with key phase s
    const int64_t key_phase = grid.stride - 1 - token % grid.stride;
    source[static_cast<size_t>(token)] =
        token - token % grid.stride + phases[static_cast<size_t>(key_phase)];
  }
  return q.index_select(0, at::tensor(source, at::kLong).to(q.device()));
}

at::Tensor round_to_e4m3(const at::Tensor& x, const BlockGrid& grid) {
  check_grid(grid);
  check_tensor("round_to_e4m3", x, "x", {{'S', grid.num_tokens}, {'A', kAny}, {'D', kAny}});
  constexpr double kLargest = 448;
  at::Tensor result = x.to(at::kFloat, /*non_blocking=*/false, /*copy=*/true);
  const at::Tensor scored = result.narrow(0, 0, grid.num_scored() * grid.block);
  if (scored.numel() == 0) return result;
  const at::Tensor magnitude = scored.abs().amax({0, 2}, /*keepdim=*/true);
  // a head of zeros stays as it is
  const at::Tensor scale = at::where(magnitude.gt(0), kLargest / magnitude, 0.0F);
  const at::Tensor rounded = (scored * scale).to(at::kFloat8_e4m3fn).to(at::kFloat);
  const at::Tensor finite = magnitude.isfinite();
  scored.copy_(
      at::where(finite, rounded * (magnitude / kLargest), std::numeric_limits<float>::quiet_NaN()));
  return result;
}

at::Tensor score_mean_blocks(const at::Tensor& q, const at::Tensor& k, const BlockGrid& grid) {
  check_grid(grid);
  check_tensor("score_mean_blocks", q, "q", {{'S', grid.num_tokens}, {'A', kAny}, {'D', kAny}});
  const int64_t num_scored = grid.num_scored();
  const auto means = [&](const at::Tensor& x) {
    return x.slice(0, 0, num_scored * grid.block)
        .to(at::kFloat)
        .reshape({num_scored, grid.block, x.size(1), x.size(2)})
        .mean(1)
        .transpose(0, 1);  // [A, m, D]
  };
  at::Tensor logits =
      at::bmm(means(q), means(k).transpose(1, 2)) / std::sqrt(static_cast<double>(q.size(2)));
  if (grid.causal) {
    const at::Tensor future = at::ones_like(logits, logits.options().dtype(at::kBool)).triu(1);
    logits = logits.masked_fill(future, -std::numeric_limits<double>::infinity());
  }
  return at::softmax(logits, 2);
}

at::Tensor select_top_blocks(const at::Tensor& block_mass, const Selection& selection,
                             const BlockGrid& grid, const Protection& protection) {
  check_grid(grid);
  const int64_t num_scored = grid.num_scored();
  const int64_t num_heads = block_mass.size(0);
  check_tensor("select_top_blocks", block_mass, "block_mass",
               {{'A', kAny}, {'n', num_scored}, {'n', num_scored}}, at::kFloat);
  if (selection.rule == CountRule::kTau) fail<ShapeError>("select_top_blocks: the rule is tau");
  const at::Tensor forced = forced_blocks(grid, protection, block_mass.device());
  at::Tensor mask = forced.unsqueeze(0).repeat({num_heads, 1, 1});
  if (num_scored == 0) return mask;
  at::Tensor counts = at::empty({num_scored, 1}, at::kLong);
  for (int64_t query = 0; query < num_scored; ++query) {
    counts[query][0] = num_taken(selection, grid.num_candidates(query));
  }
  const at::Tensor rank_limit = counts.to(block_mass.device());
  const at::Tensor rank = at::arange(num_scored, rank_limit.options()).unsqueeze(0);
  const at::Tensor near_first = indices_by_distance(num_scored, block_mass.device());
  at::Tensor visible = at::ones({num_scored, grid.num_blocks()}, mask.options());
  if (grid.causal) visible = visible.tril();
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const at::Tensor candidates = visible.slice(1, 0, num_scored);
  const at::Tensor forced_candidates = forced.slice(0, 0, num_scored).slice(1, 0, num_scored);
  for (int64_t head = 0; head < num_heads; ++head) {
    const at::Tensor mass = block_mass[head]
                                .masked_fill(forced_candidates, kInfinity)
                                .masked_fill(candidates.logical_not(), -kInfinity);
    const auto sorted = at::sort(mass.gather(1, near_first), /*stable=*/true, 1, true);
    const at::Tensor order = near_first.gather(1, std::get<1>(sorted));
    const at::Tensor first = rank.lt(rank_limit);
    at::Tensor rows = mask[head].slice(0, 0, num_scored);
    rows.slice(1, 0, num_scored).logical_or_(at::zeros_like(first).scatter(1, order, first));
    const at::Tensor broken = block_mass[head].isfinite().all(1).logical_not();
    rows.logical_or_(visible.logical_and(broken.unsqueeze(1)));
  }
  return mask;
}

}  // namespace reel::attention
