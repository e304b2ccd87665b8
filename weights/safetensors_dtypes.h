// The dtypes of the safetensors format.
#pragma once

#include <c10/core/ScalarType.h>

#include <optional>
#include <string_view>

namespace reel::weights {

/// LibTorch's dtype for "F32", "BF16" and so on; none for names that this program does not know.
std::optional<at::ScalarType> dtype_of_safetensors(std::string_view name);

/// The format's name of a dtype, or none if the format has none.
std::optional<std::string_view> safetensors_name(at::ScalarType dtype);

}  // namespace reel::weights
