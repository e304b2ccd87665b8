#include "text_encoder/byte_level_bpe.h"

#include <limits>
#include <queue>

#include "core/error.h"
#include "core/printable.h"
#include "core/problems.h"

namespace reel::text_encoder {
namespace {

constexpr size_t kNone = std::numeric_limits<size_t>::max();

uint64_t pair_key(int64_t left, int64_t right) {
  return static_cast<uint64_t>(left) << 32 | static_cast<uint64_t>(right);
}

// A symbol of the word while it is merged; a list, because merges remove symbols in the middle.
struct Symbol {
  int64_t id;
  size_t previous;
  size_t next;
  bool alive = true;
};

// A merge that was possible when it was queued. It is stale if either symbol changed since.
struct Candidate {
  size_t rank;
  size_t left;  // position of the left symbol
  int64_t left_id;
  int64_t right_id;
  int64_t result;

  // The queue's top is the earliest learnt merge, of equals the leftmost.
  bool operator<(const Candidate& other) const {
    return rank != other.rank ? rank > other.rank : left > other.left;
  }
};

}  // namespace

ByteLevelBpe::ByteLevelBpe(BpeModel model, const std::string& where)
    : vocabulary_(std::move(model.vocabulary)), whole_words_first_(model.whole_words_first) {
  Problems problems;
  const auto id_of = [&](const std::string& token) -> int64_t {
    const auto found = vocabulary_.find(token);
    if (found != vocabulary_.end()) return found->second;
    if (problems.lines().size() < 10) {
      problems.add("not in the vocabulary: \"", printable(token), "\"");
    }
    return 0;
  };
  for (const auto& [token, id] : vocabulary_) {
    if (id < 0 || id > std::numeric_limits<int32_t>::max()) {
      problems.add("id out of range: got ", id, " for \"", printable(token), "\"");
    }
  }
  for (size_t byte = 0; byte < 256; ++byte) {
    const std::string text(1, static_cast<char>(byte));
    bytes_[byte] = id_of(text);
    last_bytes_[byte] = id_of(text + model.word_end);
  }
  merges_.reserve(model.merges.size());
  for (size_t rank = 0; rank < model.merges.size(); ++rank) {
    const auto& [left, right] = model.merges[rank];
    // A pair that stands twice counts where it stands last, as in the published implementation.
    merges_.insert_or_assign(pair_key(id_of(left), id_of(right)), Merge{rank, id_of(left + right)});
  }
  problems.throw_if_any<WeightError>(where);
}

const ByteLevelBpe::Merge* ByteLevelBpe::find_merge(int64_t left, int64_t right) const {
  const auto found = merges_.find(pair_key(left, right));
  return found == merges_.end() ? nullptr : &found->second;
}

void ByteLevelBpe::append_tokens(std::string_view word, size_t begin,
                                 std::vector<Token>& tokens) const {
  if (word.empty()) return;
  if (whole_words_first_) {
    const auto found = vocabulary_.find(std::string(word));
    if (found != vocabulary_.end()) {
      tokens.push_back({found->second, begin});
      return;
    }
  }
  std::vector<Symbol> symbols;
  symbols.reserve(word.size());
  for (size_t i = 0; i < word.size(); ++i) {
    const bool last = i + 1 == word.size();
    const auto byte = static_cast<unsigned char>(word[i]);
    symbols.push_back(
        {last ? last_bytes_[byte] : bytes_[byte], i == 0 ? kNone : i - 1, last ? kNone : i + 1});
  }

  std::priority_queue<Candidate> candidates;
  const auto consider = [&](size_t left) {
    if (left == kNone || symbols[left].next == kNone) return;
    const int64_t left_id = symbols[left].id;
    const int64_t right_id = symbols[symbols[left].next].id;
    const Merge* merge = find_merge(left_id, right_id);
    if (merge != nullptr) candidates.push({merge->rank, left, left_id, right_id, merge->result});
  };
  for (size_t i = 0; i + 1 < symbols.size(); ++i) consider(i);

  while (!candidates.empty()) {
    const Candidate best = candidates.top();
    candidates.pop();
    Symbol& left = symbols[best.left];
    if (!left.alive || left.id != best.left_id || left.next == kNone) continue;
    Symbol& right = symbols[left.next];
    if (right.id != best.right_id) continue;
    left.id = best.result;
    right.alive = false;
    left.next = right.next;
    if (left.next != kNone) symbols[left.next].previous = best.left;
    consider(left.previous);
    consider(best.left);
  }
  // A symbol keeps the position of its first byte.
  for (size_t i = 0; i != kNone; i = symbols[i].next) tokens.push_back({symbols[i].id, begin + i});
}

}  // namespace reel::text_encoder
