#include "attention/schedule.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "attention/schedule_parts.h"
#include "core/error.h"
#include "core/nearest_name.h"
#include "core/printable.h"

namespace reel::attention {
namespace {

// Runs a reader of a flag or a file; what it throws becomes one problem.
template <typename Read>
void collect(Problems& problems, const Read& read) {
  try {
    read();
  } catch (const ConfigError& error) {
    problems.add(error.what());
  }
}

void check_settings(const ScheduleOptions& options, Problems& problems) {
  if (const auto problem = tau_problem(options.tau)) problems.add("--tau: ", *problem);
  if (const auto problem = stride_problem(options.stride)) problems.add("--stride: ", *problem);
  if (const auto problem = block_problem(options.block)) problems.add("--block: ", *problem);
}

}  // namespace

AttentionSchedule::AttentionSchedule() {
  options_.mode = "dense";
}

AttentionSchedule::AttentionSchedule(const ScheduleOptions& options, const ScheduleShape& shape)
    : options_(options),
      num_steps_(shape.num_steps),
      num_layers_(shape.num_layers),
      num_heads_(shape.num_heads) {
  if (num_steps_ < 1 || num_layers_ < 1 || num_heads_ < 1) {
    fail<ShapeError>("AttentionSchedule: empty shape: got ", num_steps_, " steps, ", num_layers_,
                     " layers, ", num_heads_, " heads, want at least 1 of each");
  }
}

std::optional<AttentionSchedule> AttentionSchedule::make(const ScheduleOptions& options,
                                                         const ScheduleShape& shape,
                                                         Problems& problems) {
  AttentionSchedule schedule(options, shape);
  Problems own;
  schedule.resolve(own, shape);
  for (const auto& line : own.lines()) problems.add(line);
  if (!own.empty()) return std::nullopt;
  return schedule;
}

AttentionSchedule AttentionSchedule::make(const ScheduleOptions& options,
                                          const ScheduleShape& shape) {
  Problems problems;
  auto schedule = make(options, shape, problems);
  problems.throw_if_any<ConfigError>("attention");
  return std::move(*schedule);
}

void AttentionSchedule::resolve(Problems& problems, const ScheduleShape& shape) {
  const std::string mode = options_.mode == "flash" ? "dense" : options_.mode;
  if (mode != "dense" && mode != "xattn" && mode != "reference") {
    const auto nearest = nearest_name(mode, {"dense", "xattn", "reference", "flash"});
    problems.add("--attn: unknown mode: got ", printable(mode), ", want dense, xattn or reference",
                 nearest ? "; did you mean " + *nearest + "?" : "");
  }
  options_.mode = mode;
  sparse_ = mode != "dense";
  rule_ = mode == "reference" ? SparseRule::kReference : SparseRule::kXAttention;
  check_settings(options_, problems);
  collect(problems, [&] { protection_ = parse_protection(options_.protect, "--protect"); });
  resolve_selection(problems);
  if (shape.has_text && !protection_.text) {
    problems.add("--protect: text is missing: got '", printable(options_.protect),
                 "', want text in the list, because text blocks are never scored");
  }
  if (rule_ == SparseRule::kReference) {
    protection_ = {.text = false, .self = false, .sink = 0};  // the published rule has none
    if (options_.block != 128) {
      problems.add("--block: not in the published rule: got ", options_.block, ", want 128");
    }
    if (options_.schedule_file) {
      problems.add("--schedule: cannot go with --attn reference: its rules say dense or xattn");
    }
  }
  const auto base =
      sparse_ ? std::optional<SparseSettings>({options_.tau, options_.stride, options_.block})
              : std::nullopt;
  cells_.assign(static_cast<size_t>(num_steps_ * num_layers_ * num_heads_), base);
  collect(problems, [&] { apply_dense_flags(problems, shape); });
  apply_schedule_file(problems);
  if (sparse_ && is_dense()) notes_.push_back("attention: no call is sparse in this schedule");
}

void AttentionSchedule::resolve_selection(Problems& problems) {
  selection_ = parse_selection(options_.select, options_.rule, problems);
  if (selection_ == Selection{}) return;
  if (rule_ == SparseRule::kReference) {
    problems.add("--select, --rule: cannot go with --attn reference, which has its own");
  }
  if (options_.head_tau_file && selection_.rule != CountRule::kTau) {
    problems.add("--head-tau: has no effect with --rule ", selection_.rule_text());
  }
}

int64_t AttentionSchedule::resolve_dense_steps(Problems& problems, const ScheduleShape& shape) {
  const int64_t count = parse_step_count(options_.dense_steps, num_steps_, "--dense-steps");
  if (count < num_steps_ || shape.may_be_all_dense) return std::min(count, num_steps_);
  if (options_.dense_steps_given) {
    problems.add("--dense-steps: not below the number of steps: got ",
                 printable(options_.dense_steps), ", want 0 to ", num_steps_ - 1);
    return 0;
  }
  if (sparse_) {
    notes_.push_back("dense steps: " + std::to_string(count) + " by default, but there are only " +
                     std::to_string(num_steps_) + " steps: using " +
                     std::to_string(num_steps_ - 1));
  }
  return num_steps_ - 1;
}

void AttentionSchedule::apply_dense_flags(Problems& problems, const ScheduleShape& shape) {
  collect(problems, [&] { num_dense_steps_ = resolve_dense_steps(problems, shape); });
  if (options_.dense_tail < 0 || options_.dense_tail > num_steps_) {
    problems.add("--dense-tail: out of range: got ", options_.dense_tail, ", want 0 to ",
                 num_steps_);
  }
  const auto sigma = options_.dense_sigma;
  if (sigma && !(*sigma > 0 && *sigma <= 1)) {
    problems.add("--dense-sigma: out of range: got ", *sigma, ", want above 0 and at most 1");
  } else if (sigma && std::ssize(shape.sigmas) < num_steps_) {
    fail<ShapeError>("AttentionSchedule: sigmas are missing: got ", shape.sigmas.size(),
                     ", want at least ", num_steps_);
  }
  std::vector<IndexRange> layers;
  if (!options_.dense_layers.empty()) {
    layers = parse_ranges(options_.dense_layers, num_layers_, "--dense-layers", "layer");
  }
  if (!problems.empty()) return;
  for (int64_t step = 0; step < num_steps_; ++step) {
    const bool dense_step = step < num_dense_steps_ || step >= num_steps_ - options_.dense_tail ||
                            (sigma && shape.sigmas[static_cast<size_t>(step)] >= *sigma);
    for (int64_t layer = 0; layer < num_layers_; ++layer) {
      const bool dense_layer = std::ranges::any_of(
          layers, [&](const auto& range) { return range.first <= layer && layer <= range.last; });
      if (!dense_step && !dense_layer) continue;
      for (int64_t head = 0; head < num_heads_; ++head) cells_[cell(step, layer, head)].reset();
    }
  }
}

void AttentionSchedule::apply_schedule_file(Problems& problems) {
  std::vector<std::vector<double>> head_tau;
  std::vector<ScheduleRule> rules;
  if (options_.head_tau_file) {
    collect(problems, [&] {
      head_tau = read_head_tau_file(*options_.head_tau_file, num_layers_, num_heads_);
    });
  }
  if (options_.schedule_file) {
    collect(problems, [&] {
      rules = read_schedule_file(*options_.schedule_file, num_steps_, num_layers_, num_heads_);
    });
  }
  if (options_.schedule_text) {
    collect(problems, [&] {
      rules = read_schedule(*options_.schedule_text, num_steps_, num_layers_, num_heads_);
    });
  }
  if (!problems.empty()) return;
  const auto tau_of = [&](int64_t layer, int64_t head) {
    if (head_tau.empty()) return options_.tau;
    return head_tau[static_cast<size_t>(layer)][static_cast<size_t>(head)];
  };
  for (int64_t step = 0; step < num_steps_; ++step) {
    for (int64_t layer = 0; layer < num_layers_; ++layer) {
      for (int64_t head = 0; head < num_heads_; ++head) {
        auto& settings = cells_[cell(step, layer, head)];
        if (settings) settings->tau = tau_of(layer, head);
      }
    }
  }
  for (const auto& rule : rules) {
    const auto for_each = [](const std::vector<IndexRange>& ranges, const auto& visit) {
      for (const auto& range : ranges) {
        for (int64_t i = range.first; i <= range.last; ++i) visit(i);
      }
    };
    for_each(rule.steps, [&](int64_t step) {
      for_each(rule.layers, [&](int64_t layer) {
        for_each(rule.heads, [&](int64_t head) {
          auto& settings = cells_[cell(step, layer, head)];
          settings.reset();
          if (!rule.sparse) return;
          settings = {rule.tau.value_or(tau_of(layer, head)), rule.stride.value_or(options_.stride),
                      rule.block.value_or(options_.block)};
        });
      });
    });
  }
}

size_t AttentionSchedule::cell(int64_t step, int64_t layer, int64_t head) const {
  if (step < 0 || step >= num_steps_ || layer < 0 || layer >= num_layers_ || head < 0 ||
      head >= num_heads_) {
    fail<ShapeError>("AttentionSchedule: no such call: got step ", step, ", layer ", layer,
                     ", head ", head, ", want below ", num_steps_, ", ", num_layers_, ", ",
                     num_heads_);
  }
  return static_cast<size_t>((step * num_layers_ + layer) * num_heads_ + head);
}

std::optional<SparseSettings> AttentionSchedule::at(int64_t step, int64_t layer,
                                                    int64_t head) const {
  if (num_steps_ == 0) return std::nullopt;
  return cells_[cell(step, layer, head)];
}

bool AttentionSchedule::is_dense(int64_t step, int64_t layer) const {
  for (int64_t head = 0; head < num_heads_; ++head) {
    if (at(step, layer, head)) return false;
  }
  return true;
}

bool AttentionSchedule::is_dense(int64_t step) const {
  for (int64_t layer = 0; layer < num_layers_; ++layer) {
    if (!is_dense(step, layer)) return false;
  }
  return true;
}

bool AttentionSchedule::is_dense() const {
  return std::ranges::none_of(cells_, [](const auto& settings) { return settings.has_value(); });
}

}  // namespace reel::attention
