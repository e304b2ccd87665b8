// SHA-256 sums, as sha256sum prints them: 64 lower-case hexadecimal digits.
#pragma once

#include <ATen/core/Tensor.h>

#include <span>
#include <string>
#include <string_view>

namespace reel {

std::string sha256(std::string_view bytes);

/// Sums the elements of `tensor` in row-major order as they lie in memory (little-endian);
/// a GPU tensor is copied to the host first, which synchronises.
std::string sha256(const at::Tensor& tensor);

}  // namespace reel
