// The implementations of XAttention that are tested against the oracle, under one signature.
#pragma once

#include <ATen/core/Tensor.h>

#include <iosfwd>
#include <string>
#include <vector>

#include "attention/block_plan.h"

namespace reel::attention::testing {

/// What one implementation made of a call, on the CPU. n blocks, m scored blocks.
struct Outcome {
  at::Tensor block_mass;  ///< [A, m, m] fp32
  at::Tensor mask;        ///< [A, n, n] uint8
  at::Tensor out;         ///< [S, A, D] dtype of the inputs
  at::Tensor lse;         ///< [A, S] fp32
};

struct Inputs {
  at::Tensor q, k, v;  ///< [S, A, D]
};

struct Implementation {
  std::string name;
  bool available;
  Outcome (*run)(const Inputs&, const std::vector<double>& taus, const BlockGrid&,
                 const Protection&);
};

/// How GoogleTest names one in its messages.
void PrintTo(const Implementation& implementation, std::ostream* stream);

/// The CPU's builds and LibTorch's operators on the CPU.
const std::vector<Implementation>& cpu_implementations();

/// LibTorch's operators on the GPU.
const Implementation& gpu_implementation();

/// fp32 inputs on the CPU with some structure: runs of tokens have a direction in common, so that
/// blocks differ in mass. Drawn from `seed`.
Inputs structured_inputs(int64_t num_tokens, int64_t num_heads, int64_t head_dim, uint64_t seed);

/// `block_mass` [A, m, m] over all blocks: [A, n, n] double.
at::Tensor over_all_blocks(const at::Tensor& block_mass, const BlockGrid& grid);

/// The smallest recall over all heads and scored query blocks: mass [A, n, n] inside of mask.
/// 1 if no block is scored.
double smallest_recall(const at::Tensor& mass, const at::Tensor& mask, const BlockGrid& grid);

}  // namespace reel::attention::testing
