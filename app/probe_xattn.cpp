// The stage that shows what XAttention decides for given q, k and v.
#include "app/probe_inputs.h"
#include "app/probe_stages.h"
#include "attention/explain.h"
#include "core/error.h"

namespace reel::app {

Tensors probe_xattn(const ProbeOptions& options) {
  const auto in =
      read_probe_inputs(options.in.value(), {{"q", "BSAD"}, {"k", "BSAD"}, {"v", "BSAD"}});
  // The flags are checked as those of a run with one call.
  attention::ScheduleOptions flags = options.attention;
  flags.mode = std::string("xattn");
  flags.dense_steps = std::string("0");
  attention::ScheduleShape shape;
  shape.num_heads = in.at("q").size(2);
  shape.has_text = options.text_length > 0;
  const auto schedule = attention::AttentionSchedule::make(flags, shape);
  const attention::ExplainOptions explain{{flags.tau, flags.stride, flags.block},
                                          options.text_length,
                                          options.causal,
                                          schedule.protection()};
  const auto dtype = options.compute.dtype;
  const at::Device device = options.compute.device;
  const auto load = [&](const char* name) { return in.at(name).to(device, dtype); };
  const auto shown = attention::explain(load("q"), load("k"), load("v"), explain);
  return {{"mask", shown.mask},
          {"block_mass", shown.block_mass},
          {"out", shown.out},
          {"lse", shown.lse}};
}

}  // namespace reel::app
