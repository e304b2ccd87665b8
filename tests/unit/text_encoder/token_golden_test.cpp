// Ids beside those of Hugging Face's tokenizers (tools/goldens/text_encoder.py).
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/json_reader.h"
#include "core/sha256.h"
#include "tests/support/compare.h"
#include "tests/unit/text_encoder/random_text.h"
#include "text_encoder/clip_tokenizer.h"
#include "text_encoder/llama_tokenizer.h"

namespace reel::text_encoder {
namespace {

using Ids = std::vector<int64_t>;

class TokenGolden : public ::testing::Test {
 protected:
  Ids llama_ids(const std::string& text) const {
    Ids ids = llama_.prefix();
    for (const Token& token : llama_.tokenize(text)) ids.push_back(token.id);
    return ids;
  }

  Ids clip_ids(const std::string& text) const {
    Ids ids = {clip_.bos_id()};
    for (const Token& token : clip_.tokenize(text).tokens) ids.push_back(token.id);
    ids.push_back(clip_.eos_id());
    return ids;
  }

  static std::string line(const Ids& ids) {
    std::ostringstream text;
    for (size_t i = 0; i < ids.size(); ++i) text << (i == 0 ? "" : " ") << ids[i];
    text << '\n';
    return text.str();
  }

  void expect_sums(const JsonReader& want, const std::vector<std::string>& texts) const {
    std::string llama;
    std::string clip;
    for (const std::string& text : texts) {
      llama += line(llama_ids(text));
      clip += line(clip_ids(text));
    }
    EXPECT_EQ(sha256(llama), want.string("llama"));
    EXPECT_EQ(sha256(clip), want.string("clip"));
  }

  JsonReader golden_ =
      JsonReader::open(testing::data_file("text_encoder/tokens.json"), JsonOwner::kUser);
  LlamaTokenizer llama_{testing::data_file("text_encoder/tokenizer")};
  ClipTokenizer clip_{testing::data_file("text_encoder/tokenizer_2")};
};

TEST_F(TokenGolden, IdsOfHardStringsEqualTheReference) {
  const auto& strings = golden_.raw("strings");
  ASSERT_GE(strings.size(), 500u);
  for (const auto& item : strings) {
    const auto part = item[0].get<std::string>();
    std::string text;
    for (int64_t i = 0; i < item[1].get<int64_t>(); ++i) text += part;
    EXPECT_EQ(llama_ids(text), item[2].get<Ids>()) << "llama: " << item[0] << " x " << item[1];
    EXPECT_EQ(clip_ids(text), item[3].get<Ids>()) << "clip: " << item[0] << " x " << item[1];
  }
}

TEST_F(TokenGolden, IdsOfRandomStringsEqualTheReference) {
  const JsonReader random = golden_.object("random");
  const auto texts =
      random_strings(static_cast<uint64_t>(random.integer("seed")), random.integer("count"));
  ASSERT_EQ(texts.size(), 10000u);
  std::string joined;
  for (const std::string& text : texts) joined += (&text == &texts[0] ? "" : "\n") + text;
  ASSERT_EQ(sha256(joined), random.string("texts")) << "the strings themselves differ";
  expect_sums(random, texts);
}

TEST_F(TokenGolden, EveryCharacterIsClassedComposedAndLoweredLikeTheReference) {
  std::vector<std::string> texts;
  const auto add = [&](char32_t first, char32_t end) {
    for (char32_t c = first; c < end; ++c) texts.push_back(character_in_context(c));
  };
  add(1, 0xD800);
  add(0xE000, 0x323B0);
  add(0xE0000, 0xE01F0);
  expect_sums(golden_.object("every_character"), texts);
}

TEST_F(TokenGolden, TokensCoverTheTextWithoutGap) {
  const std::string text = "A cat's 東京 <|eot_id|>\n\n 😀 12345";
  const auto tokens = llama_.tokenize(text);
  ASSERT_FALSE(tokens.empty());
  EXPECT_EQ(tokens.front().begin, 0u);
  for (size_t i = 1; i < tokens.size(); ++i) EXPECT_LT(tokens[i - 1].begin, tokens[i].begin);
  const auto eot = text.find("<|eot_id|>");
  EXPECT_TRUE(std::any_of(tokens.begin(), tokens.end(),
                          [&](const Token& token) { return token.begin == eot; }));
}

}  // namespace
}  // namespace reel::text_encoder
