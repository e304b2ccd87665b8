// The tensors of one model in memory, under their internal names, on their way into the layers.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "weights/published_layout.h"

namespace reel::weights {

/// Hands out each tensor once; layers take theirs by name.
class WeightStore {
 public:
  explicit WeightStore(std::map<std::string, at::Tensor> tensors);

  /// Moves the tensor out. Throws ShapeError if the name is unknown or already taken: tables and
  /// layers are both ours, and the loader has checked the file against the table.
  at::Tensor take(const std::string& name);

  /// Takes `stem`.weight or `stem`.bias.
  at::Tensor take_weight(const std::string& stem) { return take(stem + ".weight"); }
  at::Tensor take_bias(const std::string& stem) { return take(stem + ".bias"); }

  /// Names nobody has taken; empty after every layer of a model has been built.
  std::vector<std::string> left() const;

 private:
  std::map<std::string, at::Tensor> tensors_;
};

/// Builds the internal tensor of one recipe from the parts that `part` returns by published name:
/// one copy of each part into its place, none where one contiguous part is the whole tensor and has
/// the right dtype and device already. Parts go to the device before they change their dtype there.
at::Tensor assemble_one(const Recipe& recipe,
                        const std::function<at::Tensor(const std::string&)>& part,
                        at::Device device, at::ScalarType dtype);

/// Builds the internal tensors of all recipes.
WeightStore assemble(const std::vector<Recipe>& recipes,
                     const std::function<at::Tensor(const std::string&)>& part, at::Device device,
                     at::ScalarType dtype);

}  // namespace reel::weights
