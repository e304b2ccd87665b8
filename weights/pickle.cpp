#include "weights/pickle.h"

#include <algorithm>
#include <cstring>
#include <unordered_map>

#include "core/error.h"
#include "core/printable.h"

// Opcodes and their arguments: Python's pickletools, protocols 0 to 2.
namespace reel::weights {
namespace {

using Kind = PickleValue::Kind;

// A state dict of the full model needs about 30,000.
constexpr size_t kMostValues = 1'000'000;

constexpr std::string_view kOrderedDict = "collections OrderedDict";

// The machine that a pickle's opcodes drive: a stack with marks, and a numbered memo.
class Machine {
 public:
  Machine(std::string_view bytes, std::string where, std::span<const std::string_view> globals,
          std::deque<PickleValue>& values)
      : bytes_(bytes), where_(std::move(where)), globals_(globals), values_(values) {}

  const PickleValue* run();

 private:
  template <typename... Parts>
  [[noreturn]] void refuse(const Parts&... parts) const {
    fail<WeightError>(where_, ": ", parts..., " at byte ", opcode_at_);
  }

  std::string_view take(size_t count);
  std::string_view take_line();
  template <typename Number>
  Number take_number();

  PickleValue* push(Kind kind);
  void push_integer(int64_t value) { push(Kind::kInteger)->integer = value; }
  PickleValue* pop();
  PickleValue* pop(Kind kind, const char* what);
  PickleValue* top();
  std::vector<const PickleValue*> pop_to_mark();

  bool step_scalar(char opcode);
  bool step_container(char opcode);
  bool step_memo(char opcode);
  bool step_object(char opcode);

  void push_long(size_t count);
  void push_tuple(size_t count);
  void extend(Kind kind, const std::vector<const PickleValue*>& items);
  void push_global();
  void reduce();
  void build();

  std::string_view bytes_;
  std::string where_;
  std::span<const std::string_view> globals_;
  std::deque<PickleValue>& values_;
  size_t at_ = 0;
  size_t opcode_at_ = 0;
  std::vector<PickleValue*> stack_;
  std::vector<size_t> marks_;  // stack heights
  std::unordered_map<uint32_t, PickleValue*> memo_;
};

std::string_view Machine::take(size_t count) {
  if (count > bytes_.size() - at_) refuse("the pickle ends early");
  const auto taken = bytes_.substr(at_, count);
  at_ += count;
  return taken;
}

std::string_view Machine::take_line() {
  const size_t end = bytes_.find('\n', at_);
  if (end == std::string_view::npos) refuse("the pickle ends early");
  const auto line = bytes_.substr(at_, end - at_);
  at_ = end + 1;
  return line;
}

template <typename Number>
Number Machine::take_number() {
  Number value;
  std::memcpy(&value, take(sizeof(value)).data(), sizeof(value));
  return value;
}

PickleValue* Machine::push(Kind kind) {
  if (values_.size() >= kMostValues) refuse("the pickle has more than ", kMostValues, " values");
  values_.emplace_back().kind = kind;
  stack_.push_back(&values_.back());
  return stack_.back();
}

PickleValue* Machine::pop() {
  if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) refuse("the stack is empty");
  PickleValue* value = stack_.back();
  stack_.pop_back();
  return value;
}

PickleValue* Machine::pop(Kind kind, const char* what) {
  PickleValue* value = pop();
  if (!value->is(kind)) refuse("a value is not ", what);
  return value;
}

PickleValue* Machine::top() {
  PickleValue* value = pop();
  stack_.push_back(value);
  return value;
}

std::vector<const PickleValue*> Machine::pop_to_mark() {
  if (marks_.empty()) refuse("there is no mark");
  std::vector<const PickleValue*> items(stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back()),
                                        stack_.end());
  stack_.resize(marks_.back());
  marks_.pop_back();
  return items;
}

void Machine::push_long(size_t count) {
  const auto digits = take(count);
  if (count > 8) refuse("an integer has more than 64 bits");
  uint64_t value = 0;
  for (size_t i = 0; i < 8; ++i) {
    // Two's complement: the sign goes on above the last byte.
    const bool negative = count > 0 && (digits.back() & 0x80) != 0;
    const auto byte = i < count ? static_cast<unsigned char>(digits[i])
                                : static_cast<unsigned char>(negative ? 0xff : 0);
    value |= uint64_t{byte} << (8 * i);
  }
  push_integer(static_cast<int64_t>(value));
}

bool Machine::step_scalar(char opcode) {
  switch (opcode) {
    case 'N':
      push(Kind::kNone);
      return true;
    case '\x88':
    case '\x89':
      push(Kind::kBool)->integer = opcode == '\x88' ? 1 : 0;
      return true;
    case 'K':
      push_integer(take_number<uint8_t>());
      return true;
    case 'M':
      push_integer(take_number<uint16_t>());
      return true;
    case 'J':
      push_integer(take_number<int32_t>());
      return true;
    case '\x8a':
      push_long(take_number<uint8_t>());
      return true;
    case 'G':
      take(8);
      push(Kind::kFloat);
      return true;
    case 'X': {
      const auto text = take(take_number<uint32_t>());
      push(Kind::kText)->text = text;
      return true;
    }
    default:
      return false;
  }
}

void Machine::push_tuple(size_t count) {
  std::vector<const PickleValue*> items(count);
  for (size_t i = count; i-- > 0;) items[i] = pop();
  push(Kind::kTuple)->items = std::move(items);
}

