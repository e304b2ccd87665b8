#include "app/batch_plan.h"

#include <fmt/format.h>

#include <limits>
#include <map>
#include <set>

#include "app/known_model.h"
#include "app/output_names.h"
#include "app/request_flags.h"
#include "app/step_pace.h"
#include "batch/estimate.h"
#include "batch/job_list.h"
#include "batch/text_cache.h"
#include "core/printable.h"
#include "pipeline/device_facts.h"
#include "pipeline/memory_check.h"

namespace reel::app {
namespace {

constexpr const char* kDefaultFolder = "out";
constexpr const char* kDefaultName = "{id}_s{seed}.mp4";
constexpr size_t kHashDigits = 8;
constexpr size_t kLongestName = 255;  // bytes, on every file system in use

// What all lines of one batch have in common.
struct Common {
  const ParsedFlags& flags;
  pipeline::RequestOptions options;
  std::optional<pipeline::KnownModel> model;
  pipeline::RunIdentity identity;
  std::string tokenizers;
};

// What lines with the same overrides have in common: costs too much to decide for each line.
struct Settings {
  std::string schedule_hash;
  media::EncoderPlan encoder;
  std::vector<std::string> problems;
  std::vector<std::string> notes;
};

template <typename T>
void override_with(const std::optional<T>& value, std::optional<T>& option) {
  if (value) option = value;
}

pipeline::RequestOptions options_of(const batch::JobLine& line, pipeline::RequestOptions options) {
  options.prompt = line.prompt_rewritten.value_or(line.prompt);
  override_with(line.negative_prompt, options.negative_prompt);
  override_with(line.width, options.width);
  override_with(line.height, options.height);
  override_with(line.frames, options.frames);
  override_with(line.steps, options.steps);
  override_with(line.guidance, options.guidance);
  override_with(line.cfg_scale, options.cfg_scale);
  override_with(line.tau, options.tau);
  override_with(line.stride, options.stride);
  override_with(line.block, options.block);
  options.attention.select = line.select.value_or(options.attention.select);
  options.attention.rule = line.rule.value_or(options.attention.rule);
  override_with(line.frame_rate, options.frame_rate);
  override_with(line.attention_mode, options.attention_mode);
  override_with(line.dense_steps, options.dense_steps);
  if (line.schedule) options.attention.schedule_file = line.schedule;
  if (line.seed) options.seed = std::to_string(*line.seed);
  if (line.samples) options.samples = *line.samples;
  if (!line.seeds.empty()) {
    options.seed = std::to_string(line.seeds.front());
    options.samples = 1;
  }
  return options;
}

Settings decide_settings(const Common& common, const pipeline::GenerationRequest& request) {
  Problems problems;
  Settings settings;
  if (common.model) {
    if (const auto schedule = plan_attention(request, common.model->facts, problems)) {
      settings.schedule_hash = schedule->hash();
      settings.notes = schedule->notes();
    }
  } else {
    check_attention_flags(request, problems);
  }
  pipeline::check_frame_rate(request.frame_rate, problems);
  const bool sized = request.size.width % 16 == 0 && request.size.height % 16 == 0 &&
                     request.size.width > 0 && request.size.height > 0;
  settings.encoder =
      plan_encoder(encoder_options(common.flags, problems), sized ? request.size.width : 16,
                   sized ? request.size.height : 16, problems);
  settings.problems = problems.lines();
  return settings;
}

// "--cfg-scale: out of range" of a line that sets cfg_scale is that line's problem: it is told with
// the line and the key. The same problem of the flags themselves is told once.
class ProblemSorter {
 public:
  explicit ProblemSorter(Problems& problems) : problems_(problems) {}

  void add(const batch::JobLine& line, const std::string& problem) {
    const std::string key = key_of(problem);
    if (line.settings.contains(key) || key == "prompt") {
      problems_.add(line.where, ": ", key, problem.substr(problem.find(':')));
    } else if (key.empty() && line.schedule) {
      problems_.add(line.where, ": schedule: ", problem);
    } else if (told_.insert(problem).second) {
      const bool may_be_the_line = !line.settings.empty();
      problems_.add(problem, may_be_the_line ? fmt::format(" (at {})", line.where) : std::string());
    }
  }

