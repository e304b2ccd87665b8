// What tensors a model needs, declared from its config and testable without any weights.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace reel::weights {

/// A tensor's name and shape.
struct WeightSpec {
  std::string name;
  std::vector<int64_t> shape;

  int64_t num_elements() const;
};

/// The tensors of one model under their internal names: the official, fused ones
/// (spec/hunyuanvideo.md 1.2), without any prefix of a file.
class WeightTable {
 public:
  void add(std::string name, std::vector<int64_t> shape);

  /// Adds `stem`.weight [out, in] and, if `bias`, `stem`.bias [out].
  void add_linear(const std::string& stem, int64_t out, int64_t in, bool bias = true);

  /// Adds `stem`.weight [out, in, k_t, k_h, k_w] and `stem`.bias [out].
  void add_conv3d(const std::string& stem, int64_t out, int64_t in, int64_t k_t, int64_t k_h,
                  int64_t k_w);

  /// Adds `stem`.weight [size] and, if `bias`, `stem`.bias [size].
  void add_norm(const std::string& stem, int64_t size, bool bias);

  const std::vector<WeightSpec>& specs() const { return specs_; }
  int64_t num_parameters() const;

 private:
  std::vector<WeightSpec> specs_;
};

}  // namespace reel::weights
