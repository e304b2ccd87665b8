// Finds the parts of a model in a folder as it is published: the official Tencent layout or the one
// of diffusers (spec/hunyuanvideo.md 10).
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/problems.h"
#include "weights/tensor_source.h"

namespace reel::weights {

enum class Layout { kOfficial, kDiffusers };

/// "official" or "diffusers".
std::string layout_name(Layout layout);

/// One model of the pipeline on the disk.
struct ModelPart {
  std::optional<std::filesystem::path> config;  ///< config.json; an official transformer has none
  std::filesystem::path weights;                ///< .safetensors, .safetensors.index.json, or .pt
};

/// Paths of everything that a run reads. All of them existed when they were found.
struct ModelFolder {
  Layout layout;
  std::string name;            ///< of the folder
  std::filesystem::path root;  ///< the folder that holds the parts
  ModelPart transformer;
  ModelPart vae;
  ModelPart text_encoder;                          ///< Llama
  ModelPart text_encoder_2;                        ///< CLIP
  std::filesystem::path tokenizer;                 ///< folder with Llama's tokenizer.json
  std::filesystem::path tokenizer_2;               ///< folder with CLIP's vocab.json and merges.txt
  std::optional<std::filesystem::path> scheduler;  ///< scheduler_config.json
  std::optional<std::filesystem::path> defaults;   ///< sparsereel.json
};

/// Parts that lie elsewhere: a weight file, or a folder with weights (and, for the encoders, with a
/// tokenizer, which is then used too). A config.json is looked for beside the weights.
struct PartPaths {
  std::optional<std::filesystem::path> transformer;
  std::optional<std::filesystem::path> vae;
  std::optional<std::filesystem::path> text_encoder;
  std::optional<std::filesystem::path> text_encoder_2;
};

/// Finds the parts below `folder`: with a model_index.json, as diffusers lays them out; else, with
/// hunyuan-video-t2v-720p in it or in its "ckpts", as Tencent does. `elsewhere` goes first.
/// Throws WeightError with all missing files at once, or naming the class if it is another model.
ModelFolder find_model_folder(const std::filesystem::path& folder, const PartPaths& elsewhere = {});

/// The same with missing files as `problems`: what there is is returned, a part without weight
/// files with an empty path. Throws WeightError where there is no model folder at all, or one of
/// another model.
ModelFolder find_model_folder(const std::filesystem::path& folder, const PartPaths& elsewhere,
                              Problems& problems);

/// Opens the weights of a part: one safetensors file, an index with its shards, or a .pt archive.
TensorSource open_part(const ModelPart& part);

/// The files of `source` as metadata names them: relative to the model folder if they are in it.
std::vector<FileIdentity> identities(const ModelFolder& model, const TensorSource& source);

}  // namespace reel::weights
