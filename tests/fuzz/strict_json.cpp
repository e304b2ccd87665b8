// JSON as such, and every typed reader on every key of its top level.
#include "core/strict_json.h"

#include <nlohmann/json.hpp>

#include "core/json_reader.h"
#include "tests/fuzz/input_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace reel;
  const std::string_view text = fuzz::text_of(data, size);
  fuzz::may_refuse([&] {
    const auto refuse = [](const std::string& message) { throw ConfigError(message); };
    const nlohmann::json value = parse_strict_json(text, refuse);
    const nlohmann::json copy = value;
    if (copy != value && copy.dump() != value.dump()) std::abort();
  });
  fuzz::may_refuse([&] {
    const auto json = JsonReader::parse(text, "input.json", JsonOwner::kUser);
    for (const auto& key : json.keys()) {
      fuzz::may_refuse([&] { json.integer(key); });
      fuzz::may_refuse([&] { json.positive(key); });
      fuzz::may_refuse([&] { json.number(key); });
      fuzz::may_refuse([&] { json.boolean(key); });
      fuzz::may_refuse([&] { json.string(key); });
      fuzz::may_refuse([&] { json.integers(key); });
      fuzz::may_refuse([&] { json.strings(key); });
      fuzz::may_refuse([&] { json.object(key).refuse_unknown_keys({"known", "keys"}); });
      fuzz::may_refuse([&] { json.objects(key); });
    }
    json.refuse_unknown_keys({"known", "keys"});
  });
  return 0;
}
