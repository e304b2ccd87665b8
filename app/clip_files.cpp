#include "app/clip_files.h"

#include <fmt/format.h>

#include "app/clip_difference.h"
#include "batch/run_folder.h"
#include "core/strict_json.h"
#include "pipeline/version.h"

namespace reel::app {
namespace {

namespace fs = std::filesystem;

void write_state(const fs::path& path, IfExists if_exists, const pipeline::RunState& state) {
  OutputFile file(path, if_exists);
  pipeline::write_run_state(file, state);
  file.commit();
}

// Folder names need not be UTF-8.
std::string json_text(const nlohmann::json& json, int indent) {
  return json.dump(indent, ' ', false, nlohmann::json::error_handler_t::replace);
}

// A name that nothing has yet: rescued latents must not replace others.
fs::path free_name(const fs::path& wanted) {
  fs::path name = wanted;
  std::error_code ignored;
  for (int i = 1; fs::exists(name, ignored); ++i) {
    name = wanted;
    name.replace_filename(wanted.stem().string() + "-" + std::to_string(i) +
                          wanted.extension().string());
  }
  return name;
}

}  // namespace

ClipFiles::ClipFiles(const pipeline::GenerationRequest& request, const OutputPlan& plan,
                     const media::EncoderPlan& encoder, RunProgress& progress)
    : request_(request), plan_(plan), encoder_(encoder), progress_(progress) {}

// The first difference between the run that a state is of and this one.
std::string ClipFiles::other_settings(const pipeline::RunState& state, size_t clip) const {
  if (state.clip.is_null()) return "it does not say which";
  const nlohmann::json request = state.clip.value("request", nlohmann::json());
  auto lines = differences(request, request_.to_json(request_.seeds.at(clip)),
                           {"fps", "vae_tiling", "noise_file"});
  const auto& attention = request_.attention;
  const auto more = differences(state.clip.value("attention", nlohmann::json()),
                                {{"mode", attention.mode},
                                 {"tau", attention.tau},
                                 {"stride", attention.stride},
                                 {"block", attention.block}},
                                {});
  lines.insert(lines.end(), more.begin(), more.end());
  return lines.empty() ? "the attention's schedule, the weights, the noise or the number format"
                       : lines.front();
}

// A file that cannot be read, or is of other settings, is refused or, in a batch, dropped.
std::optional<pipeline::RunState> ClipFiles::read_state(const fs::path& file, size_t clip,
                                                        const std::string& hash) {
  std::error_code ignored;
  if (!fs::exists(file, ignored)) return std::nullopt;
  const auto refuse = [&](const std::string& line) {
    if (plan_.resume == Resume::kMustBeSame) throw ConfigError(line);
    progress_.warn(line + "; starting again");
  };
  try {
    auto state = pipeline::read_run_state(file);
    if (state.hash == hash) return state;
    refuse(
        fmt::format("{}: made with other settings: {}: want the flags of that run, or "
                    "--overwrite to start again",
                    file.string(), other_settings(state, clip)));
  } catch (const ConfigError& error) {
    refuse(error.what());
  }
  return std::nullopt;
}

pipeline::EarlierWork ClipFiles::earlier_work(size_t clip, const std::string& hash) {
  const ClipPaths& paths = plan_.clips.at(clip);
  pipeline::EarlierWork earlier;
  if (plan_.resume == Resume::kNever) return earlier;
  std::error_code ignored;
  if (plan_.resume == Resume::kMustBeSame && fs::exists(paths.video, ignored)) {
    const auto metadata = batch::video_metadata(paths.video);
    const bool same =
        metadata.is_object() && text_in(metadata, "request_hash") == hash &&
        metadata.value("encoder", nlohmann::json()) == pipeline::encoder_json(encoder_);
    if (!same) {
      fail<ConfigError>(paths.video.string(),
                        ": is there already, and not made with these settings: want --overwrite or "
                        "another name");
    }
    if (told_.insert(clip).second) progress_.clip_done(paths.video.string());
    earlier.done = true;
    return earlier;
  }
  earlier.state = read_state(paths.latents, clip, hash);
  if (!earlier.state) earlier.state = read_state(paths.state, clip, hash);
  if (earlier.state && told_.insert(clip).second) {
    const auto& state = *earlier.state;
    progress_.warn(
        state.finished()
            ? fmt::format("{}: decoding the latents that are there", paths.video.string())
            : fmt::format("{}: going on after step {} of {}", paths.video.string(),
                          state.steps.size(), state.num_steps));
    warn_about_threads(state);
  }
  return earlier;
}

// Sums of floating point numbers depend on how many threads share them.
void ClipFiles::warn_about_threads(const pipeline::RunState& state) {
  const auto device = state.clip.value("device", nlohmann::json::object());
  const auto lines = differences(device, {{"threads", request_.compute.threads}}, {});
  if (state.finished() || lines.empty()) return;
  progress_.warn(lines.front() + ": latents will not be those of an uninterrupted run bit by bit");
}

bool ClipFiles::wants_state(int64_t num_done, bool stopping) const {
  if (stopping) return true;
  return plan_.checkpoint_every > 0 && num_done % plan_.checkpoint_every == 0;
}

void ClipFiles::keep_latents(size_t clip, const at::Tensor& latents) {
  clip_ = clip;
  latents_ = latents;
}

void ClipFiles::keep_state(size_t clip, pipeline::RunState state,
                           const pipeline::RunIdentity& identity,
                           const pipeline::ClipReport& report) {
  const ClipPaths& paths = plan_.clips.at(clip);
  const bool finished = state.finished();
  const fs::path& file = finished ? paths.latents : paths.state;
  if (file.empty()) return;
  clip_ = clip;
  state.clip = pipeline::metadata_json(request_, identity, report, pipeline::program_json(),
                                       pipeline::encoder_json(encoder_));
  if (!job_.is_null()) state.clip["job"] = job_;
  try {
    write_state(file, finished ? plan_.if_exists : IfExists::kReplace, state);
  } catch (const IoError& error) {
    // The clip itself may still succeed; only latents that were asked for are worth its end.
    if (finished && plan_.save_latents) throw;
    progress_.warn(fmt::format("{}; going on without", error.what()));
    return;
  }
  kept_ = file;
  kept_is_finished_ = finished;
  std::error_code ignored;
  if (finished) fs::remove(paths.state, ignored);
}

media::FrameSink& ClipFiles::frames(size_t clip) {
  const ClipPaths& paths = plan_.clips.at(clip);
  const media::VideoFormat format = {.width = request_.size.width,
                                     .height = request_.size.height,
                                     .rate = media::parse_frame_rate(request_.frame_rate)};
  video_.reset();  // of an attempt that failed
  video_ = std::make_unique<VideoFiles>(paths, plan_.if_exists, format, encoder_);
  return video_->sink();
}

void ClipFiles::write_json(const std::optional<fs::path>& file, const nlohmann::json& json) {
  if (file) write_output(*file, plan_.if_exists, json_text(json, 2) + "\n");
}

// Once the video is there nobody needs what it was made from.
void ClipFiles::remove_rest(const ClipPaths& paths) {
  std::error_code ignored;
  if (!plan_.save_latents && (!kept_.empty() || plan_.resume != Resume::kNever)) {
    fs::remove(paths.latents, ignored);
  }
  if (!paths.state.empty()) fs::remove(paths.state, ignored);
  kept_.clear();
}

void ClipFiles::complete(size_t clip, const pipeline::RunIdentity& identity,
                         const pipeline::ClipReport& report) {
  const ClipPaths& paths = plan_.clips.at(clip);
  nlohmann::json metadata = pipeline::metadata_json(
      request_, identity, report, pipeline::program_json(), pipeline::encoder_json(encoder_));
  if (!job_.is_null()) metadata["job"] = job_;
  write_json(paths.density_json, report.density);
  write_json(paths.recall_json, report.recall);
  write_json(paths.perf_json, pipeline::perf_json(identity, report));
  write_json(paths.sidecar, metadata);
  video_->finish(metadata);
  video_.reset();
  latents_ = at::Tensor();
  remove_rest(paths);
  metadata_ = std::move(metadata);
  progress_.clip_done(paths.video.string());
}

std::optional<ClipFiles::Rest> ClipFiles::rescue() {
  const fs::path& video = plan_.clips.at(clip_).video;
  if (!kept_.empty()) return Rest{kept_, kept_is_finished_, video};
  if (!latents_.defined()) return std::nullopt;
  const fs::path path = free_name(plan_.clips.at(clip_).latents);
  write_state(path, IfExists::kRefuse, {.latents = latents_});
  return Rest{path, true, video};
}

void rescue(ClipFiles& files, Console& console,
            const std::function<std::string(const ClipFiles::Rest&)>& how_to_go_on) {
  try {
    if (const auto rest = files.rescue()) {
      console.error(fmt::format("{} kept in {}: {}",
                                rest->finished ? "latents are" : "the state is",
                                rest->file.string(), how_to_go_on(*rest)));
    }
  } catch (const Error& error) {
    console.error(std::string("latents could not be kept: ") + error.what());
  }
}

}  // namespace reel::app
