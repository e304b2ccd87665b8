#include "core/output_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

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

// Output goes to a folder of the TempFolder, so that a ".tmp" beside it would be seen too.
class OutputFileTest : public ::testing::Test {
 protected:
  OutputFileTest() { fs::create_directory(videos_); }

  TempFolder root_;
  fs::path videos_ = root_ / "videos";
  fs::path clip_ = videos_ / "clip.mp4";
};

TEST_F(OutputFileTest, AppearsOnlyAtCommit) {
  OutputFile file(clip_, IfExists::kRefuse);
  file.append("first ");
  file.append("second");
  EXPECT_THAT(root_.names(), ElementsAre("videos"));
  file.commit();
  EXPECT_THAT(root_.names(), ElementsAre("videos", "videos/clip.mp4"));
  EXPECT_EQ(read_bytes(clip_), "first second");
}

TEST_F(OutputFileTest, LeavesNothingWithoutCommit) {
  { OutputFile(clip_, IfExists::kRefuse).append("bytes"); }
  EXPECT_THAT(root_.names(), ElementsAre("videos"));
}

TEST_F(OutputFileTest, WritesAndReadsAnywhere) {
  OutputFile file(clip_, IfExists::kRefuse);
  file.append("0123456789");
  file.write_at(2, "ab");
  file.write_at(12, "z");
  EXPECT_EQ(file.size_bytes(), 13);
  std::string back(20, '?');
  EXPECT_EQ(file.read_at(1, back.data(), 3), 3U);
  EXPECT_EQ(back.substr(0, 4), "1ab?");
  EXPECT_EQ(file.read_at(13, back.data(), 5), 0U);
  file.commit();
  EXPECT_EQ(read_bytes(clip_), std::string("01ab456789\0\0z", 13));
}

TEST_F(OutputFileTest, AHiddenFileLiesBesideTheFolder) {
  OutputFile file(clip_, IfExists::kRefuse, Unfinished::kHidden);
  file.append("bytes");
  const auto names = root_.names();
  ASSERT_EQ(names.size(), 3U);
  EXPECT_EQ(names[0], ".tmp");
  EXPECT_THAT(names[1], ::testing::StartsWith(".tmp/.sparsereel-"));
  file.commit();
  EXPECT_THAT(root_.names(), ElementsAre("videos", "videos/clip.mp4"));
  EXPECT_EQ(read_bytes(clip_), "bytes");
}

TEST_F(OutputFileTest, AHiddenFileFollowsTheSameRules) {
  { OutputFile(clip_, IfExists::kRefuse, Unfinished::kHidden).append("given up"); }
  EXPECT_THAT(root_.names(), ElementsAre("videos"));
  OutputFile slower(clip_, IfExists::kRefuse, Unfinished::kHidden);
  slower.append("slower");
  write_bytes(clip_, "faster");
  EXPECT_THAT(error_of<IoError>([&] { slower.commit(); }), HasSubstr("clip.2.mp4"));
  EXPECT_EQ(read_bytes(clip_), "faster");
  EXPECT_EQ(read_bytes(videos_ / "clip.2.mp4"), "slower");
  OutputFile replacing(clip_, IfExists::kReplace, Unfinished::kHidden);
  replacing.append("new");
  replacing.commit();
  EXPECT_EQ(read_bytes(clip_), "new");
  EXPECT_THAT(root_.names(), ElementsAre("videos", "videos/clip.2.mp4", "videos/clip.mp4"));
}

TEST_F(OutputFileTest, HasThePermissionsOfAnOrdinaryFile) {
  const mode_t old = umask(027);
  write_output(clip_, IfExists::kRefuse, "x");
  umask(old);
  EXPECT_EQ(fs::status(clip_).permissions(), static_cast<fs::perms>(0640));
}

TEST_F(OutputFileTest, RefusesAnExistingFileBeforeWork) {
  write_bytes(clip_, "old");
  const auto text = error_of<ConfigError>([&] { OutputFile(clip_, IfExists::kRefuse); });
  EXPECT_THAT(text, HasSubstr("clip.mp4: is there already"));
  EXPECT_EQ(read_bytes(clip_), "old");
}

