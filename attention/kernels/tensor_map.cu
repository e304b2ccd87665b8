#include "attention/kernels/tensor_map.h"

namespace reel::attention::kernels {
namespace {

using EncodeTiled = decltype(&cuTensorMapEncodeTiled);

EncodeTiled find_encode_tiled() {
  void* function = nullptr;
  cudaDriverEntryPointQueryResult found;
  const auto status = cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &function, 12000,
                                                       cudaEnableDefault, &found);
  if (status != cudaSuccess || found != cudaDriverEntryPointSuccess) return nullptr;
  return reinterpret_cast<EncodeTiled>(function);
}

}  // namespace

cudaError_t make_tensor_map(const void* data, CUtensorMapDataType type,
                            const std::array<MapDim, 5>& dims, CUtensorMap& map) {
  static const EncodeTiled encode_tiled = find_encode_tiled();
  if (encode_tiled == nullptr) return cudaErrorNotSupported;
  uint64_t sizes[5];
  uint64_t strides[4];
  uint32_t box[5];
  const uint32_t steps[5] = {1, 1, 1, 1, 1};
  for (size_t i = 0; i < 5; ++i) {
    sizes[i] = dims[i].size;
    box[i] = dims[i].box;
    // the stride of a single element is never used, but it is checked
    if (i > 0) strides[i - 1] = dims[i].size == 1 ? 16 : dims[i].stride_bytes;
  }
  const auto status =
      encode_tiled(&map, type, 5, const_cast<void*>(data), sizes, strides, box, steps,
                   CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
                   CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  return status == CUDA_SUCCESS ? cudaSuccess : cudaErrorInvalidValue;
}

}  // namespace reel::attention::kernels
