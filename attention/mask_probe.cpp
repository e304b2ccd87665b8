#include "attention/mask_probe.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <iterator>

#include "attention/head_groups.h"

namespace reel::attention {
namespace {

// The mask [n, n] of one head, drawn with fewer cells if it has many blocks.
HeadMask small_mask(const HeadCall& call, const at::Tensor& mask) {
  const at::Tensor selected = mask.to(at::kCPU, at::kFloat);
  const int64_t num_blocks = selected.size(0);
  const int64_t side = std::min(num_blocks, MaskProbe::kMostCells);
  at::Tensor cells = selected;
  if (side < num_blocks) cells = at::adaptive_avg_pool2d(selected.unsqueeze(0), {side, side})[0];
  return {call, num_blocks, selected.mean().item<double>(), (cells * 255).round().to(at::kByte)};
}

std::vector<int64_t> sparse_heads(const AttentionSchedule& schedule, int64_t layer) {
  std::vector<int64_t> heads;
  for (int64_t head = 0; head < schedule.num_heads(); ++head) {
    for (int64_t step = 0; step < schedule.num_steps(); ++step) {
      if (!schedule.at(step, layer, head)) continue;
      heads.push_back(head);
      break;
    }
  }
  return heads;
}

}  // namespace

std::vector<LayerHead> spread_heads(const AttentionSchedule& schedule, int64_t count) {
  std::vector<std::pair<int64_t, std::vector<int64_t>>> layers;
  for (int64_t layer = 0; layer < schedule.num_layers(); ++layer) {
    auto heads = sparse_heads(schedule, layer);
    if (!heads.empty()) layers.emplace_back(layer, std::move(heads));
  }
  count = std::min(count, std::ssize(layers));
  std::vector<LayerHead> chosen;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t place = count == 1 ? 0 : i * (std::ssize(layers) - 1) / (count - 1);
    const auto& [layer, heads] = layers[static_cast<size_t>(place)];
    chosen.push_back({layer, heads[static_cast<size_t>(i * std::ssize(heads) / count)]});
  }
  return chosen;
}

std::vector<HeadCall> calls_to_show(const AttentionSchedule& schedule,
                                    const std::vector<LayerHead>& heads) {
  std::vector<HeadCall> calls;
  for (const auto& [layer, head] : heads) {
    std::vector<int64_t> steps;
    for (int64_t step = 0; step < schedule.num_steps(); ++step) {
      if (schedule.at(step, layer, head)) steps.push_back(step);
    }
    if (steps.empty()) continue;
    std::vector<int64_t> shown = {steps.front(), steps[steps.size() / 2], steps.back()};
    shown.erase(std::unique(shown.begin(), shown.end()), shown.end());
    for (const int64_t step : shown) calls.push_back({step, layer, head});
  }
  return calls;
}

bool MaskProbe::wants(int64_t step, int64_t layer) const {
  return std::ranges::any_of(
      calls_, [&](const HeadCall& call) { return call.step == step && call.layer == layer; });
}

void MaskProbe::measure(const AttentionSchedule& schedule, const at::Tensor& q, const at::Tensor& k,
                        int64_t text_length, int64_t step, int64_t layer) {
  for (const auto& group : head_groups(schedule, step, layer)) {
    at::Tensor masks;  // [A, n, n] of the group, made when the first of its heads is wanted
    for (size_t i = 0; i < group.heads.size() && !group.dense(); ++i) {
      const HeadCall call = {step, layer, group.heads[i]};
      if (std::erase(calls_, call) == 0) continue;
      if (!masks.defined()) {
        masks = select_mask(group.of(q[0]), group.of(k[0]),
                            group.call(schedule, q.size(1), text_length));
      }
      masks_.push_back(small_mask(call, masks[static_cast<int64_t>(i)]));
    }
  }
}

}  // namespace reel::attention
