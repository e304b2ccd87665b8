// Stages of the transformer, the sampler and the VAE.
#include <ATen/ATen.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "app/probe_inputs.h"
#include "app/probe_stages.h"
#include "attention/attention.h"
#include "core/error.h"
#include "pipeline/denoise.h"
#include "pipeline/models.h"
#include "schedulers/sigma_schedule.h"
#include "vae/tiled_vae.h"

namespace reel::app {
namespace {

weights::ModelFolder model_folder(const ProbeOptions& options) {
  return weights::find_model_folder(options.model.value(), options.parts);
}

std::map<char, int64_t> known_sizes(const dit::Config& config) {
  return {{'C', config.channels}, {'E', config.text_dim}, {'P', config.pooled_dim}};
}

const std::vector<WantedTensor>& text_inputs() {
  // E and P: the widths of text states and pooled text.
  static const std::vector<WantedTensor> wanted{
      {"text_states", "BLE"}, {"text_mask", "BL", true}, {"text_pooled", "BP"}};
  return wanted;
}

std::vector<WantedTensor> with_text(std::vector<WantedTensor> wanted) {
  wanted.insert(wanted.end(), text_inputs().begin(), text_inputs().end());
  return wanted;
}

void check_patches(const at::Tensor& latents, const std::string& name, const dit::Config& config) {
  if (latents.size(2) % config.patch_size_t == 0 && latents.size(3) % config.patch_size == 0 &&
      latents.size(4) % config.patch_size == 0) {
    return;
  }
  fail<ConfigError>(name, ": the grid is no multiple of the patch: got ", latents.size(2), " x ",
                    latents.size(3), " x ", latents.size(4), ", want multiples of ",
                    config.patch_size_t, ", ", config.patch_size, ", ", config.patch_size);
}

// The valid tokens of each batch item.
pipeline::TextConditioning conditioning(const Tensors& in) {
  const auto lengths = valid_prefixes(in.at("text_mask"), "text_mask");
  pipeline::TextConditioning text;
  for (size_t b = 0; b < lengths.size(); ++b) {
    text.states.push_back(in.at("text_states")[static_cast<int64_t>(b)].narrow(0, 0, lengths[b]));
  }
  text.pooled = in.at("text_pooled");
  return text;
}

attention::Attention make_attention(const ProbeOptions& options, const dit::Config& config,
                                    int64_t num_steps) {
  attention::ScheduleShape shape;
  shape.num_steps = num_steps;
  shape.num_layers = config.num_layers();
  shape.num_heads = config.num_heads;
  shape.may_be_all_dense = true;
  const auto sigmas = schedulers::make_sigma_schedule(num_steps, options.flow_shift).sigmas;
  shape.sigmas.assign(sigmas.begin(), sigmas.end());
  return attention::Attention(attention::AttentionSchedule::make(options.attention, shape));
}

vae::LatentSize latent_size(const at::Tensor& latents) {
  return {latents.size(2), latents.size(3), latents.size(4)};
}

}  // namespace

void probe_schedule(const ProbeOptions& options) {
  const auto schedule = schedulers::make_sigma_schedule(options.steps, options.flow_shift);
  const nlohmann::json json{{"sigmas", schedule.sigmas}, {"timesteps", schedule.timesteps}};
  std::puts(json.dump().c_str());
}

Tensors probe_dit(const ProbeOptions& options) {
  const auto folder = model_folder(options);
  const auto config = pipeline::read_transformer_config(folder);
  auto wanted = with_text({{"latents", "BCThw"}, {"timestep", "B"}});
  if (config.embeds_guidance) wanted.push_back({"guidance", "B"});
  const auto in = read_probe_inputs(options.in.value(), wanted, known_sizes(config));
  check_patches(in.at("latents"), "latents", config);
  const auto text = conditioning(in);
  auto attention = make_attention(options, config, 1);

  const at::Device device = options.compute.device;
  const auto transformer =
      pipeline::load_transformer(folder, device, options.compute.dtype, nullptr);
  dit::Inputs inputs{in.at("latents").to(device),
                     in.at("timestep").to(device),
                     std::nullopt,
                     {},
                     text.pooled.to(device)};
  if (config.embeds_guidance) inputs.guidance = in.at("guidance").to(device);
  for (const auto& states : text.states) inputs.text_states.push_back(states.to(device));

  Tensors out{{"velocity", transformer.forward(inputs, attention.at_step(0))}};
  if (!attention.schedule().is_dense()) {
    out["density"] = attention.statistics().step_density(0);
  }
  return out;
}

Tensors probe_denoise(const ProbeOptions& options) {
  const auto folder = model_folder(options);
  const auto config = pipeline::read_transformer_config(folder);
  if (options.guidance_given && !config.embeds_guidance) {
    fail<ConfigError>("--guidance: this model embeds no guidance");
  }
  const auto in =
      read_probe_inputs(options.in.value(), with_text({{"noise", "BCThw"}}), known_sizes(config));
  check_patches(in.at("noise"), "noise", config);
  auto attention = make_attention(options, config, options.steps);
  const pipeline::DenoiseInputs inputs{in.at("noise"),    conditioning(in), std::nullopt,
                                       options.steps,     options.guidance, 1.0,
                                       options.flow_shift};
  const auto transformer =
      pipeline::load_transformer(folder, options.compute.device, options.compute.dtype, nullptr);
  pipeline::Progress silent;
  const auto result = pipeline::denoise(transformer, inputs, attention, silent, {}, nullptr);
  result.throw_if_failed();
  return {{"latents", result.latents}};
}

Tensors probe_vae_decode(const ProbeOptions& options) {
  const auto folder = model_folder(options);
  const auto config = pipeline::read_vae_config(folder);
  const auto in = read_probe_inputs(options.in.value(), {{"latents", "BCThw"}},
                                    {{'C', config.latent_channels}});
  const at::Tensor& latents = in.at("latents");
  const auto plan = pipeline::plan_vae_tiles(options.tiling, latent_size(latents));
  vae::check_tile_size(plan, config, latents.size(0));
  const auto decoder =
      pipeline::load_decoder(folder, options.compute.device, options.compute.vae_dtype, nullptr);
  return {{"frames", vae::decode_to_tensor(decoder, latents, plan)}};
}

Tensors probe_vae_encode(const ProbeOptions& options) {
  const auto folder = model_folder(options);
  const auto config = pipeline::read_vae_config(folder);
  const auto in =
      read_probe_inputs(options.in.value(), {{"frames", "BCFHW"}}, {{'C', vae::kImageChannels}});
  const at::Tensor& frames = in.at("frames");
  if ((frames.size(2) - 1) % vae::kTemporalRatio != 0 || frames.size(3) % vae::kSpatialRatio != 0 ||
      frames.size(4) % vae::kSpatialRatio != 0) {
    fail<ConfigError>("frames: got ", frames.size(2), " frames of ", frames.size(3), " x ",
                      frames.size(4), " pixels, want 4k + 1 frames and multiples of 8 pixels");
  }
  const vae::LatentSize size{vae::num_latent_frames(frames.size(2)),
                             frames.size(3) / vae::kSpatialRatio,
                             frames.size(4) / vae::kSpatialRatio};
  const auto encoder =
      pipeline::load_encoder(folder, options.compute.device, options.compute.vae_dtype, nullptr);
  const auto posterior =
      vae::encode_tiles(encoder, frames, pipeline::plan_vae_tiles(options.tiling, size));
  return {{"mean", posterior.mean}, {"logvar", posterior.logvar}};
}

}  // namespace reel::app
