// A stop that is asked for before the first step: while models load and the text is encoded.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>

#include "pipeline/generate.h"
#include "tests/support/compare.h"
#include "tests/support/temp_folder.h"
#include "tests/support/tiny_model.h"

namespace reel::pipeline {
namespace {

constexpr int kSignal = 15;

// No clip gets as far as its outputs.
class NoOutputs : public ClipOutputs {
  void keep_latents(size_t, const at::Tensor&) override { ADD_FAILURE() << "latents"; }
  media::FrameSink& frames(size_t) override { throw std::logic_error("frames"); }
  void complete(size_t, const RunIdentity&, const ClipReport&) override { ADD_FAILURE(); }
};

// Asks to stop when `stage` starts, or when it has loaded its first bytes.
class StopsAt : public Progress {
 public:
  StopsAt(std::string stage, bool once_loading, std::atomic<int>& signal)
      : stage_(std::move(stage)), once_loading_(once_loading), signal_(signal) {}

  void stage_started(std::string_view stage) override {
    started.emplace_back(stage);
    if (stage == stage_ && !once_loading_) signal_ = kSignal;
  }
  void stage_finished(std::string_view stage, double) override { finished.emplace_back(stage); }
  void loaded(int64_t, int64_t) override {
    EXPECT_EQ(signal_, 0) << "went on to load";
    if (started.back() == stage_ && once_loading_) signal_ = kSignal;
  }

  std::vector<std::string> started;
  std::vector<std::string> finished;

 private:
  std::string stage_;
  bool once_loading_;
  std::atomic<int>& signal_;
};

class Stop : public ::testing::TestWithParam<std::tuple<const char*, bool>> {};

TEST_P(Stop, IsHeardBeforeTheFirstStep) {
  const auto [stage, once_loading] = GetParam();
  const testing::TempFolder folder;
  testing::write_tiny_model(testing::data_file("tiny_model"), folder.path(),
                            weights::Layout::kDiffusers);
  GenerationRequest request;
  request.prompt = "a blue star spins";
  request.size = {.frames = 5, .height = 64, .width = 64};
  request.num_steps = 2;
  request.flow_shift = 7;
  request.frame_rate = "24";
  request.seeds = {1, 2};
  request.compute = {at::kCPU, at::kFloat, at::kFloat, 1};
  std::atomic<int> signal = 0;
  StopsAt progress(stage, once_loading, signal);
  NoOutputs outputs;

  try {
    generate(request, weights::find_model_folder(folder.path()), outputs, progress,
             StopRequest(signal));
    ADD_FAILURE() << "went on to the end";
  } catch (const Interrupted& interrupted) {
    EXPECT_EQ(interrupted.signal(), kSignal);
  }

  EXPECT_EQ(progress.started.back(), stage);
  EXPECT_THAT(progress.finished, ::testing::Not(::testing::Contains(stage)));
}

INSTANTIATE_TEST_SUITE_P(Stages, Stop,
                         ::testing::Values(std::tuple("load text encoders", false),
                                           std::tuple("load text encoders", true),
                                           std::tuple("encode text", false),
                                           std::tuple("load transformer", false),
                                           std::tuple("load transformer", true)));

}  // namespace
}  // namespace reel::pipeline
