#include "app/calibrate_plan.h"

#include <algorithm>
#include <cmath>

#include "app/setting_text.h"
#include "core/printable.h"

namespace reel::app {
namespace {

constexpr const char* kDefaultLevels =
    "0.3,0.4,0.5,0.6,0.7,0.8,0.85,0.9,0.93,0.95,0.97,0.98,0.99,1";

std::vector<double> read_levels(const std::string& text, Problems& problems) {
  std::vector<double> levels;
  for (const auto& part : split_filled(text, ',')) {
    size_t used = 0;
    double level = 0;
    try {
      level = std::stod(part, &used);
    } catch (const std::exception&) {
      used = 0;
    }
    if (used == 0 || used != part.size() || !(level > 0 && level <= 1)) {
      problems.add("--levels: not a threshold: got ", printable(part),
                   ", want numbers above 0 and at most 1");
    } else {
      levels.push_back(level);
    }
  }
  if (levels.empty() && problems.empty()) problems.add("--levels: is empty: want 0.5,0.9, say");
  return levels;
}

void refuse_own_choices(const ParsedFlags& flags, Problems& problems) {
  for (const char* name : {"--attn", "--head-tau", "--schedule", "--rule"}) {
    if (flags.has(name)) {
      problems.add(name,
                   ": cannot be given here: a table of tau goes with --attn xattn, and every "
                   "call that --dense-steps and --dense-layers leave");
    }
  }
}

// Three ways to render each prompt; the last one's file is there when its turn comes.
std::vector<SettingText> three_settings(const pipeline::RequestOptions& common) {
  std::vector<SettingText> settings = {
      {"dense", common}, {"one tau", common}, {"a tau a head", common}};
  settings[kDenseSetting].options.attention_mode = "dense";
  settings[kUniformSetting].options.attention_mode = "xattn";
  settings[kTableSetting].options.attention_mode = "xattn";
  return settings;
}

}  // namespace

CalibratePlan plan_calibrate(const ParsedFlags& flags) {
  CalibratePlan plan;
  std::vector<double> levels;
  plan.clips = plan_comparison(
      flags, "calibrate", [&](const pipeline::RequestOptions& common, Problems& problems) {
        refuse_own_choices(flags, problems);
        levels = read_levels(flags.text("--levels").value_or(kDefaultLevels), problems);
        plan.budget = flags.number("--budget", problems);
        if (plan.budget && !(*plan.budget > 0 && *plan.budget <= 1)) {
          problems.add("--budget: out of range: got ", *plan.budget, ", want above 0, at most 1");
        }
        return three_settings(common);
      });
  plan.clips.noise_floor = false;
  plan.skips_check = flags.has("--no-check");
  const auto& uniform = plan.clips.settings[kUniformSetting].requests;
  plan.tau = uniform.front().attention.tau;
  levels.push_back(plan.tau);
  std::ranges::sort(levels);
  levels.erase(std::ranges::unique(levels).begin(), levels.end());
  for (size_t i = 0; i < uniform.size(); ++i) {
    plan.clips.settings[kDenseSetting].requests[i].curves = {.attention = uniform[i].attention,
                                                             .taus = levels};
    plan.clips.settings[kTableSetting].requests[i].attention.head_tau_file = plan.table_file();
  }
  return plan;
}

}  // namespace reel::app
