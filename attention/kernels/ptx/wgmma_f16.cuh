// wgmma of 64 rows in 16-bit formats with fp32 sums: both operands in shared memory with K fast (a
// logit tile), or A in registers and B in shared memory with N fast (weights times values).
// Fragment of the sums: thread t of the warpgroup has rows 16 (t / 32) + (t % 32) / 4 (+ 8),
// columns 8 i + 2 (t % 4) (+ 1): d[4 i], d[4 i + 1], and d[4 i + 2], d[4 i + 3] of the row 8 below.
// Sums rounded and packed in pairs are the A fragment of a later product: step j takes words 4 j ..
// 4 j + 3.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>
#include <type_traits>

#include "attention/kernels/ptx/wgmma.cuh"

namespace reel::attention::kernels::ptx {

/// Describes B with its N dimension contiguous: 64 columns make rows of 128 bytes as TMA's 128-byte
/// swizzle lays them out, one row for each step along K, 8 rows a group; the next 64 columns lie
/// `column_bytes` further on. `address` is a multiple of 1024.
__device__ inline uint64_t describe_n_major(uint32_t address, uint32_t column_bytes) {
  constexpr uint64_t kSwizzle128 = uint64_t{1} << 62;
  constexpr uint64_t kGroupStride = uint64_t{1024 / 16} << 32;
  return kSwizzle128 | kGroupStride | (uint64_t{column_bytes >> 4} << 16) |
         ((address & 0x3ffffU) >> 4);
}

/// Keeps the compiler from writing packed words after a begin.
template <int kCount>
__device__ void pin(uint32_t (&words)[kCount]) {
#pragma unroll
  for (int i = 0; i < kCount; ++i) asm volatile("" : "+r"(words[i])::"memory");
}

#define REEL_SUMS_16(d, i)                                                                    \
  "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3]), "+f"(d[i + 4]), "+f"(d[i + 5]), \
      "+f"(d[i + 6]), "+f"(d[i + 7]), "+f"(d[i + 8]), "+f"(d[i + 9]), "+f"(d[i + 10]),        \
      "+f"(d[i + 11]), "+f"(d[i + 12]), "+f"(d[i + 13]), "+f"(d[i + 14]), "+f"(d[i + 15])

#define REEL_SUMS_32(d) REEL_SUMS_16(d, 0), REEL_SUMS_16(d, 16)
#define REEL_SUMS_64(d) REEL_SUMS_32(d), REEL_SUMS_16(d, 32), REEL_SUMS_16(d, 48)

// One instruction of N columns: its text differs in the number format alone.
#define REEL_WGMMA_SHARED_N64(type)                                                       \
  asm volatile(                                                                           \
      "{.reg .pred p; setp.ne.b32 p, %34, 0; "                                            \
      "wgmma.mma_async.sync.aligned.m64n64k16.f32." type "." type                         \
      " {"                                                                                \
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "            \
      "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31}, " \
      "%32, %33, p, 1, 1, 0, 0;}"                                                         \
      : REEL_SUMS_32(d)                                                                   \
      : "l"(a), "l"(b), "r"(static_cast<int>(accumulate)))

#define REEL_WGMMA_REGISTERS_N64(type)                                                    \
  asm volatile(                                                                           \
      "{.reg .pred p; setp.ne.b32 p, %37, 0; "                                            \
      "wgmma.mma_async.sync.aligned.m64n64k16.f32." type "." type                         \
      " {"                                                                                \
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "            \
      "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31}, " \
      "{%32, %33, %34, %35}, %36, p, 1, 1, 1;}"                                           \
      : REEL_SUMS_32(d)                                                                   \
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(1))

#define REEL_WGMMA_SHARED_N128(type)                                                      \
  asm volatile(                                                                           \
      "{.reg .pred p; setp.ne.b32 p, %66, 0; "                                            \
      "wgmma.mma_async.sync.aligned.m64n128k16.f32." type "." type                        \
      " {"                                                                                \
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "            \
      "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, "  \
      "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "  \
      "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63}, " \
      "%64, %65, p, 1, 1, 0, 0;}"                                                         \
      : REEL_SUMS_64(d)                                                                   \
      : "l"(a), "l"(b), "r"(static_cast<int>(accumulate)))

#define REEL_WGMMA_REGISTERS_N128(type)                                                   \
  asm volatile(                                                                           \
      "{.reg .pred p; setp.ne.b32 p, %69, 0; "                                            \
      "wgmma.mma_async.sync.aligned.m64n128k16.f32." type "." type                        \
      " {"                                                                                \
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "            \
      "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, "  \
      "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "  \
      "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63}, " \
      "{%64, %65, %66, %67}, %68, p, 1, 1, 1;}"                                           \
      : REEL_SUMS_64(d)                                                                   \
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(1))

/// One step of 16 along K: both operands K-major in shared memory.
template <typename Element, int kColumns>
__device__ void wgmma_shared(float (&d)[kColumns / 2], uint64_t a, uint64_t b, bool accumulate) {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  static_assert(kColumns == 64 || kColumns == 128);
  constexpr bool kBf16 = std::is_same_v<Element, __nv_bfloat16>;
  static_assert(kBf16 || std::is_same_v<Element, __half>);
  if constexpr (kColumns == 64 && kBf16) {
    REEL_WGMMA_SHARED_N64("bf16");
  } else if constexpr (kColumns == 64) {
    REEL_WGMMA_SHARED_N64("f16");
  } else if constexpr (kBf16) {
    REEL_WGMMA_SHARED_N128("bf16");
  } else {
    REEL_WGMMA_SHARED_N128("f16");
  }
#endif
}

/// One step of 16 along K, added to the sums: A packed in registers, B N-major in shared memory.
template <typename Element, int kColumns>
__device__ void wgmma_registers(float (&d)[kColumns / 2], const uint32_t (&a)[4], uint64_t b) {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  static_assert(kColumns == 64 || kColumns == 128);
  constexpr bool kBf16 = std::is_same_v<Element, __nv_bfloat16>;
  static_assert(kBf16 || std::is_same_v<Element, __half>);
  if constexpr (kColumns == 64 && kBf16) {
    REEL_WGMMA_REGISTERS_N64("bf16");
  } else if constexpr (kColumns == 64) {
    REEL_WGMMA_REGISTERS_N64("f16");
  } else if constexpr (kBf16) {
    REEL_WGMMA_REGISTERS_N128("bf16");
  } else {
    REEL_WGMMA_REGISTERS_N128("f16");
  }
#endif
}

#undef REEL_SUMS_16
#undef REEL_SUMS_32
#undef REEL_SUMS_64
#undef REEL_WGMMA_SHARED_N64
#undef REEL_WGMMA_REGISTERS_N64
#undef REEL_WGMMA_SHARED_N128
#undef REEL_WGMMA_REGISTERS_N128

}  // namespace reel::attention::kernels::ptx
