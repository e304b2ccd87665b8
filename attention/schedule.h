// Which attention calls of a run are dense and which are sparse: a value, made and checked before
// anything runs, printed by --dry-run and kept in the output's metadata.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "attention/block_plan.h"
#include "attention/schedule_options.h"
#include "attention/selection.h"
#include "core/problems.h"

namespace reel::attention {

/// The rule that picks blocks in the sparse calls of a run.
enum class SparseRule {
  kXAttention,  ///< --attn xattn: spec/cli-and-vbench.md 2.2
  kReference,   ///< --attn reference: the published rule with its accidents
};

/// How one head of one call is sparse.
struct SparseSettings {
  double tau;      ///< share of the scored mass to keep, above 0 and at most 1
  int64_t stride;  ///< 4, 8 or 16
  int64_t block;   ///< 64 or 128

  bool operator==(const SparseSettings&) const = default;
};

/// What the schedule has to cover.
struct ScheduleShape {
  int64_t num_steps = 1;
  int64_t num_layers = 1;  ///< double blocks, then single blocks
  int64_t num_heads = 1;
  std::vector<double> sigmas;     ///< at least one a step; needed for dense_sigma only
  bool has_text = true;           ///< false: `protect` may go without text
  bool may_be_all_dense = false;  ///< true (probe): dense_steps may reach the number of steps
};

/// (step, layer, head) -> dense, or sparse with its settings. Order of precedence, later wins: the
/// mode; dense steps, tail, layers and sigma; the rules of the schedule file. A rule without tau
/// takes the head-tau file's value, else --tau; without stride or block, the flags'.
class AttentionSchedule {
 public:
  /// Everything dense.
  AttentionSchedule();

  /// Checks and resolves `options`. Adds every problem to `problems`; nothing is returned then.
  static std::optional<AttentionSchedule> make(const ScheduleOptions& options,
                                               const ScheduleShape& shape, Problems& problems);

  /// The same; throws ConfigError "attention: ..." with all problems.
  static AttentionSchedule make(const ScheduleOptions& options, const ScheduleShape& shape);

  /// The settings of one head in one call; none if it is dense.
  std::optional<SparseSettings> at(int64_t step, int64_t layer, int64_t head) const;

  bool is_dense(int64_t step, int64_t layer) const;  ///< every head of the call
  bool is_dense(int64_t step) const;                 ///< every call of the step
  bool is_dense() const;                             ///< the whole run

  /// What sparse calls use unless a file says otherwise; none if the mode is dense.
  std::optional<SparseSettings> usual() const {
    if (!sparse_) return std::nullopt;
    return SparseSettings{options_.tau, options_.stride, options_.block};
  }

  SparseRule rule() const { return rule_; }
  const Protection& protection() const { return protection_; }
  const Selection& selection() const { return selection_; }
  int64_t num_steps() const { return num_steps_; }  ///< 0 if made by the default constructor
  int64_t num_layers() const { return num_layers_; }
  int64_t num_heads() const { return num_heads_; }

  /// Lines for the user about what was adjusted or has no effect.
  const std::vector<std::string>& notes() const { return notes_; }

  /// The grid of steps and layers as a table for people, one line a rectangle.
  std::string grid() const;

  /// {mode, tau, stride, block, dense_steps, ..., protect, select, rule, rules, schedule_hash};
  /// "rules" has the schedule file's form and describes every call.
  nlohmann::json to_json() const;

  /// SHA-256 over the rule, the protection, the selection and the settings of every call.
  std::string hash() const;

 private:
  // A part of a layer's heads with equal settings, or of the grid; used for printing.
  struct Rectangle {
    int64_t first_step, last_step, first_layer, last_layer, first_head, last_head;
    std::optional<SparseSettings> settings;
  };

  AttentionSchedule(const ScheduleOptions& options, const ScheduleShape& shape);
  void resolve(Problems& problems, const ScheduleShape& shape);
  void apply_dense_flags(Problems& problems, const ScheduleShape& shape);
  void apply_schedule_file(Problems& problems);
  void resolve_selection(Problems& problems);
  int64_t resolve_dense_steps(Problems& problems, const ScheduleShape& shape);
  size_t cell(int64_t step, int64_t layer, int64_t head) const;
  bool equal_layers(int64_t step, int64_t layer, int64_t other_step, int64_t other_layer) const;
  std::vector<Rectangle> rectangles() const;

  ScheduleOptions options_;
  bool sparse_ = false;  // the mode as a flag: false for dense
  SparseRule rule_ = SparseRule::kXAttention;
  Protection protection_;
  Selection selection_;
  int64_t num_steps_ = 0;
  int64_t num_layers_ = 0;
  int64_t num_heads_ = 0;
  int64_t num_dense_steps_ = 0;
  std::vector<std::optional<SparseSettings>> cells_;  // [steps, layers, heads]
  std::vector<std::string> notes_;
};

}  // namespace reel::attention
