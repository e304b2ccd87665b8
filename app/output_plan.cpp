#include "app/output_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <ctime>
#include <map>
#include <nlohmann/json.hpp>

#include "app/output_names.h"
#include "core/output_folder.h"
#include "core/printable.h"
#include "core/sha256.h"

namespace reel::app {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDefaultFolder = "out";
constexpr const char* kDefaultName = "{id}_s{seed}.mp4";
constexpr const char* kLatentsEnding = ".latents.safetensors";
constexpr const char* kStateEnding = ".state.safetensors";
constexpr size_t kHashDigits = 8;

std::string today() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  localtime_r(&now, &parts);
  char text[16];
  return {text, std::strftime(text, sizeof(text), "%Y-%m-%d", &parts)};
}

// Equal requests have equal ids, whatever the seed.
std::string request_id(const pipeline::GenerationRequest& request) {
  const auto& attention = request.attention;
  const std::string all =
      request.to_json(0).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) +
      fmt::format(" {} {} {} {} {}", attention.mode, attention.tau, attention.stride,
                  attention.block, attention.dense_steps);
  return sha256(all).substr(0, kHashDigits);
}

std::vector<NameFields> fields_of_clips(const pipeline::GenerationRequest& request) {
  const std::string id = request_id(request);
  std::vector<NameFields> clips;
  for (size_t i = 0; i < request.seeds.size(); ++i) {
    const std::string seed = std::to_string(request.seeds[i]);
    clips.push_back({{"id", id},
                     {"prompt", request.prompt},
                     {"seed", seed},
                     {"index", std::to_string(i)},
                     {"attn", request.attention.mode},
                     {"tau", fmt::format("{}", request.attention.tau)},
                     {"date", today()},
                     {"hash", sha256(id + seed).substr(0, kHashDigits)}});
  }
  return clips;
}

bool is_mp4_name(const std::string& name) {
  std::string ending = fs::path(name).extension().string();
  for (char& c : ending) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return ending == ".mp4";
}

fs::path beside(const fs::path& video, const std::string& ending) {
  fs::path path = video;
  return path.replace_filename(video.stem().string() + ending);
}

// Names the files of one clip; problems of the templates themselves are told once, by the first.
class ClipNamer {
 public:
  ClipNamer(const OutputOptions& options, Problems& problems)
      : options_(options), problems_(problems) {
    const bool to_folder = options.output_dir || !options.output;
    if (to_folder) folder_ = options.output_dir.value_or(kDefaultFolder);
  }

  const fs::path& folder() const { return folder_; }

  ClipPaths name(const NameFields& fields) const {
    const std::string video = options_.output.value_or(kDefaultName);
    ClipPaths paths;
    paths.video = folder_ / fill_template("--output", video, fields, problems_);
    if (options_.latents_file) {
      paths.latents = fill_template("--save-latents", *options_.latents_file, fields, problems_);
    } else {
      paths.latents = beside(paths.video, kLatentsEnding);
    }
    paths.state = beside(paths.video, kStateEnding);
    paths.frames_png = named("--frames-png", options_.frames_png, fields);
    paths.density_json = named("--density-json", options_.density_json, fields);
    paths.perf_json = named("--perf-json", options_.perf_json, fields);
    paths.recall_json = named("--probe-recall", options_.recall_json, fields);
    if (options_.output_dir) {
      paths.sidecar = folder_ / "meta" / beside(paths.video, ".json").filename();
    }
    return paths;
  }

 private:
  std::optional<fs::path> named(const char* flag, const std::optional<std::string>& name,
                                const NameFields& fields) const {
    if (!name) return std::nullopt;
    return fill_template(flag, *name, fields, problems_);
  }

  const OutputOptions& options_;
  Problems& problems_;
  fs::path folder_;
};

void check_video_name(const OutputOptions& options, Problems& problems) {
  if (!options.output) return;
  const std::string& name = *options.output;
  std::error_code ignored;
  if (name.empty() || name.ends_with('/') || fs::is_directory(name, ignored)) {
    problems.add("--output: is a folder: got ", printable(name),
                 ", want a file name; --output-dir names a folder");
  } else if (!is_mp4_name(name)) {
    problems.add("--output: not an MP4 name: got ", printable(name),
                 ", want a name that ends in .mp4");
  }
  if (options.output_dir && fs::path(name).is_absolute()) {
    problems.add("--output: absolute path beside --output-dir: got ", printable(name),
                 ", want a name within it");
  }
}

