#include "core/json_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "tests/support/errors.h"
#include "tests/support/temp_folder.h"

namespace reel {
namespace {

using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;

JsonReader parse(std::string_view text) {
  return JsonReader::parse(text, "config.json", JsonOwner::kModel);
}

// The error of one reading call on `text`.
template <typename Read>
std::string refusal(std::string_view text, const Read& read) {
  return error_of<WeightError>([&] { read(parse(text)); });
}

TEST(JsonReader, ReadsEveryType) {
  const JsonReader json = parse(
      R"({"i":-3,"n":2.5,"b":true,"s":"x","is":[1,2],"ss":["a","b"],"o":{"k":7},"z":null,
          "os":[{"k":1},{"k":2}]})");
  EXPECT_EQ(json.integer("i"), -3);
  EXPECT_EQ(json.number("n"), 2.5);
  EXPECT_EQ(json.number("i"), -3.0);
  EXPECT_TRUE(json.boolean("b"));
  EXPECT_EQ(json.string("s"), "x");
  EXPECT_THAT(json.integers("is"), ElementsAre(1, 2));
  EXPECT_THAT(json.strings("ss"), ElementsAre("a", "b"));
  EXPECT_EQ(json.object("o").positive("k"), 7);
  ASSERT_EQ(json.objects("os").size(), 2U);
  EXPECT_EQ(json.objects("os")[1].integer("k"), 2);
  EXPECT_TRUE(json.raw("z").is_null());
}

TEST(JsonReader, TellsAbsentFromNull) {
  const JsonReader json = parse(R"({"z":null,"x":1})");
  EXPECT_TRUE(json.has("z"));
  EXPECT_TRUE(json.is_null("z"));
  EXPECT_FALSE(json.has("absent"));
  EXPECT_TRUE(json.is_null("absent"));
  EXPECT_FALSE(json.is_null("x"));
  EXPECT_THAT(json.keys(), ElementsAre("x", "z"));
}

TEST(JsonReader, MissingKeysNameFileAndPath) {
  EXPECT_EQ(refusal("{}", [](const auto& json) { json.integer("num_heads"); }),
            "config.json: /num_heads: key is missing");
  EXPECT_EQ(refusal(R"({"a":{"b":[{"c":1}]}})",
                    [](const auto& json) { json.object("a").objects("b")[0].string("d"); }),
            "config.json: /a/b/0/d: key is missing");
}

TEST(JsonReader, WrongTypesAreErrors) {
  const auto text = R"({"f":2.5,"s":"2","n":null,"i":1,"mixed":[1,"x"],"fs":[1.5],"big":1e3})";
  EXPECT_EQ(refusal(text, [](const auto& json) { json.integer("f"); }),
            "config.json: /f: wrong type: got 2.5, want an integer");
  EXPECT_THAT(refusal(text, [](const auto& json) { json.integer("s"); }), HasSubstr("got \"2\""));
  EXPECT_THAT(refusal(text, [](const auto& json) { json.integer("n"); }), HasSubstr("got null"));
  EXPECT_THAT(refusal(text, [](const auto& json) { json.integer("big"); }), HasSubstr("/big"));
  EXPECT_THAT(refusal(text, [](const auto& json) { json.number("s"); }), HasSubstr("a number"));
  EXPECT_THAT(refusal(text, [](const auto& json) { json.boolean("i"); }),
              HasSubstr("true or false"));
  EXPECT_THAT(refusal(text, [](const auto& json) { json.string("i"); }), HasSubstr("a string"));
  EXPECT_THAT(refusal(text, [](const auto& json) { json.integers("mixed"); }),
              HasSubstr("an array of integers"));
  EXPECT_THAT(refusal(text, [](const auto& json) { json.integers("fs"); }),
              HasSubstr("an array of integers"));
  EXPECT_THAT(refusal(text, [](const auto& json) { json.strings("mixed"); }),
              HasSubstr("an array of strings"));
  EXPECT_THAT(refusal(text, [](const auto& json) { json.object("mixed"); }),
              HasSubstr("an object"));
  EXPECT_THAT(refusal(text, [](const auto& json) { json.objects("mixed"); }),
              HasSubstr("/mixed/0: wrong type: got 1, want an object"));
}

TEST(JsonReader, IntegersBeyond63BitsAreErrors) {
  const auto text =
      R"({"max":9223372036854775807,"x":9223372036854775808,"xs":[1,18446744073709551615]})";
  EXPECT_EQ(parse(text).integer("max"), std::numeric_limits<int64_t>::max());
  EXPECT_THAT(refusal(text, [](const auto& json) { json.integer("x"); }),
              HasSubstr("got 9223372036854775808, want an integer"));
  EXPECT_THAT(refusal(text, [](const auto& json) { json.integers("xs"); }),
              HasSubstr("an array of integers"));
}

TEST(JsonReader, NumbersBeyondDoubleAreErrors) {
  EXPECT_THAT(error_of<WeightError>([] { parse(R"({"x":1e999})"); }), HasSubstr("config.json"));
}

TEST(JsonReader, PositiveRefusesZeroAndLess) {
  for (const auto* text : {R"({"x":0})", R"({"x":-5})"}) {
    EXPECT_THAT(refusal(text, [](const auto& json) { json.positive("x"); }),
                HasSubstr("/x: too small"));
  }
}

TEST(JsonReader, LongValuesAreCut) {
  const std::string text = R"({"x":")" + std::string(500, 'y') + R"("})";
  const std::string message = refusal(text, [](const auto& json) { json.integer("x"); });
  EXPECT_LT(message.size(), 130U);
  EXPECT_THAT(message, HasSubstr("..."));
}

TEST(JsonReader, UnknownKeysGetASuggestion) {
  const auto text = R"({"a":{"num_haeds":3}})";
  EXPECT_EQ(refusal(text,
                    [](const auto& json) {
                      json.object("a").refuse_unknown_keys({"num_layers", "num_heads"});
                    }),
            "config.json: /a/num_haeds: unknown key; did you mean num_heads?");
  EXPECT_NO_THROW(parse(text).refuse_unknown_keys({"a", "b"}));
}

TEST(JsonReader, TheOwnerDecidesTheKindOfError) {
  EXPECT_THAT(error_of<ConfigError>([] { JsonReader::parse("{", "f", JsonOwner::kUser); }),
              HasSubstr("f: not valid JSON"));
  EXPECT_THAT(error_of<WeightError>([] { JsonReader::parse("{", "f", JsonOwner::kModel); }),
              HasSubstr("f: not valid JSON"));
}

TEST(JsonReader, RefusesWhatIsNoObject) {
  EXPECT_THAT(error_of<ConfigError>([] { JsonReader::parse("[1]", "f", JsonOwner::kUser); }),
              HasSubstr("f: not a JSON object: got [1]"));
}

TEST(JsonReader, OpensFilesAndNamesThoseItCannot) {
  testing::TempFolder folder;
  folder.write("a.json", R"({"x":5})");
  EXPECT_EQ(JsonReader::open(folder / "a.json", JsonOwner::kUser).integer("x"), 5);
  EXPECT_THAT(
      error_of<WeightError>([&] { JsonReader::open(folder / "b.json", JsonOwner::kModel); }),
      HasSubstr("b.json: cannot be read"));
  EXPECT_THAT(error_of<ConfigError>([&] { JsonReader::open(folder.path(), JsonOwner::kUser); }),
              HasSubstr(folder.path().string()));
}

TEST(JsonReader, OutlivesItsParent) {
  const JsonReader child = parse(R"({"a":{"b":"kept"}})").object("a");
  EXPECT_EQ(child.string("b"), "kept");
}

// Keys and texts of a file could move the cursor or colour what follows.
TEST(JsonReader, ErrorsAreFitForATerminal) {
  EXPECT_EQ(refusal(R"({"\u001b[2J":1})", [](const auto& json) { json.refuse_unknown_keys({}); }),
            "config.json: /\\x1b[2J: unknown key");
  EXPECT_EQ(refusal(R"({"a":{"\u0007":{}}})",
                    [](const auto& json) { json.object("a").object("\a").integer("b"); }),
            "config.json: /a/\\x07/b: key is missing");
  EXPECT_EQ(
      refusal(R"({"a":"x\u009by"})", [](const auto& json) { json.fail_at("a", json.string("a")); }),
      "config.json: /a: x\\xc2\\x9by");
}

TEST(JsonReader, ErrorsCutValuesBetweenCharacters) {
  std::string text = R"({"a":"x)";
  for (int i = 0; i < 100; ++i) text += "\xc3\xa9";
  const std::string error = refusal(text + "\"}", [](const auto& json) { json.integer("a"); });
  EXPECT_THAT(error, HasSubstr("\xc3\xa9..., want an integer"));
  EXPECT_EQ(error.find("\\x"), std::string::npos) << error;
}

TEST(JsonReader, PositiveNumbersMayHaveALimit) {
  EXPECT_EQ(parse(R"({"a":7})").positive("a", 7), 7);
  EXPECT_EQ(refusal(R"({"a":8})", [](const auto& json) { json.positive("a", 7); }),
            "config.json: /a: too large: got 8, want at most 7");
}

}  // namespace
}  // namespace reel
