#include "media/encoder_plan.h"

#include <algorithm>
#include <cstdint>

#include "core/nearest_name.h"
#include "core/problems.h"
#include "media/ffmpeg.h"

namespace reel::media {
namespace {

constexpr double kLargestCrf = 51;
constexpr int64_t kLargestSize = 16'384;  // what x264 encodes

using Names = std::vector<std::string>;

// Adds a problem unless `value` is one of `names`.
void check_name(Problems& problems, const std::string& flag, const std::string& value,
                const Names& names) {
  if (std::find(names.begin(), names.end(), value) != names.end()) return;
  std::string list;
  for (const auto& name : names) list += (list.empty() ? "" : ", ") + name;
  const auto nearest = nearest_name(value, names);
  problems.add(flag, ": unknown name: got ", value, ", want one of ", list,
               nearest ? "; did you mean " + *nearest + "?" : "");
}

void check_lossless(Problems& problems, const EncoderPlan& plan) {
  if (plan.pix_fmt == "rgb24" && !plan.lossless) {
    problems.add("--pix-fmt: rgb24 needs --lossless: want yuv420p or yuv444p without it");
  }
  if (!plan.lossless) return;
  if (plan.codec == "h265") problems.add("--lossless: got --codec h265, want h264");
  if (plan.crf != 0) problems.add("--lossless: got --crf ", plan.crf, ", want 0 or none");
  if (plan.pix_fmt == "yuv420p") {
    problems.add("--lossless: got --pix-fmt yuv420p, which drops colour, want yuv444p or rgb24");
  }
}

void check_size(Problems& problems, const std::string& flag, int64_t size, bool must_be_even) {
  if (size < 1 || size > kLargestSize) {
    problems.add(flag, ": out of range: got ", size, ", want 1 to ", kLargestSize);
  } else if (must_be_even && size % 2 != 0) {
    problems.add(flag, ": odd size: got ", size, ", want an even one, or --pix-fmt yuv444p");
  }
}

std::string encoder_name(const EncoderPlan& plan) {
  if (plan.codec == "h265") return "libx265";
  return plan.pix_fmt == "rgb24" ? "libx264rgb" : "libx264";
}

}  // namespace

const Names& preset_names() {
  static const Names kNames = {"ultrafast", "superfast", "veryfast", "faster",   "fast",
                               "medium",    "slow",      "slower",   "veryslow", "placebo"};
  return kNames;
}

std::vector<std::pair<std::string, bool>> video_encoders() {
  std::vector<std::pair<std::string, bool>> encoders;
  for (const char* name : {"libx264", "libx264rgb", "libx265"}) {
    encoders.emplace_back(name, avcodec_find_encoder_by_name(name) != nullptr);
  }
  return encoders;
}

EncoderPlan plan_encoder(const EncoderOptions& options, int64_t width, int64_t height) {
  Problems problems;
  EncoderPlan plan = plan_encoder(options, width, height, problems);
  problems.throw_if_any<ConfigError>("encoder");
  return plan;
}

EncoderPlan plan_encoder(const EncoderOptions& options, int64_t width, int64_t height,
                         Problems& problems) {
  EncoderPlan plan;
  plan.lossless = options.lossless;
  plan.codec = options.codec.value_or("h264");
  plan.preset = options.preset.value_or("slow");
  plan.pix_fmt = options.pix_fmt.value_or(plan.lossless ? "yuv444p" : "yuv420p");
  plan.crf = options.crf.value_or(plan.lossless ? 0 : 17);
  plan.encoder = encoder_name(plan);

  const size_t problems_before = problems.lines().size();
  check_name(problems, "--codec", plan.codec, {"h264", "h265"});
  check_name(problems, "--preset", plan.preset, preset_names());
  check_name(problems, "--pix-fmt", plan.pix_fmt, {"yuv420p", "yuv444p", "rgb24"});
  if (!(plan.crf >= 0 && plan.crf <= kLargestCrf)) {
    problems.add("--crf: out of range: got ", plan.crf, ", want 0 to ", kLargestCrf);
  }
  check_lossless(problems, plan);
  check_size(problems, "--width", width, plan.pix_fmt == "yuv420p");
  check_size(problems, "--height", height, plan.pix_fmt == "yuv420p");
  const bool consistent = problems.lines().size() == problems_before;
  if (consistent && avcodec_find_encoder_by_name(plan.encoder.c_str()) == nullptr) {
    problems.add("--codec: this FFmpeg has no ", plan.encoder, ": got ", plan.codec);
  }
  return plan;
}

}  // namespace reel::media
