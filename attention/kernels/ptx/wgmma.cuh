// What all wgmma instructions share: ordering and shared-memory descriptors. Compute
// capability 9.0.
#pragma once

#include <cstdint>

namespace reel::attention::kernels::ptx {

/// Before the first wgmma that reads registers which other instructions wrote.
__device__ inline void begin_products() {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#endif
}

/// Makes one group of the wgmmas since the last one.
__device__ inline void commit_products() {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
#endif
}

/// Waits until at most kPending groups are unfinished.
template <int kPending>
__device__ void wait_products() {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kPending) : "memory");
#endif
}

/// Keeps the compiler from reading sums before a wait, or from writing them after a begin.
template <int kCount>
__device__ void pin(float (&sums)[kCount]) {
#pragma unroll
  for (int i = 0; i < kCount; ++i) asm volatile("" : "+f"(sums[i])::"memory");
}

/// Describes an operand whose K dimension is contiguous: rows of 128 bytes as TMA's 128-byte
/// swizzle lays them out, groups of 8 rows one after the other. `address` is a multiple of 1024,
/// or of 1024 plus a step of 32 bytes along K.
__device__ inline uint64_t describe_k_major(uint32_t address) {
  constexpr uint64_t kSwizzle128 = uint64_t{1} << 62;
  constexpr uint64_t kGroupStride = uint64_t{1024 / 16} << 32;
  constexpr uint64_t kLeadingStride = uint64_t{1} << 16;  // not used with a swizzle
  return kSwizzle128 | kGroupStride | kLeadingStride | ((address & 0x3ffffU) >> 4);
}

}  // namespace reel::attention::kernels::ptx
