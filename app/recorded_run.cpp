#include "app/recorded_run.h"

#include <fmt/format.h>

#include <fstream>
#include <iterator>

#include "app/clip_difference.h"
#include "core/printable.h"
#include "core/strict_json.h"
#include "media/video_facts.h"

namespace reel::app {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kFormat = 1;

std::string metadata_text(const fs::path& file) {
  if (file.extension() == ".json") {
    std::ifstream stream(file, std::ios::binary);
    std::string text(std::istreambuf_iterator<char>(stream), {});
    if (!stream.is_open() || stream.bad()) {
      fail<ConfigError>(printable(file.string()), ": cannot be read");
    }
    return text;
  }
  const std::string comment = media::read_video_facts(file).comment;
  if (comment.empty() || comment.front() != '{') {
    fail<ConfigError>(printable(file.string()),
                      ": holds no metadata of sparsereel: want a video that it made, or the JSON "
                      "file beside one");
  }
  return comment;
}

pipeline::RequestOptions read_request(const JsonReader& request) {
  pipeline::RequestOptions options;
  options.prompt = request.string("prompt");
  options.prompt_template = request.string("template");
  options.width = request.integer("width");
  options.height = request.integer("height");
  options.frames = request.integer("frames");
  options.steps = request.integer("steps");
  options.cfg_scale = request.number("cfg_scale");
  if (*options.cfg_scale != 1.0) options.negative_prompt = request.string("negative_prompt");
  options.flow_shift = request.number("flow_shift");
  options.frame_rate = frame_rate_of(request.raw("fps"));
  const auto& seed = request.raw("seed");
  if (!seed.is_number_unsigned()) request.fail_at("seed", "wrong type: want a whole number");
  options.seed = seed.dump();
  return options;
}

void read_attention(const JsonReader& attention, pipeline::RequestOptions& options) {
  options.attention_mode = attention.string("mode");
  options.tau = attention.number("tau");
  options.stride = attention.integer("stride");
  options.block = attention.integer("block");
  options.dense_steps = std::to_string(attention.integer("dense_steps"));
  options.attention.dense_tail = attention.integer("dense_tail");
  options.attention.dense_layers = attention.string("dense_layers");
  if (attention.has("dense_sigma")) options.attention.dense_sigma = attention.number("dense_sigma");
  options.attention.select = attention.string("select");
  options.attention.rule = attention.string("rule");
  // What schedule and head-tau files said is in the rules. Those of --attn reference are named
  // after it, which no schedule file may do; it has no protection that could be asked for.
  auto rules = attention.raw("rules");
  for (const auto& rule : attention.objects("rules")) rule.string("mode");
  for (auto& rule : rules) {
    if (rule["mode"] == "reference") rule["mode"] = "xattn";
  }
  options.attention.schedule_text =
      nlohmann::json{{"format", 1}, {"rules", std::move(rules)}}.dump();
  if (*options.attention_mode == "reference") return;
  options.attention.protect = attention.string("protect");
}

std::string described(const nlohmann::json& file) {
  if (!file.is_object() || !file.contains("bytes") || !file.at("bytes").is_number_unsigned()) {
    return "unknown";
  }
  return fmt::format("{} bytes, header {}", file.at("bytes").get<uint64_t>(),
                     printable(text_in(file, "header_sha256").substr(0, 12)));
}

void add_weight_differences(const nlohmann::json& before, const pipeline::RunIdentity& identity,
                            std::vector<std::string>& lines) {
  const bool listed =
      before.is_object() && before.contains("files") && before.at("files").is_array();
  const auto files = listed ? before.at("files") : nlohmann::json::array();
  if (files.size() != identity.model_files.size()) {
    lines.push_back(
        fmt::format("weights: were {} files, are {}", files.size(), identity.model_files.size()));
    return;
  }
  for (size_t i = 0; i < files.size(); ++i) {
    const auto& now = identity.model_files[i];
    const nlohmann::json is = {
        {"name", now.path}, {"bytes", now.bytes}, {"header_sha256", now.header_sha256}};
    const std::string was = described(files[i]);
    if (was == described(is)) continue;
    lines.push_back(
        fmt::format("weights {}: was {}, is {}", printable(now.path), was, described(is)));
  }
}

}  // namespace

media::EncoderOptions recorded_encoder(const JsonReader& metadata) {
  const auto encoder = metadata.object("encoder");
  return {.codec = encoder.string("codec"),
          .crf = encoder.number("crf"),
          .preset = encoder.string("preset"),
          .pix_fmt = encoder.string("pix_fmt"),
          .lossless = encoder.boolean("lossless")};
}

pipeline::VaeTilingOptions recorded_tiling(const JsonReader& metadata) {
  const std::string text = metadata.object("request").string("vae_tiling");
  if (text == "auto" || text == "off") return {.mode = text, .tile = {}};
  return {.mode = "auto", .tile = text};
}

pipeline::ComputeOptions recorded_compute(const JsonReader& metadata) {
  const auto device = metadata.object("device");
  pipeline::ComputeOptions options = {.device = device.string("name") == "cpu" ? "cpu" : "cuda",
                                      .dtype = device.string("dtype"),
                                      .threads = device.positive("threads"),
                                      .offload = {}};
  if (device.has("offload")) options.offload = device.string("offload");
  return options;
}

std::string frame_rate_of(const nlohmann::json& fps) {
  return fps.is_string() ? fps.get<std::string>() : fps.dump();
}

RecordedRun read_recorded_run(const fs::path& file) {
  const std::string text = metadata_text(file);
  const auto metadata = JsonReader::parse(text, file.string(), JsonOwner::kUser);
  if (metadata.integer("format") != kFormat) {
    metadata.fail_at("format", fmt::format("made by a newer version: got {}, want {}",
                                           metadata.integer("format"), kFormat));
  }
  RecordedRun run;
  run.metadata = nlohmann::json::parse(text);
  const auto request = metadata.object("request");
  run.options = read_request(request);
  run.used_noise_file = request.string("noise") == "file";
  const auto attention = metadata.object("attention");
  read_attention(attention, run.options);
  run.schedule_hash = attention.string("schedule_hash");
  run.guidance = request.number("guidance");
  run.options.compute = recorded_compute(metadata);
  run.options.vae_tiling = recorded_tiling(metadata);
  run.encoder = recorded_encoder(metadata);
  run.noise_sha256 = metadata.string("noise_sha256");
  run.latents_sha256 = metadata.string("latents_sha256");
  metadata.object("model").string("name");
  return run;
}

std::vector<std::string> differences_of_origin(const nlohmann::json& metadata,
                                               const pipeline::RunIdentity& identity,
                                               const nlohmann::json& program) {
  std::vector<std::string> lines;
  for (const auto& line : differences(metadata.value("program", nlohmann::json()), program, {})) {
    lines.push_back("program " + line);
  }
  add_weight_differences(metadata.value("model", nlohmann::json()), identity, lines);
  nlohmann::json device = {
      {"name", identity.device_name}, {"dtype", identity.dtype}, {"threads", identity.threads}};
  if (!identity.driver.empty()) device["driver"] = identity.driver;
  for (const auto& line : differences(metadata.value("device", nlohmann::json()), device, {})) {
    lines.push_back("device " + line);
  }
  return lines;
}

}  // namespace reel::app
