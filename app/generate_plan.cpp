#include "app/generate_plan.h"

#include <fmt/format.h>

#include "app/known_model.h"
#include "app/request_flags.h"
#include "app/step_pace.h"
#include "core/device.h"
#include "media/frame_rate.h"
#include "pipeline/memory_check.h"
#include "pipeline/models.h"
#include "pipeline/noise.h"

namespace reel::app {
namespace {

// Reads given noise once before the work, which would be lost if it did not fit.
void check_noise(const pipeline::GenerationRequest& request, int64_t num_channels,
                 Problems& problems) {
  if (!request.noise_file) return;
  try {
    pipeline::make_noise(request, request.seeds.front(), num_channels);
  } catch (const ConfigError& error) {
    problems.add(error.what());
  }
}

std::string bytes_of_part(const char* name, const weights::ModelPart& part, uint64_t& total) {
  uint64_t bytes = 0;
  const auto source = weights::open_part(part);
  for (const auto& file : source.files()) bytes += file.bytes;
  total += bytes;
  return fmt::format("  {:<16} {:>9}  {}\n", name, bytes_text(static_cast<double>(bytes)),
                     part.weights.string());
}

std::string sizes_text(const GeneratePlan& plan) {
  const auto& request = plan.request;
  const auto geometry = request.geometry();
  const auto& latents = geometry.latents;
  const auto rate = media::parse_frame_rate(request.frame_rate);
  std::string seeds = std::to_string(request.seeds.front());
  if (request.seeds.size() > 1) seeds += " to " + std::to_string(request.seeds.back());
  return fmt::format(
      "video      {} x {}, {} frames at {} a second ({:.2f} s)\n"
      "latents    {} x {} x {} (T, h, w)\n"
      "tokens     {} of the image, at most {} of text: {} blocks of {}\n"
      "sampling   {} steps, guidance {}, cfg scale {}, flow shift {}, template {}\n"
      "seeds      {}\n"
      "device     {}, {} (VAE {}), {} CPU threads\n"
      "VAE        {}\n",
      request.size.width, request.size.height, request.size.frames, media::frame_rate_text(rate),
      static_cast<double>(request.size.frames) / rate.fps(), latents.frames, latents.rows,
      latents.columns, geometry.num_image_tokens, pipeline::kMaxTextTokens,
      geometry.max_blocks(request.attention.block), request.attention.block, request.num_steps,
      request.guidance, request.cfg_scale, request.flow_shift,
      pipeline::template_name(request.prompt_template),
      request.noise_file ? "none: noise from " + request.noise_file->string() : seeds,
      request.compute.device.str(), dtype_name(request.compute.dtype),
      dtype_name(request.compute.vae_dtype), request.compute.threads,
      pipeline::plan_vae_tiles(request.vae_tiling, latents).text());
}

std::string weights_text(const GeneratePlan& plan) {
  uint64_t total = 0;
  std::string parts = bytes_of_part("transformer", plan.model.transformer, total);
  parts += bytes_of_part("vae", plan.model.vae, total);
  parts += bytes_of_part("text encoder", plan.model.text_encoder, total);
  parts += bytes_of_part("text encoder 2", plan.model.text_encoder_2, total);
  return fmt::format("weights    {} ({} layout), {} of files\n{}", plan.model.name,
                     weights::layout_name(plan.model.layout),
                     bytes_text(static_cast<double>(total)), parts);
}

std::string memory_lines(const GeneratePlan& plan) {
  const auto& compute = plan.request.compute;
  const auto free = pipeline::free_memory(compute);
  // What is free differs from one moment to the next; the plan of a run that fits does not.
  std::string verdict = "fits";
  if (!fits(plan.memory, free)) {
    verdict = "does not fit: " + pipeline::gigabytes_text(free.device) + " can be taken";
  }
  if (compute.max_vram_bytes > 0) {
    verdict += "; --max-vram " + pipeline::gigabytes_text(compute.max_vram_bytes);
  }
  return fmt::format("memory     {} of {}, which {}; offload {}\n{}",
                     pipeline::gigabytes_text(plan.memory.need_bytes()), compute.device.str(),
                     verdict, pipeline::offload_name(compute.offload), memory_text(plan.memory));
}

}  // namespace

GeneratePlan plan_generate(const ParsedFlags& flags) {
  Problems problems;
  const auto options = request_options(flags, problems);
  std::exception_ptr broken;
  auto model = try_model(flags, broken, problems);
  const auto facts = model ? std::optional(model->facts) : std::nullopt;
  auto request =
      make_request(options, model ? model->defaults : pipeline::ModelDefaults{}, facts, problems);
  std::optional<attention::AttentionSchedule> schedule;
  if (facts) {
    schedule = plan_attention(request, *facts, problems);
  } else {
    check_attention_flags(request, problems);
  }
  pipeline::check_frame_rate(request.frame_rate, problems);
  // Sizes were checked above, more strictly: 16 pixels stand for any size that is wrong.
  const bool sized = request.size.width % 16 == 0 && request.size.height % 16 == 0 &&
                     request.size.width > 0 && request.size.height > 0;
  auto encoder = plan_encoder(encoder_options(flags, problems), sized ? request.size.width : 16,
                              sized ? request.size.height : 16, problems);
  auto outputs = plan_outputs(output_options(flags, problems), request, problems);
  if (problems.empty()) check_outputs(outputs, problems);
  if (problems.empty() && model) check_noise(request, model->num_channels, problems);
  problems.throw_if_any<ConfigError>("request");
  if (broken) std::rethrow_exception(broken);
  const auto models = pipeline::read_model_sizes(model->folder);
  auto notes = settle_memory(models, free_memory(request.compute), request);
  auto memory = plan_memory(models, request);
  return {.request = std::move(request),
          .model = std::move(model->folder),
          .facts = *facts,
          .schedule = std::move(*schedule),
          .outputs = std::move(outputs),
          .encoder = std::move(encoder),
          .memory = std::move(memory),
          .memory_notes = std::move(notes)};
}

std::string plan_text(const GeneratePlan& plan) {
  std::string text = sizes_text(plan) + weights_text(plan) + memory_lines(plan) + "attention\n" +
                     plan.schedule.grid();
  if (!text.ends_with('\n')) text += '\n';
  text += "files\n";
  for (const auto& file : plan.outputs.files()) text += "  " + file.string() + "\n";
  return text;
}

}  // namespace reel::app
