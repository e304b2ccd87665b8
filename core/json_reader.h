// Strict reading of JSON: a missing key, a wrong type or an unknown key is an error that names the
// file and the JSON path, never a silent default.
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace reel {

/// Whose file it is, which decides the kind of error: the user's (ConfigError, exit code 2) or the
/// model folder's (WeightError, exit code 3).
enum class JsonOwner { kUser, kModel };

/// One JSON object with its file and path, for errors such as
/// "transformer/config.json: /num_heads: key is missing". Cheap to copy.
class JsonReader {
 public:
  /// Reads a file whose top level is an object. Throws if it cannot be read or parsed.
  static JsonReader open(const std::filesystem::path& file, JsonOwner owner);

  /// Reads `text`; `name` stands for the file in errors.
  static JsonReader parse(std::string_view text, const std::string& name, JsonOwner owner);

  bool has(const std::string& key) const;      ///< true also for null
  bool is_null(const std::string& key) const;  ///< true if absent or null
  std::vector<std::string> keys() const;

  // Each throws if the key is missing or of another type; integers refuse fractions.
  int64_t integer(const std::string& key) const;
  int64_t positive(const std::string& key) const;                ///< an integer of at least 1
  int64_t positive(const std::string& key, int64_t most) const;  ///< an integer from 1 to `most`
  double number(const std::string& key) const;
  bool boolean(const std::string& key) const;
  std::string string(const std::string& key) const;
  std::vector<int64_t> integers(const std::string& key) const;
  std::vector<std::string> strings(const std::string& key) const;
  JsonReader object(const std::string& key) const;
  std::vector<JsonReader> objects(const std::string& key) const;  ///< an array of objects

  /// Throws, with the nearest known name, if a key is not in `known`.
  void refuse_unknown_keys(const std::vector<std::string>& known) const;

  /// Throws the owner's error: "<file>: <path>/<key>: <message>".
  [[noreturn]] void fail_at(const std::string& key, const std::string& message) const;

  /// The value itself, for what the typed readers do not cover. Throws if the key is missing.
  const nlohmann::json& raw(const std::string& key) const;

 private:
  JsonReader(std::shared_ptr<const nlohmann::json> root, const nlohmann::json* value,
             std::string file, std::string path, JsonOwner owner);

  std::shared_ptr<const nlohmann::json> root_;  // keeps *value_ alive
  const nlohmann::json* value_;
  std::string file_;
  std::string path_;
  JsonOwner owner_;
};

}  // namespace reel