// Adds `items` to the list or dict on top of the stack.
void Machine::extend(Kind kind, const std::vector<const PickleValue*>& items) {
  PickleValue* target = top();
  if (!target->is(kind)) {
    refuse("items are added to something else than a ", kind == Kind::kList ? "list" : "dict");
  }
  if (kind == Kind::kDict && items.size() % 2 != 0) refuse("a key has no value");
  target->items.insert(target->items.end(), items.begin(), items.end());
}

bool Machine::step_container(char opcode) {
  switch (opcode) {
    case '(':
      marks_.push_back(stack_.size());
      return true;
    case ')':
      push(Kind::kTuple);
      return true;
    case ']':
      push(Kind::kList);
      return true;
    case '}':
      push(Kind::kDict);
      return true;
    case '\x85':
    case '\x86':
    case '\x87':
      push_tuple(static_cast<unsigned char>(opcode) - size_t{0x84});
      return true;
    case 't': {
      auto items = pop_to_mark();
      push(Kind::kTuple)->items = std::move(items);
      return true;
    }
    case 'a':
      extend(Kind::kList, {pop()});
      return true;
    case 'e':
      extend(Kind::kList, pop_to_mark());
      return true;
    case 's': {
      const PickleValue* value = pop();
      const PickleValue* key = pop();
      extend(Kind::kDict, {key, value});
      return true;
    }
    case 'u':
      extend(Kind::kDict, pop_to_mark());
      return true;
    default:
      return false;
  }
}

bool Machine::step_memo(char opcode) {
  const bool is_put = opcode == 'q' || opcode == 'r';
  const bool is_get = opcode == 'h' || opcode == 'j';
  if (!is_put && !is_get) return false;
  const bool is_long = opcode == 'r' || opcode == 'j';
  const uint32_t number = is_long ? take_number<uint32_t>() : take_number<uint8_t>();
  if (is_put) {
    memo_[number] = top();
  } else {
    const auto found = memo_.find(number);
    if (found == memo_.end()) refuse("memo ", number, " is used before it is set");
    stack_.push_back(found->second);
  }
  return true;
}

void Machine::push_global() {
  const size_t begin = at_;
  const auto module = take_line();
  const auto name = take_line();
  const std::string global = std::string(module) + " " + std::string(name);
  const auto known = std::find(globals_.begin(), globals_.end(), global);
  if (known == globals_.end()) {
    opcode_at_ = begin - 1;
    refuse("wants to use ", printable(module), ".", printable(name),
           ", which a state dict does not need: refused, nothing was run");
  }
  push(Kind::kGlobal)->text = *known;
}

void Machine::reduce() {
  const PickleValue* arguments = pop(Kind::kTuple, "the tuple of arguments that a call needs");
  const PickleValue* callee = pop(Kind::kGlobal, "a function that can be called");
  if (callee->text == kOrderedDict) {
    if (!arguments->items.empty()) refuse("an OrderedDict has arguments");
    push(Kind::kDict);
    return;
  }
  push(Kind::kCall)->items = {callee, arguments};
}

// Attributes of an OrderedDict (_metadata) or of a parameter say nothing about tensors' bytes.
void Machine::build() {
  pop(Kind::kDict, "a dict of attributes");
  const PickleValue* target = top();
  if (!target->is(Kind::kDict) && !target->is(Kind::kCall)) {
    refuse("attributes are set on something that has none");
  }
}

bool Machine::step_object(char opcode) {
  switch (opcode) {
    case 'c':
      push_global();
      return true;
    case 'R':
      reduce();
      return true;
    case 'b':
      build();
      return true;
    case 'Q': {
      const PickleValue* id = pop();
      push(Kind::kPersistent)->items = {id};
      return true;
    }
    default:
      return false;
  }
}

const PickleValue* Machine::run() {
  if (bytes_.size() < 2 || bytes_[0] != '\x80') refuse("not a pickle");
  if (bytes_[1] != 2) {
    refuse("pickle protocol ", int{static_cast<unsigned char>(bytes_[1])},
           ": want 2, the default of torch.save,");
  }
  at_ = 2;
  while (true) {
    opcode_at_ = at_;
    const char opcode = take(1)[0];
    if (opcode == '.') break;
    if (!step_scalar(opcode) && !step_container(opcode) && !step_memo(opcode) &&
        !step_object(opcode)) {
      refuse("opcode ", int{static_cast<unsigned char>(opcode)},
             ", which a state dict does not need,");
    }
    // Memo gets add no value, so that the stack has a limit of its own.
    if (stack_.size() > kMostValues || marks_.size() > kMostValues) refuse("the stack is too high");
  }
  const PickleValue* root = pop();
  if (!stack_.empty() || !marks_.empty()) refuse("values are left on the stack");
  if (at_ != bytes_.size()) refuse("bytes follow the end of the pickle");
  return root;
}

}  // namespace

const PickleValue* PickleValue::find(std::string_view key) const {
  const PickleValue* found = nullptr;
  for (size_t i = 0; i + 1 < items.size(); i += 2) {
    if (items[i]->is(Kind::kText) && items[i]->text == key) found = items[i + 1];
  }
  return found;
}

Pickle::Pickle(std::string_view bytes, const std::string& where,
               std::span<const std::string_view> globals) {
  root_ = Machine(bytes, where, globals, values_).run();
}

}  // namespace reel::weights
