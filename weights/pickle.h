// Reads the pickles that torch.save writes for state dicts (protocol 2), without running anything.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace reel::weights {

/// What a pickle describes: plain data, or a call that Python would make and we only look at.
struct PickleValue {
  enum class Kind {
    kNone,
    kBool,        ///< integer: 0 or 1
    kInteger,     ///< integer
    kFloat,       ///< its number is not kept
    kText,        ///< text: bytes meant as UTF-8
    kList,        ///< items
    kTuple,       ///< items
    kDict,        ///< items: key, value, key, value, ...; also collections.OrderedDict
    kGlobal,      ///< text: "module name"
    kCall,        ///< items: the global, the tuple of arguments
    kPersistent,  ///< items: the id of an object outside the pickle
  };
  Kind kind = Kind::kNone;
  int64_t integer = 0;
  std::string_view text;
  std::vector<const PickleValue*> items;

  bool is(Kind other) const { return kind == other; }

  /// The value of the last such key of a dict, or null.
  const PickleValue* find(std::string_view key) const;
};

/// A parsed pickle; owns its values. They may refer to each other in circles.
class Pickle {
 public:
  /// Parses `bytes`, which must outlive the pickle, and refuses every global that is not in
  /// `globals` ("module name"). Throws WeightError, naming `where` and the byte, for anything that
  /// torch.save does not write for a state dict.
  Pickle(std::string_view bytes, const std::string& where,
         std::span<const std::string_view> globals);

  const PickleValue& root() const { return *root_; }

 private:
  std::deque<PickleValue> values_;  // a deque: values stay where they are
  const PickleValue* root_ = nullptr;
};

}  // namespace reel::weights