 private:
  static std::string key_of(const std::string& problem) {
    const size_t colon = problem.find(':');
    if (!problem.starts_with("--") || colon == std::string::npos) return {};
    std::string key(problem.begin() + 2, problem.begin() + static_cast<ptrdiff_t>(colon));
    for (char& c : key) c = c == '-' ? '_' : c;
    return key;
  }

  Problems& problems_;
  std::set<std::string> told_;
};

void check_name(const std::string& where, const std::string& name, Problems& problems) {
  if (name.size() > kLongestName) {
    problems.add(where, ": output: name too long: got ", name.size(), " bytes (", printable(name),
                 "), want at most ", kLongestName);
  } else if (name.find('/') != std::string::npos) {
    problems.add(where, ": output: not a plain file name: got ", printable(name),
                 ", want no folder: all videos lie in videos/");
  } else if (!name.ends_with(".mp4") || name.size() == 4 || name.starts_with('.')) {
    problems.add(where, ": output: not an MP4 name: got ", printable(name),
                 ", want a visible name that ends in .mp4");
  }
}

// Turns lines into jobs, one a seed.
class JobMaker {
 public:
  JobMaker(const Common& common, std::string date, Problems& problems)
      : common_(common), date_(std::move(date)), problems_(problems), sorter_(problems) {}

  void add(const batch::JobLine& line) {
    Problems own;
    const auto defaults = common_.model ? common_.model->defaults : pipeline::ModelDefaults{};
    const auto facts = common_.model ? std::optional(common_.model->facts) : std::nullopt;
    auto request = pipeline::make_request(options_of(line, common_.options), defaults, facts, own);
    if (!line.seeds.empty()) request.seeds = line.seeds;
    for (const auto& problem : own.lines()) sorter_.add(line, problem);
    const Settings& settings = settings_of(line, request);
    for (const auto& problem : settings.problems) sorter_.add(line, problem);
    if (!own.empty() || !settings.problems.empty() || !common_.model) return;
    const auto seeds = std::exchange(request.seeds, {});
    for (size_t sample = 0; sample < seeds.size(); ++sample) {
      request.seeds = {seeds[sample]};
      add_job(line, request, settings, sample);
    }
  }

  std::vector<batch::Job> take_jobs() { return std::move(jobs_); }
  std::vector<std::string> notes() const { return {notes_.begin(), notes_.end()}; }

 private:
  const Settings& settings_of(const batch::JobLine& line,
                              const pipeline::GenerationRequest& request) {
    nlohmann::json key = line.settings;
    for (const char* other : {"seed", "samples", "output", "negative_prompt"}) key.erase(other);
    auto [found, is_new] = settings_.try_emplace(key.dump());
    if (is_new) {
      found->second = decide_settings(common_, request);
      notes_.insert(found->second.notes.begin(), found->second.notes.end());
    }
    return found->second;
  }

  void add_job(const batch::JobLine& line, const pipeline::GenerationRequest& request,
               const Settings& settings, size_t sample) {
    batch::Job job{.index = jobs_.size(),
                   .where = line.where,
                   .id = line.id,
                   .prompt = line.prompt,
                   .tags = line.tags,
                   .video = {},
                   .hash = batch::job_hash(request, settings.schedule_hash, common_.identity,
                                           common_.tokenizers, settings.encoder),
                   .request = request,
                   .encoder = settings.encoder};
    const NameFields fields = {{"id", line.id},
                               {"prompt", line.prompt},
                               {"seed", std::to_string(request.seeds.front())},
                               {"index", std::to_string(sample)},
                               {"attn", request.attention.mode},
                               {"tau", fmt::format("{}", request.attention.tau)},
                               {"date", date_},
                               {"hash", job.hash.substr(0, kHashDigits)}};
    const std::string name =
        line.output.value_or(common_.flags.text("--output").value_or(kDefaultName));
    const std::string flag = fmt::format("{}: output", line.where);
    const size_t problems_before = problems_.lines().size();
    job.video = fill_template(flag, name, fields, problems_);
    if (problems_.lines().size() != problems_before) return;
    check_name(line.where, job.video, problems_);
    const auto [first, is_new] = names_.try_emplace(job.video, line.where);
    if (!is_new) {
      problems_.add(flag, ": two jobs want one name: got ", printable(job.video), ", also at ",
                    first->second,
                    "; want different ids or seeds, or {seed} or {index} in the name");
    }
    jobs_.push_back(std::move(job));
  }

