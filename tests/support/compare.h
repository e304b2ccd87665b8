// How tests measure the distance between two tensors.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <string>

namespace reel::testing {

/// max |got - want| / max |want|, in double; infinity if a value is not finite or shapes differ.
double relative_error(const at::Tensor& got, const at::Tensor& want);

/// Cosine of the angle between the two as flat vectors, in double.
double cosine(const at::Tensor& got, const at::Tensor& want);

/// A file of tests/data; tests run in the source folder.
std::filesystem::path data_file(const std::string& name);

}  // namespace reel::testing
