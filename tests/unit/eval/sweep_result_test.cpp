#include "eval/sweep_result.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace reel::eval {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

SweepPoint point(const char* name, double density, double psnr, double seconds) {
  return {.name = name,
          .density = density,
          .recall = {},
          .psnr = psnr,
          .ssim = 0.9,
          .lpips = {},
          .denoise_s = seconds,
          .speed = 10 / seconds,
          .num_clips = 2};
}

SweepResult result() {
  return {.points = {point("a", 0.2, 20, 4), point("b", 0.4, 25, 6), point("c", 0.5, 24, 5),
                     point("d", 0.4, 25, 6), point("e", 0.6, 19, 7)},
          .dense_s = 10};
}

TEST(SweepResult, FrontHoldsWhatNoOtherSettingBeats) {
  EXPECT_THAT(result().density_front(), ElementsAre(true, true, false, true, false));
  EXPECT_THAT(result().speed_front(), ElementsAre(true, true, true, true, false));
}

TEST(SweepResult, JsonAndCsvHoldEveryFigure) {
  auto with_recall = result();
  with_recall.points[0].recall = 0.95;
  with_recall.points[0].lpips = 0.125;
  const auto json = with_recall.to_json();
  EXPECT_EQ(json.at("format"), 1);
  EXPECT_EQ(json.at("settings").size(), 5U);
  EXPECT_EQ(json["settings"][0]["recall"], 0.95);
  EXPECT_TRUE(json["settings"][1]["recall"].is_null());
  EXPECT_EQ(json["settings"][2]["density_front"], false);
  EXPECT_THAT(with_recall.csv(), HasSubstr("\n\"a\",0.2,0.95,20,0.9,0.125,4,2.5,2,1,1\n"));
  EXPECT_THAT(with_recall.csv(), HasSubstr("\n\"c\",0.5,,24,0.9,,5,2,2,0,1\n"));
}

TEST(SweepResult, TableMarksTheFronts) {
  const auto table = result().table();
  EXPECT_THAT(table, HasSubstr("dense"));
  EXPECT_THAT(table, HasSubstr("20.00 dB  0.9000            4.0 s   2.50  ds\n"));
  EXPECT_THAT(table, HasSubstr("24.00 dB  0.9000            5.0 s   2.00  s\n"));
}

TEST(SweepResult, PlotHasAMarkForEverySettingInBothDiagrams) {
  auto odd = result();
  odd.points[0].name = "a<&";
  const auto svg = odd.svg();
  EXPECT_EQ(svg.find("<svg"), 0U);
  size_t marks = 0;
  for (size_t at = svg.find("<circle"); at != std::string::npos; at = svg.find("<circle", at + 1)) {
    ++marks;
  }
  EXPECT_EQ(marks, 10U);
  EXPECT_THAT(svg, HasSubstr("a&lt;&amp;"));
  EXPECT_EQ(svg.find("nan"), std::string::npos);
  EXPECT_EQ(SweepResult{.points = {point("one", 0.5, 30, 2)}}.svg().find("nan"), std::string::npos);
}

}  // namespace
}  // namespace reel::eval
