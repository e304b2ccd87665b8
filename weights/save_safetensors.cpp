#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/printable.h"
#include "weights/safetensors.h"
#include "weights/safetensors_dtypes.h"

namespace reel::weights {
namespace {

namespace fs = std::filesystem;

// A file under a hidden name until commit() gives it its own; removed if that never happens.
class NewFile {
 public:
  explicit NewFile(fs::path target) : target_(std::move(target)) {
    const fs::path folder = target_.parent_path();
    const std::string name = fmt::format(".{}.{}", target_.filename().string(), ::getpid());
    for (int attempt = 0; descriptor_ < 0 && attempt < 100; ++attempt) {
      hidden_ = (folder / fmt::format("{}.{}", name, attempt)).string();
      descriptor_ = ::open(hidden_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
      if (descriptor_ < 0 && errno != EEXIST) break;
    }
    if (descriptor_ < 0) refuse("cannot be created");
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;
  ~NewFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
    if (!hidden_.empty()) ::unlink(hidden_.c_str());
  }

  void write(const void* bytes, size_t count) {
    const auto* next = static_cast<const char*>(bytes);
    while (count > 0) {
      const ssize_t done = ::write(descriptor_, next, count);
      if (done < 0 && errno == EINTR) continue;
      if (done < 0) refuse("writing failed");
      next += done;
      count -= static_cast<size_t>(done);
    }
  }

  void commit() {
    if (::fsync(descriptor_) != 0) refuse("writing failed");
    if (::close(std::exchange(descriptor_, -1)) != 0) refuse("writing failed");
    if (::rename(hidden_.c_str(), target_.c_str()) != 0) refuse("cannot be given its name");
    hidden_.clear();
  }

 private:
  [[noreturn]] void refuse(const char* what) const {
    fail<IoError>(target_.string(), ": ", what, ": ", std::strerror(errno));
  }

  fs::path target_;
  std::string hidden_;
  int descriptor_ = -1;
};

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

void save_safetensors(const fs::path& path, const std::map<std::string, at::Tensor>& tensors,
                      const std::map<std::string, std::string>& metadata) {
  const auto order = in_file_order(tensors);
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  uint64_t end = 0;
  for (const auto& [name, tensor] : order) {
    const auto dtype = safetensors_name(tensor.scalar_type());
    if (!dtype || name == "__metadata__") {
      fail<ShapeError>("save_safetensors: ", printable(name), ": the format has no place for it");
    }
    const uint64_t begin = end;
    end += tensor.nbytes();
    header[name] = {
        {"dtype", *dtype}, {"shape", tensor.sizes().vec()}, {"data_offsets", {begin, end}}};
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');
  const uint64_t length = text.size();

  NewFile file(path);
  file.write(&length, sizeof(length));
  file.write(text.data(), text.size());
  for (const auto& [name, tensor] : order) {
    const at::Tensor host = tensor.cpu().contiguous();
    file.write(host.data_ptr(), host.nbytes());
  }
  file.commit();
}

}  // namespace reel::weights
