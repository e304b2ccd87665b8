#include "app/recorded_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace reel::app {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

pipeline::RunIdentity identity() {
  pipeline::RunIdentity identity;
  identity.model_files = {{"a.safetensors", 8, "0123456789abcdef"}};
  identity.device_name = "cpu";
  identity.dtype = "fp32";
  identity.threads = 2;
  return identity;
}

std::vector<std::string> differences_of(const std::string& metadata) {
  return differences_of_origin(nlohmann::json::parse(metadata), identity(),
                               nlohmann::json::object());
}

TEST(DifferencesOfOrigin, NamesWeightsOfAnotherSizeOrHeader) {
  const std::string device = R"("device": {"name": "cpu", "dtype": "fp32", "threads": 2})";
  EXPECT_TRUE(differences_of("{" + device + R"(, "model": {"files": [{"bytes": 8,
      "header_sha256": "0123456789abcdef"}]}})")
                  .empty());
  EXPECT_THAT(differences_of("{" + device + R"(, "model": {"files": [{"bytes": 9,
      "header_sha256": "0123456789abcdef"}]}})"),
              ElementsAre("weights a.safetensors: was 9 bytes, header 0123456789ab, is 8 bytes, "
                          "header 0123456789ab"));
}

// Metadata may come from anywhere.
TEST(DifferencesOfOrigin, TakesValuesOfEveryType) {
  for (const std::string model :
       {"7", "[]", R"({"files": 3})", R"({"files": {"0": {}}})", R"({"files": "x"})"}) {
    EXPECT_THAT(differences_of(R"({"device": [], "program": 1, "model": )" + model + "}"),
                ::testing::Contains(HasSubstr("weights")))
        << model;
  }
  for (const std::string file : {"7", R"({"bytes": "8"})", R"({"bytes": -8})", "[]"}) {
    EXPECT_THAT(differences_of(R"({"model": {"files": [)" + file + "]}}"),
                ::testing::Contains(HasSubstr("was unknown, is 8 bytes")))
        << file;
  }
  EXPECT_THAT(differences_of(R"({"model": {"files": [{"bytes": 8, "header_sha256": 5}]}})"),
              ::testing::Contains(HasSubstr("was 8 bytes, header , is")));
}

}  // namespace
}  // namespace reel::app
