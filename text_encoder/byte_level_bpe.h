// Byte-pair encoding over bytes, as GPT-2, CLIP and Llama-3 use it: a word's symbols are merged
// pair by pair, always the pair that was learnt first.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace reel::text_encoder {

/// One token of a text.
struct Token {
  int64_t id;
  size_t begin;  ///< byte of the text where it begins

  bool operator==(const Token&) const = default;
};

/// What a tokenizer's files say about its model. Words are bytes, not their published spelling.
struct BpeModel {
  std::unordered_map<std::string, int64_t> vocabulary;      ///< id of each token
  std::vector<std::pair<std::string, std::string>> merges;  ///< the first learnt first
  std::string word_end;            ///< stands behind the last byte of each word ("" or "</w>")
  bool whole_words_first = false;  ///< a word in the vocabulary is one token, whatever the merges
};

/// Merges bytes to tokens. Immutable: may be shared between threads.
class ByteLevelBpe {
 public:
  /// Throws WeightError, naming `where`, unless every single byte (with and without word_end) and
  /// both sides and the result of every merge are in the vocabulary.
  ByteLevelBpe(BpeModel model, const std::string& where);

  /// Appends the tokens of `word`, which begins at byte `begin` of the text. Takes time
  /// n log n in the word's length.
  void append_tokens(std::string_view word, size_t begin, std::vector<Token>& tokens) const;

 private:
  struct Merge {
    size_t rank;
    int64_t result;
  };

  const Merge* find_merge(int64_t left, int64_t right) const;

  std::unordered_map<std::string, int64_t> vocabulary_;
  std::unordered_map<uint64_t, Merge> merges_;  // by left id << 32 | right id
  std::array<int64_t, 256> bytes_;              // ids of single bytes
  std::array<int64_t, 256> last_bytes_;         // ids of single bytes at the end of a word
  bool whole_words_first_;
};

}  // namespace reel::text_encoder
