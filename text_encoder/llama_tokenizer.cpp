#include "text_encoder/llama_tokenizer.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/printable.h"
#include "text_encoder/byte_symbols.h"
#include "text_encoder/tokenizer_files.h"

namespace reel::text_encoder {
namespace {

void want_string(const JsonReader& json, const std::string& key, const std::string& want) {
  if (json.string(key) != want) {
    json.fail_at(key, "not supported: got " + printable(json.string(key)) + ", want " + want);
  }
}

void want_false(const JsonReader& json, const std::string& key) {
  if (!json.is_null(key) && json.boolean(key)) {
    json.fail_at(key, "not supported: got true, want false");
  }
}

void want_nothing(const JsonReader& json, const std::string& key) {
  if (json.is_null(key)) return;
  const auto& value = json.raw(key);
  if (value.is_string() && value.get_ref<const std::string&>().empty()) return;
  json.fail_at(key, "not supported: got " + printable(value.dump()) + ", want null");
}

std::pair<std::string, std::string> read_merge(const JsonReader& model,
                                               const nlohmann::json& merge) {
  std::pair<std::string, std::string> sides;
  bool good = false;
  if (merge.is_string()) {
    const auto& text = merge.get_ref<const std::string&>();
    const size_t space = text.find(' ');
    good = space != std::string::npos && text.find(' ', space + 1) == std::string::npos;
    if (good) sides = {text.substr(0, space), text.substr(space + 1)};
  } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() &&
             merge[1].is_string()) {
    good = true;
    sides = {merge[0].get<std::string>(), merge[1].get<std::string>()};
  }
  const auto left = good ? bytes_of_symbols(sides.first) : std::nullopt;
  const auto right = good ? bytes_of_symbols(sides.second) : std::nullopt;
  if (!left || !right) {
    model.fail_at("merges",
                  "not a merge: got " + printable(merge.dump()) + ", want two byte-level tokens");
  }
  return {*left, *right};
}

BpeModel read_model(const JsonReader& model) {
  if (!model.is_null("type")) want_string(model, "type", "BPE");
  want_nothing(model, "dropout");
  want_nothing(model, "continuing_subword_prefix");
  want_nothing(model, "end_of_word_suffix");
  want_false(model, "byte_fallback");
  BpeModel bpe;
  bpe.whole_words_first = !model.is_null("ignore_merges") && model.boolean("ignore_merges");
  const auto& vocabulary = model.raw("vocab");
  if (!vocabulary.is_object()) model.fail_at("vocab", "not an object");
  bpe.vocabulary.reserve(vocabulary.size());
  for (const auto& [symbols, id] : vocabulary.items()) {
    if (!id.is_number_integer()) {
      model.fail_at("vocab", "not an id: got " + printable(id.dump()) + " for " +
                                 printable(symbols) + ", want a whole number");
    }
    // Entries that spell no bytes are added tokens, which are found by their text.
    if (auto bytes = bytes_of_symbols(symbols)) {
      bpe.vocabulary.emplace(std::move(*bytes), id.get<int64_t>());
    }
  }
  const auto& merges = model.raw("merges");
  if (!merges.is_array()) model.fail_at("merges", "not an array");
  bpe.merges.reserve(merges.size());
  for (const auto& merge : merges) bpe.merges.push_back(read_merge(model, merge));
  return bpe;
}

// Split by a regular expression, then bytes: the only way of cutting that Llama-3's file uses.
std::string read_pattern(const JsonReader& json) {
  const JsonReader outer = json.object("pre_tokenizer");
  want_string(outer, "type", "Sequence");
  const auto steps = outer.objects("pretokenizers");
  if (steps.size() != 2) outer.fail_at("pretokenizers", "want Split, then ByteLevel");
  want_string(steps[0], "type", "Split");
  want_string(steps[0], "behavior", "Isolated");
  want_false(steps[0], "invert");
  want_string(steps[1], "type", "ByteLevel");
  want_false(steps[1], "add_prefix_space");
  // The published implementation reads an absent value as true.
  if (steps[1].is_null("use_regex") || steps[1].boolean("use_regex")) {
    steps[1].fail_at("use_regex", "not supported: got true, want false");
  }
  return steps[0].object("pattern").string("Regex");
}

void read_template(const JsonReader& step, std::vector<int64_t>& prefix) {
  bool after_text = false;
  for (const JsonReader& item : step.objects("single")) {
    if (item.has("Sequence")) {
      after_text = true;
      continue;
    }
    if (after_text) step.fail_at("single", "not supported: a token behind the text");
    const std::string name = item.object("SpecialToken").string("id");
    for (const int64_t id : step.object("special_tokens").object(name).integers("ids")) {
      prefix.push_back(id);
    }
  }
}

// The tokens in front of every text.
std::vector<int64_t> read_prefix(const JsonReader& json) {
  std::vector<int64_t> prefix;
  if (json.is_null("post_processor")) return prefix;
  const JsonReader outer = json.object("post_processor");
  const bool sequence = outer.string("type") == "Sequence";
  const auto steps = sequence ? outer.objects("processors") : std::vector<JsonReader>{outer};
  bool done = false;
  for (const JsonReader& step : steps) {
    if (step.string("type") == "ByteLevel") continue;  // changes offsets only
    want_string(step, "type", "TemplateProcessing");
    if (done) step.fail_at("type", "not supported: a second TemplateProcessing");
    read_template(step, prefix);
    done = true;
  }
  return prefix;
}

int64_t find_pad(const std::vector<AddedToken>& added, const std::filesystem::path& folder) {
  const auto pad = TokenizerFiles(folder).special("pad_token");
  if (!pad) {
    fail<WeightError>(folder.string(),
                      ": no padding token: tokenizer_config.json and special_tokens_map.json "
                      "have no pad_token");
  }
  for (const AddedToken& token : added) {
    if (token.content == pad->content) return token.id;
  }
  fail<WeightError>(folder.string(), ": the padding token is not an added token: got ",
                    printable(pad->content), ", want one of tokenizer.json's added_tokens");
}

std::vector<AddedToken> read_added(const JsonReader& json, const std::filesystem::path& folder) {
  std::vector<AddedToken> added;
  for (const JsonReader& token : json.objects("added_tokens")) {
    (void)token.integer("id");  // must be there
    added.push_back(read_added_token(token));
  }
  // transformers would add what tokenizer.json lacks; published folders hold the same in both.
  const TokenizerFiles files(folder);
  for (const auto& [content, configured] : files.added()) {
    const bool same = std::any_of(added.begin(), added.end(), [&](const AddedToken& token) {
      return token.content == content && token.id == configured.id;
    });
    if (!same) {
      fail<WeightError>((folder / "tokenizer_config.json").string(),
                        ": added token differs from tokenizer.json: got ", printable(content), " ",
                        configured.id);
    }
  }
  return added;
}

}  // namespace

