#include "core/strict_json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/error.h"

namespace reel {
namespace {

// What is refused about `text`, or "fine".
std::string verdict(const std::string& text) {
  try {
    parse_strict_json(text, [](const std::string& message) { throw ConfigError(message); });
    return "fine";
  } catch (const ConfigError& error) {
    return error.what();
  }
}

TEST(StrictJson, ReturnsTheValue) {
  const auto value = parse_strict_json(R"({"a":[1,2.5,"x"],"b":{"a":null}})", [](const auto&) {});
  EXPECT_EQ(value["a"].size(), 3U);
  EXPECT_TRUE(value["b"]["a"].is_null());
}

TEST(StrictJson, RefusesWhatIsNotJson) {
  EXPECT_EQ(verdict("{\"a\":}"), "not valid JSON at byte 6");
  EXPECT_EQ(verdict(""), "not valid JSON at byte 1");
  EXPECT_EQ(verdict("{} {}"), "not valid JSON at byte 4");
  EXPECT_EQ(verdict("1e999"), "not valid JSON: a number is too large");
  EXPECT_EQ(verdict("\"\xff\""), "not valid JSON at byte 2");
}

TEST(StrictJson, RefusesAKeyThatOneObjectHoldsTwice) {
  EXPECT_EQ(verdict(R"({"a":1,"b":{"a":1}})"), "fine");
  EXPECT_EQ(verdict(R"([{"a":1},{"a":1}])"), "fine");
  EXPECT_EQ(verdict(R"({"a":{"b":1},"a":2})"), "a key appears twice in the JSON: a");
  EXPECT_EQ(verdict(R"({"b":[{"x\n":1,"x\n":2}]})"), "a key appears twice in the JSON: x\\x0a");
}

TEST(StrictJson, RefusesEndlessNesting) {
  EXPECT_EQ(verdict(std::string(50, '[') + std::string(50, ']')), "fine");
  EXPECT_EQ(verdict(std::string(1'000'000, '[')), "JSON is nested too deeply");
}

TEST(StrictJson, TriesWithoutAnError) {
  EXPECT_EQ(try_strict_json("[1]"), nlohmann::json({1}));
  EXPECT_EQ(try_strict_json("[1"), std::nullopt);
  EXPECT_EQ(try_strict_json("1e999"), std::nullopt);
  EXPECT_EQ(try_strict_json(std::string(1'000'000, '[') + std::string(1'000'000, ']')),
            std::nullopt);
}

TEST(StrictJson, FindsTextsAndNothingElse) {
  const nlohmann::json value = {{"a", "x"}, {"b", 1}};
  EXPECT_EQ(text_in(value, "a"), "x");
  EXPECT_EQ(text_in(value, "b"), "");
  EXPECT_EQ(text_in(value, "c"), "");
  EXPECT_EQ(text_in(value["b"], "a"), "");
}

}  // namespace
}  // namespace reel
