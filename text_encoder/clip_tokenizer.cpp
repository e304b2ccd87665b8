#include "text_encoder/clip_tokenizer.h"

#include <fstream>
#include <map>
#include <optional>

#include "core/error.h"
#include "core/printable.h"
#include "core/utf8.h"
#include "text_encoder/byte_symbols.h"
#include "text_encoder/tokenizer_files.h"
#include "text_encoder/unicode_text.h"

namespace reel::text_encoder {
namespace {

constexpr const char* kWordEnd = "</w>";

// The published pattern without the special tokens, which are found before. A match is a word; what
// lies between (white space) is dropped.
constexpr std::string_view kPattern =
    R"('s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+)";

std::string normalize(std::string_view text) {
  return lower_case(collapse_spaces(compose(text)));
}

std::unordered_map<std::string, int64_t> read_vocabulary(const JsonReader& json) {
  std::unordered_map<std::string, int64_t> vocabulary;
  const auto keys = json.keys();
  vocabulary.reserve(keys.size());
  for (const std::string& symbols : keys) {
    if (auto bytes = bytes_of_symbols(symbols)) {
      vocabulary.emplace(std::move(*bytes), json.integer(symbols));
    }
  }
  return vocabulary;
}

std::vector<std::pair<std::string, std::string>> read_merges(const std::filesystem::path& file) {
  std::ifstream stream(file);
  if (!stream) fail<WeightError>(file.string(), ": cannot be read");
  std::vector<std::pair<std::string, std::string>> merges;
  std::string line;
  for (int number = 1; std::getline(stream, line); ++number) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.empty() || line.starts_with("#version")) continue;
    const size_t space = line.find(' ');
    std::optional<std::string> left;
    std::optional<std::string> right;
    const bool two = space != std::string::npos && line.find(' ', space + 1) == std::string::npos;
    if (two && !find_invalid_utf8(line)) {
      left = bytes_of_symbols(line.substr(0, space));
      right = bytes_of_symbols(line.substr(space + 1));
    }
    if (!left || !right) {
      fail<WeightError>(file.string(), ": line ", number, " is not a merge: got \"",
                        printable(line), "\", want two byte-level tokens");
    }
    merges.emplace_back(std::move(*left), std::move(*right));
  }
  return merges;
}

// A special token of the folder, or the published one where no file names it.
AddedToken find_special(const JsonReader& vocabulary, const TokenizerFiles& files,
                        const std::string& key, const std::string& published) {
  AddedToken token = files.special(key).value_or(AddedToken{published, 0, false});
  token.id = vocabulary.integer(token.content);
  return token;
}

}  // namespace

ClipTokenizer::ClipTokenizer(const std::filesystem::path& folder)
    : ClipTokenizer(JsonReader::open(folder / "vocab.json", JsonOwner::kModel), folder) {}

ClipTokenizer::ClipTokenizer(const JsonReader& vocabulary, const std::filesystem::path& folder)
    : bpe_({read_vocabulary(vocabulary), read_merges(folder / "merges.txt"), kWordEnd, false},
           folder.string()),
      pattern_(kPattern, folder.string()) {
  const TokenizerFiles files(folder);
  std::map<std::string, AddedToken> added = files.added();
  const auto add = [&](const std::string& key, const std::string& published) {
    const AddedToken token = find_special(vocabulary, files, key, published);
    added.emplace(token.content, token);
    return token.id;
  };
  bos_id_ = add("bos_token", "<|startoftext|>");
  eos_id_ = add("eos_token", "<|endoftext|>");
  pad_id_ = add("pad_token", "<|endoftext|>");
  for (const auto& [content, token] : added) {
    if (token.normalized) {
      added_normalized_.add(normalize(content), token.id);
    } else {
      added_.add(content, token.id);
    }
  }
}

ClipTokens ClipTokenizer::tokenize(std::string_view text) const {
  ClipTokens result;
  const auto add_words = [&](size_t begin, std::string_view part) {
    for (const Span& word : pattern_.matches(part)) {
      bpe_.append_tokens(part.substr(word.begin, word.end - word.begin), begin + word.begin,
                         result.tokens);
    }
  };
  const auto found = [&](int64_t id, size_t begin, size_t end) {
    result.tokens.push_back({id, result.text.size()});
    result.text += text.substr(begin, end - begin);
  };
  const auto between = [&](size_t begin, size_t end) {
    const std::string part = normalize(text.substr(begin, end - begin));
    const size_t start = result.text.size();
    result.text += part;
    added_normalized_.split(
        part, [&](int64_t id, size_t at, size_t) { result.tokens.push_back({id, start + at}); },
        [&](size_t first, size_t last) {
          add_words(start + first, std::string_view(part).substr(first, last - first));
        });
  };
  added_.split(text, found, between);
  return result;
}

}  // namespace reel::text_encoder
