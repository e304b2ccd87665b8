// Thresholds of single heads from what was measured about each: the most recall that a budget of
// density buys (docs/CALIBRATION.md has the recurrence and its source).
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <vector>

namespace reel::attention {

/// What the thresholds of a list do to one head, means over calls and rows; one entry a threshold.
struct HeadCurve {
  std::vector<double> density;
  std::vector<double> recall;  ///< of the true attention
};

/// The curves of all heads of a model at the same thresholds.
class HeadCurves {
 public:
  /// `taus` ascend.
  HeadCurves(std::vector<double> taus, int64_t num_layers, int64_t num_heads);

  /// Adds one call of one head: density and recall at each threshold.
  void add(int64_t layer, int64_t head, std::span<const double> density,
           std::span<const double> recall);

  /// Adds what another run measured at the same thresholds.
  void add(const HeadCurves& other);

  const std::vector<double>& taus() const { return taus_; }
  int64_t num_layers() const { return num_layers_; }
  int64_t num_heads() const { return num_heads_; }

  /// False for a head whose calls are all dense.
  bool is_measured(int64_t layer, int64_t head) const;

  /// Means over the calls. Throws ShapeError if the head was never measured.
  HeadCurve curve(int64_t layer, int64_t head) const;

  /// {"format":1,"tau":[...],"heads":[{"layer","head","density":[...],"recall":[...]}]}, the
  /// measured heads alone.
  nlohmann::json to_json() const;

 private:
  struct Sums {
    std::vector<double> density, recall;
    double num_calls = 0;
  };
  size_t index(int64_t layer, int64_t head) const;

  std::vector<double> taus_;
  int64_t num_layers_;
  int64_t num_heads_;
  std::vector<Sums> sums_;  // [layers, A]
};

/// One threshold for every head, as --head-tau reads it, and what it is expected to do.
struct ThresholdTable {
  std::vector<std::vector<double>> taus;  ///< [layers][heads]; 1 for heads that were not measured
  double density = 0;                     ///< mean over the measured heads
  double recall = 0;                      ///< of the true attention, likewise

  /// {"format":1,"tau":[layers][heads]}.
  nlohmann::json to_json() const;
};

/// The same threshold everywhere; `tau` is one of the curves'.
ThresholdTable uniform_table(const HeadCurves& curves, double tau);

/// The table of the largest mean recall among those whose mean density is at most `budget`, exact
/// but for density being counted in 1/kDensityUnits of a head, rounded up. Equal recall: less
/// density. Throws ConfigError if even the smallest thresholds need more, or if no head was
/// measured.
ThresholdTable best_table(const HeadCurves& curves, double budget);

constexpr int64_t kDensityUnits = 256;

}  // namespace reel::attention
