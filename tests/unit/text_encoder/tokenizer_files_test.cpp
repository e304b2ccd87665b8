// What the tokenizers read from their folders, and what they refuse.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "tests/support/compare.h"
#include "tests/support/errors.h"
#include "tests/support/temp_folder.h"
#include "text_encoder/byte_level_bpe.h"
#include "text_encoder/clip_tokenizer.h"
#include "text_encoder/llama_tokenizer.h"
#include "text_encoder/word_pattern.h"

namespace reel::text_encoder {
namespace {

using Json = nlohmann::ordered_json;
using ::testing::HasSubstr;

std::vector<int64_t> ids_of(const std::vector<Token>& tokens) {
  std::vector<int64_t> ids;
  for (const Token& token : tokens) ids.push_back(token.id);
  return ids;
}

// A copy of the small tokenizers whose files a test may change.
class TokenizerFolder : public ::testing::Test {
 protected:
  TokenizerFolder() {
    for (const char* name : {"tokenizer", "tokenizer_2"}) {
      std::filesystem::copy(testing::data_file("text_encoder") / name, folder_ / name,
                            std::filesystem::copy_options::recursive);
    }
  }

  void change(const std::string& file, const std::function<void(Json&)>& edit) const {
    Json json = Json::parse(testing::read_bytes(folder_ / file));
    edit(json);
    testing::write_bytes(folder_ / file, json.dump());
  }

  LlamaTokenizer llama() const { return LlamaTokenizer(folder_ / "tokenizer"); }
  ClipTokenizer clip() const { return ClipTokenizer(folder_ / "tokenizer_2"); }

  std::string llama_error() const {
    return testing::error_of<WeightError>([&] { llama(); });
  }
  std::string clip_error() const {
    return testing::error_of<WeightError>([&] { clip(); });
  }

