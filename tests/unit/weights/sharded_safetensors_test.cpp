#include "weights/sharded_safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/random.h"
#include "tests/support/compare.h"
#include "tests/support/temp_folder.h"
#include "weights/safetensors.h"

namespace reel::weights {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

class ShardedSafetensors : public ::testing::Test {
 protected:
  ShardedSafetensors() {
    save_safetensors(folder_.path() / "one", {{"a", at::ones({1})}, {"b", at::ones({2})}});
    save_safetensors(folder_.path() / "two", {{"c", at::ones({3})}});
  }

  TensorSource open(const std::string& weight_map) {
    return open_sharded_safetensors(folder_.write(
        "m.index.json", R"({"metadata":{"total_size":24},"weight_map":)" + weight_map + "}"));
  }

  void expect_refusal(const std::string& weight_map, const std::string& message) {
    EXPECT_THAT([&] { open(weight_map); }, ThrowsMessage<WeightError>(HasSubstr(message)))
        << message;
  }

  reel::testing::TempFolder folder_;
};

TEST_F(ShardedSafetensors, JoinsTheTensorsOfAllShards) {
  const auto source = open(R"({"a":"one","b":"one","c":"two"})");
  EXPECT_EQ(source.infos().size(), 3U);
  EXPECT_EQ(source.files().size(), 2U);
  EXPECT_EQ(source.tensor("c").sum().item<float>(), 3.0F);
}

TEST_F(ShardedSafetensors, ReadsWhatThePublishedWriterSaved) {
  const auto source =
      open_sharded_safetensors(reel::testing::data_file("weights/a.safetensors.index.json"));
  EXPECT_TRUE(source.tensor("one").equal(NormalStream(20).next({2, 3})));
  EXPECT_TRUE(source.tensor("two").equal(NormalStream(21).next({2, 3})));
}

TEST_F(ShardedSafetensors, ReportsAllProblemsAtOnce) {
  EXPECT_THAT(
      [&] { open(R"({"a":"one","c":"one","d":"two","e":"three"})"); },
      ThrowsMessage<WeightError>(::testing::AllOf(
          HasSubstr("m.index.json: 5 problems"), HasSubstr("three: cannot be opened: No such file"),
          HasSubstr("b: in one but not in the index"),
          HasSubstr("c: in two but the index places it in one"),
          HasSubstr("c: not in one, where the index places it"),
          HasSubstr("d: not in two, where the index places it"))));
}

TEST_F(ShardedSafetensors, RefusesATensorThatTwoShardsHold) {
  save_safetensors(folder_.path() / "two", {{"a", at::ones({1})}, {"c", at::ones({3})}});
  expect_refusal(R"({"a":"one","b":"one","c":"two"})", "a: in two but the index places it in one");
}

TEST_F(ShardedSafetensors, RefusesIndicesThatLeaveTheirFolder) {
  for (const char* name : {"../one", "/etc/passwd", "..", ".", "", "sub/one", "one\\u001b[2J"}) {
    expect_refusal(std::string(R"({"a":")") + name + "\"}",
                   "not the name of a file in this folder");
  }
}

TEST_F(ShardedSafetensors, RefusesIndicesThatAreNone) {
  expect_refusal("[]", "/weight_map: wrong type");
  expect_refusal("{}", "/weight_map: names no tensor");
  expect_refusal(R"({"a":1})", "/weight_map/a: wrong type");
  expect_refusal(R"({"a":"one","a":"two"})", "a key appears twice in the JSON: a");
}

}  // namespace
}  // namespace reel::weights
