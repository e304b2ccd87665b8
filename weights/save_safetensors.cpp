#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/output_file.h"
#include "core/printable.h"
#include "weights/safetensors.h"
#include "weights/safetensors_dtypes.h"

namespace reel::weights {
namespace {

// The published writer's order: wide elements first, so that every tensor is aligned.
std::vector<std::pair<std::string, at::Tensor>> in_file_order(
    const std::map<std::string, at::Tensor>& tensors) {
  std::vector<std::pair<std::string, at::Tensor>> order(tensors.begin(), tensors.end());
  std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
    return a.second.element_size() > b.second.element_size();
  });
  return order;
}

}  // namespace

void write_safetensors(OutputFile& file, const std::map<std::string, at::Tensor>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  const auto order = in_file_order(tensors);
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  uint64_t end = 0;
  for (const auto& [name, tensor] : order) {
    const auto dtype = safetensors_name(tensor.scalar_type());
    if (!dtype || name == "__metadata__") {
      fail<ShapeError>("write_safetensors: ", printable(name), ": the format has no place for it");
    }
    const uint64_t begin = end;
    end += tensor.nbytes();
    header[name] = {
        {"dtype", *dtype}, {"shape", tensor.sizes().vec()}, {"data_offsets", {begin, end}}};
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');
  const uint64_t length = text.size();

  file.append({reinterpret_cast<const char*>(&length), sizeof(length)});
  file.append(text);
  for (const auto& [name, tensor] : order) {
    const at::Tensor host = tensor.cpu().contiguous();
    file.append({static_cast<const char*>(host.data_ptr()), host.nbytes()});
  }
}

void save_safetensors(const std::filesystem::path& path,
                      const std::map<std::string, at::Tensor>& tensors,
                      const std::map<std::string, std::string>& metadata) {
  OutputFile file(path, IfExists::kReplace);
  write_safetensors(file, tensors, metadata);
  file.commit();
}

}  // namespace reel::weights
