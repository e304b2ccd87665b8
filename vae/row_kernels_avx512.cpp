// Compiled for AVX-512; entered only where row_kernels() found it.
#include <immintrin.h>

#include "vae/row_kernels_impl.h"

namespace reel::vae {
namespace {

struct Avx512 {
  using Vector = __m512;
  static constexpr int64_t kLanes = 16;

  static __mmask16 first(int64_t count) {
    return static_cast<__mmask16>(count >= kLanes ? 0xFFFF : (1U << count) - 1U);
  }
  static Vector load(const float* from) { return _mm512_loadu_ps(from); }
  static Vector load_first(const float* from, int64_t count) {
    return _mm512_maskz_loadu_ps(first(count), from);
  }
  static Vector broadcast(const float* from) { return _mm512_set1_ps(*from); }
  static Vector multiply_add(Vector a, Vector b, Vector c) { return _mm512_fmadd_ps(a, b, c); }
  static Vector add(Vector a, Vector b) { return _mm512_add_ps(a, b); }
  static void store_first(float* to, Vector value, int64_t count) {
    _mm512_mask_storeu_ps(to, first(count), value);
  }
};

// 24 accumulators, up to 4 weights and a broadcast value fit 32 registers.
void conv_row(const ConvRow& row) {
  const int64_t num_vectors = (row.out_channels + Avx512::kLanes - 1) / Avx512::kLanes;
  int64_t vector = 0;
  for (; num_vectors - vector >= 4; vector += 4) conv_pixels<Avx512, 6, 4>(row, vector);
  switch (num_vectors - vector) {
    case 3:
      conv_pixels<Avx512, 8, 3>(row, vector);
      break;
    case 2:
      conv_pixels<Avx512, 12, 2>(row, vector);
      break;
    case 1:
      conv_pixels<Avx512, 12, 1>(row, vector);
      break;
    default:
      break;
  }
}

}  // namespace

const RowKernels kRowKernelsAvx512{conv_row, norm_silu_row};

}  // namespace reel::vae
