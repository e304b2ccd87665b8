#include "tests/unit/batch/small_job.h"

#include <ATen/ATen.h>

#include "media/mp4_writer.h"

namespace reel::testing {

batch::Job small_job(size_t index, const std::string& name, uint64_t seed) {
  batch::Job job;
  job.index = index;
  job.where = "jobs.jsonl:" + std::to_string(index + 1);
  job.id = name;
  job.prompt = std::string("a cat");
  job.video = name + ".mp4";
  job.request.prompt = job.prompt;
  job.request.size = {.frames = 1, .height = 16, .width = 16};
  job.request.num_steps = 2;
  job.request.seeds = {seed};
  job.request.flow_shift = 7;
  job.request.frame_rate = std::string("24");
  job.encoder = media::plan_encoder({.preset = "ultrafast"}, 16, 16);
  job.hash = batch::job_hash(job.request, "schedule", {}, "tokenizers", job.encoder);
  return job;
}

nlohmann::json write_small_video(const batch::Job& job, const std::filesystem::path& file) {
  const nlohmann::json metadata = {{"format", 1}, {"job", job.to_json()}};
  media::Mp4Writer writer(file, IfExists::kReplace,
                          {.width = 16, .height = 16, .rate = media::parse_frame_rate("24")},
                          job.encoder);
  writer.write(at::full({1, 16, 16, 3}, 100, at::kByte));
  writer.set_comment(metadata.dump());
  writer.finish();
  return metadata;
}

}  // namespace reel::testing
