#include "tests/fuzz/input_file.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <system_error>

#include "core/utf8.h"

namespace reel::fuzz {
namespace {

struct Folder {
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "reel-fuzz-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::system_error(errno, std::generic_category());
    path = name;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  std::filesystem::path path;
};

}  // namespace

const std::filesystem::path& input_folder() {
  static const Folder kFolder;
  return kFolder.path;
}

std::filesystem::path input_file(const std::string& name, std::string_view bytes) {
  const auto path = input_folder() / name;
  std::ofstream stream(path, std::ios::binary);
  stream.exceptions(std::ios::failbit | std::ios::badbit);
  stream.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  stream.close();
  return path;
}

std::vector<std::string_view> split_input(std::string_view input, size_t count) {
  std::vector<std::string_view> parts;
  while (parts.size() + 1 < count) {
    const size_t end = std::min(input.find('\0'), input.size());
    parts.push_back(input.substr(0, end));
    input.remove_prefix(std::min(end + 1, input.size()));
  }
  parts.push_back(input);
  return parts;
}

void check_message(std::string_view message) {
  const bool has_controls = std::any_of(message.begin(), message.end(), [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\n') || c == 0x7f;
  });
  if (!has_controls && !find_invalid_utf8(message)) return;
  std::fprintf(stderr, "an error's text is not fit for a terminal:\n");
  std::fwrite(message.data(), 1, message.size(), stderr);
  std::abort();
}

}  // namespace reel::fuzz
