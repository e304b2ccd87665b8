#include "pipeline/generation_request.h"

#include <charconv>
#include <cmath>
#include <fstream>
#include <iomanip>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>

#include "core/printable.h"
#include "core/utf8.h"
#include "schedulers/sigma_schedule.h"

namespace reel::pipeline {
namespace {

constexpr int64_t kMostSteps = 10'000;
constexpr int64_t kMostSamples = 100'000;
constexpr double kMostGuidance = 1e6;  // the model is told 1000 times that, in fp32

// Values of a user who gives no flag and a model folder without defaults.
constexpr int64_t kDefaultWidth = 1280;
constexpr int64_t kDefaultHeight = 720;
constexpr int64_t kDefaultFrames = 129;
constexpr int64_t kDefaultSteps = 50;
constexpr double kDefaultGuidance = 6.0;
constexpr double kDefaultFlowShift = 7.0;
constexpr const char* kDefaultFrameRate = "24";

template <typename T>
T first_of(const std::optional<T>& flag, const std::optional<T>& model, T built_in) {
  if (flag) return *flag;
  return model.value_or(std::move(built_in));
}

void check_utf8(const std::string& where, const std::string& text, Problems& problems) {
  const auto offset = find_invalid_utf8(text);
  if (!offset) return;
  std::ostringstream byte;
  byte << "0x" << std::hex << std::setw(2) << std::setfill('0')
       << static_cast<int>(static_cast<unsigned char>(text[*offset]));
  problems.add(where, ": not UTF-8: got byte ", byte.str(), " at offset ", *offset,
               ", want UTF-8 text");
}

// The whole file without the newline (LF or CR LF) that editors put at the end.
std::optional<std::string> read_prompt(const std::filesystem::path& file, Problems& problems) {
  std::ifstream stream(file, std::ios::binary);
  std::string prompt;
  std::error_code error;
  const bool readable = stream.is_open() && !std::filesystem::is_directory(file, error);
  if (readable) prompt.assign(std::istreambuf_iterator<char>(stream), {});
  if (!readable || stream.bad()) {
    problems.add("--prompt-file: cannot be read: got ", printable(file.string()),
                 ", want a text file");
    return std::nullopt;
  }
  if (prompt.ends_with('\n')) prompt.pop_back();
  if (prompt.ends_with('\r')) prompt.pop_back();
  return prompt;
}

void take_prompts(const RequestOptions& options, GenerationRequest& request, Problems& problems) {
  if (options.prompt && options.prompt_file) {
    problems.add("--prompt-file: cannot go with --prompt: want one of them");
  } else if (options.prompt) {
    request.prompt = *options.prompt;
    check_utf8("--prompt", request.prompt, problems);
  } else if (options.prompt_file) {
    if (auto prompt = read_prompt(*options.prompt_file, problems)) {
      request.prompt = std::move(*prompt);
      check_utf8("--prompt-file", request.prompt, problems);
      if (request.prompt.empty()) {
        problems.add("--prompt-file: ", options.prompt_file->string(),
                     ": is empty: want a text (--prompt \"\" asks for none)");
      }
    }
  } else {
    problems.add("--prompt: is missing: want a text, or --prompt-file FILE");
  }
  if (options.negative_prompt) {
    request.negative_prompt = *options.negative_prompt;
    check_utf8("--negative-prompt", request.negative_prompt, problems);
    if (request.cfg_scale == 1.0) {
      problems.add("--negative-prompt: has no effect with --cfg-scale 1: want --cfg-scale above 1");
    }
  }
  const std::string& name = options.prompt_template;
  if (name != "auto" && name != "video" && name != "image") {
    problems.add("--template: unknown template: got ", printable(name),
                 ", want auto, video or image");
  }
  const bool image = name == "image" || (name == "auto" && request.size.frames == 1);
  request.prompt_template = image ? PromptTemplate::kImage : PromptTemplate::kVideo;
}

std::optional<uint64_t> parse_seed(const std::string& text, Problems& problems) {
  if (text == "random") return std::random_device{}();  // 32 bits: short enough to type again
  uint64_t seed = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, seed);
  if (parsed.ec != std::errc() || parsed.ptr != end) {
    problems.add("--seed: not a seed: got ", printable(text), ", want 0 to ",
                 std::numeric_limits<uint64_t>::max(), " or random");
    return std::nullopt;
  }
  return seed;
}

void take_seeds(const RequestOptions& options, GenerationRequest& request, Problems& problems) {
  const auto first = parse_seed(options.seed, problems);
  if (options.samples < 1 || options.samples > kMostSamples) {
    problems.add("--samples: out of range: got ", options.samples, ", want 1 to ", kMostSamples);
    return;
  }
  const auto count = static_cast<uint64_t>(options.samples);
  if (options.noise_file && count > 1) {
    problems.add("--samples: cannot go with --latents, which hold one noise: got ", count,
                 ", want 1");
  }
  if (!first) return;
  if (*first > std::numeric_limits<uint64_t>::max() - (count - 1)) {
    problems.add("--seed: too large for --samples ", count, ": got ", *first, ", want at most ",
                 std::numeric_limits<uint64_t>::max() - (count - 1));
    return;
  }
  for (uint64_t i = 0; i < count; ++i) request.seeds.push_back(*first + i);
}

bool steps_fit(const GenerationRequest& request) {
  return request.num_steps >= 1 && request.num_steps <= kMostSteps;
}

bool shift_fits(const GenerationRequest& request) {
  return std::isfinite(request.flow_shift) && request.flow_shift > 0;
}

void check_sampling(const RequestOptions& options, const GenerationRequest& request,
                    const std::optional<ModelFacts>& facts, Problems& problems) {
  if (!steps_fit(request)) {
    problems.add("--steps: out of range: got ", request.num_steps, ", want 1 to ", kMostSteps);
  }
  if (!(request.guidance >= 0 && request.guidance <= kMostGuidance)) {
    problems.add("--guidance: out of range: got ", request.guidance, ", want 0 to ", kMostGuidance);
  }
  if (!std::isfinite(request.cfg_scale) || request.cfg_scale < 1) {
    problems.add("--cfg-scale: out of range: got ", request.cfg_scale, ", want 1 (off) or more");
  }
  if (!shift_fits(request)) {
    problems.add("--flow-shift: out of range: got ", request.flow_shift, ", want above 0");
  }
  if (options.guidance && facts && !facts->embeds_guidance) {
    problems.add("--guidance: this model has no guidance embedding: got ", *options.guidance,
                 ", want no --guidance; --cfg-scale works with every model");
  }
}

void take_attention(const RequestOptions& options, const ModelDefaults& defaults,
                    attention::ScheduleOptions& attention) {
  attention = options.attention;
  attention.mode = first_of(options.attention_mode, defaults.attention_mode, attention.mode);
  attention.tau = first_of(options.tau, defaults.tau, attention.tau);
  attention.stride = first_of(options.stride, defaults.stride, attention.stride);
  attention.block = first_of(options.block, defaults.block, attention.block);
  attention.dense_steps =
      first_of(options.dense_steps, defaults.dense_steps, attention.dense_steps);
  attention.dense_steps_given = options.dense_steps.has_value();
}

// "24" and "23.976" as numbers, "24000/1001" as a text.
nlohmann::json frame_rate_json(const std::string& text) {
  if (text.find('/') != std::string::npos) return text;
  const nlohmann::json number = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  return number.is_number() ? number : nlohmann::json(text);
}

}  // namespace

