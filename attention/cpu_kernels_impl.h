// The loops of cpu_kernels.h for vectors of kWidth floats. Included by one source for each
// instruction set, inside a namespace of its own; see the note there. A product keeps kRows x 2
// vectors of sums in registers: rows are broadcast, columns lie in vectors.
#pragma once

#include <cstdint>

namespace REEL_KERNEL_NAMESPACE {

constexpr int kWidth = REEL_KERNEL_WIDTH;
constexpr int kRows = REEL_KERNEL_ROWS;  // rows of sums that fit the registers
constexpr int kPanel = 2 * kWidth;
constexpr int kStrip = 4 * kRows;  // query rows that share a panel in the first-level cache

typedef float Floats __attribute__((vector_size(kWidth * 4)));
typedef int32_t Ints __attribute__((vector_size(kWidth * 4)));
typedef uint32_t Bits __attribute__((vector_size(kWidth * 4)));
typedef float MemoryFloats __attribute__((vector_size(kWidth * 4), aligned(4), may_alias));

constexpr float kNegativeInfinity = -__builtin_inff();
constexpr float kLn2 = 0.6931471805599453F;

inline Floats load(const float* from) {
  return *reinterpret_cast<const MemoryFloats*>(from);
}
inline void store(float* to, Floats value) {
  *reinterpret_cast<MemoryFloats*>(to) = value;
}
inline Floats broadcast(float value) {
  return value - Floats{};
}
inline int64_t round_up(int64_t value, int64_t unit) {
  return (value + unit - 1) / unit * unit;
}
inline int64_t smaller(int64_t a, int64_t b) {
  return a < b ? a : b;
}

// 2^x for x <= 0 to 1e-7 of the result; exactly 0 below 2^-126. NaN stays NaN: every comparison
// with it is false.
inline Floats exp2_of(Floats x) {
  constexpr float kMagic = 12582912.0F;  // 1.5 * 2^23: adding it rounds to a whole number
  const Floats shifted = x + kMagic;
  const Floats fraction = x - (shifted - kMagic);
  Floats power = fraction * 1.546973195e-4F + 1.340043217e-3F;
  power = power * fraction + 9.618025603e-3F;
  power = power * fraction + 5.550327214e-2F;
  power = power * fraction + 2.402265121e-1F;
  power = power * fraction + 6.931471806e-1F;
  power = power * fraction + 1.0F;
  // the magic's own bits leave through the top; unsigned, because far below -126 the sum wraps
  const Bits exponent = (__builtin_bit_cast(Bits, shifted) << 23) + (127U << 23);
  const Floats result = power * __builtin_bit_cast(Floats, exponent);
  return x < -126.0F ? Floats{} : result;
}

inline float exp2_of(float x) {
  return exp2_of(broadcast(x))[0];
}

// NaN in `a` wins; the caller keeps the running value in `b`.
inline Floats larger(Floats a, Floats b) {
  return b >= a ? b : a;
}

// Lanes i and i ^ step change places.
template <int kStep>
inline Floats swap_lanes(Floats value) {
  Ints lanes{};
  for (int i = 0; i < kWidth; ++i) lanes[i] = i ^ kStep;
  return __builtin_shuffle(value, lanes);
}

template <int kStep = kWidth / 2>
inline float sum_of(Floats value) {
  if constexpr (kStep == 0) {
    return value[0];
  } else {
    return sum_of<kStep / 2>(value + swap_lanes<kStep>(value));
  }
}

template <int kStep = kWidth / 2>
inline float max_of(Floats value) {
  if constexpr (kStep == 0) {
    return value[0];
  } else {
    return max_of<kStep / 2>(larger(value, swap_lanes<kStep>(value)));
  }
}

// sums[row][vector] += a[row, :] * b[:, vector], b [depth, b_stride] from its first column on;
// depth is at least 1.
template <int kNumRows, int kNumVectors>
inline void accumulate(const float* a, int64_t a_stride, const float* b, int64_t b_stride,
                       int64_t depth, Floats (&sums)[kNumRows][kNumVectors]) {
  // tested at the end: a loop that may not run at all makes GCC keep the sums in memory
  const float* end = b + depth * b_stride;
  do {
    Floats column[kNumVectors];
    for (int v = 0; v < kNumVectors; ++v) column[v] = load(b + v * kWidth);
    for (int row = 0; row < kNumRows; ++row) {
      const Floats left = broadcast(a[row * a_stride]);
      for (int v = 0; v < kNumVectors; ++v) sums[row][v] += left * column[v];
    }
    ++a;
    b += b_stride;
  } while (b != end);
}

// c [rows, kPanel] = a [rows, depth] * panel.
template <int kNumRows>
void multiply_panel(const float* a, int64_t a_stride, const float* panel, int64_t depth, float* c,
                    int64_t c_stride) {
  Floats sums[kNumRows][2];
  for (int row = 0; row < kNumRows; ++row) {
    for (int v = 0; v < 2; ++v) sums[row][v] = Floats{};
  }
  accumulate<kNumRows, 2>(a, a_stride, panel, kPanel, depth, sums);
  for (int row = 0; row < kNumRows; ++row) {
    for (int v = 0; v < 2; ++v) store(c + row * c_stride + v * kWidth, sums[row][v]);
  }
}

// c [rows, kPanel] = factors[row] * c + a [rows, depth] * b, b [depth, b_stride].
template <int kNumRows>
void add_scaled(const float* a, int64_t a_stride, const float* b, int64_t b_stride, int64_t depth,
                const float* factors, float* c, int64_t c_stride) {
  Floats sums[kNumRows][2];
  for (int row = 0; row < kNumRows; ++row) {
    for (int v = 0; v < 2; ++v) {
      sums[row][v] = factors[row] * load(c + row * c_stride + v * kWidth);
    }
  }
  accumulate<kNumRows, 2>(a, a_stride, b, b_stride, depth, sums);
  for (int row = 0; row < kNumRows; ++row) {
    for (int v = 0; v < 2; ++v) store(c + row * c_stride + v * kWidth, sums[row][v]);
  }
}

// Calls visit<n>() with n = rows, from kRows down to 1.
template <int kNumRows, typename Visit>
inline void with_row_count(int64_t rows, const Visit& visit) {
  if constexpr (kNumRows >= 1) {
    if (rows == kNumRows) {
      visit.template operator()<kNumRows>();
    } else {
      with_row_count<kNumRows - 1>(rows, visit);
    }
  }
}

void pack_panels(const PackPanels& task, int64_t first_panel, int64_t last_panel) {
  const int64_t depth = task.phases * task.head_dim;
  for (int64_t panel = first_panel; panel < last_panel; ++panel) {
    float* to = task.panels + panel * depth * kPanel;
    const int64_t first_row = panel * kPanel;
    const int64_t rows = smaller(kPanel, task.num_rows - first_row);
    for (int64_t phase = 0; phase < task.phases; ++phase, to += task.head_dim * kPanel) {
      for (int64_t row = 0; row < rows; ++row) {
        const float* from =
            task.source.data + ((first_row + row) * task.phases + phase) * task.source.row_stride;
        for (int64_t d = 0; d < task.head_dim; ++d) to[d * kPanel + row] = from[d];
      }
      for (int64_t row = rows; row < kPanel; ++row) {
        for (int64_t d = 0; d < task.head_dim; ++d) to[d * kPanel + row] = 0;
      }
    }
  }
}

// to [num_rows, stride * D]: strided rows with their phases reversed, scaled.
void pack_reversed(const ScoreTask& task, float* to) {
  for (int64_t row = 0; row < task.num_rows; ++row) {
    for (int64_t phase = 0; phase < task.stride; ++phase, to += task.head_dim) {
      const float* from =
          task.queries.data + ((row + 1) * task.stride - 1 - phase) * task.queries.row_stride;
      for (int64_t d = 0; d < task.head_dim; ++d) to[d] = task.scale * from[d];
    }
  }
}

// Replaces `count` logits by exp2(logit - max), zero up to `padded`; returns 1 / sum.
float softmax_row(float* row, int64_t count, int64_t padded) {
  for (int64_t i = count; i < padded; ++i) row[i] = kNegativeInfinity;
  Floats max_vector = broadcast(kNegativeInfinity);
  for (int64_t i = 0; i < padded; i += kWidth) max_vector = larger(load(row + i), max_vector);
  const float max = max_of(max_vector);
  Floats sum_vector = {};
  for (int64_t i = 0; i < padded; i += kWidth) {
    const Floats power = exp2_of(load(row + i) - max);
    sum_vector += power;
    store(row + i, power);
  }
  return 1.0F / sum_of(sum_vector);
}

int64_t score_workspace(int64_t num_rows, int64_t depth, int64_t num_columns) {
  const int64_t padded = round_up(num_columns, kPanel);
  return round_up(num_rows * depth, kPanel) + (num_rows + 1) * padded;
}

void score(const ScoreTask& task) {
  const int64_t depth = task.stride * task.head_dim;
  const int64_t padded = round_up(task.num_columns, kPanel);
  float* queries = task.workspace;
  float* logits = queries + round_up(task.num_rows * depth, kPanel);
  float* column_mass = logits + task.num_rows * padded;
  pack_reversed(task, queries);
  for (int64_t column = 0; column < padded; column += kPanel) {
    const float* panel = task.key_panels + column * depth;
    for (int64_t row = 0; row < task.num_rows; row += kRows) {
      with_row_count<kRows>(smaller(kRows, task.num_rows - row), [&]<int kNumRows>() {
        multiply_panel<kNumRows>(queries + row * depth, depth, panel, depth,
                                 logits + row * padded + column, padded);
      });
    }
  }
  for (int64_t i = 0; i < padded; ++i) column_mass[i] = 0;
  for (int64_t row = 0; row < task.num_rows; ++row) {
    float* values = logits + row * padded;
    const int64_t count = task.first_causal_row < 0
                              ? task.num_columns
                              : smaller(task.num_columns, task.first_causal_row + row + 1);
    const float share = softmax_row(values, count, padded) / static_cast<float>(task.num_rows);
    for (int64_t i = 0; i < padded; i += kWidth) {
      store(column_mass + i, load(column_mass + i) + share * load(values + i));
    }
  }
  for (int64_t i = 0, column = 0; column < task.num_columns; ++i) {
    float sum = 0;
    for (int64_t end = column + task.columns_per_block; column < end; ++column) {
      sum += column_mass[column];
    }
    task.block_mass[i] = sum;
  }
}

// Where attend keeps its rows between key blocks.
struct AttendRows {
  float* queries;  // [block, D], scaled
  float* logits;   // [kStrip, block]
  float* sums;     // [block, padded_dim]
  float* max;      // [block]
  float* total;    // [block]
};

AttendRows lay_out(float* workspace, int64_t block, int64_t head_dim, int64_t padded_dim) {
  AttendRows rows{};
  rows.logits = workspace;
  rows.sums = rows.logits + kStrip * block;
  rows.queries = rows.sums + block * padded_dim;
  rows.max = rows.queries + round_up(block * head_dim, kPanel);
  rows.total = rows.max + block;
  return rows;
}

int64_t attend_workspace(int64_t block, int64_t head_dim, int64_t padded_dim) {
  return kStrip * block + block * padded_dim + round_up(block * head_dim, kPanel) + 2 * block;
}

// Turns the logits of one row into powers, and its max and total into those of all blocks so far.
// Returns the factor for what was summed before.
float advance_softmax(float* logits, int64_t count, int64_t padded, float& max, float& total) {
  for (int64_t i = count; i < padded; ++i) logits[i] = kNegativeInfinity;
  Floats max_vector = broadcast(max);
  for (int64_t i = 0; i < padded; i += kWidth) max_vector = larger(load(logits + i), max_vector);
  const float new_max = max_of(max_vector);
  Floats sum_vector = {};
  for (int64_t i = 0; i < padded; i += kWidth) {
    const Floats power = exp2_of(load(logits + i) - new_max);
    sum_vector += power;
    store(logits + i, power);
  }
  const float factor = max == kNegativeInfinity ? 0.0F : exp2_of(max - new_max);
  max = new_max;
  total = total * factor + sum_of(sum_vector);
  return factor;
}

// Calls visit<n>(row) for the rows of a strip, n of them from `row` on.
template <typename Visit>
inline void for_row_groups(int64_t num_rows, const Visit& visit) {
  for (int64_t row = 0; row < num_rows; row += kRows) {
    with_row_count<kRows>(smaller(kRows, num_rows - row),
                          [&]<int kNumRows>() { visit.template operator()<kNumRows>(row); });
  }
}

// One strip of queries against one key block. A panel of keys or values stays in the first-level
// cache while the strip's rows pass by.
void attend_strip(const AttendTask& task, const AttendRows& rows, int64_t first, int64_t num_rows,
                  int64_t key_block) {
  const int64_t block = task.block;
  const int64_t first_key = key_block * block;
  int64_t num_keys = smaller(block, task.num_tokens - first_key);
  if (task.first_causal_query >= 0) {
    num_keys = smaller(num_keys, task.first_causal_query + first + num_rows - first_key);
  }
  const int64_t padded = round_up(num_keys, kPanel);
  const float* queries = rows.queries + first * task.head_dim;
  for (int64_t key = 0; key < padded; key += kPanel) {
    const float* panel = task.key_panels + (first_key + key) * task.head_dim;
    for_row_groups(num_rows, [&]<int kNumRows>(int64_t row) {
      multiply_panel<kNumRows>(queries + row * task.head_dim, task.head_dim, panel, task.head_dim,
                               rows.logits + row * block + key, block);
    });
  }
  float factors[kStrip];
  for (int64_t row = 0; row < num_rows; ++row) {
    int64_t count = num_keys;
    if (task.first_causal_query >= 0) {
      count = smaller(count, task.first_causal_query + first + row + 1 - first_key);
    }
    factors[row] = advance_softmax(rows.logits + row * block, count, padded, rows.max[first + row],
                                   rows.total[first + row]);
  }
  for (int64_t d = 0; d < task.padded_dim; d += kPanel) {
    const float* values = task.values + first_key * task.padded_dim + d;
    for_row_groups(num_rows, [&]<int kNumRows>(int64_t row) {
      add_scaled<kNumRows>(rows.logits + row * block, block, values, task.padded_dim, num_keys,
                           factors + row, rows.sums + (first + row) * task.padded_dim + d,
                           task.padded_dim);
    });
  }
}

void attend(const AttendTask& task) {
  const AttendRows rows = lay_out(task.workspace, task.block, task.head_dim, task.padded_dim);
  for (int64_t i = 0; i < task.num_queries; ++i) {
    const float* from = task.queries.data + i * task.queries.row_stride;
    float* to = rows.queries + i * task.head_dim;
    for (int64_t d = 0; d < task.head_dim; ++d) to[d] = task.scale * from[d];
    rows.max[i] = kNegativeInfinity;
    rows.total[i] = 0;
  }
  for (int64_t i = 0; i < task.num_queries * task.padded_dim; ++i) rows.sums[i] = 0;
  for (int64_t i = 0; i < task.num_key_blocks; ++i) {
    for (int64_t first = 0; first < task.num_queries; first += kStrip) {
      attend_strip(task, rows, first, smaller(kStrip, task.num_queries - first),
                   task.key_blocks[i]);
    }
  }
  for (int64_t i = 0; i < task.num_queries; ++i) {
    const float inverse = task.num_key_blocks > 0 ? 1.0F / rows.total[i] : 0.0F;
    const float* from = rows.sums + i * task.padded_dim;
    float* to = task.out + i * task.out_stride;
    for (int64_t d = 0; d < task.head_dim; ++d) to[d] = inverse * from[d];
    task.lse[i] = (rows.max[i] + __builtin_log2f(rows.total[i])) * kLn2;
  }
}

}  // namespace REEL_KERNEL_NAMESPACE
