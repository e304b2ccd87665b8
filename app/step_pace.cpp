#include "app/step_pace.h"

#include <fmt/format.h>

#include <array>
#include <cmath>

namespace reel::app {

void StepPace::add(const pipeline::StepReport& report) {
  last_ = report;
  Mean& mean = report.dense ? dense_ : sparse_;
  mean.sum_s += report.elapsed_ms / 1000;
  ++mean.num_steps;
}

double StepPace::seconds_per_step() const {
  const Mean& mean = latest();
  return mean.num_steps == 0 ? 0 : mean.sum_s / mean.num_steps;
}

std::optional<double> StepPace::remaining_s() const {
  if (dense_.num_steps + sparse_.num_steps < 2) return std::nullopt;
  return seconds_per_step() * static_cast<double>(last_.num_steps - last_.step - 1);
}

std::string duration_text(double seconds) {
  const auto total = static_cast<int64_t>(std::llround(seconds));
  const int64_t hours = total / 3600;
  const int64_t minutes = total / 60 % 60;
  if (hours > 0) return fmt::format("{}:{:02}:{:02}", hours, minutes, total % 60);
  return fmt::format("{}:{:02}", minutes, total % 60);
}

std::string elapsed_text(double milliseconds) {
  if (milliseconds < 1000) return fmt::format("{:.0f} ms", milliseconds);
  if (milliseconds < 100'000) return fmt::format("{:.1f} s", milliseconds / 1000);
  return duration_text(milliseconds / 1000) + (milliseconds < 3.6e6 ? " min" : " h");
}

std::string bytes_text(double bytes) {
  static constexpr std::array<const char*, 5> kUnits = {"B", "kB", "MB", "GB", "TB"};
  size_t unit = 0;
  while (bytes >= 1000 && unit + 1 < kUnits.size()) {
    bytes /= 1000;
    ++unit;
  }
  return unit == 0 ? fmt::format("{:.0f} B", bytes) : fmt::format("{:.1f} {}", bytes, kUnits[unit]);
}

}  // namespace reel::app
