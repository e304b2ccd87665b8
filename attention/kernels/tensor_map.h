// Descriptions of tensors for the bulk copy engine (TMA), made on the host without linking libcuda.
#pragma once

#include <cuda.h>
#include <cuda_runtime_api.h>

#include <array>
#include <cstdint>

namespace reel::attention::kernels {

/// One dimension of a tensor and of the boxes that are copied out of it.
struct MapDim {
  uint64_t size;
  uint64_t stride_bytes;  ///< of the first dimension: not read, it is contiguous
  uint32_t box;
};

/// Describes 16-bit or 8-bit elements with the 128-byte swizzle; what lies outside reads as zeros.
/// The contiguous dimension is first and its box has at most 128 bytes; `data` and strides are
/// multiples of 16 bytes, strides ascend.
cudaError_t make_tensor_map(const void* data, CUtensorMapDataType type,
                            const std::array<MapDim, 5>& dims, CUtensorMap& map);

}  // namespace reel::attention::kernels
