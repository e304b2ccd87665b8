#include "tests/support/draw_weights.h"

#include <algorithm>
#include <cmath>

#include "core/random.h"

namespace reel::testing {

std::map<std::string, at::Tensor> draw(std::vector<weights::WeightSpec> specs, uint64_t seed) {
  std::sort(specs.begin(), specs.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  NormalStream stream(seed);
  std::map<std::string, at::Tensor> tensors;
  for (const auto& spec : specs) {
    at::Tensor value = stream.next(spec.shape);
    if (spec.name.ends_with("bias")) {
      value.mul_(0.1);
    } else if (spec.shape.size() == 1) {
      value.mul_(0.2).add_(1.0);
    } else {
      const auto row_size = static_cast<double>(spec.num_elements() / spec.shape[0]);
      value.mul_(1.0 / std::sqrt(row_size));
    }
    tensors[spec.name] = value;
  }
  return tensors;
}

std::vector<weights::WeightSpec> published_specs(const std::vector<weights::Recipe>& recipes) {
  std::vector<weights::WeightSpec> specs;
  for (const auto& recipe : recipes) {
    specs.insert(specs.end(), recipe.parts.begin(), recipe.parts.end());
  }
  return specs;
}

weights::WeightStore draw_store(const std::vector<weights::Recipe>& recipes, uint64_t seed,
                                at::Device device, at::ScalarType dtype) {
  const auto tensors = draw(published_specs(recipes), seed);
  return weights::assemble(
      recipes, [&](const std::string& name) { return tensors.at(name); }, device, dtype);
}

}  // namespace reel::testing
