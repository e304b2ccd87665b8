#include "attention/xattention_torch.h"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>
#include <vector>

#include "core/error.h"
#include "core/tensor_check.h"

namespace reel::attention {
namespace {

// Temporary tensors of one chunk stay below this.
constexpr int64_t kMaxChunkBytes = int64_t{1} << 30;
constexpr double kNegativeInfinity = -std::numeric_limits<double>::infinity();

// a [B, m, d] times b [B, d, n] with fp32 sums and an fp32 result, whatever the inputs' dtype.
at::Tensor bmm_fp32(const at::Tensor& a, const at::Tensor& b) {
  if (a.is_cuda() && a.scalar_type() != at::kFloat) return at::bmm(a, b, at::kFloat);
  return at::bmm(a.to(at::kFloat), b.to(at::kFloat));
}

// Strided rows of one head: [rows, stride * D]; phases in reverse order for queries.
at::Tensor strided_rows(const at::Tensor& head, int64_t stride, int64_t num_tokens, bool reverse) {
  const at::Tensor rows = head.slice(0, 0, num_tokens).reshape({-1, stride, head.size(1)});
  return (reverse ? rows.flip(1) : rows).reshape({rows.size(0), -1});
}

// Block sums of one head's rows [first, last) of query blocks: [last - first, scored].
at::Tensor block_sums(const at::Tensor& queries, const at::Tensor& keys, const BlockGrid& grid,
                      double scale, int64_t first, int64_t last) {
  const int64_t per_block = grid.strided_per_block();
  const at::Tensor rows = queries.slice(0, first * per_block, last * per_block);
  at::Tensor logits = bmm_fp32(rows.unsqueeze(0), keys.t().unsqueeze(0)).squeeze(0).mul_(scale);
  if (grid.causal) {
    const at::Tensor future =
        at::arange(keys.size(0), keys.options().dtype(at::kLong))
            .gt(at::arange(first * per_block, last * per_block, keys.options().dtype(at::kLong))
                    .unsqueeze(1));
    logits.masked_fill_(future, kNegativeInfinity);
  }
  return at::softmax(logits, 1)
      .view({last - first, per_block, grid.num_scored(), per_block})
      .sum({1, 3})
      .div_(static_cast<double>(per_block));
}

// What one head selects by mass alone: [m, m] bool.
at::Tensor select_head(const at::Tensor& mass, double tau, const at::Tensor& near_first,
                       const at::Tensor& candidates) {
  if (tau == 1.0) return candidates;
  const auto [values, order] = at::sort(mass.gather(1, near_first), /*stable=*/true, 1, true);
  const at::Tensor sums = values.to(at::kDouble).cumsum(1);
  const at::Tensor taken = (sums - values).lt(sums.slice(1, -1) * tau);
  const at::Tensor by_distance = at::zeros_like(taken).scatter(1, order, taken);
  return at::zeros_like(taken).scatter(1, near_first, by_distance).logical_and(candidates);
}

// One head cut into blocks, the last one padded by zeros: [n, block, D].
at::Tensor blocks_of(const at::Tensor& head, const BlockGrid& grid) {
  const int64_t missing = grid.num_blocks() * grid.block - grid.num_tokens;
  return at::constant_pad_nd(head, {0, 0, 0, missing})
      .view({grid.num_blocks(), grid.block, head.size(1)});
}

struct HeadBlocks {
  at::Tensor q, k, v;  // [n, block, D]
};

// Attention of the query blocks [first, last) of one head to their `width` listed key blocks or
// fewer: out [blocks, block, D], lse [blocks, block].
AttendResult attend_chunk(const HeadBlocks& head, const at::Tensor& mask, const BlockGrid& grid,
                          int64_t first, int64_t last, int64_t width) {
  const int64_t rows = last - first;
  const auto long_options = mask.options().dtype(at::kLong);
  const at::Tensor chunk_mask = mask.slice(0, first, last);
  // a stable sort puts selected blocks first and leaves their order alone
  const auto [selected, order] = at::sort(chunk_mask.to(at::kByte), /*stable=*/true, 1, true);
  const at::Tensor keys = order.slice(1, 0, width).contiguous();
  const auto gather = [&](const at::Tensor& blocks) {
    return blocks.index_select(0, keys.view(-1)).view({rows, width * grid.block, -1});
  };
  const at::Tensor token = keys.unsqueeze(2) * grid.block +
                           at::arange(grid.block, long_options);  // [rows, width, block]
  at::Tensor seen =
      selected.slice(1, 0, width).ne(0).unsqueeze(2).logical_and(token.lt(grid.num_tokens));
  seen = seen.view({rows, 1, width * grid.block});
  if (grid.causal) {
    const at::Tensor query =
        at::arange(first * grid.block, last * grid.block, long_options).view({rows, -1, 1});
    seen = seen.logical_and(token.view({rows, 1, -1}).le(query));
  }
  const double scale = 1.0 / std::sqrt(static_cast<double>(head.q.size(2)));
  const at::Tensor logits = bmm_fp32(head.q.slice(0, first, last), gather(head.k).transpose(1, 2))
                                .mul_(scale)
                                .masked_fill_(seen.logical_not(), kNegativeInfinity);
  const at::Tensor lse = at::logsumexp(logits, 2);
  const at::Tensor weights =
      at::exp(logits - lse.unsqueeze(2)).masked_fill_(lse.isneginf().unsqueeze(2), 0.0);
  const at::Tensor values = gather(head.v);
  return {at::bmm(weights.to(values.scalar_type()), values), lse};
}

// The end of the longest chunk from `first` on that stays in the memory limit, and its widest list.
std::pair<int64_t, int64_t> next_chunk(const int64_t* counts, int64_t num_blocks, int64_t first,
                                       int64_t bytes_per_cell) {
  int64_t width = 1;
  int64_t last = first;
  while (last < num_blocks) {
    const int64_t wider = std::max(width, counts[last]);
    if (last > first && (last + 1 - first) * wider * bytes_per_cell > kMaxChunkBytes) break;
    width = wider;
    ++last;
  }
  return {last, width};
}

}  // namespace

at::Tensor indices_by_distance(int64_t num_scored, at::Device device) {
  const at::Tensor index = at::arange(num_scored, at::TensorOptions(at::kLong).device(device));
  const at::Tensor offset = index.unsqueeze(0) - index.unsqueeze(1);  // key - query
  return at::argsort(offset.abs() * 2 + offset.gt(0), /*stable=*/true, 1);
}

at::Tensor forced_blocks(const BlockGrid& grid, const Protection& protection, at::Device device) {
  at::Tensor forced = at::zeros({grid.num_blocks(), grid.num_blocks()}, at::kBool);
  auto cells = forced.accessor<bool, 2>();
  for (int64_t query = 0; query < grid.num_blocks(); ++query) {
    for (int64_t key = 0; key < grid.num_visible(query); ++key) {
      cells[query][key] = query >= grid.num_scored() || is_forced(grid, protection, query, key);
    }
  }
  return forced.to(device);
}

at::Tensor score_blocks_torch(const at::Tensor& q, const at::Tensor& k, const BlockGrid& grid) {
  check_grid(grid);
  check_tensor("score_blocks_torch", q, "q", {{'S', grid.num_tokens}, {'A', kAny}, {'D', kAny}});
  check_tensor("score_blocks_torch", k, "k",
               {{'S', grid.num_tokens}, {'A', q.size(1)}, {'D', q.size(2)}}, q.scalar_type());
  const int64_t num_scored = grid.num_scored();
  at::Tensor mass = at::zeros({q.size(1), num_scored, num_scored}, q.options().dtype(at::kFloat));
  if (num_scored == 0) return mass;
  const double scale =
      1.0 / (std::sqrt(static_cast<double>(q.size(2))) * static_cast<double>(grid.stride));
  const int64_t num_tokens = num_scored * grid.block;
  const int64_t per_block = grid.strided_per_block();
  // logits and their softmax, fp32
  const int64_t bytes_per_block = per_block * num_scored * per_block * 8;
  const int64_t chunk = std::max<int64_t>(kMaxChunkBytes / bytes_per_block, 1);
  for (int64_t head = 0; head < q.size(1); ++head) {
    const at::Tensor queries = strided_rows(q.select(1, head), grid.stride, num_tokens, true);
    const at::Tensor keys = strided_rows(k.select(1, head), grid.stride, num_tokens, false);
    for (int64_t first = 0; first < num_scored; first += chunk) {
      const int64_t last = std::min(first + chunk, num_scored);
      mass[head].slice(0, first, last).copy_(block_sums(queries, keys, grid, scale, first, last));
    }
  }
  return mass;
}

at::Tensor select_blocks_torch(const at::Tensor& block_mass, std::span<const double> taus,
                               const BlockGrid& grid, const Protection& protection) {
  check_grid(grid);
  const int64_t num_scored = grid.num_scored();
  const int64_t num_heads = std::ssize(taus);
  check_tensor("select_blocks_torch", block_mass, "block_mass",
               {{'A', num_heads}, {'n', num_scored}, {'n', num_scored}}, at::kFloat);
  const at::Device device = block_mass.device();
  at::Tensor mask = forced_blocks(grid, protection, device).unsqueeze(0).repeat({num_heads, 1, 1});
  if (num_scored == 0) return mask;
  const at::Tensor near_first = indices_by_distance(num_scored, device);
  at::Tensor candidates = at::ones({num_scored, num_scored}, mask.options());
  if (grid.causal) candidates = candidates.tril();
  at::Tensor visible = at::ones({num_scored, grid.num_blocks()}, mask.options());
  if (grid.causal) visible = visible.tril();
  for (int64_t head = 0; head < num_heads; ++head) {
    const at::Tensor taken =
        select_head(block_mass[head], taus[static_cast<size_t>(head)], near_first, candidates);
    at::Tensor rows = mask[head].slice(0, 0, num_scored);
    rows.slice(1, 0, num_scored).logical_or_(taken);
    const at::Tensor broken = block_mass[head].isfinite().all(1).logical_not();
    rows.logical_or_(visible.logical_and(broken.unsqueeze(1)));
  }
  return mask;
}

AttendResult attend_blocks_torch(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                 const at::Tensor& mask, const BlockGrid& grid) {
  check_grid(grid);
  const int64_t num_heads = q.size(1);
  const int64_t head_dim = q.size(2);
  const int64_t num_blocks = grid.num_blocks();
  check_tensor("attend_blocks_torch", q, "q", {{'S', grid.num_tokens}, {'A', kAny}, {'D', kAny}});
  check_tensor("attend_blocks_torch", mask, "mask",
               {{'A', num_heads}, {'n', num_blocks}, {'n', num_blocks}}, at::kBool);
  // chunks are cut by list lengths, so the host has to know them
  const at::Tensor counts = mask.sum(2).to(at::kCPU).contiguous();
  const int64_t bytes_per_cell = grid.block * (2 * head_dim * q.element_size() + grid.block * 16);
  const at::Tensor out = at::empty({num_heads, num_blocks * grid.block, head_dim}, q.options());
  const at::Tensor lse =
      at::empty({num_heads, num_blocks * grid.block}, q.options().dtype(at::kFloat));
  for (int64_t head = 0; head < num_heads; ++head) {
    const HeadBlocks blocks = {.q = blocks_of(q.select(1, head), grid),
                               .k = blocks_of(k.select(1, head), grid),
                               .v = blocks_of(v.select(1, head), grid)};
    const int64_t* head_counts = counts.const_data_ptr<int64_t>() + head * num_blocks;
    for (int64_t first = 0; first < num_blocks;) {
      const auto [last, width] = next_chunk(head_counts, num_blocks, first, bytes_per_cell);
      const AttendResult part = attend_chunk(blocks, mask[head], grid, first, last, width);
      out[head]
          .slice(0, first * grid.block, last * grid.block)
          .copy_(part.out.view({-1, head_dim}));
      lse[head].slice(0, first * grid.block, last * grid.block).copy_(part.lse.view(-1));
      first = last;
    }
  }
  return {out.slice(1, 0, grid.num_tokens).transpose(0, 1).contiguous(),
          lse.slice(1, 0, grid.num_tokens).contiguous()};
}

}  // namespace reel::attention
