#include "schedulers/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "tests/support/errors.h"

namespace reel::schedulers {
namespace {

using reel::testing::error_of;
using ::testing::AllOf;
using ::testing::HasSubstr;

// The published file, with every key that newer versions of diffusers write.
nlohmann::json published() {
  return {{"_class_name", "FlowMatchEulerDiscreteScheduler"},
          {"_diffusers_version", "0.32.0.dev0"},
          {"base_image_seq_len", 256},
          {"base_shift", 0.5},
          {"invert_sigmas", false},
          {"max_image_seq_len", 4096},
          {"max_shift", 1.15},
          {"num_train_timesteps", 1000},
          {"shift", 7.0},
          {"shift_terminal", nullptr},
          {"stochastic_sampling", false},
          {"time_shift_type", "exponential"},
          {"use_beta_sigmas", false},
          {"use_dynamic_shifting", false},
          {"use_exponential_sigmas", false},
          {"use_karras_sigmas", false}};
}

Config read(const nlohmann::json& json) {
  return read_config(JsonReader::parse(json.dump(), "scheduler_config.json", JsonOwner::kModel));
}

std::string error_with(const std::string& key, const nlohmann::json& value) {
  auto json = published();
  json[key] = value;
  return error_of<WeightError>([&] { read(json); });
}

TEST(SchedulerConfig, ReadsTheShift) {
  EXPECT_EQ(read(published()).shift, 7.0);
  const nlohmann::json least = {{"_class_name", "FlowMatchEulerDiscreteScheduler"},
                                {"num_train_timesteps", 1000},
                                {"shift", 17}};
  EXPECT_EQ(read(least).shift, 17.0);
}

TEST(SchedulerConfig, RefusesWhatWouldChangeTheSchedule) {
  for (const char* key : {"use_dynamic_shifting", "invert_sigmas", "use_karras_sigmas",
                          "use_exponential_sigmas", "use_beta_sigmas", "stochastic_sampling"}) {
    EXPECT_THAT(error_with(key, true),
                AllOf(HasSubstr(key), HasSubstr(": not supported: got true, want false")));
  }
  EXPECT_THAT(error_with("shift_terminal", 0.1), HasSubstr("/shift_terminal: not supported"));
  EXPECT_THAT(error_with("num_train_timesteps", 500), HasSubstr("got 500, want 1000"));
  EXPECT_THAT(error_with("shift", 0), HasSubstr("/shift: want a number above 0"));
  EXPECT_THAT(error_with("_class_name", "UniPCMultistepScheduler"),
              HasSubstr("scheduler not supported: got UniPCMultistepScheduler"));
  EXPECT_THAT(error_with("sigma_max", 80), HasSubstr("/sigma_max: unknown key"));
}

}  // namespace
}  // namespace reel::schedulers
