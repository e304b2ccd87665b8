#include "weights/model_folder.h"

#include <algorithm>

#include "core/error.h"
#include "core/problems.h"
#include "weights/diffusers_index.h"
#include "weights/safetensors.h"
#include "weights/sharded_safetensors.h"
#include "weights/torch_archive.h"

namespace reel::weights {
namespace {

namespace fs = std::filesystem;

using Names = std::vector<std::string>;

constexpr const char* kOfficialRoot = "hunyuan-video-t2v-720p";

// What weight files are called, the preferred first.
const Names kDiffusersWeights{"diffusion_pytorch_model.safetensors",
                              "diffusion_pytorch_model.safetensors.index.json"};
const Names kEncoderWeights{"model.safetensors", "model.safetensors.index.json",
                            "pytorch_model.bin"};
const Names kOfficialTransformerWeights{"mp_rank_00_model_states.pt"};
const Names kOfficialVaeWeights{"pytorch_model.pt"};

// Where one part is expected.
struct PartPlace {
  const char* folder;
  Names weights;
  bool needs_config;
};

struct LayoutPlaces {
  PartPlace transformer;
  PartPlace vae;
  PartPlace text_encoder;
  PartPlace text_encoder_2;
  const char* tokenizer;
  const char* tokenizer_2;
};

const LayoutPlaces& places_of(Layout layout) {
  static const LayoutPlaces kOfficial{
      {"hunyuan-video-t2v-720p/transformers", kOfficialTransformerWeights, false},
      {"hunyuan-video-t2v-720p/vae", kOfficialVaeWeights, true},
      {"text_encoder", kEncoderWeights, true},
      {"text_encoder_2", kEncoderWeights, true},
      "text_encoder",
      "text_encoder_2"};
  static const LayoutPlaces kDiffusers{{"transformer", kDiffusersWeights, true},
                                       {"vae", kDiffusersWeights, true},
                                       {"text_encoder", kEncoderWeights, true},
                                       {"text_encoder_2", kEncoderWeights, true},
                                       "tokenizer",
                                       "tokenizer_2"};
  return layout == Layout::kOfficial ? kOfficial : kDiffusers;
}

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

std::optional<fs::path> if_there(const fs::path& path) {
  return is_file(path) ? std::optional(path) : std::nullopt;
}

std::string joined(const Names& names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : " or ") + name;
  return text;
}

// Collects the paths of a model, and what is not where it should be.
class Finder {
 public:
  explicit Finder(Problems& problems) : problems_(problems) {}

  // A part in its own folder.
  ModelPart find(const fs::path& folder, const Names& weights, bool needs_config) {
    ModelPart part;
    for (const auto& name : weights) {
      if (!is_file(folder / name)) continue;
      // Both a whole file and an index: which of the two is current cannot be known.
      if (!part.weights.empty() && name.ends_with(".index.json")) {
        problems_.add((folder / name).string(), ": weights in two forms: remove this file or ",
                      part.weights.filename().string());
      }
      if (part.weights.empty()) part.weights = folder / name;
    }
    if (part.weights.empty()) miss(folder, joined(weights));
    part.config = if_there(folder / "config.json");
    if (needs_config && !part.config) miss(folder, "config.json");
    return part;
  }

  // A part that the user names: a file, or a folder with any published file name.
  ModelPart find_elsewhere(const fs::path& path, bool needs_config) {
    if (is_folder(path)) {
      Names names = kDiffusersWeights;
      for (const Names* more :
           {&kEncoderWeights, &kOfficialTransformerWeights, &kOfficialVaeWeights}) {
        names.insert(names.end(), more->begin(), more->end());
      }
      return find(path, names, needs_config);
    }
    ModelPart part{if_there(path.parent_path() / "config.json"), {}};
    if (is_file(path)) {
      part.weights = path;
    } else {
      miss(path.parent_path(), path.filename().string());
    }
    if (needs_config && !part.config) miss(path.parent_path(), "config.json");
    return part;
  }

  ModelPart find_part(const fs::path& root, const PartPlace& place,
                      const std::optional<fs::path>& elsewhere) {
    return elsewhere ? find_elsewhere(*elsewhere, place.needs_config)
                     : find(root / place.folder, place.weights, place.needs_config);
  }

