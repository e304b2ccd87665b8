#include "benchmarks/measured_step.h"

#include "core/error.h"

namespace reel::benchmarks {

nlohmann::json MeasuredStep::json() const {
  nlohmann::json row = {{"step_ms", step_ms},
                        {"density", density},
                        {"score_ms", score_ms},
                        {"select_ms", select_ms},
                        {"attend_ms", attend_ms},
                        {"products_ms", products_ms},
                        {"products_tflops", product_rate()},
                        {"rest_ms", rest_ms()},
                        {"attention_kernels", kernels},
                        {"operators", nlohmann::json::object()}};
  for (const auto& [name, op] : operators) {
    row["operators"][name] = {{"ms", op.ms}, {"calls", op.calls}};
  }
  return row;
}

MeasuredStep measure_step(const dit::Transformer& transformer, const dit::Inputs& inputs,
                          const StepShape& shape, attention::Attention& attention) {
  using attention::TimePoint;
  MeasuredStep step;
  const at::Device device = transformer.device();
  const OpTimes watch(device);
  const auto start = TimePoint::now(device);
  transformer.forward(inputs, attention.at_step(0));
  step.step_ms = start.ms_until(TimePoint::now(device));
  const auto& statistics = attention.statistics();
  const auto times = statistics.times(0);
  step.score_ms = times.score_ms;
  step.select_ms = times.select_ms;
  step.attend_ms = times.attend_ms;
  step.density = statistics.mean_density();
  step.kernels = statistics.kernels_json();
  step.operators = OpTimes::totals();
  for (const char* name :
       {"aten::addmm", "aten::mm", "aten::matmul", "aten::linear", "reel::product"}) {
    const auto found = step.operators.find(name);
    if (found != step.operators.end()) step.products_ms += found->second.ms;
  }
  const dit::Config config = config_of(shape);
  const auto tokens = static_cast<double>(grid_of(shape).num_tokens() + shape.text_tokens);
  const auto width = static_cast<double>(config.width());
  const auto mlp = static_cast<double>(config.mlp_width);
  step.product_work =
      static_cast<double>(config.num_layers()) * 2e-12 * tokens * width * (4 * width + 2 * mlp);
  return step;
}

attention::Attention attention_of(const std::string& mode, const dit::Config& config, double tau,
                                  int64_t stride, const at::Tensor& plan) {
  if (mode == "dense") return {};
  if (mode == "cudnn") {
    attention::Attention attention;
    attention.use_kernels(attention::GpuKernels::kLibTorch);
    return attention;
  }
  const auto colon = mode.find(':');
  const std::string kind = mode.substr(0, colon);
  const std::string suffix = colon == std::string::npos ? "" : mode.substr(colon);
  if ((kind != "given" && kind != "selected") || (!suffix.empty() && suffix != ":e4m3")) {
    fail<ConfigError>("--modes: got ", mode,
                      ", want given, given:e4m3, selected, selected:e4m3, dense or cudnn");
  }
  auto attention = sparse_attention(config, tau, stride, "antidiagonal" + suffix);
  if (kind == "given") attention.give_plan(plan);
  return attention;
}

}  // namespace reel::benchmarks