// The first name that occurs twice: two clips, or two kinds of output, want one file.
void check_distinct(const OutputPlan& plan, Problems& problems) {
  std::map<fs::path, int> uses;
  for (const auto& file : plan.files()) {
    if (++uses[file.lexically_normal()] != 2) continue;
    problems.add("output: two results want one name: got ", printable(file.string()),
                 plan.clips.size() > 1 ? ", want a template such as {seed} in every name"
                                       : ", want different names");
    return;
  }
}

template <typename Open>
void collect(Problems& problems, const Open& open) {
  try {
    open();
  } catch (const ConfigError& error) {
    problems.add(error.what());
  }
}

// What a run that was stopped left is worth more than a clean start.
void check_leftover(const fs::path& file, const char* what, Problems& problems) {
  std::error_code ignored;
  if (!fs::exists(fs::symlink_status(file, ignored))) return;
  problems.add(file.string(), ": ", what,
               " of an earlier run: want --resume to go on from there, --overwrite to start again,"
               " or another name");
}

// A folder that make_output_folders() will make cannot be asked yet.
bool will_be_made(const OutputPlan& plan, const fs::path& file) {
  std::error_code ignored;
  const fs::path folder = file.parent_path();
  return std::find(plan.folders.begin(), plan.folders.end(), folder) != plan.folders.end() &&
         !fs::exists(folder, ignored);
}

}  // namespace

std::vector<fs::path> OutputPlan::files() const {
  std::vector<fs::path> files;
  for (const auto& clip : clips) {
    files.push_back(clip.video);
    if (save_latents) files.push_back(clip.latents);
    for (const auto* path : {&clip.frames_png, &clip.density_json, &clip.perf_json,
                             &clip.recall_json, &clip.sidecar}) {
      if (*path) files.push_back(**path);
    }
  }
  return files;
}

OutputPlan plan_outputs(const OutputOptions& options, const pipeline::GenerationRequest& request,
                        Problems& problems) {
  OutputPlan plan;
  plan.save_latents = options.save_latents;
  const bool replace = options.overwrite || options.resume;
  plan.if_exists = replace ? IfExists::kReplace : IfExists::kRefuse;
  plan.resume = options.resume ? Resume::kMustBeSame : Resume::kNever;
  plan.checkpoint_every = options.checkpoint_every;
  if (options.resume && options.overwrite) {
    problems.add("--resume: cannot go with --overwrite: want one of them");
  }
  if (options.resume && options.recall_json) {
    problems.add("--resume: cannot go with --probe-recall, which has to see every step");
  }
  check_video_name(options, problems);
  const size_t problems_before = problems.lines().size();
  const ClipNamer namer(options, problems);
  for (const auto& fields : fields_of_clips(request)) {
    plan.clips.push_back(namer.name(fields));
    if (problems.lines().size() != problems_before) return plan;
  }
  if (!namer.folder().empty()) {
    plan.folders.push_back(namer.folder());
    if (options.output_dir) plan.folders.push_back(namer.folder() / "meta");
  }
  check_distinct(plan, problems);
  return plan;
}

void check_outputs(const OutputPlan& plan, Problems& problems) {
  for (const auto& folder : plan.folders) {
    std::error_code ignored;
    if (fs::exists(folder, ignored) && !fs::is_directory(folder, ignored)) {
      problems.add(folder.string(), ": is there already and is not a folder");
      return;
    }
  }
  // Starting an output checks all that can be checked; it is discarded at once.
  const auto check_file = [&](const fs::path& file) {
    if (will_be_made(plan, file)) return;
    collect(problems, [&] { OutputFile(file, plan.if_exists); });
  };
  for (const auto& clip : plan.clips) {
    check_file(clip.video);
    if (plan.if_exists == IfExists::kRefuse) {
      if (!plan.save_latents) check_leftover(clip.latents, "latents", problems);
      check_leftover(clip.state, "state", problems);
    }
    if (plan.save_latents) check_file(clip.latents);
    for (const auto* path :
         {&clip.density_json, &clip.perf_json, &clip.recall_json, &clip.sidecar}) {
      if (*path) check_file(**path);
    }
    if (clip.frames_png) {
      collect(problems, [&] { OutputFolder(*clip.frames_png, plan.if_exists); });
    }
  }
}

void make_output_folders(const OutputPlan& plan) {
  for (const auto& folder : plan.folders) {
    std::error_code failed;
    fs::create_directories(folder, failed);
    if (failed) fail<ConfigError>(folder.string(), ": cannot be made: ", failed.message());
  }
}

}  // namespace reel::app
