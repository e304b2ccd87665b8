// The page of a comparison: what it holds, and that it needs nothing else.
#include "report/comparison_page.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

#include "core/error.h"
#include "tests/support/errors.h"
#include "tests/support/temp_folder.h"

namespace reel::report {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kHostilePrompt =
    "a \"cat\" </script><script>alert('x')</script> <!-- --> & \\n \u2028 東京 🌟 <!-- data -->";

eval::ComparedClip clip(const std::string& setting, bool dense) {
  eval::ComparedClip clip;
  clip.prompt = kHostilePrompt;
  clip.video = "videos/" + setting + "/0001.mp4";
  clip.report.steps = {{0, 2, 10, true, 1.0}, {1, 2, 8, dense, dense ? 1.0 : 0.5}};
  clip.report.density = {{"density", json::array({json::array({{1.0, 1.0}, nullptr}),
                                                  json::array({{0.25, 0.75}, {0.1234, 1.0}})})}};
  if (!dense) {
    clip.metrics = eval::ClipMetrics{.psnr = {30.0}, .ssim = {0.9}, .lpips = {}};
    clip.report.masks = {{.call = {1, 0, 1},
                          .num_blocks = 2,
                          .density = 0.75,
                          .cells = at::tensor({255, 0, 255, 255}, at::kByte).view({2, 2})}};
  }
  return clip;
}

eval::Comparison comparison() {
  eval::Comparison result;
  result.settings = {{"dense", {clip("dense", true)}}, {"tau=0.9", {clip("tau0.9", false)}}};
  return result;
}

// What the page's own scripts would read.
json data_of(const std::string& page) {
  const std::string start = "<script type=\"application/json\" id=\"data\">";
  const size_t first = page.find(start) + start.size();
  return json::parse(page.substr(first, page.find("</script>", first) - first));
}

size_t count(const std::string& text, const std::string& part) {
  size_t found = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

TEST(ComparisonPage, HoldsEveryTextAsItIs) {
  const std::string page = comparison_page(comparison(), {});
  EXPECT_EQ(data_of(page)["comparison"]["settings"][0]["clips"][0]["prompt"], kHostilePrompt);
  EXPECT_THAT(page, Not(HasSubstr("<script>alert")));
  EXPECT_EQ(count(page, "<script"), count(page, "</script>"));
  EXPECT_EQ(count(page, "</html>"), 1);
}

TEST(ComparisonPage, EscapesWhatAScriptElementCouldEndOn) {
  const std::string text = script_json({{"<!--", "</ScRiPt>&amp;\"\\"}});
  EXPECT_THAT(text, Not(::testing::ContainsRegex("[<>&]")));
  EXPECT_EQ(json::parse(text), json({{"<!--", "</ScRiPt>&amp;\"\\"}}));
  EXPECT_EQ(json::parse(script_json("bad \xff byte")), "bad \uFFFD byte");
}

TEST(ComparisonPage, AsksForNothingOutsideItself) {
  const std::string page = comparison_page(comparison(), {{"dense video"}, {"sparse video"}});
  const std::regex resource(R"((src|href|poster|action|data)\s*=\s*["']([^"']*)["'])");
  for (std::sregex_iterator found(page.begin(), page.end(), resource), end; found != end; ++found) {
    const std::string target = (*found)[2];
    EXPECT_TRUE(target.starts_with("#") || target.starts_with("data:")) << target;
  }
  std::string code = page;
  const std::string name_space = "http://www.w3.org/2000/svg";  // a name, not an address
  code.replace(code.find(name_space), name_space.size(), "");
  EXPECT_THAT(code,
              Not(::testing::ContainsRegex("https?:|//[a-z]+\\.[a-z]|@import|url\\(|fetch\\(")));
  EXPECT_THAT(page, HasSubstr("default-src 'none'"));
  EXPECT_THAT(page, Not(HasSubstr("<!-- data -->\n")));
  EXPECT_THAT(page, Not(HasSubstr("<!-- videos -->")));
}

TEST(ComparisonPage, EmbedsTheVideosOfEverySettingAndClip) {
  const std::string page = comparison_page(comparison(), {{"dense video"}, {"sparse video"}});
  EXPECT_THAT(page, HasSubstr("id=\"video-0-0\">ZGVuc2UgdmlkZW8=</script>"));
  EXPECT_THAT(page, HasSubstr("id=\"video-1-0\">c3BhcnNlIHZpZGVv</script>"));
}

TEST(ComparisonPage, GivesDensityInThousandthsAndMasksAsBytes) {
  const json data = page_data(comparison());
  EXPECT_TRUE(data["density"][0][0].is_null()) << "a dense clip has none";
  EXPECT_EQ(data["density"][1][0], json::parse("[[[1000,1000],null],[[250,750],[123,1000]]]"));
  EXPECT_EQ(data["masks"][0][0], json::array());
  const json want = {{"step", 1},       {"layer", 0}, {"head", 1},          {"blocks", 2},
                     {"density", 0.75}, {"side", 2},  {"cells", "/wD//w=="}};
  EXPECT_EQ(data["masks"][1][0], json::array({want}));
}

class ComparisonPageFile : public ::testing::Test {
 protected:
  ComparisonPageFile() {
    folder_.write("videos/dense/0001.mp4", "dense video");
    folder_.write("videos/tau0.9/0001.mp4", "sparse video");
  }

  std::string page() const { return testing::read_bytes(folder_ / "report.html"); }

  testing::TempFolder folder_;
};

TEST_F(ComparisonPageFile, EmbedsVideosUpToTheLimit) {
  write_comparison_page(folder_.path(), IfExists::kRefuse, comparison(), 23);
  EXPECT_EQ(count(page(), "<script type=\"text/plain\" id=\"video-"), 2);
}

TEST_F(ComparisonPageFile, RefersToThemAboveIt) {
  write_comparison_page(folder_.path(), IfExists::kRefuse, comparison(), 22);
  EXPECT_EQ(count(page(), "<script type=\"text/plain\" id=\"video-"), 0);
  EXPECT_EQ(data_of(page())["comparison"]["settings"][1]["clips"][0]["video"],
            "videos/tau0.9/0001.mp4");
}

TEST_F(ComparisonPageFile, TakesTheCopiesThatBrowsersPlay) {
  folder_.write("previews/dense/0001.mp4", "copy");
  auto result = comparison();
  result.settings[0].clips[0].preview = "previews/dense/0001.mp4";
  write_comparison_page(folder_.path(), IfExists::kRefuse, result);
  EXPECT_THAT(page(), HasSubstr("id=\"video-0-0\">Y29weQ==</script>"));
}

TEST_F(ComparisonPageFile, TellsWhichVideoIsMissing) {
  std::filesystem::remove(folder_ / "videos/tau0.9/0001.mp4");
  EXPECT_THAT(testing::error_of<IoError>(
                  [&] { write_comparison_page(folder_.path(), IfExists::kRefuse, comparison()); }),
              HasSubstr("videos/tau0.9/0001.mp4: No such file"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "report.html"));
}

}  // namespace
}  // namespace reel::report