std::string template_name(PromptTemplate value) {
  return value == PromptTemplate::kImage ? "image" : "video";
}

nlohmann::json GenerationRequest::to_json(uint64_t seed) const {
  nlohmann::json json = {
      {"prompt", prompt},
      {"negative_prompt", negative_prompt},
      {"template", template_name(prompt_template)},
      {"seed", seed},
      {"width", size.width},
      {"height", size.height},
      {"frames", size.frames},
      {"steps", num_steps},
      {"guidance", guidance},
      {"cfg_scale", cfg_scale},
      {"flow_shift", flow_shift},
      {"fps", frame_rate_json(frame_rate)},
      {"vae_tiling", vae_tiling_text(vae_tiling)},
      {"noise", noise_file ? "file" : "cpu-fp32"},
  };
  if (noise_file) json["noise_file"] = noise_file->filename().string();
  return json;
}

GenerationRequest make_request(const RequestOptions& options, const ModelDefaults& defaults,
                               const std::optional<ModelFacts>& facts, Problems& problems) {
  GenerationRequest request;
  request.compute = choose_compute(options.compute, problems).value_or(ComputeChoice{});
  request.size = {.frames = first_of(options.frames, defaults.frames, kDefaultFrames),
                  .height = first_of(options.height, defaults.height, kDefaultHeight),
                  .width = first_of(options.width, defaults.width, kDefaultWidth)};
  request.num_steps = first_of(options.steps, defaults.steps, kDefaultSteps);
  request.guidance = first_of(options.guidance, defaults.guidance, kDefaultGuidance);
  request.cfg_scale = first_of(options.cfg_scale, defaults.cfg_scale, 1.0);
  request.flow_shift = first_of(options.flow_shift, defaults.flow_shift, kDefaultFlowShift);
  request.frame_rate =
      first_of(options.frame_rate, defaults.frame_rate, std::string(kDefaultFrameRate));
  request.noise_file = options.noise_file;

  take_prompts(options, request, problems);
  check_clip_size(request.size, problems);
  check_sampling(options, request, facts, problems);
  take_seeds(options, request, problems);
  take_attention(options, defaults, request.attention);
  request.recall_samples = options.recall_samples;
  request.vae_tiling = choose_vae_tiling(options.vae_tiling, problems).value_or(VaeTiling{});
  return request;
}

std::optional<attention::AttentionSchedule> plan_attention(const GenerationRequest& request,
                                                           const ModelFacts& facts,
                                                           Problems& problems) {
  if (!steps_fit(request) || !shift_fits(request)) {
    // Told elsewhere; many steps at the usual shift stand in, so that the rest is checked too.
    GenerationRequest usual = request;
    usual.num_steps = 1000;
    usual.flow_shift = kDefaultFlowShift;
    plan_attention(usual, facts, problems);
    return std::nullopt;
  }
  const auto schedule = schedulers::make_sigma_schedule(request.num_steps, request.flow_shift);
  const attention::ScheduleShape shape = {
      .num_steps = request.num_steps,
      .num_layers = facts.num_layers,
      .num_heads = facts.num_heads,
      .sigmas = {schedule.sigmas.begin(), schedule.sigmas.end()},
      .has_text = true,
      .may_be_all_dense = false};
  return attention::AttentionSchedule::make(request.attention, shape, problems);
}

void check_attention_flags(const GenerationRequest& request, Problems& problems) {
  GenerationRequest alone = request;
  alone.attention.dense_layers.clear();
  alone.attention.schedule_file.reset();
  alone.attention.head_tau_file.reset();
  plan_attention(alone, {.num_layers = 1, .num_heads = 1}, problems);
}

attention::AttentionSchedule plan_attention(const GenerationRequest& request,
                                            const ModelFacts& facts) {
  Problems problems;
  auto schedule = plan_attention(request, facts, problems);
  problems.throw_if_any<ConfigError>("attention");
  return std::move(*schedule);
}

}  // namespace reel::pipeline
