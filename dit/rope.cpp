#include "dit/rope.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/pow.h>

#include <vector>

namespace reel::dit {

Rope make_rope(const Config& config, const TokenGrid& grid, at::Device device) {
  const auto options = at::TensorOptions().dtype(at::kFloat).device(device);
  const auto [t, y, x] = grid;
  std::vector<at::Tensor> cos;
  std::vector<at::Tensor> sin;
  for (size_t axis = 0; axis < grid.size(); ++axis) {
    const int64_t dim = config.rope_axes.at(axis);
    const at::Tensor exponent = at::arange(0, dim, 2, options) / dim;
    const at::Tensor frequency = at::pow(config.rope_theta, exponent).reciprocal();
    const at::Tensor angle = at::arange(grid.at(axis), options).outer(frequency);
    std::vector<int64_t> shape = {1, 1, 1, dim / 2};  // [t, y, x, D_axis / 2]
    shape.at(axis) = grid.at(axis);
    cos.push_back(angle.cos().view(shape).expand({t, y, x, dim / 2}));
    sin.push_back(angle.sin().view(shape).expand({t, y, x, dim / 2}));
  }
  const std::vector<int64_t> table_shape = {t * y * x, config.head_dim / 2};
  return {at::cat(cos, -1).view(table_shape), at::cat(sin, -1).view(table_shape)};
}

}  // namespace reel::dit
