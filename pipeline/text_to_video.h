// Text to video as a library: a model folder, loaded once, and the clips that it renders. Public:
// docs/LIBRARY.md. Letters (docs/SHAPES.md): F H W frames and pixels.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/error.h"
#include "core/output_file.h"
#include "media/encoder_plan.h"
#include "media/frame_sink.h"
#include "pipeline/clip_options.h"
#include "pipeline/compute_choice.h"

namespace reel::pipeline {

/// What a render tells while it works.
struct RenderProgress {
  /// "load text encoders", "encode text", "load transformer", "denoise", "load vae", "decode" or
  /// "write frames".
  std::string_view stage;
  /// Bytes loaded, steps, tiles or frames of `total`; both 0 where a stage starts.
  int64_t done = 0;
  int64_t total = 0;
  /// A line that the user should see, about a prompt that was cut, say; empty in all other calls.
  std::string_view warning;
};

/// Told what happens; returns whether to go on. Called from the thread that renders; what it throws
/// ends the render.
using ProgressCallback = std::function<bool(const RenderProgress&)>;

/// A ProgressCallback returned false.
class Cancelled : public Error {
 public:
  using Error::Error;
};

/// A clip in memory.
struct RenderedClip {
  at::Tensor frames;     ///< [F, H, W, 3] uint8 RGB, CPU
  std::string metadata;  ///< JSON: request, model, attention, density, times (docs/FORMATS.md)
};

/// How an MP4 is written.
struct Mp4Options {
  media::EncoderOptions encoder;
  IfExists if_exists = IfExists::kRefuse;
};

/// Whether the text encoders stay in memory beside the other models.
enum class TextEncoders {
  kLoadForEachClip,  ///< they leave before the transformer works: the least memory
  kKeep              ///< every model loads once
};

/// The models of one folder. Each loads when the first clip needs it and stays. One thread at a
/// time may use an object; several objects may work in threads of their own. After an exception,
/// Cancelled included, the object is as good as before.
///
/// All functions throw the classes of core/error.h and nothing else on purpose: ConfigError for
/// what the caller can mend in the arguments, WeightError for the model folder, OutOfMemory,
/// OutputError for a clip that is not finite or flat, IoError, DeviceError.
class TextToVideo {
 public:
  /// Reads the configs of `model`, a folder in the official or the diffusers layout, and chooses
  /// where to compute; loads no weights. Throws WeightError or ConfigError.
  explicit TextToVideo(const std::filesystem::path& model, const ComputeOptions& compute = {},
                       TextEncoders encoders = TextEncoders::kLoadForEachClip);
  ~TextToVideo();
  TextToVideo(TextToVideo&& other) noexcept;
  TextToVideo& operator=(TextToVideo&& other) noexcept;

  /// Throws ConfigError with every problem of `clip`, each named by the program's flag of its
  /// member; render() does that too.
  void check(const ClipOptions& clip) const;

  /// Renders into memory. Throws Cancelled, and what the class says.
  RenderedClip render(const ClipOptions& clip, const ProgressCallback& progress = {});

  /// Renders into `sink`, frames as they become final, its finish() last. Returns the metadata.
  /// Throws as above, and what the sink throws. write() is called from a thread of its own,
  /// finish() from the caller's.
  std::string render(const ClipOptions& clip, media::FrameSink& sink,
                     const ProgressCallback& progress = {});

  /// Renders into an MP4 with its metadata, equal to what the program writes: it appears under the
  /// name `file` when it is complete, or not at all. Returns the metadata. Throws as above;
  /// ConfigError, before any work, if `file` is there (unless it may be replaced) or cannot be
  /// written.
  std::string render_mp4(const ClipOptions& clip, const std::filesystem::path& file,
                         const ProgressCallback& progress = {}, const Mp4Options& options = {});

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace reel::pipeline
