#include "core/tensor_check.h"

#include <c10/core/ScalarType.h>

#include "core/error.h"

namespace reel {

std::string shape_text(at::IntArrayRef shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) text += ", ";
    text += std::to_string(shape[i]);
  }
  return text + "]";
}

namespace {

std::string want_text(std::initializer_list<Dim> dims) {
  std::string text = "[";
  for (const auto& dim : dims) {
    if (text.size() > 1) text += ", ";
    text += dim.letter;
    if (dim.size != kAny) text += " = " + std::to_string(dim.size);
  }
  return text + "]";
}

bool matches(at::IntArrayRef shape, std::initializer_list<Dim> dims) {
  if (shape.size() != dims.size()) return false;
  size_t i = 0;
  for (const auto& dim : dims) {
    if (dim.size != kAny && dim.size != shape[i]) return false;
    ++i;
  }
  return true;
}

}  // namespace

void check_tensor(std::string_view where, const at::Tensor& tensor, std::string_view name,
                  std::initializer_list<Dim> dims, std::optional<at::ScalarType> dtype) {
  if (!tensor.defined()) {
    fail<ShapeError>(where, ": ", name, ": undefined tensor: want ", want_text(dims));
  }
  if (!matches(tensor.sizes(), dims)) {
    fail<ShapeError>(where, ": ", name, ": wrong shape: got ", shape_text(tensor.sizes()),
                     ", want ", want_text(dims));
  }
  if (dtype && tensor.scalar_type() != *dtype) {
    fail<ShapeError>(where, ": ", name, ": wrong dtype: got ", c10::toString(tensor.scalar_type()),
                     ", want ", c10::toString(*dtype));
  }
}

}  // namespace reel
