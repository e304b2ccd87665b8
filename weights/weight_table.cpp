#include "weights/weight_table.h"

#include <functional>
#include <numeric>

namespace reel::weights {

int64_t WeightSpec::num_elements() const {
  return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
}

void WeightTable::add(std::string name, std::vector<int64_t> shape) {
  specs_.push_back({std::move(name), std::move(shape)});
}

void WeightTable::add_linear(const std::string& stem, int64_t out, int64_t in, bool bias) {
  add(stem + ".weight", {out, in});
  if (bias) add(stem + ".bias", {out});
}

void WeightTable::add_conv3d(const std::string& stem, int64_t out, int64_t in, int64_t k_t,
                             int64_t k_h, int64_t k_w) {
  add(stem + ".weight", {out, in, k_t, k_h, k_w});
  add(stem + ".bias", {out});
}

void WeightTable::add_norm(const std::string& stem, int64_t size, bool bias) {
  add(stem + ".weight", {size});
  if (bias) add(stem + ".bias", {size});
}

int64_t WeightTable::num_parameters() const {
  int64_t sum = 0;
  for (const auto& spec : specs_) sum += spec.num_elements();
  return sum;
}

}  // namespace reel::weights
