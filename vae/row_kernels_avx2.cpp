#include <immintrin.h>

#include "vae/row_kernels_impl.h"

namespace reel::vae {
namespace {

struct Avx2 {
  using Vector = __m256;
  static constexpr int64_t kLanes = 8;

  static __m256i first(int64_t count) {
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)), lane);
  }
  static Vector load(const float* from) { return _mm256_loadu_ps(from); }
  static Vector load_first(const float* from, int64_t count) {
    return _mm256_maskload_ps(from, first(count));
  }
  static Vector broadcast(const float* from) { return _mm256_broadcast_ss(from); }
  static Vector multiply_add(Vector a, Vector b, Vector c) { return _mm256_fmadd_ps(a, b, c); }
  static Vector add(Vector a, Vector b) { return _mm256_add_ps(a, b); }
  static void store_first(float* to, Vector value, int64_t count) {
    _mm256_maskstore_ps(to, first(count), value);
  }
};

// 12 accumulators, up to 3 weights and a broadcast value fit 16 registers.
void conv_row(const ConvRow& row) {
  const int64_t num_vectors = (row.out_channels + Avx2::kLanes - 1) / Avx2::kLanes;
  int64_t vector = 0;
  for (; (num_vectors - vector) % 2 != 0 && num_vectors - vector >= 3; vector += 3) {
    conv_pixels<Avx2, 4, 3>(row, vector);
  }
  for (; num_vectors - vector >= 2; vector += 2) conv_pixels<Avx2, 6, 2>(row, vector);
  if (vector < num_vectors) conv_pixels<Avx2, 12, 1>(row, vector);
}

}  // namespace

const RowKernels kRowKernelsAvx2{conv_row, norm_silu_row};

}  // namespace reel::vae
