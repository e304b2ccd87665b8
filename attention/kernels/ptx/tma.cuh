// Copies of boxes of a tensor into shared memory by the bulk copy engine. Compute capability 9.0.
#pragma once

#include <cuda.h>

#include <cstdint>

namespace reel::attention::kernels::ptx {

/// Where a box begins, the contiguous dimension first.
struct Box5 {
  int c0, c1, c2, c3, c4;
};

/// Starts to copy a box to shared address `target`; its bytes count at `barrier`.
__device__ inline void load_box(const CUtensorMap& map, uint32_t target, uint32_t barrier,
                                const Box5& box) {
  asm volatile(
      "cp.async.bulk.tensor.5d.shared::cluster.global.mbarrier::complete_tx::bytes "
      "[%0], [%1, {%3, %4, %5, %6, %7}], [%2];" ::"r"(target),
      "l"(&map), "r"(barrier), "r"(box.c0), "r"(box.c1), "r"(box.c2), "r"(box.c3), "r"(box.c4)
      : "memory");
}

/// The same for all CTAs of the cluster that `ctas` names by bits, each at the same place and with
/// the bytes counted at its own barrier.
__device__ inline void load_box_multicast(const CUtensorMap& map, uint32_t target, uint32_t barrier,
                                          const Box5& box, uint16_t ctas) {
  asm volatile(
      "cp.async.bulk.tensor.5d.shared::cluster.global.mbarrier::complete_tx::bytes"
      ".multicast::cluster [%0], [%1, {%3, %4, %5, %6, %7}], [%2], %8;" ::"r"(target),
      "l"(&map), "r"(barrier), "r"(box.c0), "r"(box.c1), "r"(box.c2), "r"(box.c3), "r"(box.c4),
      "h"(ctas)
      : "memory");
}

}  // namespace reel::attention::kernels::ptx
