#include "batch/text_cache.h"

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/sha256.h"
#include "weights/safetensors.h"

namespace reel::batch {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

std::string sum_of(const text_encoder::EncodedPrompt& encoded) {
  return sha256(sha256(encoded.states) + sha256(encoded.pooled));
}

}  // namespace

TextCache::TextCache(fs::path folder, const pipeline::RunIdentity& identity,
                     const std::string& tokenizers, bool on_gpu)
    : folder_(std::move(folder)) {
  json files = json::array();
  for (const auto& file : identity.model_files) files.push_back({file.bytes, file.header_sha256});
  encoders_ = sha256(json{{"format", 1},
                          {"weights", files},
                          {"tokenizers", tokenizers},
                          {"dtype", identity.dtype},
                          {"device", on_gpu ? "cuda" : "cpu"}}
                         .dump());
}

fs::path TextCache::file(const std::string& prompt, pipeline::PromptTemplate which) const {
  return folder_ /
         (sha256(encoders_ + pipeline::template_name(which) + "\n" + prompt) + ".safetensors");
}

bool TextCache::has(const std::string& prompt, pipeline::PromptTemplate which) const {
  return find(prompt, which).has_value();
}

std::optional<text_encoder::EncodedPrompt> TextCache::find(const std::string& prompt,
                                                           pipeline::PromptTemplate which) const {
  const fs::path path = file(prompt, which);
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return std::nullopt;
  try {
    const auto source = weights::open_safetensors(path);
    text_encoder::EncodedPrompt encoded{source.tensor("states"), source.tensor("pooled"), {}};
    const auto& metadata = source.metadata();
    const auto sum = metadata.find("sha256");
    if (sum == metadata.end() || sum->second != sum_of(encoded)) return std::nullopt;
    const auto warnings = metadata.find("warnings");
    if (warnings != metadata.end()) {
      encoded.warnings = json::parse(warnings->second).get<std::vector<std::string>>();
    }
    return encoded;
  } catch (const WeightError&) {
    return std::nullopt;
  } catch (const json::exception&) {
    return std::nullopt;
  }
}

void TextCache::keep(const std::string& prompt, pipeline::PromptTemplate which,
                     const text_encoder::EncodedPrompt& encoded) const {
  weights::save_safetensors(
      file(prompt, which), {{"states", encoded.states}, {"pooled", encoded.pooled}},
      {{"sha256", sum_of(encoded)}, {"warnings", json(encoded.warnings).dump()}});
}

}  // namespace reel::batch
