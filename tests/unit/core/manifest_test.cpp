// The stored goldens are the ones that their manifest describes, and stay small.
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>

#include "core/json_reader.h"
#include "core/sha256.h"
#include "tests/support/compare.h"
#include "tests/support/temp_folder.h"

namespace reel {
namespace {

constexpr uintmax_t kMaxBytes = 10'000'000;

std::map<std::string, std::filesystem::path> stored_files() {
  const auto root = testing::data_file("");
  std::map<std::string, std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    const std::string name = std::filesystem::relative(entry.path(), root).string();
    if (entry.is_regular_file() && name != "MANIFEST.json") files[name] = entry.path();
  }
  return files;
}

TEST(Manifest, ListsEveryStoredFileWithItsSum) {
  const auto manifest = JsonReader::open(testing::data_file("MANIFEST.json"), JsonOwner::kUser);
  const auto listed = manifest.object("files");
  const auto files = stored_files();
  EXPECT_EQ(listed.keys().size(), files.size());
  for (const auto& [name, path] : files) {
    ASSERT_TRUE(listed.has(name)) << name << ": run tools/make_goldens.py";
    EXPECT_EQ(listed.object(name).string("sha256"), sha256(testing::read_bytes(path))) << name;
  }
}

TEST(Manifest, StaysUnderTenMegabytes) {
  uintmax_t bytes = 0;
  for (const auto& [name, path] : stored_files()) bytes += std::filesystem::file_size(path);
  EXPECT_LT(bytes, kMaxBytes);
}

}  // namespace
}  // namespace reel
