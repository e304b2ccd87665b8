#include "attention/explain.h"

#include <ATen/ATen.h>

#include <vector>

#include "attention/xattention.h"
#include "core/error.h"
#include "core/tensor_check.h"

namespace reel::attention {

Explanation explain(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                    const ExplainOptions& options) {
  check_tensor("explain", q, "q", {{'B', kAny}, {'S', kAny}, {'A', kAny}, {'D', kAny}});
  if (options.text_length < 0 || options.text_length > q.size(1)) {
    fail<ConfigError>("--text-length: out of range: got ", options.text_length, ", want 0 to ",
                      q.size(1), ", the number of tokens");
  }
  const SparseCall call = {
      .grid = {.num_tokens = q.size(1),
               .text_length = options.text_length,
               .block = options.settings.block,
               .stride = options.settings.stride,
               .causal = options.causal},
      .rule = SparseRule::kXAttention,
      .taus = std::vector<double>(static_cast<size_t>(q.size(2)), options.settings.tau),
      .protection = options.protection,
      .selection = {},
      .given_mask = {},
      .keep_plan = true};
  std::vector<at::Tensor> masks, masses, outs, lses;
  for (int64_t item = 0; item < q.size(0); ++item) {
    const SparseResult result = run_sparse_call(q[item], k[item], v[item], call);
    const int64_t unscored = call.grid.num_blocks() - call.grid.num_scored();
    masks.push_back(result.mask);
    masses.push_back(
        at::constant_pad_nd(result.block_mass.to(at::kCPU), {0, unscored, 0, unscored}));
    outs.push_back(result.out.to(at::kCPU));
    lses.push_back(result.lse.to(at::kCPU));
  }
  return {at::stack(masks), at::stack(masses), at::stack(outs), at::stack(lses)};
}

}  // namespace reel::attention
