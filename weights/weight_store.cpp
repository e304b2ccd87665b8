#include "weights/weight_store.h"

#include <ATen/ops/empty.h>

#include "core/error.h"

namespace reel::weights {

WeightStore::WeightStore(std::map<std::string, at::Tensor> tensors)
    : tensors_(std::move(tensors)) {}

at::Tensor WeightStore::take(const std::string& name) {
  auto node = tensors_.extract(name);
  if (node.empty()) fail<ShapeError>("WeightStore: no tensor left named ", name);
  return std::move(node.mapped());
}

std::vector<std::string> WeightStore::left() const {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : tensors_) names.push_back(name);
  return names;
}

at::Tensor assemble_one(const Recipe& recipe,
                        const std::function<at::Tensor(const std::string&)>& part,
                        at::Device device, at::ScalarType dtype) {
  if (recipe.assembly == Assembly::kConcatRows && recipe.parts.size() == 1) {
    return part(recipe.parts[0].name).to(device).to(dtype).contiguous();
  }
  at::Tensor whole =
      at::empty(recipe.target.shape, at::TensorOptions().dtype(dtype).device(device));
  if (recipe.assembly == Assembly::kSwapHalves) {
    const int64_t half = recipe.target.shape[0] / 2;
    const at::Tensor source = part(recipe.parts[0].name).to(device);
    whole.narrow(0, 0, half).copy_(source.narrow(0, half, half));
    whole.narrow(0, half, half).copy_(source.narrow(0, 0, half));
    return whole;
  }
  int64_t row = 0;
  for (const auto& piece : recipe.parts) {
    whole.narrow(0, row, piece.shape[0]).copy_(part(piece.name).to(device));
    row += piece.shape[0];
  }
  return whole;
}

WeightStore assemble(const std::vector<Recipe>& recipes,
                     const std::function<at::Tensor(const std::string&)>& part, at::Device device,
                     at::ScalarType dtype) {
  std::map<std::string, at::Tensor> tensors;
  for (const auto& recipe : recipes) {
    tensors[recipe.target.name] = assemble_one(recipe, part, device, dtype);
  }
  return WeightStore(std::move(tensors));
}

}  // namespace reel::weights
