#include "text_encoder/prompt_tokenizer.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/json_reader.h"
#include "tests/support/compare.h"
#include "tests/support/errors.h"

namespace reel::text_encoder {
namespace {

using Ids = std::vector<int64_t>;

PromptTokenizer small_tokenizers() {
  return {testing::data_file("text_encoder/tokenizer"),
          testing::data_file("text_encoder/tokenizer_2")};
}

TEST(PromptTokenizer, PaddedIdsEqualTheReference) {
  const auto golden =
      JsonReader::open(testing::data_file("text_encoder/tokens.json"), JsonOwner::kUser);
  const PromptTokenizer tokenizer = small_tokenizers();
  const auto cases = golden.objects("prompts");
  ASSERT_GE(cases.size(), 10u);
  for (const JsonReader& want : cases) {
    const std::string prompt = want.string("prompt");
    const Template which = want.string("template") == "video" ? Template::kVideo : Template::kImage;
    const TokenizedPrompt got = tokenizer.tokenize(prompt, which);
    EXPECT_EQ(got.crop, want.integer("crop"));
    EXPECT_EQ(tokenizer.crop(which), got.crop);
    EXPECT_EQ(got.llama_ids, want.integers("llama_ids")) << prompt;
    EXPECT_EQ(got.llama_valid, want.integer("llama_valid")) << prompt;
    EXPECT_EQ(got.clip_ids, want.integers("clip_ids")) << prompt;
    EXPECT_EQ(got.clip_valid, want.integer("clip_valid")) << prompt;
  }
}

TEST(PromptTokenizer, EmptyPromptKeepsTheEndOfTheTemplate) {
  const auto got = small_tokenizers().tokenize("", Template::kVideo);
  EXPECT_EQ(got.llama_valid, got.crop + 1);
  EXPECT_EQ(got.clip_valid, 2);
  EXPECT_EQ(got.llama_cut, "");
  EXPECT_EQ(got.clip_cut, "");
}

TEST(PromptTokenizer, WhiteSpaceAtTheEndsDoesNotMatter) {
  const PromptTokenizer tokenizer = small_tokenizers();
  const auto plain = tokenizer.tokenize("a fox", Template::kVideo);
  const auto spaced = tokenizer.tokenize(
      "\n\n \xE3\x80\x80"
      "a fox\x1C\t",
      Template::kVideo);
  EXPECT_EQ(spaced.llama_ids, plain.llama_ids);
  EXPECT_EQ(spaced.clip_ids, plain.clip_ids);
}

TEST(PromptTokenizer, ReportsTheTextThatWasCutOff) {
  // Each special token is one Llama token: 256 positions hold 255 and the template's end.
  std::string prompt;
  for (int i = 0; i < 256; ++i) prompt += "<|eot_id|>";
  const PromptTokenizer tokenizer = small_tokenizers();
  EXPECT_EQ(tokenizer.tokenize(prompt, Template::kVideo).llama_cut, "");  // only the end is cut
  const auto longer = tokenizer.tokenize(prompt + " The END", Template::kVideo);
  EXPECT_EQ(longer.llama_cut, " The END");
  EXPECT_EQ(longer.llama_valid, 256 + longer.crop);

  std::string words;
  for (int i = 0; i < 75; ++i) words += "a ";
  EXPECT_EQ(tokenizer.tokenize(words, Template::kVideo).clip_cut, "");
  EXPECT_EQ(tokenizer.tokenize(words + "The  END", Template::kVideo).clip_cut, "the end");
}

TEST(PromptTokenizer, CutTextBeginsWithAWholeCharacter) {
  std::string prompt;
  for (int i = 0; i < 300; ++i) prompt += "\xF0\x9F\xAB\xA0";  // several tokens a character
  const auto got = small_tokenizers().tokenize(prompt, Template::kVideo);
  ASSERT_FALSE(got.llama_cut.empty());
  EXPECT_EQ(got.llama_cut.substr(0, 4), "\xF0\x9F\xAB\xA0");
  EXPECT_EQ(got.llama_cut.size() % 4, 0u);
}

TEST(PromptTokenizer, RefusesTextThatIsNotUtf8) {
  const PromptTokenizer tokenizer = small_tokenizers();
  const auto error = [&](const std::string& prompt) {
    return testing::error_of<ConfigError>([&] { tokenizer.tokenize(prompt, Template::kVideo); });
  };
  EXPECT_EQ(error("ab\xFF"), "prompt: not valid UTF-8: got byte 0xFF at offset 2, want UTF-8");
  EXPECT_EQ(error("  \xED\xA0\x80"),
            "prompt: not valid UTF-8: got byte 0xED at offset 2, want UTF-8");
  EXPECT_EQ(error("a\xC3"), "prompt: not valid UTF-8: got byte 0xC3 at offset 1, want UTF-8");
}

// Quadratic merging or matching would take hours here; the test's time limit would end it.
TEST(PromptTokenizer, LongTextsTakeTimeInProportion) {
  const PromptTokenizer tokenizer = small_tokenizers();
  for (const std::string part : {"a", "<", " ", "\n", "\xCC\xA3\xCC\x81", "the cat ", "'"}) {
    std::string prompt = "x";
    while (prompt.size() < 1'000'000) prompt += part;
    prompt += "x";
    const auto got = tokenizer.tokenize(prompt, Template::kVideo);
    EXPECT_EQ(got.llama_ids.size(), static_cast<size_t>(256 + got.crop));
  }
}

// The vectors of spec/hunyuanvideo.md 3.1 and 3.2.
TEST(PromptTokenizer, RealVocabulariesGiveThePublishedIds) {
  const char* folder = std::getenv("REEL_TOKENIZER_DIR");
  if (folder == nullptr) GTEST_SKIP() << "REEL_TOKENIZER_DIR is not set";
  const std::filesystem::path root = folder;
  const PromptTokenizer tokenizer(root / "tokenizer", root / "tokenizer_2");
  EXPECT_EQ(tokenizer.crop(Template::kVideo), 95);
  EXPECT_EQ(tokenizer.crop(Template::kImage), 36);
  const auto cat =
      tokenizer.tokenize("A cat walks on the grass, realistic style.", Template::kVideo);
  ASSERT_EQ(cat.llama_valid, 106);
  EXPECT_EQ(Ids(cat.llama_ids.begin() + 95, cat.llama_ids.begin() + 107),
            (Ids{32, 8415, 23291, 389, 279, 16763, 11, 26569, 1742, 13, 128009, 128258}));
  EXPECT_EQ(Ids(cat.llama_ids.begin(), cat.llama_ids.begin() + 8),
            (Ids{128000, 128006, 9125, 128007, 271, 75885, 279, 2835}));
  EXPECT_EQ(Ids(cat.clip_ids.begin(), cat.clip_ids.begin() + 13),
            (Ids{49406, 320, 2368, 8192, 525, 518, 5922, 267, 16157, 1844, 269, 49407, 49407}));
  EXPECT_EQ(tokenizer.tokenize("", Template::kVideo).llama_valid, 96);
  const auto its = tokenizer.tokenize("it's 24fps!!", Template::kVideo);
  EXPECT_EQ(Ids(its.clip_ids.begin(), its.clip_ids.begin() + 8),
            (Ids{49406, 585, 568, 273, 275, 25300, 748, 49407}));
  EXPECT_EQ(Ids(its.llama_ids.begin() + 95, its.llama_ids.begin() + 97), (Ids{275, 596}));
}

}  // namespace
}  // namespace reel::text_encoder
