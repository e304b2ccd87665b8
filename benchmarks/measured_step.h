// One denoising step, timed and split into what took the time.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "attention/attention.h"
#include "benchmarks/drawn_step.h"
#include "benchmarks/op_times.h"
#include "dit/transformer.h"

namespace reel::benchmarks {

/// Milliseconds on the device's clock.
struct MeasuredStep {
  double step_ms = 0;
  double score_ms = 0;
  double select_ms = 0;
  double attend_ms = 0;
  double products_ms = 0;
  double density = 0;       ///< mean over layers and heads
  double product_work = 0;  ///< TFLOP of the blocks' products, which are nearly all
  nlohmann::json kernels;   ///< what attended
  std::map<std::string, OpTime> operators;

  double attention_ms() const { return score_ms + select_ms + attend_ms; }
  /// Element-wise work, copies and gaps.
  double rest_ms() const { return step_ms - attention_ms() - products_ms; }
  double product_rate() const { return product_work / products_ms * 1e3; }  ///< TFLOP/s
  nlohmann::json json() const;  ///< all of it under these names, "products_tflops", "rest_ms"
};

/// Runs step 0 once; `attention` must be fresh. Waits for the device.
MeasuredStep measure_step(const dit::Transformer& transformer, const dit::Inputs& inputs,
                          const StepShape& shape, attention::Attention& attention);

/// "dense": our kernels, "cudnn": without them, "selected": sparse from the first step on,
/// "given": the same, attending to `plan` instead of what it selects; "selected:e4m3" and
/// "given:e4m3" score from 8-bit queries and keys. Throws ConfigError for another mode.
attention::Attention attention_of(const std::string& mode, const dit::Config& config, double tau,
                                  int64_t stride, const at::Tensor& plan);

}  // namespace reel::benchmarks
