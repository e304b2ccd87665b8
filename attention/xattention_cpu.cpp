#include "attention/xattention_cpu.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <atomic>
#include <cmath>
#include <cstring>
#include <functional>
#include <numbers>

#include "core/error.h"
#include "core/tensor_check.h"

namespace reel::attention {
namespace {

// Packed copies of the heads in work at one time stay below this.
constexpr int64_t kMaxPackedBytes = int64_t{1} << 28;

// Runs task(i, thread) for i in [0, count) on all threads, each taking the next one when it is
// free: lists differ in length, so an even split would leave threads idle.
void for_each_task(int64_t count, const std::function<void(int64_t, int64_t)>& task) {
  std::atomic<int64_t> next = 0;
  at::parallel_for(0, at::get_num_threads(), 1, [&](int64_t first, int64_t) {
    for (int64_t i = next++; i < count; i = next++) task(i, first);
  });
}

int64_t round_up(int64_t value, int64_t unit) {
  return (value + unit - 1) / unit * unit;
}

// One head's rows of a [S, A, D] fp32 tensor, from token `first` on.
HeadRows rows_of(const at::Tensor& tensor, int64_t head, int64_t first) {
  return {tensor.const_data_ptr<float>() + first * tensor.stride(0) + head * tensor.stride(1),
          tensor.stride(0)};
}

// fp32 with contiguous rows; copies only if it has to.
at::Tensor as_rows(const at::Tensor& tensor) {
  const at::Tensor floats = tensor.to(at::kFloat);
  return floats.stride(2) == 1 || floats.size(2) == 1 ? floats : floats.contiguous();
}

void check_inputs(std::string_view where, const at::Tensor& q, const at::Tensor& k,
                  const BlockGrid& grid) {
  check_grid(grid);
  check_tensor(where, q, "q", {{'S', grid.num_tokens}, {'A', kAny}, {'D', kAny}});
  check_tensor(where, k, "k", {{'S', grid.num_tokens}, {'A', q.size(1)}, {'D', q.size(2)}},
               q.scalar_type());
  if (!q.is_cpu() || !k.is_cpu()) {
    fail<ShapeError>(where, ": not on the CPU: got ", q.device().str(), " and ", k.device().str());
  }
}

// Scratch memory of every thread, 64-byte aligned.
class Workspaces {
 public:
  explicit Workspaces(int64_t floats)
      : stride_(round_up(floats, 16)), memory_(at::empty({at::get_num_threads() * stride_})) {}

  float* of_thread(int64_t thread) const { return memory_.data_ptr<float>() + thread * stride_; }

