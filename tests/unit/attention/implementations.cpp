#include "tests/unit/attention/implementations.h"

#include <ATen/ATen.h>

#include <ostream>

#include "attention/xattention_cpu.h"
#include "attention/xattention_torch.h"
#include "core/random.h"

namespace reel::attention::testing {
namespace {

Outcome run_cpu(const Inputs& inputs, const std::vector<double>& taus, const BlockGrid& grid,
                const Protection& protection, const CpuKernels& kernels) {
  const at::Tensor mass = score_blocks_cpu(inputs.q, inputs.k, grid, kernels);
  const BlockLists lists = select_blocks(mass, taus, grid, protection);
  const auto result = attend_blocks_cpu(inputs.q, inputs.k, inputs.v, lists, grid, kernels);
  return {mass, lists.mask(), result.out, result.lse};
}

Outcome run_avx2(const Inputs& inputs, const std::vector<double>& taus, const BlockGrid& grid,
                 const Protection& protection) {
  return run_cpu(inputs, taus, grid, protection, kAvx2Kernels);
}

Outcome run_avx512(const Inputs& inputs, const std::vector<double>& taus, const BlockGrid& grid,
                   const Protection& protection) {
  return run_cpu(inputs, taus, grid, protection, kAvx512Kernels);
}

Outcome run_torch(const Inputs& inputs, const std::vector<double>& taus, const BlockGrid& grid,
                  const Protection& protection) {
  const at::Tensor mass = score_blocks_torch(inputs.q, inputs.k, grid);
  const at::Tensor mask = select_blocks_torch(mass, taus, grid, protection);
  const auto result = attend_blocks_torch(inputs.q, inputs.k, inputs.v, mask, grid);
  return {mass.cpu(), mask.to(at::kCPU, at::kByte), result.out.cpu(), result.lse.cpu()};
}

Outcome run_gpu(const Inputs& inputs, const std::vector<double>& taus, const BlockGrid& grid,
                const Protection& protection) {
  return run_torch({inputs.q.to(at::kCUDA), inputs.k.to(at::kCUDA), inputs.v.to(at::kCUDA)}, taus,
                   grid, protection);
}

}  // namespace

void PrintTo(const Implementation& implementation, std::ostream* stream) {
  *stream << implementation.name;
}

const std::vector<Implementation>& cpu_implementations() {
  static const std::vector<Implementation> implementations = {
      {"avx2", true, run_avx2}, {"avx512", has_avx512(), run_avx512}, {"torch", true, run_torch}};
  return implementations;
}

const Implementation& gpu_implementation() {
  static const Implementation implementation = {"gpu", true, run_gpu};
  return implementation;
}

Inputs structured_inputs(int64_t num_tokens, int64_t num_heads, int64_t head_dim, uint64_t seed) {
  constexpr int64_t kRun = 97;  // tokens with a common direction; no divisor of a block
  NormalStream stream(seed);
  const at::Tensor directions = stream.next({num_tokens / kRun + 1, num_heads, head_dim});
  const at::Tensor common = directions.repeat_interleave(kRun, 0).slice(0, 0, num_tokens);
  const auto noise = [&] { return stream.next({num_tokens, num_heads, head_dim}); };
  return {common + 0.5 * noise(), common + 0.5 * noise(), noise()};
}

at::Tensor over_all_blocks(const at::Tensor& block_mass, const BlockGrid& grid) {
  const int64_t unscored = grid.num_blocks() - grid.num_scored();
  return at::constant_pad_nd(block_mass.to(at::kDouble), {0, unscored, 0, unscored});
}

double smallest_recall(const at::Tensor& mass, const at::Tensor& mask, const BlockGrid& grid) {
  if (grid.num_scored() == 0) return 1.0;
  const at::Tensor kept = (mass.to(at::kDouble) * mask.to(at::kDouble)).sum(2);
  return kept.slice(1, 0, grid.num_scored()).min().item<double>();
}

}  // namespace reel::attention::testing
