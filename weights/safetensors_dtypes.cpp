#include "weights/safetensors_dtypes.h"

#include <array>
#include <utility>

namespace reel::weights {
namespace {

constexpr std::array<std::pair<std::string_view, at::ScalarType>, 16> kNames{{
    {"BOOL", at::kBool},
    {"U8", at::kByte},
    {"I8", at::kChar},
    {"U16", at::kUInt16},
    {"I16", at::kShort},
    {"U32", at::kUInt32},
    {"I32", at::kInt},
    {"U64", at::kUInt64},
    {"I64", at::kLong},
    {"F16", at::kHalf},
    {"BF16", at::kBFloat16},
    {"F32", at::kFloat},
    {"F64", at::kDouble},
    {"F8_E4M3", at::kFloat8_e4m3fn},
    {"F8_E5M2", at::kFloat8_e5m2},
    {"F8_E8M0", at::kFloat8_e8m0fnu},
}};

}  // namespace

std::optional<at::ScalarType> dtype_of_safetensors(std::string_view name) {
  for (const auto& [known, dtype] : kNames) {
    if (known == name) return dtype;
  }
  return std::nullopt;
}

std::optional<std::string_view> safetensors_name(at::ScalarType dtype) {
  for (const auto& [name, known] : kNames) {
    if (known == dtype) return name;
  }
  return std::nullopt;
}

}  // namespace reel::weights
