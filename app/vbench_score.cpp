// `sparsereel vbench evaluate` and `vbench score`: from videos to VBench's scores.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "app/commands.h"
#include "app/signals.h"
#include "app/vbench_files.h"
#include "core/nearest_name.h"
#include "core/output_file.h"
#include "core/printable.h"
#include "vbench/evaluate.h"
#include "vbench/protocol.h"
#include "vbench/score.h"

namespace reel::app {
namespace {

namespace fs = std::filesystem;

constexpr int kIncomplete = 5;

std::vector<std::string> wanted_dimensions(const ParsedFlags& flags, const vbench::SetCheck& check,
                                           Problems& problems) {
  const auto named = split_list(flags.text("--dimension").value_or(""));
  std::vector<std::string> chosen;
  for (const auto& name : named) {
    if (vbench::find_dimension(name) == nullptr) {
      const auto nearest = nearest_name(name, vbench::dimension_names());
      problems.add("--dimension: unknown dimension: got ", printable(name),
                   nearest ? "; did you mean " + *nearest + "?" : "");
    } else if (!check.by_dimension.contains(name)) {
      problems.add("--dimension: no video of this set serves ", name);
    }
  }
  for (const auto& name : vbench::dimension_names()) {
    const bool is_chosen =
        named.empty() || std::find(named.begin(), named.end(), name) != named.end();
    if (is_chosen && check.by_dimension.contains(name)) chosen.push_back(name);
  }
  return chosen;
}

// Whether VBench would find all videos of the dimensions.
bool is_ready(const vbench::SetCheck& check, const std::vector<std::string>& dimensions) {
  const bool in_the_way = std::any_of(check.stray.begin(), check.stray.end(),
                                      [](const vbench::Finding& one) { return one.harmful; });
  return !in_the_way &&
         std::all_of(dimensions.begin(), dimensions.end(), [&](const std::string& name) {
           const auto& count = check.by_dimension.at(name);
           return count.good == count.wanted;
         });
}

// "NAME=PATH", or a path that names itself.
vbench::Scores read_system(const std::string& argument) {
  const size_t equals = argument.find('=');
  std::error_code ignored;
  if (equals == std::string::npos || fs::exists(argument, ignored)) {
    return vbench::compute_scores(argument, vbench::read_scores(argument));
  }
  return vbench::compute_scores(argument.substr(0, equals),
                                vbench::read_scores(argument.substr(equals + 1)));
}

}  // namespace

int run_vbench_evaluate(const ParsedFlags& flags, Console& console) {
  Problems problems;
  const VideoSet set = find_video_set(flags);
  const auto check = vbench::check_videos(set.folder, set.wanted);
  vbench::Evaluation evaluation{
      .program = flags.text("--vbench").value_or("vbench"),
      .videos = fs::absolute(set.folder),
      .results =
          fs::absolute(flags.text("--results")
                           .value_or((fs::path(flags.arguments().front()) / "vbench").string())),
      .dimensions = wanted_dimensions(flags, check, problems),
      .info = {},
      .num_gpus = flags.integer("--ngpus", problems)};
  if (flags.has("--info")) evaluation.info = fs::absolute(*flags.text("--info"));
  problems.throw_if_any<ConfigError>("vbench evaluate");
  if (!is_ready(check, evaluation.dimensions) && !flags.has("--partial")) {
    console.error(vbench::check_text(check, 5) +
                  "vbench evaluate: nothing was evaluated; --partial does it nevertheless");
    return kIncomplete;
  }
  if (check.num_good > 0) console.info("length " + vbench::length_rule(check.longest_s));

  const auto told = [&](const std::string& name, const std::optional<vbench::DimensionRun>& run) {
    if (!run) {
      console.info(name + ": evaluating");
    } else if (run->was_done) {
      console.info(name + ": done already");
    } else if (run->exit_code == 0) {
      console.result(name);
    } else {
      console.error(fmt::format("{}: {} ended with {} or left no result", name, evaluation.program,
                                run->exit_code));
    }
  };
  const auto& signal = watch_signals();
  const auto runs = vbench::evaluate(evaluation, told, [&] { return signal.load(); });
  const bool all_done =
      std::all_of(runs.begin(), runs.end(), [](const auto& run) { return run.exit_code == 0; });
  return all_done ? 0 : kIncomplete;
}

int run_vbench_score(const ParsedFlags& flags, Console& console) {
  if (flags.arguments().empty()) {
    fail<ConfigError>("vbench score: no results: want [NAME=]FOLDER or [NAME=]FILE ...");
  }
  std::vector<vbench::Scores> systems;
  for (const auto& argument : flags.arguments()) systems.push_back(read_system(argument));
  const auto if_exists = flags.has("--overwrite") ? IfExists::kReplace : IfExists::kRefuse;
  const std::string table = vbench::scores_markdown(systems);
  if (const auto file = flags.text("--markdown")) write_output(*file, if_exists, table);
  if (const auto file = flags.text("--html")) {
    write_output(*file, if_exists, vbench::scores_html(systems));
  }
  const std::string text =
      flags.has("--json") ? vbench::scores_json(systems).dump(2) + "\n" : table;
  console.result(text.substr(0, text.size() - 1));
  const bool complete = std::all_of(systems.begin(), systems.end(),
                                    [](const auto& system) { return system.missing.empty(); });
  return complete ? 0 : kIncomplete;
}

}  // namespace reel::app
