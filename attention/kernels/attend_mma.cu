#include "attention/kernels/attend_mma.cuh"

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <numbers>

namespace reel::attention::kernels {
namespace attend_mma {
namespace {

template <typename C>
cudaError_t launch(const AttendParams& params, cudaStream_t stream) {
  const auto function = kernel<C>;
  const auto status = cudaFuncSetAttribute(function, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                           static_cast<int>(C::kSharedBytes));
  if (status != cudaSuccess) return status;
  const int num_blocks = (params.num_tokens + kBlock - 1) / kBlock;
  const auto grid = static_cast<unsigned>(params.num_batches * params.num_heads * num_blocks);
  function<<<grid, C::kThreads, C::kSharedBytes, stream>>>(
      params, params.scale * std::numbers::log2e_v<float>, num_blocks);
  return cudaGetLastError();
}

template <typename Element, int kRowTiles>
cudaError_t launch_dim(const AttendParams& params, cudaStream_t stream) {
  switch (params.head_dim) {
    case 64:
      return launch<Config<Element, 64, kRowTiles>>(params, stream);
    case 128:
      return launch<Config<Element, 128, kRowTiles>>(params, stream);
    default:
      return cudaErrorInvalidValue;
  }
}

template <int kRowTiles>
cudaError_t launch_dtype(const AttendParams& params, cudaStream_t stream) {
  return params.dtype == AttendDtype::kBf16 ? launch_dim<__nv_bfloat16, kRowTiles>(params, stream)
                                            : launch_dim<__half, kRowTiles>(params, stream);
}

}  // namespace
}  // namespace attend_mma

cudaError_t launch_attend_mma(const AttendParams& params, AttendVariant variant,
                              cudaStream_t stream) {
  if (params.num_tokens == 0 || params.num_heads == 0 || params.num_batches == 0) {
    return cudaSuccess;
  }
  return variant == AttendVariant::kMmaWide ? attend_mma::launch_dtype<2>(params, stream)
                                            : attend_mma::launch_dtype<1>(params, stream);
}

}  // namespace reel::attention::kernels
