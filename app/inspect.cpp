// `sparsereel inspect PATH`: what a file or folder holds, for people or as JSON.
#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "app/commands.h"
#include "app/recorded_run.h"
#include "app/step_pace.h"
#include "core/device.h"
#include "core/json_reader.h"
#include "core/printable.h"
#include "core/sha256.h"
#include "core/strict_json.h"
#include "core/tensor_check.h"
#include "media/video_facts.h"
#include "pipeline/run_state.h"
#include "weights/model_folder.h"
#include "weights/safetensors.h"

namespace reel::app {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using nlohmann::ordered_json;

ordered_json source_json(const weights::TensorSource& source) {
  ordered_json tensors = ordered_json::array();
  int64_t parameters = 0;
  std::map<std::string, int64_t> by_dtype;
  for (const auto& info : source.infos()) {
    int64_t count = 1;
    for (const int64_t size : info.shape) count *= size;
    parameters += count;
    by_dtype[dtype_name(info.dtype)] += count;
    tensors.push_back({{"name", info.name},
                       {"dtype", dtype_name(info.dtype)},
                       {"shape", info.shape},
                       {"bytes", info.bytes}});
  }
  ordered_json files = ordered_json::array();
  for (const auto& file : source.files()) {
    files.push_back(
        {{"name", file.path}, {"bytes", file.bytes}, {"header_sha256", file.header_sha256}});
  }
  ordered_json result = {{"files", files},
                         {"num_tensors", source.infos().size()},
                         {"num_parameters", parameters},
                         {"parameters_by_dtype", by_dtype}};
  if (!source.metadata().empty()) result["metadata"] = source.metadata();
  result["tensors"] = std::move(tensors);
  return result;
}

std::string source_totals(const ordered_json& source) {
  double bytes = 0;
  for (const auto& file : source["files"]) bytes += file["bytes"].get<double>();
  std::string dtypes;
  for (const auto& [name, count] : source["parameters_by_dtype"].items()) {
    dtypes += fmt::format("{}{} {}", dtypes.empty() ? "" : ", ", count.get<int64_t>(), name);
  }
  return fmt::format("{} tensors, {} parameters ({}), {}", source["num_tensors"].get<size_t>(),
                     source["num_parameters"].get<int64_t>(), dtypes, bytes_text(bytes));
}

std::string source_text(const ordered_json& source) {
  std::string text;
  for (const auto& tensor : source["tensors"]) {
    const auto shape = tensor["shape"].get<std::vector<int64_t>>();
    text += fmt::format("{:<10} {:<24} {}\n", tensor["dtype"].get<std::string>(), shape_text(shape),
                        printable(tensor["name"].get<std::string>()));
  }
  return text + source_totals(source) + "\n";
}

struct Found {
  ordered_json as_json;
  std::string as_text;
};

Found inspect_folder(const fs::path& path) {
  const auto model = weights::find_model_folder(path);
  Found found;
  found.as_json = {{"format", 1},
                   {"kind", "model"},
                   {"name", model.name},
                   {"layout", weights::layout_name(model.layout)}};
  found.as_text = fmt::format("{}: {} layout\n", model.name, weights::layout_name(model.layout));
  const auto add_part = [&found](const char* name, const weights::ModelPart& part) {
    ordered_json source = source_json(weights::open_part(part));
    found.as_text += fmt::format("{:<15} {}\n", name, source_totals(source));
    if (part.config) {
      const auto config = JsonReader::open(*part.config, JsonOwner::kModel);
      for (const auto& key : config.keys()) source["config"][key] = config.raw(key);
      for (const auto& [key, value] : source["config"].items()) {
        found.as_text += fmt::format(
            "  {} = {}\n", key, value.dump(-1, ' ', false, ordered_json::error_handler_t::replace));
      }
    }
    found.as_json["parts"][name] = std::move(source);
  };
  add_part("transformer", model.transformer);
  add_part("vae", model.vae);
  add_part("text_encoder", model.text_encoder);
  add_part("text_encoder_2", model.text_encoder_2);
  return found;
}

Found inspect_weights(const fs::path& path) {
  ordered_json source = source_json(weights::open_part({.config = std::nullopt, .weights = path}));
  Found found{.as_json = {{"format", 1}, {"kind", "weights"}}, .as_text = source_text(source)};
  found.as_json.update(source);
  return found;
}

Found inspect_video(const fs::path& path) {
  const auto facts = media::read_video_facts(path);
  const json metadata = try_strict_json(facts.comment).value_or(json());
  const bool ours = metadata.is_object();
  Found found;
  found.as_json = {{"format", 1},
                   {"kind", "video"},
                   {"codec", facts.codec},
                   {"pix_fmt", facts.pix_fmt},
                   {"width", facts.width},
                   {"height", facts.height},
                   {"frame_rate", media::frame_rate_text(facts.frame_rate)},
                   {"frames", facts.num_frames},
                   {"duration_s", facts.duration_s},
                   {"colour_primaries", facts.colour_primaries},
                   {"colour_transfer", facts.colour_transfer},
                   {"colour_matrix", facts.colour_matrix},
                   {"colour_range", facts.colour_range},
                   {"index_in_front", facts.index_in_front},
                   {"metadata", ours ? ordered_json(metadata) : ordered_json(nullptr)}};
  found.as_text = fmt::format("{} {} {} x {}, {} frames at {} a second, {} {}\n", facts.codec,
                              facts.pix_fmt, facts.width, facts.height, facts.num_frames,
                              media::frame_rate_text(facts.frame_rate), facts.colour_matrix,
                              facts.colour_range);
  if (ours) {
    found.as_text += metadata.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
  } else {
    found.as_text += facts.comment.empty() ? "no metadata of ours\n"
                                           : "comment: " + printable(facts.comment) + "\n";
  }
  return found;
}

// What generate, batch or a stopped run left to go on from or to decode.
Found inspect_run_state(const fs::path& path) {
  const auto state = pipeline::read_run_state(path);
  const bool finished = state.finished();
  Found found;
  found.as_json = {{"format", 1},
                   {"kind", finished ? "latents" : "state"},
                   {"shape", state.latents.sizes().vec()},
                   {"latents_sha256", sha256(state.latents)},
                   {"steps_done", state.steps.size()},
                   {"steps", state.num_steps},
                   {"request_hash", state.hash},
                   {"metadata", ordered_json(state.clip)}};
  found.as_text = fmt::format("{} {}, ", finished ? "latents" : "unfinished latents",
                              shape_text(state.latents.sizes()));
  if (state.clip.is_null()) {
    found.as_text += "without a record of the run that made them\n";
    return found;
  }
  found.as_text +=
      fmt::format("step {} of {}: {}\n{}\n", state.steps.size(), state.num_steps,
                  finished ? "sparsereel decode makes the video" : "generate --resume goes on",
                  state.clip.dump(2, ' ', false, json::error_handler_t::replace));
  return found;
}

Found inspect_sidecar(const fs::path& path) {
  read_recorded_run(path);  // whole, and of a format that is known
  const json metadata = json::parse(std::ifstream(path, std::ios::binary));
  return {.as_json = {{"format", 1}, {"kind", "metadata"}, {"metadata", ordered_json(metadata)}},
          .as_text = metadata.dump(2, ' ', false, json::error_handler_t::replace) + "\n"};
}

// Mean over the numbers of a step's layers and heads; null if there is none.
json mean_of(const json& layers) {
  double sum = 0;
  int64_t count = 0;
  for (const auto& layer : layers) {
    for (const auto& value : layer) {
      if (!value.is_number()) continue;
      sum += value.get<double>();
      ++count;
    }
  }
  return count == 0 ? json(nullptr) : json(sum / static_cast<double>(count));
}

Found inspect_recall(const JsonReader& file) {
  const json& recall = file.raw("recall");
  const json& density = file.raw("density");
  if (!recall.is_array() || !density.is_array() || recall.size() != density.size()) {
    file.fail_at("recall", "wrong shape: want a file of --probe-recall");
  }
  json steps = json::array();
  Found found;
  for (size_t step = 0; step < recall.size(); ++step) {
    steps.push_back({{"recall", mean_of(recall[step])}, {"density", mean_of(density[step])}});
    found.as_text += fmt::format("step {:>3}  recall {}, density {}\n", step + 1,
                                 steps.back()["recall"].dump(), steps.back()["density"].dump());
  }
  found.as_json = {{"format", 1},
                   {"kind", "recall"},
                   {"samples", file.raw("samples")},
                   {"mean", file.raw("mean")},
                   {"mean_dense_steps", file.raw("mean_dense_steps")},
                   {"by_step", steps}};
  found.as_text =
      fmt::format("{} steps, mean recall {} of sparse calls, {} of those that ran dense\n",
                  recall.size(), file.raw("mean").dump(), file.raw("mean_dense_steps").dump()) +
      found.as_text;
  return found;
}

Found inspect_json(const fs::path& path) {
  const auto file = JsonReader::open(path, JsonOwner::kUser);
  if (file.has("request") && file.has("program")) return inspect_sidecar(path);
  if (file.has("recall")) return inspect_recall(file);
  if (!file.has("density")) {
    file.fail_at("density",
                 "key is missing: want a file of --density-json or --probe-recall, or a sidecar");
  }
  const json& density = file.raw("density");
  const json& by_step = file.raw("by_step");
  if (!density.is_array() || !by_step.is_array()) {
    file.fail_at("density", "wrong type: want a file of --density-json");
  }
  const size_t layers = density.empty() ? 0 : density.front().size();
  Found found;
  found.as_json = {
      {"format", 1},       {"kind", "density"},        {"steps", density.size()},
      {"layers", layers},  {"mean", file.raw("mean")}, {"mean_sparse", file.raw("mean_sparse")},
      {"by_step", by_step}};
  found.as_text =
      fmt::format("{} steps, {} layers, mean density {:.4f} ({:.4f} of sparse calls)\n",
                  density.size(), layers, file.number("mean"), file.number("mean_sparse"));
  for (size_t step = 0; step < by_step.size(); ++step) {
    found.as_text += fmt::format("step {:>3}  {}\n", step + 1, by_step[step].dump());
  }
  return found;
}

bool holds_run_state(const fs::path& path) {
  const auto source = weights::open_safetensors(path);
  return source.infos().size() == 1 &&
         (source.find("latents") != nullptr || source.find("unfinished_latents") != nullptr);
}

// The weights of a folder that is one part of a model, such as DIR/transformer.
std::optional<fs::path> weights_of_part(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(".safetensors.index.json")) return entry.path();
    if (name.ends_with(".safetensors") || name.ends_with(".pt")) files.push_back(entry.path());
  }
  return files.size() == 1 ? std::optional(files.front()) : std::nullopt;
}

