#include "batch/run_folder.h"

#include <unistd.h>

#include <array>
#include <ctime>
#include <fstream>

#include "core/output_file.h"
#include "core/strict_json.h"
#include "media/video_facts.h"

// Note [When a job is done]
// The video gets its name last of all that rendering writes, complete and with the job's hash in
// its own metadata; the sidecar follows. So a sidecar with the job's hash and the video's size says
// that the job is done without opening the video, and a process that is killed between the two
// leaves a video that says it itself. Before a video is replaced its sidecar goes.

namespace reel::batch {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr size_t kLongestStem = 230;  // of a name that gets a longer ending than .mp4

// "cat-0.json" for "cat-0.mp4"; names that would become too long are the hash instead.
std::string side_name(const Job& job, const std::string& ending) {
  const std::string stem = fs::path(job.video).stem().string();
  return (stem.size() > kLongestStem ? job.hash.substr(0, 32) : stem) + ending;
}

json read_json(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream) return nullptr;
  const std::string text(std::istreambuf_iterator<char>(stream), {});
  const auto value = try_strict_json(text);
  return value && value->is_object() ? *value : json(nullptr);
}

std::string hash_in(const json& metadata) {
  if (!metadata.is_object() || !metadata.contains("job")) return {};
  return text_in(metadata["job"], "hash");
}

bool is_whole_mp4(const fs::path& video) {
  bool index = false;
  bool pictures = false;
  try {
    for (const auto& box : media::mp4_boxes(video)) {
      index = index || box.type == "moov";
      pictures = pictures || box.type == "mdat";
    }
  } catch (const ConfigError&) {
    return false;
  }
  return index && pictures;
}

// A sidecar tells whose video it is and how many bytes it has.
bool sidecar_fits(const json& sidecar, const Job& job, uint64_t bytes) {
  return hash_in(sidecar) == job.hash && sidecar["job"].contains("bytes") &&
         sidecar["job"]["bytes"] == bytes;
}

std::string today() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  localtime_r(&now, &parts);
  std::array<char, 16> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%d", &parts)};
}

void make_folder(const fs::path& folder) {
  std::error_code failed;
  fs::create_directories(folder, failed);
  if (failed) fail<ConfigError>(folder.string(), ": cannot be made: ", failed.message());
}

}  // namespace

fs::path RunFolder::sidecar(const Job& job) const {
  return root_ / "meta" / side_name(job, ".json");
}

fs::path RunFolder::latents(const Job& job) const {
  return root_ / "latents" / side_name(job, ".latents.safetensors");
}

fs::path RunFolder::state_file(const Job& job) const {
  return root_ / "latents" / side_name(job, ".state.safetensors");
}

void RunFolder::make() const {
  for (const auto& folder : {videos(), root_ / "meta", root_ / "latents", text_cache()}) {
    make_folder(folder);
  }
}

std::string RunFolder::date() const {
  const std::string date = text_in(read_json(root_ / "run.json"), "date");
  return date.empty() ? today() : date;
}

void RunFolder::keep_date(const std::string& date) const {
  std::error_code ignored;
  if (fs::exists(root_ / "run.json", ignored)) return;
  write(root_ / "run.json", {{"format", 1}, {"date", date}});
}

// A temporary name within the run folder: OutputFile's would lie beside it.
void RunFolder::write(const fs::path& file, const json& value) const {
  const fs::path part =
      root_ / "cache" /
      (".sparsereel-" + std::to_string(getpid()) + "-" + file.filename().string());
  std::error_code failed;
  fs::remove(part, failed);
  write_output(part, IfExists::kRefuse,
               value.dump(2, ' ', false, json::error_handler_t::replace) + "\n");
  fs::rename(part, file, failed);
  if (failed) fail<IoError>(file.string(), ": replacing it failed: ", failed.message());
}

VideoState RunFolder::state(const Job& job) const {
  const fs::path file = video(job);
  std::error_code ignored;
  if (!fs::exists(fs::symlink_status(file, ignored))) return VideoState::kMissing;
  if (!fs::is_regular_file(file, ignored)) return VideoState::kForeign;
  const json sidecar = read_json(this->sidecar(job));
  if (!is_whole_mp4(file)) return VideoState::kBroken;
  if (sidecar_fits(sidecar, job, fs::file_size(file, ignored))) return VideoState::kDone;
  const std::string hash = hash_in(video_metadata(file));
  if (hash.empty()) return VideoState::kForeign;
  return hash == job.hash ? VideoState::kDone : VideoState::kOther;
}

void RunFolder::remove_unfinished() const {
  std::error_code ignored;
  const fs::path cache = root_ / "cache";
  for (const auto& folder : {root_ / ".tmp", cache / ".tmp", cache}) {
    for (const auto& entry : fs::directory_iterator(folder, ignored)) {
      if (entry.path().filename().string().starts_with(".sparsereel-")) {
        fs::remove(entry.path(), ignored);
      }
    }
    if (folder != cache) fs::remove(folder, ignored);  // fails unless it is empty
  }
}

void RunFolder::remove_rest(const Job& job, bool keeps_latents) const {
  std::error_code ignored;
  fs::remove(state_file(job), ignored);
  if (!keeps_latents) fs::remove(latents(job), ignored);
}

void RunFolder::forget(const Job& job) const {
  std::error_code ignored;
  fs::remove(sidecar(job), ignored);
}

void RunFolder::put_sidecar(const Job& job, json metadata) const {
  metadata["job"]["bytes"] = fs::file_size(video(job));
  write_output(sidecar(job), IfExists::kReplace,
               metadata.dump(2, ' ', false, json::error_handler_t::replace) + "\n");
}

void RunFolder::mend_sidecar(const Job& job) const {
  std::error_code failed;
  const uint64_t bytes = fs::file_size(video(job), failed);
  if (failed || sidecar_fits(read_json(sidecar(job)), job, bytes)) return;
  put_sidecar(job, video_metadata(video(job)));
}

json video_metadata(const fs::path& video) {
  try {
    const auto facts = media::read_video_facts(video);
    const auto metadata = try_strict_json(facts.comment);
    return metadata && metadata->is_object() ? *metadata : json(nullptr);
  } catch (const Error&) {
    return nullptr;
  }
}

}  // namespace reel::batch
