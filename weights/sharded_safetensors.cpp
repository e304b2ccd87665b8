#include "weights/sharded_safetensors.h"

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "core/error.h"
#include "core/json_reader.h"
#include "core/printable.h"
#include "core/problems.h"
#include "weights/safetensors.h"

namespace reel::weights {
namespace {

namespace fs = std::filesystem;

using WeightMap = std::map<std::string, std::string>;  // tensor -> shard

WeightMap read_index(const fs::path& path) {
  const auto index = JsonReader::open(path, JsonOwner::kModel);
  const auto map = index.object("weight_map");
  WeightMap shards;
  for (const auto& tensor : map.keys()) {
    const std::string shard = map.string(tensor);
    // A name with a folder could reach any file of this machine; one with control characters would
    // be in errors as it is.
    const bool plain = fs::path(shard).filename() == shard && all_printable(shard) == shard;
    if (shard.empty() || !plain || shard == "." || shard == "..") {
      map.fail_at(tensor, "not the name of a file in this folder: got " + printable(shard));
    }
    shards[tensor] = shard;
  }
  if (shards.empty()) index.fail_at("weight_map", "names no tensor");
  return shards;
}

// What is wrong between the index and the tensors found, a line for each tensor.
void compare(const WeightMap& index, const std::map<std::string, std::set<std::string>>& found,
             const std::set<std::string>& unreadable, Problems& problems) {
  for (const auto& [tensor, shard] : index) {
    if (unreadable.contains(shard)) continue;
    if (!found.at(shard).contains(tensor)) {
      problems.add(printable(tensor), ": not in ", printable(shard), ", where the index places it");
    }
  }
  for (const auto& [shard, tensors] : found) {
    for (const auto& tensor : tensors) {
      const auto place = index.find(tensor);
      if (place == index.end()) {
        problems.add(printable(tensor), ": in ", printable(shard), " but not in the index");
      } else if (place->second != shard) {
        problems.add(printable(tensor), ": in ", printable(shard), " but the index places it in ",
                     printable(place->second));
      }
    }
  }
}

}  // namespace

TensorSource open_sharded_safetensors(const fs::path& path) {
  const WeightMap index = read_index(path);
  std::set<std::string> shards;
  for (const auto& [tensor, shard] : index) shards.insert(shard);

  Problems problems;
  std::vector<TensorInfo> infos;
  std::vector<FileIdentity> files;
  std::map<std::string, std::set<std::string>> found;
  std::set<std::string> unreadable;
  for (const auto& shard : shards) {
    try {
      const auto source = open_safetensors(path.parent_path() / shard);
      for (const auto& info : source.infos()) found[shard].insert(info.name);
      infos.insert(infos.end(), source.infos().begin(), source.infos().end());
      files.insert(files.end(), source.files().begin(), source.files().end());
    } catch (const WeightError& error) {
      problems.add(error.what());
      unreadable.insert(shard);
    }
  }
  for (const auto& shard : shards) found.try_emplace(shard);
  compare(index, found, unreadable, problems);
  problems.throw_if_any<WeightError>(path.string());
  return {path.string(), std::move(infos), std::move(files)};
}

}  // namespace reel::weights
