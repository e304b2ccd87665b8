#include <fmt/format.h>
#include <gtest/gtest.h>

#include "dit/transformer.h"
#include "schedulers/flow_match_euler.h"
#include "tests/support/compare.h"
#include "tests/unit/dit/golden_case.h"

namespace reel::dit::testing {
namespace {

TEST(Denoising, FollowsThePublishedLoopStepByStep) {
  const GoldenCase golden = named_case("denoise");
  const JsonReader json = cases_json().object("denoise");
  const schedulers::FlowMatchEuler scheduler(
      schedulers::make_sigma_schedule(json.integer("num_steps"), json.number("shift")));
  auto store = draw_diffusers_store(golden.config);
  const Transformer transformer(golden.config, store);
  attention::Attention attention;
  Inputs inputs = make_inputs(golden);
  const auto want = golden_tensors("denoise");
  for (int64_t step = 0; step < scheduler.num_steps(); ++step) {
    inputs.timestep = scheduler.timestep(step, inputs.latents.size(0), at::kCPU);
    const at::Tensor velocity = transformer.forward(inputs, attention.at_step(step));
    inputs.latents = scheduler.step(inputs.latents, velocity, step);
    const std::string name = "latents." + std::to_string(step);
    const double error = reel::testing::relative_error(inputs.latents, want.tensor(name));
    RecordProperty(name, fmt::format("{:.1e}", error));
    EXPECT_LE(error, 1e-5) << name;
  }
}

}  // namespace
}  // namespace reel::dit::testing
