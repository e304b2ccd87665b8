// `sparsereel vbench prepare`: the prompt list of VBench as a job list.
#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "app/commands.h"
#include "app/vbench_files.h"
#include "core/output_file.h"
#include "core/printable.h"
#include "vbench/installed.h"
#include "vbench/prompt_set.h"
#include "vbench/protocol.h"

namespace reel::app {
namespace {

int64_t positive(const ParsedFlags& flags, const std::string& name, int64_t usual,
                 Problems& problems) {
  const int64_t value = flags.integer(name, problems).value_or(usual);
  if (value < 1) problems.add(name, ": too small: got ", value, ", want at least 1");
  return std::max<int64_t>(value, 1);
}

uint64_t first_seed(const ParsedFlags& flags, Problems& problems) {
  const std::string text = flags.text("--seed").value_or("42");
  uint64_t seed = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), seed);
  constexpr uint64_t kMost = uint64_t{1} << 63;
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() || seed > kMost) {
    problems.add("--seed: not a seed: got ", printable(text), ", want a whole number");
  }
  return seed;
}

std::filesystem::path output_file(const ParsedFlags& flags, Problems& problems) {
  const std::string name = flags.text("--output").value_or("");
  if (!name.ends_with(".jsonl")) {
    problems.add("--output: want FILE.jsonl: got ", name.empty() ? "none" : printable(name));
  }
  return name;
}

}  // namespace

std::filesystem::path info_file(const ParsedFlags& flags) {
  if (const auto file = flags.text("--info")) return *file;
  if (const auto file = vbench::find_installed_info()) return *file;
  fail<ConfigError>("--info: is missing, and no vbench package is installed: want ",
                    "VBench_full_info.json of the VBench repository");
}

std::vector<std::string> split_list(const std::string& text) {
  std::vector<std::string> words;
  std::string word;
  for (const char c : text + ",") {
    if (c != ',' && c != ' ') {
      word += c;
    } else if (!word.empty()) {
      words.push_back(std::exchange(word, {}));
    }
  }
  return words;
}

int run_vbench_prepare(const ParsedFlags& flags, Console& console) {
  Problems problems;
  vbench::Selection selection;
  selection.dimensions = split_list(flags.text("--dimension").value_or(""));
  selection.every = positive(flags, "--every", 1, problems);
  selection.samples = positive(flags, "--samples", vbench::kSamples, problems);
  if (flags.has("--flicker-samples")) {
    selection.flicker_samples = positive(flags, "--flicker-samples", 1, problems);
  }
  selection.seed = first_seed(flags, problems);
  const auto output = output_file(flags, problems);
  problems.throw_if_any<ConfigError>("vbench prepare");
  auto entries = vbench::read_info(info_file(flags), problems);
  if (const auto file = flags.text("--long")) {
    vbench::read_long_prompts(*file, entries, problems);
  }
  const auto prompts = vbench::select_prompts(entries, selection, problems);
  problems.throw_if_any<ConfigError>("vbench prepare");

  std::string lines;
  int64_t num_videos = 0;
  bool flickers = false;
  for (const auto& prompt : prompts) {
    lines += vbench::job_line(prompt, selection.seed).dump() + "\n";
    num_videos += prompt.samples;
    const auto& names = prompt.entry.dimensions;
    flickers = flickers || (std::count(names.begin(), names.end(), vbench::kFlickering) > 0 &&
                            prompt.samples < vbench::kFlickerSamples);
  }
  write_output(output, flags.has("--overwrite") ? IfExists::kReplace : IfExists::kRefuse, lines);
  console.info(
      fmt::format("{} entries, {} prompts, {} videos", entries.size(), prompts.size(), num_videos));
  if (flickers) {
    console.info(
        "temporal_flickering has fewer than 25 videos a prompt: VBench's protocol takes 25 and "
        "filters them; see --flicker-samples");
  }
  if (selection.samples < vbench::kSamples) {
    console.warn(fmt::format("{} samples: VBench looks for {} a prompt and averages those it finds",
                             selection.samples, vbench::kSamples));
  }
  console.result(output.string());
  return 0;
}

}  // namespace reel::app