  // A tokenizer beside an encoder that the user names goes before the model's own.
  fs::path find_tokenizer(const fs::path& folder, const std::optional<fs::path>& elsewhere,
                          const Names& files) {
    const auto has_all = [&](const fs::path& place) {
      return std::all_of(files.begin(), files.end(),
                         [&](const std::string& file) { return is_file(place / file); });
    };
    if (elsewhere) {
      fs::path beside = is_folder(*elsewhere) ? *elsewhere : elsewhere->parent_path();
      if (has_all(beside)) return beside;
    }
    for (const auto& file : files) {
      if (!is_file(folder / file)) miss(folder, file);
    }
    return folder;
  }

 private:
  void miss(const fs::path& folder, const std::string& name) {
    problems_.add((folder / name).string(), ": missing");
  }

  Problems& problems_;
};

// The folder that holds the parts, and its layout.
std::pair<fs::path, Layout> detect(const fs::path& folder) {
  if (!is_folder(folder)) fail<WeightError>(folder.string(), ": no such folder");
  if (is_file(folder / "model_index.json")) return {folder, Layout::kDiffusers};
  for (const auto& root : {folder, folder / "ckpts"}) {
    if (is_folder(root / kOfficialRoot)) return {root, Layout::kOfficial};
  }
  fail<WeightError>(folder.string(), ": not a model folder: want model_index.json (diffusers) or ",
                    kOfficialRoot, " (official) in it");
}

std::string name_of(const fs::path& folder) {
  std::error_code ignored;
  const fs::path whole = fs::weakly_canonical(folder, ignored);
  return (whole.empty() ? folder : whole).filename().string();
}

}  // namespace

std::string layout_name(Layout layout) {
  return layout == Layout::kOfficial ? "official" : "diffusers";
}

ModelFolder find_model_folder(const fs::path& folder, const PartPaths& elsewhere) {
  Problems problems;
  ModelFolder model = find_model_folder(folder, elsewhere, problems);
  problems.throw_if_any<WeightError>(folder.string());
  return model;
}

ModelFolder find_model_folder(const fs::path& folder, const PartPaths& elsewhere,
                              Problems& problems) {
  const auto [root, layout] = detect(folder);
  if (layout == Layout::kDiffusers) check_diffusers_index(root / "model_index.json");
  const LayoutPlaces& places = places_of(layout);
  Finder finder(problems);
  ModelFolder model;
  model.layout = layout;
  model.name = name_of(folder);
  model.root = root;
  // Official transformer files carry no config, wherever they lie.
  model.transformer = elsewhere.transformer
                          ? finder.find_elsewhere(*elsewhere.transformer, false)
                          : finder.find_part(root, places.transformer, std::nullopt);
  model.vae = finder.find_part(root, places.vae, elsewhere.vae);
  model.text_encoder = finder.find_part(root, places.text_encoder, elsewhere.text_encoder);
  model.text_encoder_2 = finder.find_part(root, places.text_encoder_2, elsewhere.text_encoder_2);
  model.tokenizer =
      finder.find_tokenizer(root / places.tokenizer, elsewhere.text_encoder, {"tokenizer.json"});
  model.tokenizer_2 = finder.find_tokenizer(root / places.tokenizer_2, elsewhere.text_encoder_2,
                                            {"vocab.json", "merges.txt"});
  model.scheduler = if_there(root / "scheduler" / "scheduler_config.json");
  model.defaults = if_there(folder / "sparsereel.json");
  return model;
}

TensorSource open_part(const ModelPart& part) {
  const std::string name = part.weights.filename().string();
  if (name.ends_with(".safetensors.index.json")) return open_sharded_safetensors(part.weights);
  if (name.ends_with(".safetensors")) return open_safetensors(part.weights);
  if (name.ends_with(".pt") || name.ends_with(".pth") || name.ends_with(".bin")) {
    return open_torch_archive(part.weights);
  }
  fail<WeightError>(part.weights.string(),
                    ": unknown kind of weight file: want .safetensors, .safetensors.index.json, ",
                    ".pt, .pth or .bin");
}

std::vector<FileIdentity> identities(const ModelFolder& model, const TensorSource& source) {
  std::vector<FileIdentity> files = source.files();
  for (auto& file : files) {
    const fs::path relative = fs::path(file.path).lexically_relative(model.root);
    const bool is_inside = !relative.empty() && *relative.begin() != "..";
    file.path = is_inside ? relative.generic_string() : fs::path(file.path).filename().string();
  }
  return files;
}

}  // namespace reel::weights
