#include "app/setting_text.h"

#include <cctype>
#include <sstream>

namespace reel::app {

std::string trimmed(const std::string& text) {
  const size_t first = text.find_first_not_of(' ');
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(' ') - first + 1);
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);) parts.push_back(trimmed(part));
  return parts;
}

std::vector<std::string> split_filled(const std::string& text, char separator) {
  auto parts = split(text, separator);
  std::erase(parts, "");
  return parts;
}

std::string as_file_name(std::string setting) {
  std::erase(setting, ' ');
  std::erase(setting, '=');
  for (char& c : setting) {
    const bool fine = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '-';
    if (!fine) c = '_';
  }
  return setting;
}

}  // namespace reel::app
