#include "attention/schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/error.h"

namespace reel::attention {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

ScheduleShape shape(int64_t steps = 10, int64_t layers = 3, int64_t heads = 2) {
  ScheduleShape shape;
  shape.num_steps = steps;
  shape.num_layers = layers;
  shape.num_heads = heads;
  for (int64_t i = 0; i <= steps; ++i) {
    shape.sigmas.push_back(1.0 - static_cast<double>(i) / static_cast<double>(steps));
  }
  return shape;
}

std::filesystem::path write_file(const std::string& text) {
  const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
  static int count = 0;
  const auto path = std::filesystem::path(::testing::TempDir()) /
                    (std::string(test->name()) + std::to_string(count++) + ".json");
  std::ofstream(path) << text;
  return path;
}

std::string error_of(const ScheduleOptions& options, const ScheduleShape& of = shape()) {
  try {
    AttentionSchedule::make(options, of);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no error";
}

// 's' for every sparse step of a layer, 'd' for every dense one.
std::string steps_of(const AttentionSchedule& schedule, int64_t layer = 0) {
  std::string text;
  for (int64_t step = 0; step < schedule.num_steps(); ++step) {
    text += schedule.is_dense(step, layer) ? 'd' : 's';
  }
  return text;
}

TEST(Schedule, StartsDenseAndGoesOnSparse) {
  const auto schedule = AttentionSchedule::make({}, shape());
  EXPECT_EQ(steps_of(schedule), "dddddsssss");
  EXPECT_EQ(schedule.at(5, 2, 1), (SparseSettings{0.95, 8, 128}));
  EXPECT_EQ(schedule.at(4, 2, 1), std::nullopt);
  EXPECT_TRUE(schedule.notes().empty());
}

TEST(Schedule, DenseModeHasNoSparseCall) {
  ScheduleOptions options;
  for (const auto* mode : {"dense", "flash"}) {
    options.mode = mode;
    const auto schedule = AttentionSchedule::make(options, shape());
    EXPECT_TRUE(schedule.is_dense()) << mode;
    EXPECT_EQ(schedule.to_json().at("mode"), "dense");
  }
  EXPECT_TRUE(AttentionSchedule().is_dense(7, 3)) << "the default covers any run";
}

TEST(Schedule, CountsDenseStepsOrRoundsAShareOfThemDown) {
  ScheduleOptions options;
  options.dense_steps = "25%";
  EXPECT_EQ(steps_of(AttentionSchedule::make(options, shape())), "ddssssssss");
  options.dense_steps = "0";
  EXPECT_EQ(steps_of(AttentionSchedule::make(options, shape())), "ssssssssss");
  for (const auto* wrong : {"", "-1", "2.5", "101%", "%", "three", "5 "}) {
    options.dense_steps = wrong;
    EXPECT_THAT(error_of(options), HasSubstr("--dense-steps: not a number of steps")) << wrong;
  }
}

TEST(Schedule, RefusesTooManyDenseStepsButClampsTheDefault) {
  ScheduleOptions options;
  const auto clamped = AttentionSchedule::make(options, shape(3));
  EXPECT_EQ(steps_of(clamped), "dds");
  EXPECT_THAT(clamped.notes(),
              ElementsAre("dense steps: 5 by default, but there are only 3 steps: using 2"));
  options.dense_steps_given = true;
  EXPECT_EQ(error_of(options, shape(3)),
            "attention: --dense-steps: not below the number of steps: got 5, want 0 to 2");
  options.dense_steps = "100%";
  EXPECT_THAT(error_of(options, shape(3)), HasSubstr("not below the number of steps: got 100%"));
  ScheduleShape probe = shape(3);
  probe.may_be_all_dense = true;
  EXPECT_TRUE(AttentionSchedule::make(options, probe).is_dense());
}

TEST(Schedule, TailLayersAndSigmaAreDense) {
  ScheduleOptions options;
  options.dense_steps = "1";
  options.dense_tail = 2;
  options.dense_layers = "0-1";
  const auto schedule = AttentionSchedule::make(options, shape());
  EXPECT_EQ(steps_of(schedule, 0), "dddddddddd");
  EXPECT_EQ(steps_of(schedule, 2), "dsssssssdd");

  ScheduleOptions by_sigma;
  by_sigma.dense_steps = "0";
  by_sigma.dense_sigma = 0.8;  // steps start at 1, .9, .8, .7, ...
  EXPECT_EQ(steps_of(AttentionSchedule::make(by_sigma, shape())), "dddsssssss");
}

TEST(Schedule, NamesEveryProblemAtOnce) {
  ScheduleOptions options;
  options.mode = "xatn";
  options.tau = std::nan("");
  options.stride = 5;
  options.block = 96;
  options.dense_layers = "0-3";
  options.dense_tail = 11;
  options.protect = "self,sinks";
  const std::string error = error_of(options);
  EXPECT_THAT(error, HasSubstr("problems\n"));
  EXPECT_THAT(error, HasSubstr("--attn: unknown mode: got xatn"));
  EXPECT_THAT(error, HasSubstr("did you mean xattn?"));
  EXPECT_THAT(error, HasSubstr("--tau: out of range: got nan, want above 0 and at most 1"));
  EXPECT_THAT(error, HasSubstr("--stride: not supported: got 5, want 4, 8 or 16"));
  EXPECT_THAT(error, HasSubstr("--block: not supported: got 96"));
  EXPECT_THAT(error, HasSubstr("--dense-layers: no such layer: got 3, want 0 to 2"));
  EXPECT_THAT(error, HasSubstr("--dense-tail: out of range: got 11"));
  EXPECT_THAT(error, HasSubstr("--protect: unknown part: got 'sinks'"));
}

TEST(Schedule, RefusesTausOutsideOfZeroToOne) {
  ScheduleOptions options;
  for (const double tau : {0.0, -0.5, 1.0001, 2.0}) {
    options.tau = tau;
    EXPECT_THAT(error_of(options), HasSubstr("--tau: out of range")) << tau;
  }
  options.tau = 1.0;
  EXPECT_EQ(error_of(options), "no error");
}

TEST(Schedule, WantsTextProtectedWhereThereIsText) {
  ScheduleOptions options;
  options.protect = "self";
  EXPECT_THAT(error_of(options), HasSubstr("--protect: text is missing"));
  ScheduleShape no_text = shape();
  no_text.has_text = false;
  EXPECT_EQ(error_of(options, no_text), "no error");
}

TEST(Schedule, ReadsProtection) {
  ScheduleOptions options;
  options.protect = "text,sink=2";
  const auto schedule = AttentionSchedule::make(options, shape());
  EXPECT_EQ(schedule.protection(), (Protection{true, false, 2}));
  options.protect = "text,sink=0";
  EXPECT_THAT(error_of(options), HasSubstr("got 'sink=0', want text, self or sink=N"));
}

TEST(Schedule, LastMatchingRuleOfTheFileWins) {
  ScheduleOptions options;
  options.mode = "dense";
  options.schedule_file = write_file(R"({"format":1,"rules":[
      {"steps":"2-9","layers":"*","heads":"*","mode":"xattn","tau":0.9},
      {"steps":"8","layers":"0,2","heads":"1","mode":"dense"},
      {"steps":"9","layers":"1","heads":"0","mode":"xattn","stride":16,"block":64}]})");
  const auto schedule = AttentionSchedule::make(options, shape());
  EXPECT_EQ(steps_of(schedule), "ddssssssss");
  EXPECT_EQ(schedule.at(8, 0, 1), std::nullopt);
  EXPECT_EQ(schedule.at(8, 1, 1), (SparseSettings{0.9, 8, 128}));
  EXPECT_EQ(schedule.at(9, 1, 0), (SparseSettings{0.95, 16, 64}));
}