TEST_F(OutputFileTest, ReplacesAnExistingFileAtCommitOnly) {
  write_bytes(clip_, "old");
  OutputFile file(clip_, IfExists::kReplace);
  file.append("new");
  EXPECT_EQ(read_bytes(clip_), "old");
  file.commit();
  EXPECT_EQ(read_bytes(clip_), "new");
  EXPECT_THAT(root_.names(), ElementsAre("videos", "videos/clip.mp4"));
}

TEST_F(OutputFileTest, KeepsTheOldFileIfReplacingIsGivenUp) {
  write_bytes(clip_, "old");
  { OutputFile(clip_, IfExists::kReplace).append("new"); }
  EXPECT_EQ(read_bytes(clip_), "old");
  EXPECT_THAT(root_.names(), ElementsAre("videos", "videos/clip.mp4"));
}

TEST_F(OutputFileTest, RefusesTargetsThatCannotBeFiles) {
  const auto refuse = [&](const fs::path& target, IfExists if_exists) {
    return error_of<ConfigError>([&] { OutputFile(target, if_exists); });
  };
  EXPECT_THAT(refuse("", IfExists::kReplace), HasSubstr("not a file name"));
  EXPECT_THAT(refuse(videos_ / "", IfExists::kReplace), HasSubstr("not a file name"));
  EXPECT_THAT(refuse(videos_, IfExists::kReplace), HasSubstr("not a regular file"));
  EXPECT_THAT(refuse(root_ / "absent" / "clip.mp4", IfExists::kRefuse),
              HasSubstr("its folder does not exist"));
  EXPECT_THAT(refuse(videos_ / std::string(256, 'x'), IfExists::kRefuse),
              HasSubstr("file name too long: got 256 bytes, want at most 255"));
  const fs::path pipe = videos_ / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_THAT(refuse(pipe, IfExists::kReplace), HasSubstr("not a regular file"));
  EXPECT_THAT(root_.names(), ElementsAre("videos", "videos/pipe"));
}

TEST_F(OutputFileTest, TakesTheLongestNameThereIs) {
  const fs::path longest = videos_ / std::string(255, 'x');
  write_bytes(longest, "old");
  write_output(longest, IfExists::kReplace, "new");
  EXPECT_EQ(read_bytes(longest), "new");
}

TEST_F(OutputFileTest, TheSlowerOfTwoLosesTheNameButNotItsBytes) {
  OutputFile first(clip_, IfExists::kRefuse);
  OutputFile second(clip_, IfExists::kRefuse);
  OutputFile third(clip_, IfExists::kRefuse);
  first.append("first");
  second.append("second");
  third.append("third");
  second.commit();
  const auto text = error_of<IoError>([&] { first.commit(); });
  EXPECT_THAT(text, HasSubstr("another process made this file meanwhile"));
  EXPECT_THAT(text, HasSubstr("this result is " + (videos_ / "clip.2.mp4").string()));
  EXPECT_THAT(error_of<IoError>([&] { third.commit(); }), HasSubstr("clip.3.mp4"));
  EXPECT_EQ(read_bytes(clip_), "second");
  EXPECT_EQ(read_bytes(videos_ / "clip.2.mp4"), "first");
  EXPECT_EQ(read_bytes(videos_ / "clip.3.mp4"), "third");
}