Found inspect_path(const fs::path& path) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) {
    const auto part = weights_of_part(path);
    return part ? inspect_weights(*part) : inspect_folder(path);
  }
  if (!fs::exists(path, ignored)) {
    fail<ConfigError>("inspect: no such file or folder: got ", printable(path.string()));
  }
  const std::string name = path.filename().string();
  const std::string ending = path.extension().string();
  const bool index = name.ends_with(".safetensors.index.json");
  if (ending == ".safetensors" && holds_run_state(path)) return inspect_run_state(path);
  const bool archive = ending == ".pt" || ending == ".pth" || ending == ".bin";
  if (index || archive || ending == ".safetensors") return inspect_weights(path);
  if (ending == ".json") return inspect_json(path);
  return inspect_video(path);
}

}  // namespace

int run_inspect(const ParsedFlags& flags, Console& console) {
  if (flags.arguments().empty()) {
    fail<ConfigError>(
        "inspect: a path is missing: want a weight file, a checkpoint folder, latents, an MP4 or "
        "its "
        "sidecar, a density or a recall file");
  }
  const Found found = inspect_path(flags.arguments().front());
  if (flags.has("--json")) {
    console.result(found.as_json.dump(-1, ' ', false, json::error_handler_t::replace));
  } else {
    console.result(found.as_text.substr(0, found.as_text.size() - 1));
  }
  return 0;
}

}  // namespace reel::app