TEST(Schedule, HeadTausReplaceTauButNotARulesOwn) {
  ScheduleOptions options;
  options.head_tau_file = write_file(R"({"format":1,"tau":[[0.5,0.6],[0.7,0.8],[0.9,1]]})");
  options.schedule_file = write_file(
      R"({"format":1,"rules":[{"steps":"9","layers":"0","mode":"xattn","tau":0.1},
                              {"steps":"0","layers":"1","mode":"xattn"}]})");
  const auto schedule = AttentionSchedule::make(options, shape());
  EXPECT_EQ(schedule.at(5, 1, 1)->tau, 0.8);
  EXPECT_EQ(schedule.at(9, 0, 1)->tau, 0.1);
  EXPECT_EQ(schedule.at(0, 1, 0)->tau, 0.7);
}

TEST(Schedule, NamesTheFileAndThePathOfAProblem) {
  const auto schedule_error = [](const std::string& text) {
    ScheduleOptions options;
    options.schedule_file = write_file(text);
    return error_of(options);
  };
  EXPECT_THAT(schedule_error(R"({"format":2,"rules":[]})"),
              HasSubstr(".json: /format: unknown version: got 2, want 1"));
  EXPECT_THAT(schedule_error(R"({"rules":[]})"), HasSubstr("/format: key is missing"));
  EXPECT_THAT(schedule_error(R"({"format":1,"rule":[]})"),
              HasSubstr("/rule: unknown key; did you mean rules?"));
  EXPECT_THAT(schedule_error(R"({"format":1,"rules":[{"mode":"dense","layer":"0"}]})"),
              HasSubstr("/rules/0/layer: unknown key; did you mean layers?"));
  EXPECT_THAT(schedule_error(R"({"format":1,"rules":[{"mode":"sparse"}]})"),
              HasSubstr("/rules/0/mode: unknown mode: got sparse, want dense or xattn"));
  EXPECT_THAT(schedule_error(R"({"format":1,"rules":[{"mode":"xattn","steps":"5-12"}]})"),
              HasSubstr("/rules/0/steps: no such step: got 12, want 0 to 9"));
  EXPECT_THAT(schedule_error(R"({"format":1,"rules":[{"mode":"xattn","steps":"4-2"}]})"),
              HasSubstr("/rules/0/steps: not a list of ranges: got '4-2'"));
  EXPECT_THAT(schedule_error(R"({"format":1,"rules":[{"mode":"dense","tau":0.5}]})"),
              HasSubstr("/rules/0/tau: has no meaning in a dense rule"));
  EXPECT_THAT(schedule_error(R"({"format":1,"rules":[{"mode":"xattn","tau":7}]})"),
              HasSubstr("/rules/0/tau: out of range: got 7"));

  ScheduleOptions options;
  options.head_tau_file = write_file(R"({"format":1,"tau":[[0.5,0.6],[0.7,2],[0.9,1]]})");
  EXPECT_THAT(error_of(options), HasSubstr("/tau/1/1: out of range: got 2"));
  options.head_tau_file = write_file(R"({"format":1,"tau":[[0.5,0.6]]})");
  EXPECT_THAT(error_of(options), HasSubstr("/tau: wrong length: got 1, want 3 layers"));
}

