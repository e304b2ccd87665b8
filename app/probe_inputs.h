// The tensors that `probe` reads: exact names and shapes, or one clear error.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace reel::app {

/// A tensor that a stage wants.
struct WantedTensor {
  std::string name;
  std::string letters;   ///< a letter a dimension (docs/SHAPES.md): equal letters, equal sizes
  bool integer = false;  ///< int64; else fp32, fp16 or bf16, which become fp32
  bool required = true;  ///< false: may be missing
};

/// Reads all tensors of the safetensors file `path` onto the CPU. `sizes` fixes the size of some
/// letters. Throws ConfigError with every tensor that is missing, extra, empty, of another dtype or
/// ill-shaped. The result holds what was there, by name.
std::map<std::string, at::Tensor> read_probe_inputs(const std::filesystem::path& path,
                                                    const std::vector<WantedTensor>& wanted,
                                                    std::map<char, int64_t> sizes = {});

/// The number of leading ones of each row of `mask` [B, L]. Throws ConfigError unless every row is
/// ones, at least one, then zeros.
std::vector<int64_t> valid_prefixes(const at::Tensor& mask, const std::string& name);

}  // namespace reel::app
