// The inner loops of XAttention on a CPU, written once for any vector width and compiled for AVX2
// and for AVX-512. No LibTorch and no standard library here: the AVX-512 source must not emit
// inline functions that a narrower processor could end up calling. Letters (docs/SHAPES.md): D head
// dim.
#pragma once

#include <cstdint>

namespace reel::attention {

/// Strided source rows of one head, fp32: row i begins at data + i * row_stride.
struct HeadRows {
  const float* data;
  int64_t row_stride;  // in elements
};

/// Packing of rows for products with vectors along the rows: panels of `panel_width` rows,
/// each panel [depth, panel_width]. A row is `phases` consecutive source rows of D elements, so
/// depth = phases * D. Missing rows of the last panel are 0.
struct PackPanels {
  HeadRows source;
  int64_t num_rows;  // packed rows, of phases source rows each
  int64_t phases;
  int64_t head_dim;
  float* panels;  // [ceil(num_rows / panel_width), depth, panel_width]
};

/// One query block's scores against all candidates of its head.
struct ScoreTask {
  HeadRows queries;         // the block's first row; stride * num_rows source rows
  int64_t num_rows;         // strided rows of the block
  int64_t stride;           // phases of a strided row; the queries' are reversed
  int64_t head_dim;         // D
  float scale;              // log2(e) / (sqrt(D) * stride)
  const float* key_panels;  // PackPanels of the head's strided keys
  int64_t num_columns;      // strided key rows that take part
  int64_t columns_per_block;
  int64_t first_causal_row;  // strided index of row 0 if causal, else -1
  float* workspace;          // score_workspace(...) floats, 64-byte aligned
  float* block_mass;         // [num_columns / columns_per_block], sums to 1
};

/// One query block's attention to a list of key blocks.
struct AttendTask {
  HeadRows queries;           // the block's first row
  int64_t num_queries;        // rows of the block, fewer in a ragged one
  int64_t head_dim;           // D
  int64_t padded_dim;         // D rounded up to panel_width
  float scale;                // log2(e) / sqrt(D)
  const float* key_panels;    // PackPanels of the head's keys, one phase
  const float* values;        // [S, padded_dim]
  int64_t block;              // tokens a block, a multiple of panel_width
  int64_t num_tokens;         // S
  const int32_t* key_blocks;  // ascending
  int64_t num_key_blocks;
  int64_t first_causal_query;  // token index of query 0 if causal, else -1
  float* workspace;            // attend_workspace(...) floats, 64-byte aligned
  float* out;                  // row i at out + i * out_stride, D elements
  int64_t out_stride;
  float* lse;  // [num_queries], natural log; -inf for an empty list
};

/// One build of the loops.
struct CpuKernels {
  const char* name;
  int64_t panel_width;
  void (*pack_panels)(const PackPanels&, int64_t first_panel, int64_t last_panel);
  void (*score)(const ScoreTask&);
  void (*attend)(const AttendTask&);
  /// Floats of scratch memory that one task needs.
  int64_t (*score_workspace)(int64_t num_rows, int64_t depth, int64_t num_columns);
  int64_t (*attend_workspace)(int64_t block, int64_t head_dim, int64_t padded_dim);
};

extern const CpuKernels kAvx2Kernels;
extern const CpuKernels kAvx512Kernels;

/// True if this processor runs the AVX-512 build.
bool has_avx512();

/// The widest build that this processor runs.
const CpuKernels& best_cpu_kernels();

}  // namespace reel::attention
