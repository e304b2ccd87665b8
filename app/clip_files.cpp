#include "app/clip_files.h"

#include "app/help.h"
#include "weights/safetensors.h"

namespace reel::app {
namespace {

namespace fs = std::filesystem;

void write_latents(const fs::path& path, IfExists if_exists, const at::Tensor& latents) {
  OutputFile file(path, if_exists);
  weights::write_safetensors(file, {{"latents", latents}});
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

nlohmann::json encoder_json(const media::EncoderPlan& encoder) {
  return {{"codec", encoder.codec},   {"encoder", encoder.encoder},
          {"preset", encoder.preset}, {"pix_fmt", encoder.pix_fmt},
          {"crf", encoder.crf},       {"lossless", encoder.lossless}};
}

ClipFiles::ClipFiles(const pipeline::GenerationRequest& request, const OutputPlan& plan,
                     const media::EncoderPlan& encoder, RunProgress& progress)
    : request_(request), plan_(plan), encoder_(encoder), progress_(progress) {}

void ClipFiles::keep_latents(size_t clip, const at::Tensor& latents) {
  clip_ = clip;
  latents_ = latents;
  if (plan_.save_latents) write_latents(plan_.clips.at(clip).latents, plan_.if_exists, latents);
}

media::FrameSink& ClipFiles::frames(size_t clip) {
  const ClipPaths& paths = plan_.clips.at(clip);
  const media::VideoFormat format = {.width = request_.size.width,
                                     .height = request_.size.height,
                                     .rate = media::parse_frame_rate(request_.frame_rate)};
  video_ = std::make_unique<media::Mp4Writer>(paths.video, plan_.if_exists, format, encoder_);
  std::vector<media::FrameSink*> sinks;
  if (paths.frames_png) {
    png_ = std::make_unique<media::PngSequenceWriter>(*paths.frames_png, plan_.if_exists);
    sinks.push_back(png_.get());
  }
  sinks.push_back(video_.get());
  sinks_ = std::make_unique<media::TeeSink>(std::move(sinks));
  return *sinks_;
}

void ClipFiles::write_json(const std::optional<fs::path>& file, const nlohmann::json& json) {
  if (file) write_output(*file, plan_.if_exists, json_text(json, 2) + "\n");
}

void ClipFiles::complete(size_t clip, const pipeline::RunIdentity& identity,
                         const pipeline::ClipReport& report) {
  const ClipPaths& paths = plan_.clips.at(clip);
  nlohmann::json metadata =
      pipeline::metadata_json(request_, identity, report, program_json(), encoder_json(encoder_));
  if (!job_.is_null()) metadata["job"] = job_;
  write_json(paths.density_json, report.density);
  write_json(paths.recall_json, report.recall);
  write_json(paths.perf_json, pipeline::perf_json(identity, report));
  write_json(paths.sidecar, metadata);
  video_->set_comment(json_text(metadata, -1));
  sinks_->finish();
  sinks_.reset();
  video_.reset();
  png_.reset();
  latents_ = at::Tensor();
  metadata_ = std::move(metadata);
  progress_.clip_done(paths.video.string());
}

std::optional<fs::path> ClipFiles::rescue_latents() {
  if (!latents_.defined()) return std::nullopt;
  const fs::path& planned = plan_.clips.at(clip_).latents;
  std::error_code ignored;
  if (plan_.save_latents && fs::exists(planned, ignored)) return planned;
  const fs::path path = free_name(planned);
  write_latents(path, IfExists::kRefuse, latents_);
  return path;
}

void rescue(ClipFiles& files, Console& console) {
  try {
    if (const auto path = files.rescue_latents()) {
      console.error("latents are kept in " + path->string());
    }
  } catch (const Error& error) {
    console.error(std::string("latents could not be kept: ") + error.what());
  }
}

}  // namespace reel::app
