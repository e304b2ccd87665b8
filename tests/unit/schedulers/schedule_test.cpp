#include <ATen/ops/full.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/json_reader.h"
#include "core/random.h"
#include "schedulers/flow_match_euler.h"
#include "schedulers/sigma_schedule.h"
#include "tests/support/compare.h"
#include "tests/support/errors.h"

namespace reel::schedulers {
namespace {

using reel::testing::error_of;
using ::testing::HasSubstr;

TEST(SigmaSchedule, EqualsThePublishedScheduler) {
  const auto json =
      JsonReader::open(reel::testing::data_file("schedulers/schedules.json"), JsonOwner::kModel);
  const auto goldens = json.objects("schedules");
  ASSERT_GE(goldens.size(), 6U);
  for (const auto& golden : goldens) {
    const auto got = make_sigma_schedule(golden.integer("num_steps"), golden.number("shift"));
    const auto sigmas = golden.raw("sigmas").get<std::vector<double>>();
    const auto timesteps = golden.raw("timesteps").get<std::vector<double>>();
    ASSERT_EQ(got.sigmas.size(), sigmas.size());
    ASSERT_EQ(got.timesteps.size(), timesteps.size());
    for (size_t i = 0; i < sigmas.size(); ++i) EXPECT_NEAR(got.sigmas[i], sigmas[i], 1e-6);
    for (size_t i = 0; i < timesteps.size(); ++i) EXPECT_NEAR(got.timesteps[i], timesteps[i], 1e-3);
  }
}

TEST(SigmaSchedule, HasTheValuesOfTheSpecification) {
  const auto schedule = make_sigma_schedule(50, 7.0);  // spec/hunyuanvideo.md 4.1
  EXPECT_EQ(schedule.sigmas.front(), 1.0F);
  EXPECT_NEAR(schedule.sigmas[1], 0.997093, 1e-6);
  EXPECT_NEAR(schedule.sigmas[25], 0.875, 1e-6);
  EXPECT_NEAR(schedule.sigmas[49], 0.125, 1e-6);
  EXPECT_EQ(schedule.sigmas.back(), 0.0F);
  EXPECT_EQ(schedule.timesteps.front(), 1000.0F);
  EXPECT_NEAR(schedule.timesteps[1], 997.093, 1e-3);
}

TEST(SigmaSchedule, RefusesImpossibleRuns) {
  EXPECT_THAT(error_of<ConfigError>([] { make_sigma_schedule(0, 7.0); }),
              HasSubstr("too few steps: got 0"));
  for (const double shift : {0.0, -1.0, std::numeric_limits<double>::infinity(),
                             std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_THAT(error_of<ConfigError>([&] { make_sigma_schedule(4, shift); }),
                HasSubstr("flow shift"));
  }
}

TEST(FlowMatchEuler, FollowsAConstantVelocityFromNoiseToData) {
  const FlowMatchEuler scheduler(make_sigma_schedule(9, 7.0));
  NormalStream normal(1);
  const at::Tensor noise = normal.next({2, 3, 2, 4, 5});
  const at::Tensor data = normal.next({2, 3, 2, 4, 5});
  at::Tensor latents = noise;
  for (int64_t step = 0; step < scheduler.num_steps(); ++step) {
    latents = scheduler.step(latents, noise - data, step);
  }
  EXPECT_LE(reel::testing::relative_error(latents, data), 1e-6);
}

TEST(FlowMatchEuler, TellsEverySampleTheTimestep) {
  const FlowMatchEuler scheduler(make_sigma_schedule(4, 7.0));
  const at::Tensor timestep = scheduler.timestep(2, 3, at::kCPU);
  EXPECT_TRUE(timestep.equal(at::full({3}, scheduler.schedule().timesteps[2])));
  EXPECT_EQ(timestep.scalar_type(), at::kFloat);
}

TEST(FlowMatchEuler, RefusesWhatDoesNotFit) {
  const FlowMatchEuler scheduler(make_sigma_schedule(4, 7.0));
  const at::Tensor latents = at::zeros({1, 4, 1, 2, 2});
  EXPECT_THAT(error_of<ShapeError>([&] { scheduler.step(latents, latents, 4); }),
              HasSubstr("no such step: got 4, want 0 to 3"));
  EXPECT_THAT(error_of<ShapeError>([&] { scheduler.timestep(-1, 1, at::kCPU); }),
              HasSubstr("no such step: got -1"));
  EXPECT_THAT(error_of<ShapeError>([&] { scheduler.step(latents, latents.to(at::kHalf), 0); }),
              HasSubstr("velocity: wrong dtype"));
  EXPECT_THAT(error_of<ShapeError>([&] { scheduler.step(latents, latents.narrow(1, 0, 3), 0); }),
              HasSubstr("velocity: wrong shape"));
}

}  // namespace
}  // namespace reel::schedulers
