// Barriers in shared memory (mbarrier), of a CTA and of a cluster. Compute capability 9.0.
#pragma once

#include <cstdint>

namespace reel::attention::kernels::ptx {

/// Address in the CTA's shared memory, as PTX takes it.
__device__ inline uint32_t shared_address(const void* pointer) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(pointer));
}

/// Makes a barrier whose phases end with `count` arrivals and all expected bytes.
__device__ inline void init_barrier(uint32_t barrier, int count) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(count) : "memory");
}

/// Lets TMA and other CTAs of the cluster see barriers that this thread made.
__device__ inline void publish_barriers() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}

/// Waits for the end of the phase of this parity; the phase before a barrier's first has parity 1
/// and is over.
__device__ inline void wait_barrier(uint32_t barrier, uint32_t parity) {
  uint32_t done = 0;
  while (done == 0) {
    asm volatile(
        "{.reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2; "
        "selp.u32 %0, 1, 0, p;}"
        : "=r"(done)
        : "r"(barrier), "r"(parity)
        : "memory");
  }
}

/// Arrives once.
__device__ inline void arrive(uint32_t barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(barrier) : "memory");
}

/// Arrives once at the barrier of the same place in CTA `cta` of the cluster, perhaps this one.
__device__ inline void arrive_at(uint32_t barrier, int cta) {
  asm volatile(
      "{.reg .b32 remote; mapa.shared::cluster.u32 remote, %0, %1; "
      "mbarrier.arrive.shared::cluster.b64 _, [remote];}" ::"r"(barrier),
      "r"(cta)
      : "memory");
}

/// Arrives once and lets the phase wait for `bytes` that TMA brings.
__device__ inline void arrive_expecting(uint32_t barrier, uint32_t bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes)
               : "memory");
}

/// Waits for all threads of a cluster of kCtas CTAs. Whole warps only.
template <int kCtas>
__device__ void sync_cluster() {
  if constexpr (kCtas == 1) {
    __syncthreads();
  } else {
    asm volatile("barrier.cluster.arrive.release.aligned; barrier.cluster.wait.acquire.aligned;" ::
                     : "memory");
  }
}

/// Named barrier kId of the CTA: waits until kThreads threads have arrived, of which these wait.
template <int kId, int kThreads>
__device__ void sync_named() {
  asm volatile("bar.sync %0, %1;" ::"n"(kId), "n"(kThreads) : "memory");
}

/// Arrives at it without waiting.
template <int kId, int kThreads>
__device__ void arrive_named() {
  asm volatile("bar.arrive %0, %1;" ::"n"(kId), "n"(kThreads) : "memory");
}

/// Gives back, or takes, registers until a thread of this warpgroup has kCount.
template <int kCount>
__device__ void shrink_registers() {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(kCount));
#endif
}
template <int kCount>
__device__ void grow_registers() {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(kCount));
#endif
}

}  // namespace reel::attention::kernels::ptx
