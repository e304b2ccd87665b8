// Progress of a run for people (a bar, plain lines) and for programs (JSON events).
#pragma once

#include <memory>
#include <string>

#include "app/console.h"
#include "pipeline/progress.h"

namespace reel::app {

/// What the program adds to the pipeline's own progress.
class RunProgress : public pipeline::Progress {
 public:
  /// The clip's files are complete; `output` is the video.
  virtual void clip_done(const std::string& output) = 0;

  /// The run ends with `exit_code`; the error itself is told by others.
  virtual void clip_failed(const std::string& message, int exit_code) = 0;
};

/// Names that --progress takes.
bool is_progress_mode(const std::string& mode);

/// Makes what --progress asks for: "auto" is a bar where messages go to a terminal, else plain
/// lines. -q leaves only JSON events. `console` must outlive it.
/// Without `tells_outputs` stdout is left to results of another kind (and to events).
std::unique_ptr<RunProgress> make_progress(const std::string& mode, Console& console,
                                           bool tells_outputs = true);

}  // namespace reel::app
