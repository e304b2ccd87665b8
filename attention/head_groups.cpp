#include "attention/head_groups.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace reel::attention {

SparseCall HeadGroup::call(const AttentionSchedule& schedule, int64_t num_tokens,
                           int64_t text_length) const {
  return {.grid = {.num_tokens = num_tokens,
                   .text_length = text_length,
                   .block = block,
                   .stride = stride},
          .rule = schedule.rule(),
          .taus = taus,
          .protection = schedule.protection(),
          .selection = schedule.selection(),
          .given_mask = {}};
}

at::Tensor HeadGroup::index(at::Device device) const {
  const at::Tensor numbers = at::tensor(heads, at::kLong);
  if (!device.is_cuda()) return numbers.to(device);
  return numbers.pin_memory().to(device, /*non_blocking=*/true);
}

at::Tensor HeadGroup::of(const at::Tensor& x) const {
  if (std::ssize(heads) == x.size(1)) return x;
  return x.index_select(1, index(x.device()));
}

std::vector<HeadGroup> head_groups(const AttentionSchedule& schedule, int64_t step, int64_t layer) {
  std::vector<HeadGroup> groups;
  for (int64_t head = 0; head < schedule.num_heads(); ++head) {
    const auto settings = schedule.at(step, layer, head);
    auto group = std::ranges::find_if(groups, [&](const HeadGroup& other) {
      if (settings.has_value() == other.dense()) return false;
      return !settings || (settings->stride == other.stride && settings->block == other.block);
    });
    if (group == groups.end()) {
      groups.emplace_back();
      group = groups.end() - 1;
    }
    group->heads.push_back(head);
    if (!settings) continue;
    group->stride = settings->stride;
    group->block = settings->block;
    group->taus.push_back(settings->tau);
  }
  return groups;
}

}  // namespace reel::attention
