#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include "attention/kernels/attend.h"

namespace reel::attention::kernels {
namespace attend {

template <typename Element, int kHeadDim, AttendVariant kVariant>
cudaError_t launch_variant(const AttendParams& params, cudaStream_t stream);

}  // namespace attend

namespace {

template <int kHeadDim>
cudaError_t launch_bf16(const AttendParams& params, AttendVariant variant, cudaStream_t stream) {
  using enum AttendVariant;
  switch (variant) {
    case kSimple:
      return attend::launch_variant<__nv_bfloat16, kHeadDim, kSimple>(params, stream);
    case kOverlap:
      return attend::launch_variant<__nv_bfloat16, kHeadDim, kOverlap>(params, stream);
    case kPingPong:
      return attend::launch_variant<__nv_bfloat16, kHeadDim, kPingPong>(params, stream);
    case kLazy:
      return attend::launch_variant<__nv_bfloat16, kHeadDim, kLazy>(params, stream);
    case kThreeStage:
      return attend::launch_variant<__nv_bfloat16, kHeadDim, kThreeStage>(params, stream);
    case kRelaxed:
      return attend::launch_variant<__nv_bfloat16, kHeadDim, kRelaxed>(params, stream);
    case kMma:
    case kMmaWide:
      break;
  }
  return cudaErrorInvalidValue;
}

// fp16 has two of the variants.
template <int kHeadDim>
cudaError_t launch_fp16(const AttendParams& params, AttendVariant variant, cudaStream_t stream) {
  using enum AttendVariant;
  return variant == kSimple ? attend::launch_variant<__half, kHeadDim, kSimple>(params, stream)
                            : attend::launch_variant<__half, kHeadDim, kLazy>(params, stream);
}

template <int kHeadDim>
cudaError_t launch_dtype(const AttendParams& params, AttendVariant variant, cudaStream_t stream) {
  return params.dtype == AttendDtype::kBf16 ? launch_bf16<kHeadDim>(params, variant, stream)
                                            : launch_fp16<kHeadDim>(params, variant, stream);
}

}  // namespace

cudaError_t launch_attend_sm90(const AttendParams& params, AttendVariant variant,
                               cudaStream_t stream) {
  if (params.num_tokens == 0 || params.num_heads == 0 || params.num_batches == 0) {
    return cudaSuccess;
  }
  switch (params.head_dim) {
    case 64:
      return launch_dtype<64>(params, variant, stream);
    case 128:
      return launch_dtype<128>(params, variant, stream);
    default:
      return cudaErrorInvalidValue;
  }
}

}  // namespace reel::attention::kernels
