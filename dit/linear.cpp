#include "dit/linear.h"

#include <ATen/ops/addmm.h>
#include <ATen/ops/mm.h>

namespace reel::dit {

Linear::Linear(weights::WeightStore& store, const std::string& stem)
    : Linear(store.take_weight(stem), store.take_bias(stem)) {}

Linear::Linear(at::Tensor weight, at::Tensor bias)
    : weight_(std::move(weight)), transposed_(weight_.t()), bias_(std::move(bias)) {}

Linear Linear::rows(int64_t first, int64_t count) const {
  return {weight_.narrow(0, first, count), bias_.narrow(0, first, count)};
}

at::Tensor Linear::operator()(const at::Tensor& x) const {
  return at::addmm(bias_, x, transposed_);
}

void Linear::into(const at::Tensor& x, at::Tensor out) const {
  at::addmm_out(out, bias_, x, transposed_);
}

void Linear::product_into(const at::Tensor& x, at::Tensor out) const {
  at::mm_out(out, x, transposed_);
}

}  // namespace reel::dit
