// How fast denoising goes, and how long the rest will take.
#pragma once

#include <optional>
#include <string>

#include "pipeline/progress.h"

namespace reel::app {

/// Dense and sparse steps are averaged apart: they differ several times over.
class StepPace {
 public:
  void add(const pipeline::StepReport& report);

  /// Mean seconds of the steps so far that were like the last one; 0 before the first.
  double seconds_per_step() const;

  /// Seconds for the steps that are left, if they go like the last one; none before two steps.
  std::optional<double> remaining_s() const;

 private:
  struct Mean {
    double sum_s = 0;
    int num_steps = 0;
  };
  const Mean& latest() const { return last_.dense ? dense_ : sparse_; }

  Mean dense_;
  Mean sparse_;
  pipeline::StepReport last_;
};

/// "0:47" or "1:02:03".
std::string duration_text(double seconds);

/// "830 ms", "12.3 s" or "2:05 min".
std::string elapsed_text(double milliseconds);

/// Bytes in the unit that gives up to four digits: "43.1 MB", "25.6 GB".
std::string bytes_text(double bytes);

}  // namespace reel::app