  const Common& common_;
  std::string date_;
  Problems& problems_;
  ProblemSorter sorter_;
  std::vector<batch::Job> jobs_;
  std::map<std::string, Settings> settings_;
  std::map<std::string, std::string> names_;  // video -> where its line is
  std::set<std::string> notes_;
};

batch::RunOptions run_options(const ParsedFlags& flags, Problems& problems) {
  batch::RunOptions options;
  options.overwrite = flags.has("--overwrite");
  options.keep_going = flags.has("--keep-going");
  options.max_failures = flags.integer("--max-failures", problems);
  if (options.max_failures && *options.max_failures < 1) {
    problems.add("--max-failures: too small: got ", *options.max_failures, ", want at least 1");
  }
  if (const auto shard = flags.text("--shard")) {
    options.shard = batch::parse_shard(*shard, problems);
  }
  if (options.overwrite && flags.has("--resume")) {
    problems.add("--overwrite: cannot go with --resume");
  }
  if (flags.text("--save-latents")) {
    problems.add("--save-latents: takes no name in a batch: latents go to latents/");
  }
  if (flags.text("--seed") == "random") {
    problems.add("--seed: a batch with random seeds could not be resumed: want a number");
  }
  return options;
}

void check_folder(const BatchPlan& plan, Problems& problems) {
  std::error_code ignored;
  for (const auto& folder : {plan.folder.root(), plan.folder.videos()}) {
    if (std::filesystem::exists(folder, ignored) &&
        !std::filesystem::is_directory(folder, ignored)) {
      problems.add(folder.string(), ": is there already and is not a folder");
      return;
    }
  }
  if (plan.options.overwrite) return;
  for (const auto& job : plan.jobs) {
    if (plan.folder.state(job) != batch::VideoState::kForeign) continue;
    problems.add(plan.folder.video(job).string(),
                 ": is there already, and no batch made it: want --overwrite or another folder");
  }
}

std::vector<batch::JobLine> read_lines(const ParsedFlags& flags, Problems& problems) {
  if (flags.arguments().empty()) {
    problems.add("job file: is missing: want FILE.jsonl, FILE.csv or FILE.txt");
    return {};
  }
  return batch::read_job_list(flags.arguments().front(), problems);
}

const char* state_name(batch::VideoState state) {
  switch (state) {
    case batch::VideoState::kMissing:
      return "to do";
    case batch::VideoState::kDone:
      return "done";
    case batch::VideoState::kOther:
      return "to do again: other settings";
    case batch::VideoState::kBroken:
      return "to do again: not a whole video";
    case batch::VideoState::kForeign:
      return "to replace";
  }
  return "";
}

// One choice for all jobs: they share the models.
void settle_offload(BatchPlan& plan) {
  std::vector<pipeline::GenerationRequest> requests;
  for (const auto& job : plan.jobs) requests.push_back(job.request);
  if (requests.empty()) return;
  plan.compute.offload = pipeline::settle_offload(plan.model, requests);
  for (auto& job : plan.jobs) job.request.compute.offload = plan.compute.offload;
}

}  // namespace

BatchPlan plan_batch(const ParsedFlags& flags) {
  return plan_batch(flags, [&](Problems& problems) { return read_lines(flags, problems); });
}

BatchPlan plan_batch(const ParsedFlags& flags, const LineReader& read) {
  Problems problems;
  std::exception_ptr broken;
  Common common{.flags = flags,
                .options = request_options(flags, problems),
                .model = try_model(flags, broken, problems),
                .identity = {},
                .tokenizers = {}};
  const auto compute = pipeline::choose_compute(common.options.compute, problems);
  BatchPlan plan{.model = {},
                 .compute = compute.value_or(pipeline::ComputeChoice{}),
                 .tokenizers_sha256 = {},
                 .folder = batch::RunFolder(flags.text("--output-dir").value_or(kDefaultFolder)),
                 .date = {},
                 .jobs = {},
                 .options = run_options(flags, problems),
                 .save_latents = flags.has("--save-latents"),
                 .checkpoint_every = checkpoint_steps(flags, problems),
                 .notes = {}};
  plan.options.keeps_latents = plan.save_latents;
  plan.date = plan.folder.date();
  // What is wrong with the flags alone would come back with every line.
  problems.throw_if_any<ConfigError>("batch");
  const auto lines = read(problems);
  if (common.model) {
    try {
      common.identity = pipeline::identify(plan.compute, common.model->folder);
      common.tokenizers = batch::tokenizers_sha256(common.model->folder);
    } catch (const WeightError&) {
      broken = std::current_exception();
    }
  }
  JobMaker maker(common, plan.date, problems);
  for (const auto& line : lines) maker.add(line);
  plan.jobs = maker.take_jobs();
  plan.notes = maker.notes();
  if (problems.empty()) check_folder(plan, problems);
  problems.throw_if_any<ConfigError>("batch");
  if (broken) std::rethrow_exception(broken);
  plan.model = std::move(common.model->folder);
  plan.tokenizers_sha256 = std::move(common.tokenizers);
  settle_offload(plan);
  return plan;
}

std::string batch_plan_text(const BatchPlan& plan, const std::optional<std::string>& measured) {
  std::string list;
  double work = 0;
  size_t num_jobs = 0;
  size_t num_to_do = 0;
  for (const auto& job : plan.jobs) {
    if (!plan.options.shard.has(job)) continue;
    auto state = plan.folder.state(job);
    const bool done = state == batch::VideoState::kDone && !plan.options.overwrite;
    ++num_jobs;
    num_to_do += done ? 0 : 1;
    work += done ? 0 : batch::work_of(job.request);
    const auto& size = job.request.size;
    list += fmt::format(
        "  {}  {}x{}x{}, {} steps, {}, seed {}: {}\n", printable(job.video), size.width,
        size.height, size.frames, job.request.num_steps,
        job.request.attention.mode == "dense"
            ? "dense"
            : fmt::format("{} {}", job.request.attention.mode, job.request.attention.tau),
        job.request.seeds.front(),
        done || state != batch::VideoState::kDone ? state_name(state) : "to do again: --overwrite");
  }
  std::string text = fmt::format("jobs       {} of {} in the list, {} done, {} to do\n", num_jobs,
                                 plan.jobs.size(), num_jobs - num_to_do, num_to_do);
  text += fmt::format("folder     {}\ndevice     {}\n", plan.folder.root().string(),
                      plan.compute.device.str());
  const auto pace = measured ? std::optional(batch::pace_of_file(*measured))
                             : batch::measured_pace(plan.folder, plan.jobs);
  if (pace) {
    const double seconds = pace->seconds_per_work * work;
    text += fmt::format(
        "time       about {} for what is to do ({:.2f} hours of one {}), measured on {}\n",
        duration_text(seconds), seconds / 3600,
        plan.compute.device.is_cuda() ? "GPU" : "CPU process",
        measured ? printable(*measured) : fmt::format("{} videos there", pace->num_videos));
  } else {
    text += "time       unknown: no finished video of this list to measure by; see --measured\n";
  }
  return text + "videos\n" + list;
}

}  // namespace reel::app
