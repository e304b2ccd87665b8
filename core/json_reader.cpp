#include "core/json_reader.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/error.h"
#include "core/nearest_name.h"
#include "core/printable.h"
#include "core/strict_json.h"

namespace reel {
namespace {

// Keys and values of the file may be in the message.
[[noreturn]] void fail_for(JsonOwner owner, const std::string& message) {
  if (owner == JsonOwner::kUser) throw ConfigError(all_printable(message));
  throw WeightError(all_printable(message));
}

// Long values would bury the message.
std::string short_dump(const nlohmann::json& value) {
  std::string text = value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  if (text.size() <= 60) return text;
  size_t end = 57;
  while ((static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80) --end;  // whole characters
  return text.substr(0, end) + "...";
}

// Numbers from 2^63 on would come back negative.
bool is_int64(const nlohmann::json& value) {
  if (!value.is_number_unsigned()) return value.is_number_integer();
  return value.get<uint64_t>() <= uint64_t{std::numeric_limits<int64_t>::max()};
}

}  // namespace

JsonReader::JsonReader(std::shared_ptr<const nlohmann::json> root, const nlohmann::json* value,
                       std::string file, std::string path, JsonOwner owner)
    : root_(std::move(root)),
      value_(value),
      file_(std::move(file)),
      path_(std::move(path)),
      owner_(owner) {}

JsonReader JsonReader::open(const std::filesystem::path& file, JsonOwner owner) {
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  if (!stream || !(text << stream.rdbuf())) {
    fail_for(owner, file.string() + ": cannot be read: want a JSON file");
  }
  return parse(text.str(), file.string(), owner);
}

JsonReader JsonReader::parse(std::string_view text, const std::string& name, JsonOwner owner) {
  auto root = std::make_shared<nlohmann::json>();
  *root = parse_strict_json(
      text, [&](const std::string& message) { fail_for(owner, name + ": " + message); });
  if (!root->is_object()) {
    fail_for(owner, name + ": not a JSON object: got " + short_dump(*root));
  }
  const nlohmann::json* value = root.get();
  return {std::move(root), value, name, "", owner};
}

bool JsonReader::has(const std::string& key) const {
  return value_->contains(key);
}

bool JsonReader::is_null(const std::string& key) const {
  return !has(key) || value_->at(key).is_null();
}

std::vector<std::string> JsonReader::keys() const {
  std::vector<std::string> keys;
  for (const auto& item : value_->items()) keys.push_back(item.key());
  return keys;
}

void JsonReader::fail_at(const std::string& key, const std::string& message) const {
  fail_for(owner_, file_ + ": " + path_ + "/" + key + ": " + message);
}

const nlohmann::json& JsonReader::raw(const std::string& key) const {
  if (!has(key)) fail_at(key, "key is missing");
  return value_->at(key);
}

int64_t JsonReader::integer(const std::string& key) const {
  const auto& value = raw(key);
  if (!is_int64(value)) {
    fail_at(key, "wrong type: got " + short_dump(value) + ", want an integer");
  }
  return value.get<int64_t>();
}

int64_t JsonReader::positive(const std::string& key) const {
  const int64_t value = integer(key);
  if (value < 1) fail_at(key, "too small: got " + std::to_string(value) + ", want at least 1");
  return value;
}

int64_t JsonReader::positive(const std::string& key, int64_t most) const {
  const int64_t value = positive(key);
  if (value > most) {
    fail_at(key,
            "too large: got " + std::to_string(value) + ", want at most " + std::to_string(most));
  }
  return value;
}

double JsonReader::number(const std::string& key) const {
  const auto& value = raw(key);
  if (!value.is_number()) fail_at(key, "wrong type: got " + short_dump(value) + ", want a number");
  return value.get<double>();
}

bool JsonReader::boolean(const std::string& key) const {
  const auto& value = raw(key);
  if (!value.is_boolean()) {
    fail_at(key, "wrong type: got " + short_dump(value) + ", want true or false");
  }
  return value.get<bool>();
}

std::string JsonReader::string(const std::string& key) const {
  const auto& value = raw(key);
  if (!value.is_string()) fail_at(key, "wrong type: got " + short_dump(value) + ", want a string");
  return value.get<std::string>();
}

std::vector<int64_t> JsonReader::integers(const std::string& key) const {
  const auto& value = raw(key);
  const bool good = value.is_array() && std::all_of(value.begin(), value.end(), is_int64);
  if (!good) fail_at(key, "wrong type: got " + short_dump(value) + ", want an array of integers");
  return value.get<std::vector<int64_t>>();
}

std::vector<std::string> JsonReader::strings(const std::string& key) const {
  const auto& value = raw(key);
  const bool good = value.is_array() && std::all_of(value.begin(), value.end(),
                                                    [](const auto& x) { return x.is_string(); });
  if (!good) fail_at(key, "wrong type: got " + short_dump(value) + ", want an array of strings");
  return value.get<std::vector<std::string>>();
}

JsonReader JsonReader::object(const std::string& key) const {
  const auto& value = raw(key);
  if (!value.is_object()) fail_at(key, "wrong type: got " + short_dump(value) + ", want an object");
  return {root_, &value, file_, path_ + "/" + key, owner_};
}

std::vector<JsonReader> JsonReader::objects(const std::string& key) const {
  const auto& value = raw(key);
  if (!value.is_array()) fail_at(key, "wrong type: got " + short_dump(value) + ", want an array");
  std::vector<JsonReader> readers;
  for (size_t i = 0; i < value.size(); ++i) {
    const std::string path = path_ + "/" + key + "/" + std::to_string(i);
    if (!value[i].is_object()) {
      fail_at(key + "/" + std::to_string(i),
              "wrong type: got " + short_dump(value[i]) + ", want an object");
    }
    readers.push_back({root_, &value[i], file_, path, owner_});
  }
  return readers;
}

void JsonReader::refuse_unknown_keys(const std::vector<std::string>& known) const {
  for (const auto& key : keys()) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    const auto nearest = nearest_name(key, known);
    fail_at(key, "unknown key" + (nearest ? "; did you mean " + *nearest + "?" : std::string()));
  }
}

}  // namespace reel
