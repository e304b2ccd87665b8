#include "weights/zip_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "core/error.h"
#include "tests/support/temp_folder.h"
#include "tests/support/zip_writer.h"

namespace reel::weights {
namespace {

using reel::testing::zip_archive;
using reel::testing::ZipFields;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr size_t kEndBytes = 22;

class ZipDirectory : public ::testing::Test {
 protected:
  std::vector<ZipEntry> read(const std::string& bytes) {
    return read_zip_directory(*MappedFile::open(folder_.write("a.zip", bytes)));
  }

  void expect_refusal(const std::string& bytes, const std::string& message) {
    EXPECT_THAT([&] { read(bytes); }, ThrowsMessage<WeightError>(HasSubstr(message))) << message;
  }

  reel::testing::TempFolder folder_;
};

// Where the header of entry `index` stands in the directory.
size_t central_header(const std::string& archive, int index) {
  size_t at = 0;
  for (int i = 0; i <= index; ++i) at = archive.find("PK\x01\x02", at + 1);
  return at;
}

TEST_F(ZipDirectory, FindsTheBytesOfEveryFile) {
  for (const auto fields : {ZipFields::k32, ZipFields::k64}) {
    const auto bytes = zip_archive({{"a/x", "first"}, {"a/y", ""}, {"a/z", "third"}}, fields);
    const auto entries = read(bytes);
    ASSERT_EQ(entries.size(), 3U);
    EXPECT_EQ(entries[0].name, "a/x");
    EXPECT_EQ(bytes.substr(entries[0].offset, entries[0].bytes), "first");
    EXPECT_EQ(entries[1].bytes, 0U);
    EXPECT_EQ(bytes.substr(entries[2].offset, entries[2].bytes), "third");
    EXPECT_EQ(entries[2].offset % 64, 0U);
  }
}

TEST_F(ZipDirectory, FindsTheDirectoryBehindAComment) {
  std::string bytes = zip_archive({{"a", "x"}});
  bytes[bytes.size() - 2] = 5;
  EXPECT_EQ(read(bytes + "12345").size(), 1U);
  expect_refusal(bytes, "no directory at its end");
}

TEST_F(ZipDirectory, RefusesArchivesCutOffAnywhere) {
  const std::string bytes = zip_archive({{"a", "xyz"}, {"b", "uvw"}}, ZipFields::k64);
  for (size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_THROW(read(bytes.substr(0, length)), WeightError) << length;
    EXPECT_THROW(read(bytes.substr(length + 1)), WeightError) << length;
  }
}

TEST_F(ZipDirectory, RefusesCompressedAndEncryptedFiles) {
  std::string bytes = zip_archive({{"a", "x"}});
  bytes[central_header(bytes, 0) + 10] = 8;
  expect_refusal(bytes, "a: compressed");
  bytes = zip_archive({{"a", "x"}});
  bytes[central_header(bytes, 0) + 20] = 2;
  expect_refusal(bytes, "a: compressed");
  bytes = zip_archive({{"a", "x"}});
  bytes[central_header(bytes, 0) + 8] = 1;
  expect_refusal(bytes, "a: encrypted");
}

TEST_F(ZipDirectory, RefusesDirectoriesThatPointElsewhere) {
  std::string bytes = zip_archive({{"a", "x"}, {"b", "y"}});
  bytes[central_header(bytes, 1) + 42] = 0;  // b's header is a's
  expect_refusal(bytes, "b: damaged zip archive: it has another name in its own header");
  bytes = zip_archive({{"a", "x"}});
  bytes[central_header(bytes, 0) + 42] = 1;
  expect_refusal(bytes, "a: damaged zip archive: the directory points to something else");
  bytes[central_header(bytes, 0) + 45] = 0x7f;
  expect_refusal(bytes, "a file's header leaves the file");
  bytes = zip_archive({{"a", "x"}});
  bytes[central_header(bytes, 0) + 20] = 2;
  bytes[central_header(bytes, 0) + 24] = 2;
  expect_refusal(bytes, "a: damaged zip archive: its bytes reach into the directory");
  bytes = zip_archive({{"a", "x"}});
  bytes[bytes.size() - kEndBytes + 8] = 2;
  bytes[bytes.size() - kEndBytes + 10] = 2;
  expect_refusal(bytes, "claims 2 files in 47 bytes of directory");
}

TEST_F(ZipDirectory, RefusesOverlapsAndRepeatedNames) {
  std::string bytes = zip_archive({{"a", "x"}, {"b", "y"}});
  bytes[central_header(bytes, 0) + 20] = 100;
  bytes[central_header(bytes, 0) + 24] = 100;
  EXPECT_THROW(read(bytes), WeightError);
  expect_refusal(zip_archive({{"a", "x"}, {"a", "y"}}), "a: appears twice in the archive");
}

TEST_F(ZipDirectory, NeverCrashesOnFlippedBits) {
  const std::string good =
      zip_archive({{"a/data.pkl", "xyz"}, {"a/data/0", "uvw"}}, ZipFields::k64);
  std::mt19937 random(1);
  int num_refused = 0;
  for (int round = 0; round < 500; ++round) {
    std::string bytes = good;
    for (int i = 0; i < 3; ++i)
      bytes[random() % bytes.size()] ^= static_cast<char>(1 << random() % 8);
    try {
      for (const auto& entry : read(bytes)) ASSERT_LE(entry.offset + entry.bytes, bytes.size());
    } catch (const WeightError&) {
      ++num_refused;
    }
  }
  EXPECT_GT(num_refused, 100);
}

}  // namespace
}  // namespace reel::weights
