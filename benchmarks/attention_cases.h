// What the attention benchmark measures: single cases from flags, and fixed lists of them.
// Letters (docs/SHAPES.md): B batch, S joint tokens, L text tokens, A heads, D head dim.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace reel::benchmarks {

/// One set of inputs and all that is done with it. Everything is timed against cuDNN's dense
/// attention of the same inputs.
struct AttentionCase {
  std::string group = {};          ///< names the table that its rows belong to
  int64_t length = 118'800 + 256;  ///< S
  int64_t text_length = 256;       ///< L
  int64_t num_heads = 24;
  int64_t head_dim = 128;
  int64_t batch = 1;  ///< random inputs only
  bool causal = false;
  bool mixture = false;  ///< synthetic queries and keys, scored; else normal, random masks
  std::vector<std::string> variants = {"lazy"};  ///< of the forward kernel
  std::vector<std::string> scoring = {"bf16"};   ///< "bf16", "e4m3" or "e4m3_apart"
  std::vector<int64_t> strides = {8};
  std::vector<double> taus = {};
  /// Mixture: a tau is looked for that gives each of them; else the random masks' density.
  std::vector<double> densities = {};
  bool cudnn = true;
  bool unragged = false;  ///< cuDNN at S rounded down to whole blocks too
  int repeats = 5;
  int64_t recall_samples = 0;  ///< query blocks a head, mixture only
};

/// The figures that were set as goals: full length with text, head dim 64, causal prefill.
std::vector<AttentionCase> issue_cases();

/// Lengths 8k to 256k, densities .05 to 1, strides 4, 8 and 16, causal or not, on the mixture and
/// on random masks; the most telling ones first. 24 heads up to 119,056 tokens, 8 above.
std::vector<AttentionCase> sweep_cases();

/// Throws ConfigError for a preset that is neither "issue" nor "sweep".
std::vector<AttentionCase> preset_cases(const std::string& name);

}  // namespace reel::benchmarks
