// Stages of the tokenizers and text encoders.
#include <ATen/ATen.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "app/probe_inputs.h"
#include "app/probe_stages.h"
#include "core/error.h"
#include "pipeline/models.h"
#include "text_encoder/prompt_tokenizer.h"

namespace reel::app {
namespace {

weights::ModelFolder model_folder(const ProbeOptions& options) {
  return weights::find_model_folder(options.model.value(), options.parts);
}

// One prompt a line; lines end at \n only, and a line end at the end of the file starts no new one.
std::vector<std::string> read_prompts(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) fail<ConfigError>("--in: ", path.string(), ": cannot be read: want a text file");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  std::vector<std::string> prompts;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    prompts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return prompts;
}

// Names the line in the errors of one prompt.
template <typename Work>
auto for_line(const std::filesystem::path& path, size_t line, const Work& work) {
  try {
    return work();
  } catch (const ConfigError& error) {
    fail<ConfigError>(path.string(), ":", line + 1, ": ", error.what());
  }
}

}  // namespace

void probe_tokenize(const ProbeOptions& options) {
  const auto folder = model_folder(options);
  const text_encoder::PromptTokenizer tokenizer(folder.tokenizer, folder.tokenizer_2);
  const auto prompts = read_prompts(options.in.value());
  for (size_t line = 0; line < prompts.size(); ++line) {
    const auto tokens = for_line(*options.in, line, [&] {
      return tokenizer.tokenize(prompts[line], text_encoder::Template::kVideo);
    });
    const nlohmann::json json{{"llama_ids", tokens.llama_ids},
                              {"llama_valid", tokens.llama_valid},
                              {"clip_ids", tokens.clip_ids},
                              {"clip_valid", tokens.clip_valid}};
    std::puts(json.dump().c_str());
  }
}

Tensors probe_encode(const ProbeOptions& options) {
  const auto prompts = read_prompts(options.in.value());
  const auto conditioner = pipeline::load_text_conditioner(
      model_folder(options), options.compute.device, options.compute.dtype, nullptr);
  Tensors out;
  for (size_t line = 0; line < prompts.size(); ++line) {
    const auto encoded = for_line(*options.in, line, [&] {
      return conditioner.encode(prompts[line], text_encoder::Template::kVideo);
    });
    for (const auto& warning : encoded.warnings) {
      std::fprintf(stderr, "sparsereel: line %zu: %s\n", line + 1, warning.c_str());
    }
    out["text_states_" + std::to_string(line)] = encoded.states;
    out["text_pooled_" + std::to_string(line)] = encoded.pooled;
  }
  return out;
}

Tensors probe_llama(const ProbeOptions& options) {
  const auto in = read_probe_inputs(options.in.value(),
                                    {{"input_ids", "BS", true}, {"attention_mask", "BS", true}});
  const auto lengths = valid_prefixes(in.at("attention_mask"), "attention_mask");
  const auto llama = pipeline::load_llama(model_folder(options), options.compute.device,
                                          options.compute.dtype, nullptr);
  return {{"hidden_states", llama.forward(in.at("input_ids"), lengths)}};
}

Tensors probe_clip(const ProbeOptions& options) {
  const auto in = read_probe_inputs(options.in.value(), {{"input_ids", "BS", true}}, {{'S', 77}});
  const auto clip = pipeline::load_clip_text(model_folder(options), options.compute.device,
                                             options.compute.dtype, nullptr);
  const auto out = clip.forward(in.at("input_ids"));
  return {{"last_hidden_state", out.last_hidden_state}, {"pooled", out.pooled}};
}

}  // namespace reel::app
