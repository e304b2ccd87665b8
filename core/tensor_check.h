// Checks of tensors at the borders between our own functions. Letters: docs/SHAPES.md.
#pragma once

#include <ATen/core/Tensor.h>

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

namespace reel {

inline constexpr int64_t kAny = -1;

/// One dimension that a tensor must have: its letter, and its size or kAny.
struct Dim {
  char letter;
  int64_t size;
};

/// Throws ShapeError, naming `where` and `name`, unless `tensor` is defined, has exactly `dims`,
/// and has `dtype` if one is given.
void check_tensor(std::string_view where, const at::Tensor& tensor, std::string_view name,
                  std::initializer_list<Dim> dims,
                  std::optional<at::ScalarType> dtype = std::nullopt);

/// Writes a shape as people read it: "[2, 16, 5]".
std::string shape_text(at::IntArrayRef shape);

}  // namespace reel
