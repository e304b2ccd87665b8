#include "eval/video_pairs.h"

#include <fmt/format.h>

#include <set>

#include "core/error.h"
#include "core/printable.h"
#include "core/problems.h"
#include "media/frame_reader.h"
#include "media/video_facts.h"

namespace reel::eval {
namespace {

namespace fs = std::filesystem;

std::set<std::string> names_of_videos(const fs::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.is_regular_file() && entry.path().extension() == ".mp4") {
      names.insert(entry.path().filename().string());
    }
  }
  return names;
}

void add_missing(const std::set<std::string>& wanted, const std::set<std::string>& there,
                 const fs::path& folder, Problems& problems) {
  for (const auto& name : wanted) {
    if (!there.contains(name)) {
      problems.add(printable(name), ": not in ", printable(folder.string()));
    }
  }
}

std::string facts_text(const media::VideoFacts& facts) {
  return fmt::format("{}x{} at {} frames a second", facts.width, facts.height,
                     media::frame_rate_text(facts.frame_rate));
}

}  // namespace

std::vector<VideoPair> pair_videos(const fs::path& reference, const fs::path& videos) {
  Problems problems;
  for (const auto& path : {reference, videos}) {
    if (!fs::exists(path)) problems.add(printable(path.string()), ": does not exist");
  }
  problems.throw_if_any<ConfigError>("metrics");
  if (fs::is_directory(reference) != fs::is_directory(videos)) {
    fail<ConfigError>("metrics: got a file and a folder, want two files or two folders");
  }
  if (!fs::is_directory(reference)) {
    return {{videos.filename().string(), reference, videos}};
  }
  const auto wanted = names_of_videos(reference);
  const auto there = names_of_videos(videos);
  if (wanted.empty()) problems.add(printable(reference.string()), ": holds no .mp4 file");
  add_missing(wanted, there, videos, problems);
  add_missing(there, wanted, reference, problems);
  problems.throw_if_any<ConfigError>("metrics");
  std::vector<VideoPair> pairs;
  for (const auto& name : wanted) pairs.push_back({name, reference / name, videos / name});
  return pairs;
}

ClipMetrics compare_videos(const VideoPair& pair, const Lpips* lpips) {
  const std::string where = "metrics: " + printable(pair.name);
  const auto want = facts_text(media::read_video_facts(pair.reference));
  const auto got = facts_text(media::read_video_facts(pair.video));
  if (got != want) fail<ConfigError>(where, ": the videos differ: got ", got, ", want ", want);
  media::FrameReader reference(pair.reference);
  media::FrameReader video(pair.video);
  ClipComparison comparison(lpips);
  while (true) {
    const auto expected = reference.next();
    const auto frame = video.next();
    if (expected.has_value() != frame.has_value()) {
      const size_t frames = comparison.metrics().psnr.size();
      fail<ConfigError>(where,
                        ": the videos differ in length: ", frame ? "the reference" : "the video",
                        " ends after ", frames, " frames");
    }
    if (!expected) return comparison.metrics();
    comparison.add(expected->unsqueeze(0), frame->unsqueeze(0));
  }
}

}  // namespace reel::eval
