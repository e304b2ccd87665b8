// How a schedule is shown: as rectangles of equal settings, for people, metadata and the hash.
#include <nlohmann/json.hpp>
#include <sstream>

#include "attention/schedule.h"
#include "core/sha256.h"

namespace reel::attention {
namespace {

std::string range_text(int64_t first, int64_t last) {
  if (first == last) return std::to_string(first);
  return std::to_string(first) + "-" + std::to_string(last);
}

// The shortest decimal text that reads back as the same number.
std::string number_text(double value) {
  return nlohmann::json(value).dump();
}

std::string padded(std::string text, size_t width) {
  text.resize(std::max(width, text.size()), ' ');
  return text;
}

}  // namespace

bool AttentionSchedule::equal_layers(int64_t step, int64_t layer, int64_t other_step,
                                     int64_t other_layer) const {
  for (int64_t head = 0; head < num_heads_; ++head) {
    if (at(step, layer, head) != at(other_step, other_layer, head)) return false;
  }
  return true;
}

// Equal neighbouring steps are merged first, then equal neighbouring layers, then heads.
std::vector<AttentionSchedule::Rectangle> AttentionSchedule::rectangles() const {
  std::vector<Rectangle> result;
  const auto equal_steps = [&](int64_t step, int64_t other) {
    for (int64_t layer = 0; layer < num_layers_; ++layer) {
      if (!equal_layers(step, layer, other, layer)) return false;
    }
    return true;
  };
  for (int64_t step = 0, next_step = 0; step < num_steps_; step = next_step) {
    next_step = step + 1;
    while (next_step < num_steps_ && equal_steps(step, next_step)) ++next_step;
    for (int64_t layer = 0, next_layer = 0; layer < num_layers_; layer = next_layer) {
      next_layer = layer + 1;
      while (next_layer < num_layers_ && equal_layers(step, layer, step, next_layer)) ++next_layer;
      for (int64_t head = 0, next_head = 0; head < num_heads_; head = next_head) {
        next_head = head + 1;
        while (next_head < num_heads_ && at(step, layer, head) == at(step, layer, next_head)) {
          ++next_head;
        }
        result.push_back({step, next_step - 1, layer, next_layer - 1, head, next_head - 1,
                          at(step, layer, head)});
      }
    }
  }
  return result;
}

std::string AttentionSchedule::grid() const {
  std::ostringstream text;
  text << "attention: " << options_.mode;
  if (!is_dense() && rule_ == SparseRule::kXAttention) {
    text << ", protect " << protection_text(protection_);
    if (selection_ != Selection{}) {
      text << ", select " << selection_.pattern_text() << ", rule " << selection_.rule_text();
    }
  }
  text << '\n';
  if (num_steps_ == 0) return text.str();
  const std::string sparse_name = rule_ == SparseRule::kReference ? "reference" : "xattn";
  text << "  steps    layers   heads    blocks\n";
  for (const auto& part : rectangles()) {
    text << "  " << padded(range_text(part.first_step, part.last_step), 9)
         << padded(range_text(part.first_layer, part.last_layer), 9)
         << padded(range_text(part.first_head, part.last_head), 9);
    if (part.settings) {
      text << sparse_name << ", tau " << number_text(part.settings->tau) << ", stride "
           << part.settings->stride << ", block " << part.settings->block << '\n';
    } else {
      text << "dense\n";
    }
  }
  return text.str();
}

nlohmann::json AttentionSchedule::to_json() const {
  nlohmann::json json = {{"mode", options_.mode},
                         {"tau", options_.tau},
                         {"stride", options_.stride},
                         {"block", options_.block},
                         {"dense_steps", num_dense_steps_},
                         {"dense_tail", options_.dense_tail},
                         {"dense_layers", options_.dense_layers},
                         {"protect", protection_text(protection_)},
                         {"select", selection_.pattern_text()},
                         {"rule", selection_.rule_text()}};
  if (options_.dense_sigma) json["dense_sigma"] = *options_.dense_sigma;
  const std::string sparse_name = rule_ == SparseRule::kReference ? "reference" : "xattn";
  json["rules"] = nlohmann::json::array();
  for (const auto& part : rectangles()) {
    nlohmann::json rule = {{"steps", range_text(part.first_step, part.last_step)},
                           {"layers", range_text(part.first_layer, part.last_layer)},
                           {"heads", range_text(part.first_head, part.last_head)},
                           {"mode", part.settings ? sparse_name : "dense"}};
    if (part.settings) {
      rule["tau"] = part.settings->tau;
      rule["stride"] = part.settings->stride;
      rule["block"] = part.settings->block;
    }
    json["rules"].push_back(std::move(rule));
  }
  // the paper's selection adds nothing: schedules of before keep their hash
  const std::string selected =
      selection_ == Selection{} ? "" : selection_.pattern_text() + "," + selection_.rule_text();
  json["schedule_hash"] = sha256(json["rules"].dump() + protection_text(protection_) + selected);
  return json;
}

std::string AttentionSchedule::hash() const {
  return to_json().at("schedule_hash");
}

}  // namespace reel::attention
