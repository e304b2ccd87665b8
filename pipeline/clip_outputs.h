// Where finished clips go: implemented by the program, called by the pipeline.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <optional>
#include <string>

#include "media/frame_sink.h"
#include "pipeline/run_report.h"
#include "pipeline/run_state.h"

namespace reel::pipeline {

/// What an earlier run left of a clip.
struct EarlierWork {
  bool done = false;              ///< all of it
  std::optional<RunState> state;  ///< else how far it came, if it was kept
};

/// Takes the clips of one request, one after the other. For each clip the pipeline calls
/// earlier_work(), keep_latents(), keep_state(), frames(), the sink's write() until all frames are
/// there, then complete().
/// If it throws before complete(), no video of that clip appears, but its latents are kept.
class ClipOutputs {
 public:
  ClipOutputs() = default;
  virtual ~ClipOutputs() = default;
  ClipOutputs(const ClipOutputs&) = delete;
  ClipOutputs& operator=(const ClipOutputs&) = delete;

  /// The final latents of clip `clip` (an index into the request's seeds): [1, C, T, h, w] fp32 on
  /// the CPU, scaled as the transformer sees them.
  virtual void keep_latents(size_t clip, const at::Tensor& latents) = 0;

  /// Asked before the work on a clip begins. `hash` is its latents_hash(): a state of another hash
  /// must not be returned.
  virtual EarlierWork earlier_work(size_t /*clip*/, const std::string& /*hash*/) { return {}; }

  /// Whether keep_state() is to be called with an unfinished state, `num_done` steps after the
  /// start of the run; `stopping`: because the run was asked to stop.
  virtual bool wants_state(int64_t /*num_done*/, bool /*stopping*/) const { return false; }

  /// How far the clip came: where wants_state() asked for it, and always once denoising has
  /// finished, after keep_latents() and before decoding starts. state.clip is empty: `identity` and
  /// `report` say what goes there.
  virtual void keep_state(size_t /*clip*/, RunState /*state*/, const RunIdentity& /*identity*/,
                          const ClipReport& /*report*/) {}

  /// Whether frames() may be called again for a clip whose frames were written in part: what was
  /// written is void then.
  virtual bool can_start_again(size_t /*clip*/) const { return false; }

  /// Takes the clip's frames. Its finish() is not the pipeline's to call: complete() does.
  virtual media::FrameSink& frames(size_t clip) = 0;

  /// All frames were written and checked: the files get their metadata and their names.
  virtual void complete(size_t clip, const RunIdentity& identity, const ClipReport& report) = 0;
};

}  // namespace reel::pipeline