LlamaTokenizer::LlamaTokenizer(const std::filesystem::path& folder)
    : LlamaTokenizer(JsonReader::open(folder / "tokenizer.json", JsonOwner::kModel), folder) {}

LlamaTokenizer::LlamaTokenizer(const JsonReader& json, const std::filesystem::path& folder)
    : bpe_(read_model(json.object("model")), (folder / "tokenizer.json").string()),
      pattern_(read_pattern(json), (folder / "tokenizer.json").string()),
      prefix_(read_prefix(json)) {
  want_nothing(json, "normalizer");
  const auto added = read_added(json, folder);
  for (const AddedToken& token : added) {
    (token.normalized ? added_normalized_ : added_).add(token.content, token.id);
  }
  pad_id_ = find_pad(added, folder);
}

std::vector<Token> LlamaTokenizer::tokenize(std::string_view text) const {
  std::vector<Token> tokens;
  const auto add_words = [&](size_t begin, size_t end) {
    const std::string_view part = text.substr(begin, end - begin);
    for (const Span& word : pattern_.pieces(part)) {
      bpe_.append_tokens(part.substr(word.begin, word.end - word.begin), begin + word.begin,
                         tokens);
    }
  };
  const auto split_again = [&](size_t begin, size_t end) {
    added_normalized_.split(
        text.substr(begin, end - begin),
        [&](int64_t id, size_t at, size_t) { tokens.push_back({id, begin + at}); },
        [&](size_t first, size_t last) { add_words(begin + first, begin + last); });
  };
  added_.split(
      text, [&](int64_t id, size_t begin, size_t) { tokens.push_back({id, begin}); }, split_again);
  return tokens;
}

}  // namespace reel::text_encoder