// Runs `child` in a process of its own; returns its exit code, or minus the signal that ended it.
template <typename Child>
int run_in_process(const Child& child) {
  const pid_t id = fork();
  if (id == 0) _exit(child());
  int status = 0;
  waitpid(id, &status, 0);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

TEST_F(OutputFileTest, RefusesAFolderThatIsNotWritable) {
  fs::permissions(root_.path(), static_cast<fs::perms>(0755));
  fs::permissions(videos_, static_cast<fs::perms>(0555));
  const int code = run_in_process([&] {
    constexpr uid_t kNobody = 65534;
    if (geteuid() == 0 && seteuid(kNobody) != 0) return 2;  // root may write everywhere
    try {
      OutputFile(clip_, IfExists::kRefuse);
    } catch (const ConfigError& error) {
      return std::string(error.what()).ends_with("cannot be written: Permission denied") ? 0 : 1;
    }
    return 1;
  });
  EXPECT_EQ(code, 0);
  fs::permissions(videos_, fs::perms::owner_all);
}

TEST_F(OutputFileTest, ManyProcessesHaveOneWinner) {
  constexpr int kNumProcesses = 8;
  std::vector<pid_t> ids;
  for (int i = 0; i < kNumProcesses; ++i) {
    ids.push_back(fork());
    if (ids.back() == 0) {
      int code = 2;
      try {
        OutputFile file(clip_, IfExists::kRefuse);
        file.append(std::string(1000, static_cast<char>('a' + i)));
        file.commit();
        code = 0;
      } catch (const IoError&) {
        code = 1;
      } catch (const ConfigError&) {
        code = 1;
      }
      _exit(code);
    }
  }
  int num_winners = 0;
  char winner = '?';
  for (int i = 0; i < kNumProcesses; ++i) {
    int status = 0;
    waitpid(ids[static_cast<size_t>(i)], &status, 0);
    ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) <= 1);
    if (WEXITSTATUS(status) == 0) {
      ++num_winners;
      winner = static_cast<char>('a' + i);
    }
  }
  EXPECT_EQ(num_winners, 1);
  EXPECT_EQ(read_bytes(clip_), std::string(1000, winner));
}

TEST_F(OutputFileTest, AKilledProcessLeavesNothing) {
  write_bytes(videos_ / "old.mp4", "old");
  for (const auto* name : {"clip.mp4", "old.mp4"}) {
    const int code = run_in_process([&] {
      OutputFile file(videos_ / name, IfExists::kReplace);
      file.append("half");
      return raise(SIGKILL);
    });
    EXPECT_EQ(code, -SIGKILL);
  }
  EXPECT_THAT(root_.names(), ElementsAre("videos", "videos/old.mp4"));
  EXPECT_EQ(read_bytes(videos_ / "old.mp4"), "old");
}

// A tiny file system of its own on root_/videos. Only root may mount one.
class FullDiskTest : public OutputFileTest {
 protected:
  void SetUp() override {
    if (mount("tmpfs", videos_.c_str(), "tmpfs", 0, "size=256k") != 0) {
      GTEST_SKIP() << "cannot mount a small tmpfs here: " << std::strerror(errno);
    }
    mounted_ = true;
  }
  void TearDown() override {
    if (mounted_) {
      EXPECT_EQ(umount2(videos_.c_str(), MNT_DETACH), 0);
    }
  }

  bool mounted_ = false;
};

TEST_F(FullDiskTest, IsAnIoErrorThatLeavesNothing) {
  {
    OutputFile file(clip_, IfExists::kRefuse);
    const std::string chunk(64 << 10, 'x');
    const auto text = error_of<IoError>([&] {
      for (int i = 0; i < 100; ++i) file.append(chunk);
    });
    EXPECT_THAT(text, HasSubstr("clip.mp4: writing failed: No space left on device"));
  }
  EXPECT_THAT(root_.names(), ElementsAre("videos"));
}

TEST_F(FullDiskTest, AHiddenFileStaysOnTheMount) {
  OutputFile file(clip_, IfExists::kRefuse, Unfinished::kHidden);
  ASSERT_EQ(root_.names().size(), 2U);
  EXPECT_THAT(root_.names()[1], ::testing::StartsWith("videos/.sparsereel-"));
  file.commit();
  EXPECT_THAT(root_.names(), ElementsAre("videos", "videos/clip.mp4"));
}

TEST_F(FullDiskTest, ReplacesAFileOnAMountOfItsOwn) {
  write_bytes(clip_, "old");
  write_output(clip_, IfExists::kReplace, "new");
  EXPECT_EQ(read_bytes(clip_), "new");
  EXPECT_THAT(root_.names(), ElementsAre("videos", "videos/clip.mp4"));
}

}  // namespace
}  // namespace reel
