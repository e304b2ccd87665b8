#include "batch/file_lock.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "tests/support/temp_folder.h"

namespace reel::batch {
namespace {

TEST(FileLock, GivesANameToOneHolderOnly) {
  const testing::TempFolder folder;
  FileLock first(folder / "lock");
  FileLock second(folder / "lock");
  EXPECT_TRUE(first.try_take("a.mp4"));
  EXPECT_FALSE(second.try_take("a.mp4"));
  EXPECT_TRUE(second.try_take("b.mp4"));
  first.release("a.mp4");
  EXPECT_TRUE(second.try_take("a.mp4"));
}

TEST(FileLock, EndsWithAProcessThatIsKilled) {
  const testing::TempFolder folder;
  FileLock here(folder / "lock");
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    FileLock there(folder / "lock");
    const bool taken = there.try_take("a.mp4");
    if (write(ready[1], taken ? "y" : "n", 1) == 1) pause();
    _exit(0);
  }
  char answer = 0;
  ASSERT_EQ(read(ready[0], &answer, 1), 1);
  EXPECT_EQ(answer, 'y');
  EXPECT_FALSE(here.try_take("a.mp4"));
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_TRUE(here.try_take("a.mp4"));
  close(ready[0]);
  close(ready[1]);
}

TEST(FileLock, KnowsWhetherOthersAreThere) {
  const testing::TempFolder folder;
  FileLock first(folder / "lock");
  EXPECT_TRUE(first.enter());
  first.stay();
  {
    FileLock second(folder / "lock");
    EXPECT_FALSE(second.enter());
    second.stay();
  }
  FileLock third(folder / "lock");
  EXPECT_FALSE(third.enter());
}

}  // namespace
}  // namespace reel::batch
