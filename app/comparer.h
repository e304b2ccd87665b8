// Renders the clips of a comparison and measures how far sparse ones are from dense ones.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <string>
#include <vector>

#include "app/compare_plan.h"
#include "app/console.h"
#include "app/progress.h"
#include "eval/comparison.h"
#include "media/frame_sink.h"
#include "pipeline/renderer.h"

namespace reel::app {

/// Clips by prompt and setting, in any order that has the dense clip of a prompt first.
class Comparer {
 public:
  /// Reads the weights of LPIPS, checks memory and encodes all prompts. The arguments must outlive
  /// this. Throws what pipeline::Renderer throws, as render_... do.
  Comparer(const ComparePlan& plan, RunProgress& progress, Console& console);

  /// Renders the dense clip of a prompt. Returns its frames [F, 3, H, W] uint8, before encoding.
  at::Tensor render_dense(size_t prompt);

  /// Renders it once more and keeps how much it differs. Writes no file.
  void render_noise_floor(size_t prompt, const at::Tensor& dense);

  /// Renders a prompt in another setting and compares it with its dense frames.
  void render_sparse(size_t prompt, size_t setting, const at::Tensor& dense);

  const eval::Comparison& result() const { return result_; }

 private:
  const eval::Lpips* lpips() const { return lpips_ ? &*lpips_ : nullptr; }
  eval::ComparedClip& add(size_t prompt, size_t index, media::FrameSink& watcher);

  const ComparePlan& plan_;
  RunProgress& progress_;
  Console& console_;
  pipeline::StopRequest stop_;
  std::optional<eval::Lpips> lpips_;
  pipeline::Renderer renderer_;
  std::vector<pipeline::ClipTexts> texts_;
  eval::Comparison result_;
};

/// Writes `result` as compare.json, and the report unless the plan has none, into the plan's
/// folder. Returns the text of compare.json.
std::string write_comparison(const ComparePlan& plan, const eval::Comparison& result);

}  // namespace reel::app
