#include "core/output_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "tests/support/errors.h"
#include "tests/support/temp_folder.h"

namespace reel {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using testing::read_bytes;
using testing::TempFolder;
using testing::write_bytes;

TEST(OutputFolder, AppearsOnlyAtCommit) {
  TempFolder root;
  OutputFolder folder(root / "frames", IfExists::kRefuse);
  folder.write("0.png", "zero");
  folder.write("1.png", "one");
  EXPECT_FALSE(fs::exists(root / "frames"));
  folder.commit();
  EXPECT_THAT(root.names(), ElementsAre("frames", "frames/0.png", "frames/1.png"));
  EXPECT_EQ(read_bytes(root / "frames" / "1.png"), "one");
}

TEST(OutputFolder, LeavesNothingWithoutCommit) {
  TempFolder root;
  fs::create_directory(root / "place");
  { OutputFolder(root / "place" / "frames", IfExists::kRefuse).write("0.png", "zero"); }
  EXPECT_THAT(root.names(), ElementsAre("place"));
}

TEST(OutputFolder, FillsAnEmptyFolderNamedWithASlash) {
  TempFolder root;
  fs::create_directory(root / "frames");
  OutputFolder folder(root / "frames" / "", IfExists::kRefuse);
  folder.write("0.png", "zero");
  folder.commit();
  EXPECT_THAT(root.names(), ElementsAre("frames", "frames/0.png"));
}

TEST(OutputFolder, RefusesAFolderWithFilesUnlessReplacing) {
  TempFolder root;
  fs::create_directory(root / "frames");
  write_bytes(root / "frames" / "0.png", "old");
  write_bytes(root / "frames" / "notes", "kept");
  EXPECT_THAT(error_of<ConfigError>([&] { OutputFolder(root / "frames", IfExists::kRefuse); }),
              HasSubstr("frames: is there already and not empty"));
  OutputFolder folder(root / "frames", IfExists::kReplace);
  folder.write("0.png", "new");
  folder.write("1.png", "one");
  EXPECT_EQ(read_bytes(root / "frames" / "0.png"), "old");
  folder.commit();
  EXPECT_THAT(root.names(), ElementsAre("frames", "frames/0.png", "frames/1.png", "frames/notes"));
  EXPECT_EQ(read_bytes(root / "frames" / "0.png"), "new");
  EXPECT_EQ(read_bytes(root / "frames" / "notes"), "kept");
}

TEST(OutputFolder, RefusesAFolderFilledMeanwhile) {
  TempFolder root;
  OutputFolder folder(root / "frames", IfExists::kRefuse);
  folder.write("0.png", "ours");
  fs::create_directory(root / "frames");
  write_bytes(root / "frames" / "0.png", "theirs");
  EXPECT_THAT(error_of<IoError>([&] { folder.commit(); }), HasSubstr("meanwhile"));
  EXPECT_EQ(read_bytes(root / "frames" / "0.png"), "theirs");
}

TEST(OutputFolder, RefusesPlacesThatCannotBeFolders) {
  TempFolder root;
  write_bytes(root / "file", "x");
  EXPECT_THAT(error_of<ConfigError>([&] { OutputFolder(root / "file", IfExists::kReplace); }),
              HasSubstr("is not a folder"));
  EXPECT_THAT(error_of<ConfigError>([&] { OutputFolder(root / "a" / "b", IfExists::kRefuse); }),
              HasSubstr("its folder does not exist"));
  EXPECT_THAT(error_of<ConfigError>([&] { OutputFolder("", IfExists::kRefuse); }),
              HasSubstr("the name is empty"));
  EXPECT_THAT(root.names(), ElementsAre("file"));
}

}  // namespace
}  // namespace reel
