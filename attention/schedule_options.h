// What a user may say about which attention calls are sparse, and how. Public (docs/LIBRARY.md).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace reel::attention {

/// The attention flags as the user wrote them; defaults are those of `generate`.
struct ScheduleOptions {
  std::string mode = "xattn";  ///< --attn dense|xattn|reference, or flash for dense
  double tau = 0.95;
  int64_t stride = 8;
  int64_t block = 128;
  std::string dense_steps = "5";      ///< "N" or "N%" of the steps, from the first on
  bool dense_steps_given = false;     ///< by the user; a default that is too large is clamped
  int64_t dense_tail = 0;             ///< number of last steps
  std::string dense_layers;           ///< "0-2,57"; empty: none
  std::optional<double> dense_sigma;  ///< steps that start at this sigma or above are dense
  std::optional<std::filesystem::path> schedule_file;
  std::optional<std::string> schedule_text;  ///< what such a file would hold; not both
  std::optional<std::filesystem::path> head_tau_file;
  std::string protect = "text,self";    ///< of text, self, sink=N
  std::string select = "antidiagonal";  ///< --select antidiagonal|diagonal|random|mean-pool
  std::string rule = "tau";             ///< --rule tau|top-k=N|top-ratio=R
};

}  // namespace reel::attention
