#include "batch/job.h"

#include <algorithm>
#include <charconv>

#include "core/printable.h"
#include "core/sha256.h"

namespace reel::batch {
namespace {

using nlohmann::json;

constexpr int kHashFormat = 1;  // raised when the same request gives other pixels

std::optional<int64_t> whole_number(std::string_view text) {
  int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value);
  if (parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
  return value;
}

}  // namespace

json Job::to_json() const {
  json object = {{"id", id}, {"index", index}, {"hash", hash}};
  if (prompt != request.prompt) object["prompt"] = prompt;
  if (!tags.is_null()) object["tags"] = tags;
  return object;
}

std::string job_hash(const pipeline::GenerationRequest& request, const std::string& schedule_hash,
                     const pipeline::RunIdentity& identity, const std::string& tokenizers_sha256,
                     const media::EncoderPlan& encoder) {
  json files = json::array();
  for (const auto& file : identity.model_files) files.push_back({file.bytes, file.header_sha256});
  json pixels = {
      {"format", kHashFormat},
      {"request", request.to_json(request.seeds.front())},
      {"attention", schedule_hash},
      {"tiles", pipeline::plan_vae_tiles(request.vae_tiling, request.geometry().latents).text()},
      {"weights", std::move(files)},
      {"tokenizers", tokenizers_sha256},
      {"device", request.compute.device.is_cuda() ? "cuda" : "cpu"},
      {"dtype", identity.dtype},
      {"vae_dtype", identity.vae_dtype},
      {"encoder",
       {encoder.encoder, encoder.preset, encoder.pix_fmt, encoder.crf, encoder.lossless}}};
  pixels["request"].erase("vae_tiling");  // several ways to ask for the same tiles
  return sha256(pixels.dump(-1, ' ', false, json::error_handler_t::replace));
}

Shard parse_shard(const std::string& text, Problems& problems) {
  const std::string_view both = text;
  const size_t slash = std::min(both.find('/'), both.size());
  const int64_t index = whole_number(both.substr(0, slash)).value_or(0);
  const int64_t count = whole_number(both.substr(std::min(slash + 1, both.size()))).value_or(0);
  if (index < 1 || index > count) {
    problems.add("--shard: not a shard: got ", printable(text), ", want i/n with i from 1 to n");
    return {};
  }
  return {.index = index - 1, .count = count};
}

}  // namespace reel::batch
