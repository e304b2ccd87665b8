#include "app/probe_flags.h"

#include <algorithm>
#include <set>

#include "app/request_flags.h"
#include "core/nearest_name.h"
#include "core/output_file.h"
#include "core/printable.h"

namespace reel::app {
namespace {

using Names = std::set<std::string>;

const Names kAttentionFlags = {"--attn",        "--tau",        "--stride",       "--block",
                               "--dense-steps", "--dense-tail", "--dense-layers", "--dense-sigma",
                               "--schedule",    "--head-tau",   "--protect"};

/// What a stage reads beside the flags that every stage may have.
struct Stage {
  std::string name;
  bool needs_model;
  bool needs_in;
  bool needs_out;
  Names flags;
};

Names with(Names names, const Names& more) {
  names.insert(more.begin(), more.end());
  return names;
}

const std::vector<Stage>& stage_table() {
  static const std::vector<Stage> kStages = {
      {"tokenize", true, true, false, {}},
      {"encode", true, true, true, {}},
      {"llama", true, true, true, {}},
      {"clip", true, true, true, {}},
      {"schedule", false, false, false, {"--steps", "--flow-shift"}},
      {"dit", true, true, true, kAttentionFlags},
      {"vae-decode", true, true, true, {"--vae-tiling", "--vae-tile"}},
      {"vae-encode", true, true, true, {"--vae-tiling", "--vae-tile"}},
      {"xattn",
       false,
       true,
       true,
       {"--attn", "--tau", "--stride", "--block", "--text-length", "--causal", "--protect"}},
      {"denoise", true, true, true,
       with(kAttentionFlags, {"--steps", "--guidance", "--flow-shift"})},
  };
  return kStages;
}

// Flags of the stages above: of the others every stage takes all.
bool belongs_to_some_stage(const std::string& flag) {
  return std::any_of(stage_table().begin(), stage_table().end(),
                     [&](const Stage& stage) { return stage.flags.contains(flag); });
}

const Stage& find_stage(const ParsedFlags& flags) {
  std::vector<std::string> known;
  std::string list;
  for (const auto& stage : stage_table()) {
    known.push_back(stage.name);
    list += (list.empty() ? "" : ", ") + stage.name;
  }
  if (flags.arguments().empty()) fail<ConfigError>("probe: stage is missing: want one of ", list);
  const std::string& name = flags.arguments().front();
  for (const auto& stage : stage_table()) {
    if (stage.name == name) return stage;
  }
  const auto nearest = nearest_name(name, known);
  fail<ConfigError>("probe: unknown stage: got ", printable(name), ", want one of ", list,
                    nearest ? "; did you mean " + *nearest + "?" : "");
}

std::optional<std::filesystem::path> take_path(const ParsedFlags& flags, const std::string& name,
                                               bool needed, const Stage& stage,
                                               Problems& problems) {
  const auto text = flags.text(name);
  if (text) return std::filesystem::path(*text);
  if (needed) problems.add(name, ": is missing: stage ", stage.name, " needs it");
  return std::nullopt;
}

void check_out(const ProbeOptions& options, Problems& problems) {
  if (!options.out) return;
  try {
    OutputFile(*options.out, options.overwrite ? IfExists::kReplace : IfExists::kRefuse);
  } catch (const ConfigError& error) {
    problems.add("--out: ", error.what());
  }
}

attention::ScheduleOptions probe_attention(const ParsedFlags& flags, Problems& problems) {
  attention::ScheduleOptions options = schedule_options(flags, problems);
  options.mode = flags.text("--attn").value_or("dense");
  options.tau = flags.number("--tau", problems).value_or(options.tau);
  options.stride = flags.integer("--stride", problems).value_or(options.stride);
  options.block = flags.integer("--block", problems).value_or(options.block);
  options.dense_steps = flags.text("--dense-steps").value_or("0");
  options.dense_steps_given = flags.has("--dense-steps");
  return options;
}

void take_numbers(const ParsedFlags& flags, ProbeOptions& options, Problems& problems) {
  options.steps = flags.integer("--steps", problems).value_or(options.steps);
  options.flow_shift = flags.number("--flow-shift", problems).value_or(options.flow_shift);
  options.guidance = flags.number("--guidance", problems).value_or(options.guidance);
  options.guidance_given = flags.has("--guidance");
  options.text_length = flags.integer("--text-length", problems).value_or(options.text_length);
  options.causal = flags.has("--causal");
  if (options.steps < 1)
    problems.add("--steps: out of range: got ", options.steps, ", want 1 or more");
  if (options.text_length < 0) {
    problems.add("--text-length: out of range: got ", options.text_length, ", want 0 or more");
  }
}

}  // namespace

ProbeOptions probe_options(const ParsedFlags& flags) {
  const Stage& stage = find_stage(flags);
  Problems problems;
  ProbeOptions options;
  options.stage = stage.name;
  options.model = take_path(flags, "--model", stage.needs_model, stage, problems);
  options.parts = part_paths(flags);
  options.in = take_path(flags, "--in", stage.needs_in, stage, problems);
  options.out = take_path(flags, "--out", stage.needs_out, stage, problems);
  options.overwrite = flags.has("--overwrite");
  take_numbers(flags, options, problems);
  options.attention = probe_attention(flags, problems);
  options.tiling = choose_vae_tiling(tiling_options(flags), problems).value_or(options.tiling);
  const auto compute = compute_options(flags, problems);
  options.compute = choose_compute(compute, problems).value_or(options.compute);
  if (compute.dtype) options.compute.vae_dtype = options.compute.dtype;
  progress_mode(flags, problems);
  check_out(options, problems);
  problems.throw_if_any<ConfigError>("probe " + stage.name);
  return options;
}

std::vector<std::string> idle_probe_flags(const ParsedFlags& flags) {
  const Stage& stage = find_stage(flags);
  std::vector<std::string> idle;
  for (const auto& name : flags.names()) {
    if (belongs_to_some_stage(name) && !stage.flags.contains(name)) idle.push_back(name);
  }
  return idle;
}

}  // namespace reel::app
