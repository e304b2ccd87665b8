#include "app/compare_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "app/known_model.h"
#include "app/lpips_flag.h"
#include "app/report_flags.h"
#include "app/request_flags.h"
#include "app/setting_text.h"
#include "batch/job_list.h"
#include "core/nearest_name.h"
#include "core/printable.h"
#include "pipeline/memory_check.h"

namespace reel::app {
namespace {

constexpr const char* kDefaultSettings = "tau=0.9; tau=0.95";
constexpr const char* kDefaultFolder = "out/compare";

// Sets what "key=value" says. The value itself is checked with the whole request.
void take_pair(const std::string& pair, pipeline::RequestOptions& options, Problems& problems) {
  static const std::vector<std::string> kKeys = {"attn",        "tau",    "stride", "block",
                                                 "dense-steps", "select", "rule",   "head-tau"};
  const size_t equals = pair.find('=');
  const std::string key = trimmed(pair.substr(0, equals));
  const std::string value = equals == std::string::npos ? "" : trimmed(pair.substr(equals + 1));
  const auto integer = [&]() -> std::optional<int64_t> {
    const auto number = parse_integer(value);
    if (!number) problems.add("--with: ", key, ": not a whole number: got ", printable(value));
    return number;
  };
  if (value.empty()) {
    problems.add("--with: no value: got ", printable(pair), ", want KEY=VALUE");
  } else if (key == "attn") {
    options.attention_mode = value;
  } else if (key == "tau") {
    size_t used = 0;
    try {
      options.tau = std::stod(value, &used);
    } catch (const std::exception&) {
      used = 0;
    }
    if (used != value.size()) {
      problems.add("--with: tau: not a number: got ", printable(value));
    }
  } else if (key == "stride") {
    options.stride = integer();
  } else if (key == "block") {
    options.block = integer();
  } else if (key == "dense-steps") {
    options.dense_steps = value;
  } else if (key == "select") {
    options.attention.select = value;
  } else if (key == "rule") {
    options.attention.rule = value;
  } else if (key == "head-tau") {
    options.attention.head_tau_file = std::filesystem::path(value);
  } else {
    const auto nearest = nearest_name(key, kKeys);
    problems.add("--with: unknown key: got ", printable(key),
                 nearest
                     ? "; did you mean " + *nearest + "?"
                     : ", want attn, tau, stride, block, dense-steps, select, rule or head-tau");
  }
}

std::vector<SettingText> read_settings(const ParsedFlags& flags,
                                       const pipeline::RequestOptions& common, Problems& problems) {
  std::vector<SettingText> settings = {{"dense", common}};
  settings.front().options.attention_mode = "dense";
  std::set<std::string> names = {"dense"};
  for (const auto& text : split_filled(flags.text("--with").value_or(kDefaultSettings), ';')) {
    SettingText setting{text, common};
    for (const auto& pair : split_filled(text, ',')) take_pair(pair, setting.options, problems);
    if (!names.insert(text).second) {
      problems.add("--with: came twice: got ", printable(text), ", want different settings");
    }
    settings.push_back(std::move(setting));
  }
  if (settings.size() < 2) problems.add("--with: names no setting: want tau=0.9, say");
  return settings;
}

std::vector<std::string> read_prompts(const ParsedFlags& flags, Problems& problems) {
  const auto file = flags.text("--prompts");
  if (flags.has("--prompt") == file.has_value()) {
    problems.add("--prompt or --prompts: one of them is wanted: got ", file ? "both" : "neither");
    return {};
  }
  if (!file) return {*flags.text("--prompt")};
  std::vector<std::string> prompts;
  for (const auto& line : batch::read_job_list(*file, problems)) {
    if (!line.settings.empty()) {
      problems.add(line.where, ": only prompts are compared here: got ", line.settings.dump());
    }
    prompts.push_back(line.prompt_rewritten.value_or(line.prompt));
  }
  return prompts;
}

// The requests of one setting. A problem is told once, though every prompt has it.
void add_requests(const SettingText& text, const std::vector<std::string>& prompts,
                  const std::optional<pipeline::KnownModel>& model, std::set<std::string>& told,
                  CompareSetting& setting, Problems& problems) {
  for (const auto& prompt : prompts) {
    auto options = text.options;
    options.prompt = prompt;
    Problems own;
    auto request =
        pipeline::make_request(options, model ? model->defaults : pipeline::ModelDefaults{},
                               model ? std::optional(model->facts) : std::nullopt, own);
    if (model) {
      plan_attention(request, model->facts, own);
    } else {
      check_attention_flags(request, own);
    }
    pipeline::check_frame_rate(request.frame_rate, own);
    for (const auto& line : own.lines()) {
      if (told.insert(line).second) problems.add(line);
    }
    setting.requests.push_back(std::move(request));
  }
}

void check_folder(const ComparePlan& plan, Problems& problems) {
  std::error_code ignored;
  if (std::filesystem::exists(plan.folder, ignored) &&
      !std::filesystem::is_directory(plan.folder, ignored)) {
    problems.add(plan.folder.string(), ": is there already and is not a folder");
  } else if (plan.if_exists == IfExists::kRefuse &&
             (std::filesystem::exists(plan.folder / "compare.json", ignored) ||
              std::filesystem::exists(plan.folder / "report.html", ignored))) {
    problems.add(plan.folder.string(),
                 ": holds a comparison already: want --overwrite or another --output-dir");
  }
}

// Which heads the report shows, and copies of videos that no browser would play.
void plan_report(const std::optional<std::vector<attention::LayerHead>>& heads, ComparePlan& plan) {
  for (size_t i = 1; i < plan.settings.size(); ++i) {
    for (auto& request : plan.settings[i].requests) request.mask_heads = heads;
  }
  if (plan.encoder.codec == "h264" && plan.encoder.pix_fmt == "yuv420p") return;
  const auto& size = plan.settings.front().requests.front().size;
  plan.preview_encoder = media::plan_encoder({}, size.width, size.height);
}

// One choice for all settings: they share the models.
void settle_offload(ComparePlan& plan) {
  std::vector<pipeline::GenerationRequest> requests;
  for (const auto& setting : plan.settings) {
    if (!setting.requests.empty()) requests.push_back(setting.requests.front());
  }
  if (requests.empty()) return;
  const auto offload = pipeline::settle_offload(plan.model, requests);
  for (auto& setting : plan.settings) {
    for (auto& request : setting.requests) request.compute.offload = offload;
  }
}

}  // namespace

std::filesystem::path ComparePlan::video(size_t prompt, const CompareSetting& setting) const {
  return std::filesystem::path("videos") / setting.file_name / fmt::format("{:04}.mp4", prompt + 1);
}

std::filesystem::path ComparePlan::preview(size_t prompt, const CompareSetting& setting) const {
  return "previews" / video(prompt, setting).lexically_relative("videos");
}

ComparePlan plan_compare(const ParsedFlags& flags) {
  return plan_comparison(flags, "compare", [&](const auto& common, Problems& problems) {
    return read_settings(flags, common, problems);
  });
}

ComparePlan plan_comparison(const ParsedFlags& flags, const std::string& command,
                            const SettingReader& read) {
  Problems problems;
  const auto common = request_options(flags, problems);
  std::exception_ptr broken;
  auto model = try_model(flags, broken, problems);
  ComparePlan plan;
  plan.prompts = read_prompts(flags, problems);
  std::set<std::string> told;
  for (const auto& text : read(common, problems)) {
    plan.settings.push_back({text.name, as_file_name(text.name), {}});
    add_requests(text, plan.prompts, model, told, plan.settings.back(), problems);
  }
  const int64_t width = plan.prompts.empty() ? 16 : plan.settings[0].requests[0].size.width;
  const int64_t height = plan.prompts.empty() ? 16 : plan.settings[0].requests[0].size.height;
  const bool sized = width > 0 && height > 0 && width % 16 == 0 && height % 16 == 0;
  plan.encoder = plan_encoder(encoder_options(flags, problems), sized ? width : 16,
                              sized ? height : 16, problems);
  if (flags.takes("--json") && flags.has("--json") && flags.text("--progress") == "json") {
    problems.add("--json: cannot go with --progress json: both write to stdout");
  }
  plan.lpips_file = lpips_file(flags, problems);
  plan.folder = flags.text("--output-dir").value_or(kDefaultFolder);
  plan.if_exists = flags.has("--overwrite") ? IfExists::kReplace : IfExists::kRefuse;
  const auto heads =
      mask_heads(flags, model ? std::optional(model->facts) : std::nullopt, problems);
  if (problems.empty()) check_folder(plan, problems);
  problems.throw_if_any<ConfigError>(command);
  if (broken) std::rethrow_exception(broken);
  plan.writes_report = !flags.has("--no-report");
  if (plan.writes_report) plan_report(heads, plan);
  plan.model = std::move(model->folder);
  settle_offload(plan);
  return plan;
}

std::string compare_plan_text(const ComparePlan& plan) {
  const auto& request = plan.settings.front().requests.front();
  std::string text = fmt::format(
      "prompts    {}\nvideo      {}x{}, {} frames, {} steps, seed {}\nfolder     {}\nsettings\n",
      plan.prompts.size(), request.size.width, request.size.height, request.size.frames,
      request.num_steps, request.seeds.front(), plan.folder.string());
  for (const auto& setting : plan.settings) {
    const auto& attention = setting.requests.front().attention;
    text += attention.mode == "dense"
                ? fmt::format("  {}\n", setting.name)
                : fmt::format("  {}: {}, tau {}, stride {}, block {}, dense steps {}\n",
                              setting.name, attention.mode, attention.tau, attention.stride,
                              attention.block, attention.dense_steps);
  }
  return text;
}

}  // namespace reel::app