 private:
  int64_t stride_;
  at::Tensor memory_;
};

// Heads whose packed copies of `bytes_per_head` are made at one time.
int64_t heads_at_once(int64_t num_heads, int64_t bytes_per_head) {
  return std::clamp(kMaxPackedBytes / std::max<int64_t>(bytes_per_head, 1), int64_t{1}, num_heads);
}

// Rows of [first_head, first_head + num_heads) packed for products; [heads, panels, depth, width].
at::Tensor pack_heads(const at::Tensor& rows, int64_t first_head, int64_t num_heads,
                      int64_t num_rows, int64_t phases, const CpuKernels& kernels) {
  const int64_t width = kernels.panel_width;
  const int64_t num_panels = (num_rows + width - 1) / width;
  const at::Tensor packed = at::empty({num_heads, num_panels, phases * rows.size(2), width});
  for_each_task(num_heads * num_panels, [&](int64_t i, int64_t) {
    const int64_t head = i / num_panels;
    const PackPanels task = {.source = rows_of(rows, first_head + head, 0),
                             .num_rows = num_rows,
                             .phases = phases,
                             .head_dim = rows.size(2),
                             .panels = packed.data_ptr<float>() + head * packed.stride(0)};
    kernels.pack_panels(task, i % num_panels, i % num_panels + 1);
  });
  return packed;
}

// Values with D padded by zeros; [heads, S, padded_dim].
at::Tensor pad_values(const at::Tensor& rows, int64_t first_head, int64_t num_heads,
                      int64_t padded_dim) {
  const int64_t num_tokens = rows.size(0);
  const int64_t head_dim = rows.size(2);
  const at::Tensor padded = at::empty({num_heads, num_tokens, padded_dim});
  constexpr int64_t kRowsPerTask = 256;
  const int64_t tasks_per_head = (num_tokens + kRowsPerTask - 1) / kRowsPerTask;
  for_each_task(num_heads * tasks_per_head, [&](int64_t i, int64_t) {
    const int64_t head = i / tasks_per_head;
    const HeadRows from = rows_of(rows, first_head + head, 0);
    const int64_t first = i % tasks_per_head * kRowsPerTask;
    const int64_t last = std::min(first + kRowsPerTask, num_tokens);
    float* to = padded.data_ptr<float>() + head * padded.stride(0) + first * padded_dim;
    for (int64_t token = first; token < last; ++token, to += padded_dim) {
      std::memcpy(to, from.data + token * from.row_stride,
                  static_cast<size_t>(head_dim) * sizeof(float));
      std::fill(to + head_dim, to + padded_dim, 0.0F);
    }
  });
  return padded;
}

}  // namespace

at::Tensor score_blocks_cpu(const at::Tensor& q, const at::Tensor& k, const BlockGrid& grid,
                            const CpuKernels& kernels) {
  check_inputs("score_blocks_cpu", q, k, grid);
  const int64_t num_heads = q.size(1);
  const int64_t head_dim = q.size(2);
  const int64_t num_scored = grid.num_scored();
  const at::Tensor mass = at::zeros({num_heads, num_scored, num_scored});
  if (num_scored == 0) return mass;
  const at::Tensor queries = as_rows(q);
  const at::Tensor keys = as_rows(k);
  const int64_t per_block = grid.strided_per_block();
  const int64_t num_strided = num_scored * per_block;
  const int64_t depth = grid.stride * head_dim;
  const Workspaces workspaces(kernels.score_workspace(per_block, depth, num_strided));
  const int64_t chunk = heads_at_once(num_heads, num_strided * depth * 4);
  for (int64_t first = 0; first < num_heads; first += chunk) {
    const int64_t count = std::min(chunk, num_heads - first);
    const at::Tensor packed = pack_heads(keys, first, count, num_strided, grid.stride, kernels);
    for_each_task(count * num_scored, [&](int64_t i, int64_t thread) {
      const int64_t head = i / num_scored;
      const int64_t query = i % num_scored;
      kernels.score({.queries = rows_of(queries, first + head, query * grid.block),
                     .num_rows = per_block,
                     .stride = grid.stride,
                     .head_dim = head_dim,
                     .scale = static_cast<float>(std::numbers::log2e /
                                                 (std::sqrt(static_cast<double>(head_dim)) *
                                                  static_cast<double>(grid.stride))),
                     .key_panels = packed.const_data_ptr<float>() + head * packed.stride(0),
                     .num_columns = grid.num_candidates(query) * per_block,
                     .columns_per_block = per_block,
                     .first_causal_row = grid.causal ? query * per_block : -1,
                     .workspace = workspaces.of_thread(thread),
                     .block_mass = mass.data_ptr<float>() +
                                   ((first + head) * num_scored + query) * num_scored});
    });
  }
  return mass;
}

AttendResult attend_blocks_cpu(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                               const BlockLists& lists, const BlockGrid& grid,
                               const CpuKernels& kernels) {
  check_inputs("attend_blocks_cpu", q, k, grid);
  check_inputs("attend_blocks_cpu", q, v, grid);
  const int64_t num_heads = q.size(1);
  const int64_t head_dim = q.size(2);
  const int64_t num_blocks = grid.num_blocks();
  if (lists.num_heads() != num_heads || lists.num_blocks() != num_blocks ||
      grid.block % kernels.panel_width != 0) {
    fail<ShapeError>("attend_blocks_cpu: lists do not fit: got ", lists.num_heads(), " heads and ",
                     lists.num_blocks(), " blocks, want ", num_heads, " and ", num_blocks);
  }
  const at::Tensor queries = as_rows(q);
  const at::Tensor keys = as_rows(k);
  const at::Tensor values = as_rows(v);
  const int64_t padded_dim = round_up(head_dim, kernels.panel_width);
  const at::Tensor out = at::empty({grid.num_tokens, num_heads, head_dim});
  const at::Tensor lse = at::empty({num_heads, grid.num_tokens});
  const Workspaces workspaces(kernels.attend_workspace(grid.block, head_dim, padded_dim));
  const int64_t chunk = heads_at_once(num_heads, grid.num_tokens * (head_dim + padded_dim) * 4);
  for (int64_t first = 0; first < num_heads; first += chunk) {
    const int64_t count = std::min(chunk, num_heads - first);
    const at::Tensor packed =
        pack_heads(keys, first, count, grid.num_tokens, /*phases=*/1, kernels);
    const at::Tensor padded = pad_values(values, first, count, padded_dim);
    for_each_task(count * num_blocks, [&](int64_t i, int64_t thread) {
      const int64_t head = i / num_blocks;
      const int64_t query = num_blocks - 1 - i % num_blocks;  // dense text rows first
      const int64_t token = query * grid.block;
      const auto list = lists.keys(first + head, query);
      kernels.attend({.queries = rows_of(queries, first + head, token),
                      .num_queries = std::min(grid.block, grid.num_tokens - token),
                      .head_dim = head_dim,
                      .padded_dim = padded_dim,
                      .scale = static_cast<float>(std::numbers::log2e /
                                                  std::sqrt(static_cast<double>(head_dim))),
                      .key_panels = packed.const_data_ptr<float>() + head * packed.stride(0),
                      .values = padded.const_data_ptr<float>() + head * padded.stride(0),
                      .block = grid.block,
                      .num_tokens = grid.num_tokens,
                      .key_blocks = list.data(),
                      .num_key_blocks = std::ssize(list),
                      .first_causal_query = grid.causal ? token : -1,
                      .workspace = workspaces.of_thread(thread),
                      .out = out.data_ptr<float>() + (token * num_heads + first + head) * head_dim,
                      .out_stride = num_heads * head_dim,
                      .lse = lse.data_ptr<float>() + (first + head) * grid.num_tokens + token});
    });
  }
  return {out.to(q.scalar_type()), lse};
}

}  // namespace reel::attention