TEST(Schedule, ReferenceModeTakesOnlyWhatThePublishedRuleHas) {
  ScheduleOptions options;
  options.mode = "reference";
  const auto schedule = AttentionSchedule::make(options, shape());
  EXPECT_EQ(schedule.rule(), SparseRule::kReference);
  EXPECT_EQ(schedule.to_json().at("protect"), "none");
  options.block = 64;
  EXPECT_THAT(error_of(options), HasSubstr("--block: not in the published rule: got 64, want 128"));
}

TEST(Schedule, PrintsRectanglesOfEqualSettings) {
  ScheduleOptions options;
  options.dense_layers = "0";
  EXPECT_EQ(AttentionSchedule::make(options, shape()).grid(),
            "attention: xattn, protect text,self\n"
            "  steps    layers   heads    blocks\n"
            "  0-4      0-2      0-1      dense\n"
            "  5-9      0        0-1      dense\n"
            "  5-9      1-2      0-1      xattn, tau 0.95, stride 8, block 128\n");
}

TEST(Schedule, ItsJsonRulesMakeTheSameScheduleAgain) {
  ScheduleOptions options;
  options.dense_layers = "1";
  options.dense_tail = 1;
  options.head_tau_file = write_file(R"({"format":1,"tau":[[0.5,0.6],[0.7,0.7],[0.9,0.9]]})");
  const auto schedule = AttentionSchedule::make(options, shape());
  ScheduleOptions again;
  again.mode = "dense";
  again.schedule_file =
      write_file(nlohmann::json({{"format", 1}, {"rules", schedule.to_json().at("rules")}}).dump());
  EXPECT_EQ(AttentionSchedule::make(again, shape()).hash(), schedule.hash());
}

TEST(Schedule, HashSeesTausAndProtection) {
  ScheduleOptions options;
  const auto hash = [&] { return AttentionSchedule::make(options, shape()).hash(); };
  const std::string first = hash();
  EXPECT_EQ(first.size(), 64U);
  options.tau = 0.9;
  const std::string second = hash();
  EXPECT_NE(first, second);
  options.protect = "text,self,sink=1";
  EXPECT_NE(second, hash());
}

TEST(Schedule, AnswersOnlyForCallsItCovers) {
  const auto schedule = AttentionSchedule::make({}, shape());
  EXPECT_THROW(schedule.at(10, 0, 0), ShapeError);
  EXPECT_THROW(schedule.at(0, 3, 0), ShapeError);
  EXPECT_THROW(schedule.at(0, 0, 2), ShapeError);
}

}  // namespace
}  // namespace reel::attention
