#include "app/output_names.h"

#include <algorithm>
#include <vector>

#include "core/nearest_name.h"
#include "core/printable.h"

namespace reel::app {
namespace {

bool fits_file_name(const std::string& value) {
  return std::none_of(value.begin(), value.end(), [](char c) {
    return c == '/' || static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
}

std::string field_value(const std::string& flag, const std::string& field, const NameFields& fields,
                        Problems& problems) {
  const auto found = fields.find(field);
  if (found == fields.end()) {
    std::vector<std::string> known;
    for (const auto& [name, value] : fields) known.push_back(name);
    const auto nearest = nearest_name(field, known);
    problems.add(flag, ": unknown field: got {", printable(field), "}, want ",
                 nearest ? "{" + *nearest + "}" : "id, prompt, seed, index, attn, tau, date, hash");
    return {};
  }
  if (!fits_file_name(found->second)) {
    problems.add(flag, ": {", field, "} cannot be in a file name: got ", printable(found->second),
                 ", want text without / and line breaks");
  }
  return found->second;
}

}  // namespace

bool is_template(const std::string& name) {
  for (size_t i = 0; i < name.size(); ++i) {
    if (name[i] != '{') continue;
    if (name.compare(i, 2, "{{") != 0) return true;
    ++i;
  }
  return false;
}

std::string fill_template(const std::string& flag, const std::string& name,
                          const NameFields& fields, Problems& problems) {
  std::string filled;
  for (size_t i = 0; i < name.size(); ++i) {
    if (name.compare(i, 2, "{{") == 0 || name.compare(i, 2, "}}") == 0) {
      filled += name[i++];
    } else if (name[i] == '{' && name.find('}', i) != std::string::npos) {
      const size_t end = name.find('}', i);
      filled += field_value(flag, name.substr(i + 1, end - i - 1), fields, problems);
      i = end;
    } else if (name[i] == '{' || name[i] == '}') {
      problems.add(flag, ": brace without its partner: got ", printable(name),
                   ", want {field}, or {{ and }} for braces");
      return filled;
    } else {
      filled += name[i];
    }
  }
  return filled;
}

}  // namespace reel::app
