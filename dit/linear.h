// A matrix product with bias, as the file holds it.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "weights/weight_store.h"

namespace reel::dit {

/// y = x W^T + b. All tensors share one dtype and device.
class Linear {
 public:
  /// Takes `stem`.weight [out, in] and `stem`.bias [out].
  Linear(weights::WeightStore& store, const std::string& stem);

  Linear(at::Tensor weight, at::Tensor bias);

  /// Rows first..first+count of this one, sharing its memory.
  Linear rows(int64_t first, int64_t count) const;

  /// [R, in] to [R, out], contiguous.
  at::Tensor operator()(const at::Tensor& x) const;

  /// Writes [R, out] into `out`, whose rows may lie apart.
  void into(const at::Tensor& x, at::Tensor out) const;

  /// The same without the bias.
  void product_into(const at::Tensor& x, at::Tensor out) const;

  const at::Tensor& weight() const { return weight_; }  ///< [out, in]
  const at::Tensor& bias() const { return bias_; }      ///< [out]
  at::TensorOptions options() const { return weight_.options(); }

 private:
  at::Tensor weight_;      // [out, in]
  at::Tensor transposed_;  // [in, out], a view of weight_
  at::Tensor bias_;        // [out]
};

}  // namespace reel::dit
