#include "batch/run_folder.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "media/mp4_writer.h"
#include "tests/support/temp_folder.h"
#include "tests/unit/batch/small_job.h"

namespace reel::batch {
namespace {

namespace fs = std::filesystem;
using testing::small_job;
using testing::write_small_video;

class RunFolderState : public ::testing::Test {
 protected:
  RunFolderState() { folder_.make(); }

  testing::TempFolder root_;
  RunFolder folder_{root_ / "run"};
  Job job_ = small_job(0, "a");
};

TEST_F(RunFolderState, IsDoneWithVideoAndSidecar) {
  EXPECT_EQ(folder_.state(job_), VideoState::kMissing);
  const auto metadata = write_small_video(job_, folder_.video(job_));
  folder_.put_sidecar(job_, metadata);
  EXPECT_EQ(folder_.state(job_), VideoState::kDone);
  EXPECT_EQ(folder_.sidecar(job_), root_.path() / "run/meta/a.json");
}

TEST_F(RunFolderState, IsDoneWithTheVideoAloneAndMendsTheSidecar) {
  write_small_video(job_, folder_.video(job_));
  EXPECT_EQ(folder_.state(job_), VideoState::kDone);
  folder_.mend_sidecar(job_);
  EXPECT_TRUE(fs::exists(folder_.sidecar(job_)));
  EXPECT_EQ(folder_.state(job_), VideoState::kDone);
}

TEST_F(RunFolderState, IsNotDoneWithAVideoThatWasCut) {
  const auto metadata = write_small_video(job_, folder_.video(job_));
  folder_.put_sidecar(job_, metadata);
  fs::resize_file(folder_.video(job_), fs::file_size(folder_.video(job_)) - 1);
  EXPECT_EQ(folder_.state(job_), VideoState::kBroken);
  fs::resize_file(folder_.video(job_), 0);
  EXPECT_EQ(folder_.state(job_), VideoState::kBroken);
}

TEST_F(RunFolderState, TellsVideosOfOtherSettingsFromVideosOfOthers) {
  const Job other = small_job(0, "a", /*seed=*/2);
  folder_.put_sidecar(job_, write_small_video(other, folder_.video(job_)));
  EXPECT_EQ(folder_.state(job_), VideoState::kOther);
  EXPECT_EQ(folder_.state(other), VideoState::kDone);
}

// The sidecar of a video that was there before says nothing about the one that is there now.
TEST_F(RunFolderState, DoesNotBelieveASidecarOfAnotherVideo) {
  const Job other = small_job(0, "a", /*seed=*/2);
  folder_.put_sidecar(job_, write_small_video(job_, folder_.video(job_)));
  auto longer = other;
  longer.tags = {{"padding", std::string(1000, 'x')}};
  write_small_video(longer, folder_.video(job_));
  EXPECT_EQ(folder_.state(job_), VideoState::kOther);
}

TEST_F(RunFolderState, KnowsVideosThatNoBatchMade) {
  Job plain = job_;
  plain.hash = "";
  write_small_video(plain, folder_.video(job_));
  EXPECT_EQ(folder_.state(job_), VideoState::kForeign);
}

TEST_F(RunFolderState, DoesNotBelieveDamagedSidecars) {
  write_small_video(job_, folder_.video(job_));
  for (const std::string text : {R"({"job": {"hash": 1}})", R"({"job": []})", "{", "[]"}) {
    testing::write_bytes(folder_.sidecar(job_), text);
    EXPECT_EQ(folder_.state(job_), VideoState::kDone) << "as the video itself says: " << text;
    folder_.mend_sidecar(job_);
    EXPECT_GT(fs::file_size(folder_.sidecar(job_)), text.size());
  }
  testing::write_bytes(root_ / "run/run.json", R"({"date": 7})");
  EXPECT_EQ(folder_.date().size(), std::string("2026-01-01").size());
}

// Reading, copying and showing JSON takes stack for each level of it.
TEST_F(RunFolderState, DoesNotBelieveACommentThatIsNestedWithoutEnd) {
  media::Mp4Writer writer(folder_.video(job_), IfExists::kReplace,
                          {.width = 16, .height = 16, .rate = media::parse_frame_rate("24")},
                          job_.encoder);
  writer.write(at::full({1, 16, 16, 3}, 100, at::kByte));
  std::string comment = "{\"job\": ";
  comment.append(300'000, '[').append(300'000, ']').append("}");
  writer.set_comment(comment);
  writer.finish();
  EXPECT_TRUE(video_metadata(folder_.video(job_)).is_null());
  EXPECT_EQ(folder_.state(job_), VideoState::kForeign);
}

TEST_F(RunFolderState, NamesSidecarsOfTheLongestNamesByTheirHash) {
  const Job longest = small_job(0, std::string(251, 'x'));
  folder_.put_sidecar(longest, write_small_video(longest, folder_.video(longest)));
  EXPECT_EQ(folder_.state(longest), VideoState::kDone);
  EXPECT_EQ(folder_.sidecar(longest).filename(), longest.hash.substr(0, 32) + ".json");
}

TEST_F(RunFolderState, RemovesOnlyItsOwnUnfinishedFiles) {
  root_.write("run/.tmp/.sparsereel-1-0-abc.part", "x");
  root_.write("run/cache/.sparsereel-1-report.json", "x");
  root_.write("run/cache/text/kept.safetensors", "x");
  folder_.remove_unfinished();
  EXPECT_THAT(root_.names(), ::testing::ElementsAre("run", "run/cache", "run/cache/text",
                                                    "run/cache/text/kept.safetensors",
                                                    "run/latents", "run/meta", "run/videos"));
  root_.write("run/.tmp/of the user", "x");
  folder_.remove_unfinished();
  EXPECT_TRUE(fs::exists(root_ / "run/.tmp/of the user"));
}

TEST_F(RunFolderState, KeepsTheDateOfItsFirstRun) {
  folder_.keep_date("2026-01-31");
  folder_.keep_date("2026-02-01");
  EXPECT_EQ(folder_.date(), "2026-01-31");
}

}  // namespace
}  // namespace reel::batch