  testing::TempFolder folder_;
};

constexpr const char* kTokenizer = "tokenizer/tokenizer.json";
constexpr const char* kConfig = "tokenizer/tokenizer_config.json";
constexpr const char* kMap = "tokenizer/special_tokens_map.json";

TEST_F(TokenizerFolder, MergesMayBePairsOrTexts) {
  const std::string text = "Describe the video 24fps, 猫が <|eot_id|>";
  const auto want = ids_of(llama().tokenize(text));
  change(kTokenizer, [](Json& json) {
    for (auto& merge : json["model"]["merges"]) {
      const auto spelling = merge.get<std::string>();
      const size_t space = spelling.find(' ');
      merge = Json::array({spelling.substr(0, space), spelling.substr(space + 1)});
    }
  });
  EXPECT_EQ(ids_of(llama().tokenize(text)), want);
}

TEST_F(TokenizerFolder, WholeWordsComeFirstOnlyIfTheFileSaysSo) {
  const Json golden =
      Json::parse(testing::read_bytes(testing::data_file("text_encoder/tokens.json")));
  const auto whole = llama();
  change(kTokenizer, [](Json& json) { json["model"]["ignore_merges"] = false; });
  const auto merged = llama();
  for (const auto& item : golden["merges_first"]) {
    const auto text = item[0].get<std::string>();
    auto ids = merged.prefix();
    for (const int64_t id : ids_of(merged.tokenize(text))) ids.push_back(id);
    EXPECT_EQ(ids, item[1].get<std::vector<int64_t>>()) << text;
    EXPECT_LT(whole.tokenize(text).size(), merged.tokenize(text).size()) << text;
  }
}

TEST_F(TokenizerFolder, PaddingTokenComesFromEitherFile) {
  const int64_t pad = llama().pad_id();
  change(kConfig, [](Json& json) { json.erase("pad_token"); });
  EXPECT_EQ(llama().pad_id(), pad);
  change(kMap, [](Json& json) { json["pad_token"] = "<image>"; });
  EXPECT_EQ(llama().pad_id(), pad - 1);
  change(kMap, [](Json& json) { json.erase("pad_token"); });
  EXPECT_THAT(llama_error(), HasSubstr("no padding token"));
}

// Changes tokenizer.json so that it asks for something that Llama-3's does not have.
struct Unsupported {
  const char* name;
  void (*edit)(Json& json);
  const char* message;
};

class UnsupportedTokenizer : public TokenizerFolder,
                             public ::testing::WithParamInterface<Unsupported> {};

TEST_P(UnsupportedTokenizer, IsRefused) {
  change(kTokenizer, GetParam().edit);
  const std::string error = llama_error();
  EXPECT_THAT(error, HasSubstr("tokenizer.json"));
  EXPECT_THAT(error, HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Files, UnsupportedTokenizer,
    ::testing::Values(
        Unsupported{"Normalizer", [](Json& json) { json["normalizer"] = {{"type", "NFC"}}; },
                    "/normalizer"},
        Unsupported{"Model", [](Json& json) { json["model"]["type"] = "Unigram"; },
                    "got Unigram, want BPE"},
        Unsupported{"ByteFallback", [](Json& json) { json["model"]["byte_fallback"] = true; },
                    "byte_fallback"},
        Unsupported{"WordEnd", [](Json& json) { json["model"]["end_of_word_suffix"] = "</w>"; },
                    "end_of_word_suffix"},
        Unsupported{"PreTokenizer",
                    [](Json& json) { json["pre_tokenizer"] = {{"type", "Metaspace"}}; },
                    "got Metaspace, want Sequence"},
        Unsupported{
            "OwnRegex",
            [](Json& json) { json["pre_tokenizer"]["pretokenizers"][1]["use_regex"] = true; },
            "use_regex"},
        Unsupported{"BadRegex",
                    [](Json& json) {
                      json["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = "(a";
                    },
                    "regular expression is not supported"},
        Unsupported{"StrippingToken", [](Json& json) { json["added_tokens"][3]["lstrip"] = true; },
                    "lstrip"},
        Unsupported{"EndToken",
                    [](Json& json) {
                      auto& single = json["post_processor"]["processors"][1]["single"];
                      single.push_back(single[0]);
                    },
                    "a token behind the text"},
        Unsupported{"MissingByte", [](Json& json) { json["model"]["vocab"].erase("a"); },
                    "not in the vocabulary: \"a\""},
        Unsupported{"Merge", [](Json& json) { json["model"]["merges"][0] = "a b c"; },
                    "not a merge: got \"a b c\""}),
    [](const auto& test) { return test.param.name; });

TEST_F(TokenizerFolder, AddedTokensMustBeTheSameInBothFiles) {
  change(kConfig,
         [](Json& json) { json["added_tokens_decoder"]["5000"] = {{"content", "<extra>"}}; });
  EXPECT_THAT(llama_error(),
              HasSubstr("added token differs from tokenizer.json: got <extra> 5000"));
}

TEST_F(TokenizerFolder, MissingFilesAreNamed) {
  std::filesystem::remove(folder_ / kTokenizer);
  EXPECT_THAT(llama_error(), HasSubstr("tokenizer.json"));
  std::filesystem::remove(folder_ / "tokenizer_2/merges.txt");
  EXPECT_THAT(clip_error(), HasSubstr("merges.txt: cannot be read"));
}

TEST_F(TokenizerFolder, DamagedClipFilesAreRefused) {
  const std::string merges = testing::read_bytes(folder_ / "tokenizer_2/merges.txt");
  testing::write_bytes(folder_ / "tokenizer_2/merges.txt", merges + "one\n");
  EXPECT_THAT(clip_error(), HasSubstr("is not a merge: got \"one\""));
  testing::write_bytes(folder_ / "tokenizer_2/merges.txt", merges + "a \xe2\x82");
  EXPECT_THAT(clip_error(), HasSubstr("is not a merge: got \"a \\xe2\\x82\""));
  testing::write_bytes(folder_ / "tokenizer_2/merges.txt", merges + "qqq zzz\n");
  EXPECT_THAT(clip_error(), HasSubstr("not in the vocabulary: \"qqq\""));
}

TEST_F(TokenizerFolder, ClipReadsFoldersWithVocabularyAndMergesAlone) {
  const auto want = ids_of(clip().tokenize("A cat <|endoftext|>").tokens);
  std::filesystem::remove(folder_ / "tokenizer_2/tokenizer_config.json");
  std::filesystem::remove(folder_ / "tokenizer_2/special_tokens_map.json");
  EXPECT_EQ(ids_of(clip().tokenize("A cat <|endoftext|>").tokens), want);
  EXPECT_EQ(clip().pad_id(), clip().eos_id());
}

TEST(WordPattern, LeavesNothingOutOfItsPieces) {
  const WordPattern pattern(R"(\p{N}{1,3}|x*)", "test");
  EXPECT_EQ(pattern.matches("a12345b"), (std::vector<Span>{{1, 4}, {4, 6}}));
  EXPECT_EQ(pattern.pieces("a12345b"), (std::vector<Span>{{0, 1}, {1, 4}, {4, 6}, {6, 7}}));
}

TEST(WordPattern, MongolianVowelSeparatorIsNoSpace) {
  const WordPattern spaces(R"(\s+)", "test");
  EXPECT_TRUE(spaces.matches("\xE1\xA0\x8E").empty());
  EXPECT_EQ(spaces.matches("\xC2\x85").size(), 1u);
  EXPECT_THAT(testing::error_of<WeightError>([] { WordPattern(R"([\S])", "test"); }),
              HasSubstr(R"(got \S inside brackets)"));
}

TEST(ByteLevelBpe, MergesTheEarliestPairLeftmostFirst) {
  BpeModel model;
  for (int byte = 0; byte < 256; ++byte)
    model.vocabulary[std::string(1, static_cast<char>(byte))] = byte;
  model.vocabulary["aa"] = 256;
  model.vocabulary["ab"] = 257;
  model.vocabulary["aab"] = 258;
  model.merges = {{"a", "a"}, {"a", "b"}, {"aa", "b"}};
  const ByteLevelBpe bpe(model, "test");
  const auto tokens = [&](const std::string& word) {
    std::vector<Token> out;
    bpe.append_tokens(word, 10, out);
    return out;
  };
  EXPECT_EQ(tokens("aaa"), (std::vector<Token>{{256, 10}, {'a', 12}}));
  EXPECT_EQ(tokens("aab"), (std::vector<Token>{{258, 10}}));
  EXPECT_EQ(tokens("aaab"), (std::vector<Token>{{256, 10}, {257, 12}}));
  EXPECT_TRUE(tokens("").empty());
}

}  // namespace
}  // namespace reel::text_encoder
