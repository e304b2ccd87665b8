// The library as its users see it: public headers alone, judged against the program.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "media/frame_reader.h"
#include "media/video_facts.h"
#include "pipeline/text_to_video.h"
#include "tests/support/compare.h"
#include "tests/support/errors.h"
#include "tests/support/program.h"
#include "tests/support/temp_folder.h"
#include "tests/support/tiny_model.h"

namespace reel::pipeline {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using testing::error_of;
using ::testing::HasSubstr;

class Library : public ::testing::TestWithParam<TextEncoders> {
 protected:
  static void SetUpTestSuite() {
    model_ = std::make_unique<testing::TempFolder>();
    testing::write_tiny_model(testing::data_file("tiny_model"), model_->path(),
                              weights::Layout::kDiffusers);
  }
  static void TearDownTestSuite() { model_.reset(); }

  static ClipOptions clip(const std::string& prompt) {
    ClipOptions options;
    options.prompt = prompt;
    options.width = 64;
    options.height = 64;
    options.frames = 5;
    options.steps = 3;
    options.dense_steps = "1";
    return options;
  }

  static TextToVideo load(TextEncoders encoders = TextEncoders::kLoadForEachClip) {
    return TextToVideo(model_->path(), cpu(), encoders);
  }

  static ComputeOptions cpu() {
    ComputeOptions options;
    options.device = "cpu";
    options.threads = 1;
    return options;
  }

  static std::unique_ptr<testing::TempFolder> model_;
  testing::TempFolder folder_;
};

std::unique_ptr<testing::TempFolder> Library::model_;

TEST_F(Library, WritesTheFileThatTheProgramWrites) {
  const auto ours = folder_.path() / "library.mp4";
  const auto theirs = folder_.path() / "program.mp4";

  const std::string metadata = load().render_mp4(clip("a blue star spins"), ours);
  const auto run = testing::run_program({"generate",
                                         "--model",
                                         model_->path().string(),
                                         "-p",
                                         "a blue star spins",
                                         "-W",
                                         "64",
                                         "-H",
                                         "64",
                                         "--frames",
                                         "5",
                                         "--steps",
                                         "3",
                                         "--dense-steps",
                                         "1",
                                         "--device",
                                         "cpu",
                                         "--threads",
                                         "1",
                                         "-o",
                                         theirs.string()});

  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_TRUE(at::equal(media::read_frames(ours), media::read_frames(theirs)));
  auto got = nlohmann::json::parse(media::read_video_facts(ours).comment);
  auto want = nlohmann::json::parse(media::read_video_facts(theirs).comment);
  EXPECT_EQ(got, nlohmann::json::parse(metadata));
  for (auto* json : {&got, &want}) {
    for (const char* measured : {"timing_ms", "memory_bytes"}) json->erase(measured);
  }
  EXPECT_EQ(got, want);
}

TEST_P(Library, RendersEachClipAsIfItWereTheFirst) {
  auto both = load(GetParam());
  const auto first = both.render(clip("a blue star spins"));
  const auto second = both.render(clip("a red ball rolls"));

  EXPECT_EQ(first.frames.sizes(), at::IntArrayRef({5, 64, 64, 3}));
  EXPECT_EQ(first.frames.scalar_type(), at::kByte);
  EXPECT_FALSE(at::equal(first.frames, second.frames));
  EXPECT_TRUE(at::equal(second.frames, load().render(clip("a red ball rolls")).frames));
}

TEST_P(Library, LoadsTheTextEncodersForEachClipUnlessTheyStay) {
  auto text_to_video = load(GetParam());
  std::vector<std::string> loads;
  const auto note_loads = [&](const RenderProgress& progress) {
    if (progress.stage.starts_with("load") && progress.total == 0) {
      loads.emplace_back(progress.stage);
    }
    return true;
  };
  text_to_video.render(clip("a blue star spins"), note_loads);
  EXPECT_EQ(loads,
            (std::vector<std::string>{"load text encoders", "load transformer", "load vae"}));
  for (int i = 0; i < 2; ++i) {
    loads.clear();
    text_to_video.render(clip("a red ball rolls"), note_loads);
    const auto again = GetParam() == TextEncoders::kKeep
                           ? std::vector<std::string>{}
                           : std::vector<std::string>{"load text encoders"};
    EXPECT_EQ(loads, again);
  }
}

INSTANTIATE_TEST_SUITE_P(Encoders, Library,
                         ::testing::Values(TextEncoders::kLoadForEachClip, TextEncoders::kKeep),
                         [](const auto& param) {
                           return param.param == TextEncoders::kKeep ? "Keep" : "LoadForEachClip";
                         });

TEST_F(Library, TellsEveryStepAndFrameAndWhatWasAdjusted) {
  std::map<std::string, std::vector<int64_t>> told;
  std::vector<std::string> warnings;
  auto options = clip("a blue star spins");
  options.dense_steps.reset();  // 5 by default, more than there are
  load().render(options, [&](const RenderProgress& progress) {
    if (!progress.warning.empty()) warnings.emplace_back(progress.warning);
    if (progress.total > 0) told[std::string(progress.stage)].push_back(progress.done);
    return true;
  });

  EXPECT_EQ(told["denoise"], (std::vector<int64_t>{1, 2, 3}));
  EXPECT_EQ(told["write frames"].back(), 5);
  EXPECT_FALSE(told["load transformer"].empty());
  EXPECT_THAT(warnings, Contains(HasSubstr("dense")));
}

TEST_F(Library, CancelsWhereTheCallbackSaysSoAndGoesOnAsBefore) {
  auto text_to_video = load();
  const auto file = folder_.path() / "clip.mp4";
  for (const std::string stage : {"load text encoders", "encode text", "load transformer",
                                  "denoise", "load vae", "decode", "write frames"}) {
    const auto until = [&](const RenderProgress& progress) { return progress.stage != stage; };
    EXPECT_THROW(text_to_video.render_mp4(clip("a blue star spins"), file, until), Cancelled)
        << stage;
    EXPECT_TRUE(std::filesystem::is_empty(folder_.path())) << stage;
  }
  const auto frames = text_to_video.render(clip("a blue star spins")).frames;
  EXPECT_TRUE(at::equal(frames, load().render(clip("a blue star spins")).frames));
}

TEST_F(Library, PassesOnWhatTheCallbackThrows) {
  const auto throws = [](const RenderProgress&) -> bool { throw std::domain_error("mine"); };
  EXPECT_THROW(load().render(clip("a blue star spins"), throws), std::domain_error);
}

class CountingSink : public media::FrameSink {
 public:
  void write(const at::Tensor& frames) override { num_frames += frames.size(0); }
  void finish() override { ++num_finished; }

