// Encoded prompts on the disk, by the sum of all that decides them.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "pipeline/device_facts.h"
#include "pipeline/generation_request.h"
#include "pipeline/run_report.h"
#include "text_encoder/text_conditioner.h"
#include "weights/model_folder.h"

namespace reel::batch {

using pipeline::tokenizers_sha256;

/// Keeps what the text encoders of one model folder gave, bit by bit.
class TextCache {
 public:
  /// `folder` exists. `identity` and `tokenizers` say which encoders these are.
  TextCache(std::filesystem::path folder, const pipeline::RunIdentity& identity,
            const std::string& tokenizers, bool on_gpu);

  bool has(const std::string& prompt, pipeline::PromptTemplate which) const;

  /// On the CPU. None if it is not there or damaged: then it is to be encoded again.
  std::optional<text_encoder::EncodedPrompt> find(const std::string& prompt,
                                                  pipeline::PromptTemplate which) const;

  /// Throws IoError.
  void keep(const std::string& prompt, pipeline::PromptTemplate which,
            const text_encoder::EncodedPrompt& encoded) const;

 private:
  std::filesystem::path file(const std::string& prompt, pipeline::PromptTemplate which) const;

  std::filesystem::path folder_;
  std::string encoders_;  // what all keys begin with
};

}  // namespace reel::batch