  int64_t num_frames = 0;
  int num_finished = 0;
};

TEST_F(Library, StreamsIntoASinkAndFinishesItOnce) {
  CountingSink sink;
  const auto metadata = nlohmann::json::parse(load().render(clip("a blue star spins"), sink));
  EXPECT_EQ(sink.num_frames, 5);
  EXPECT_EQ(sink.num_finished, 1);
  EXPECT_EQ(metadata.at("request").at("prompt"), "a blue star spins");
}

TEST_F(Library, TellsEveryProblemOfAClipAtOnce) {
  auto options = clip("a blue star spins");
  options.width = 70;
  options.frames = 6;
  options.tau = 2;
  const auto text_to_video = load();
  EXPECT_THAT(error_of<ConfigError>([&] { text_to_video.check(options); }),
              AllOf(HasSubstr("3 problems"), HasSubstr("--width"), HasSubstr("--frames"),
                    HasSubstr("--tau")));
}

TEST_F(Library, NamesABrokenFolderAndAWrongDevice) {
  EXPECT_THAT(error_of<WeightError>([&] { TextToVideo(folder_.path() / "none", cpu()); }),
              HasSubstr("no such folder"));
  ComputeOptions tpu;
  tpu.device = "tpu";
  EXPECT_THAT(error_of<ConfigError>([&] { TextToVideo(model_->path(), tpu); }),
              HasSubstr("--device"));
}

TEST_F(Library, ReplacesAFileOnlyWhereItMay) {
  auto text_to_video = load();
  const auto file = folder_.path() / "clip.mp4";
  text_to_video.render_mp4(clip("a blue star spins"), file);
  EXPECT_THAT(
      error_of<ConfigError>([&] { text_to_video.render_mp4(clip("a red ball rolls"), file); }),
      HasSubstr("is there already"));
  text_to_video.render_mp4(clip("a red ball rolls"), file, {},
                           {.encoder = {}, .if_exists = IfExists::kReplace});
  EXPECT_THAT(media::read_video_facts(file).comment, HasSubstr("a red ball rolls"));
}

TEST_F(Library, LeavesTheNumberOfThreadsAsItWas) {
  at::set_num_threads(2);
  load().render(clip("a blue star spins"));
  EXPECT_EQ(at::get_num_threads(), 2);
}

}  // namespace
}  // namespace reel::pipeline
