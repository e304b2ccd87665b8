#include "batch/event_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <fstream>

#include "batch/file_lock.h"
#include "core/error.h"
#include "core/strict_json.h"

namespace reel::batch {
namespace {

using nlohmann::json;

constexpr int kMode = 0666;  // the umask takes its share

std::string process_name() {
  std::array<char, 256> host{};
  if (gethostname(host.data(), host.size() - 1) != 0) host[0] = '\0';
  return std::string(host.data()) + ":" + std::to_string(getpid());
}

// A torn or foreign line is none.
bool is_event(const json& line) {
  if (!line.is_object() || !line.contains("event")) return false;
  for (const char* key : {"event", "video", "hash", "error"}) {
    if (line.contains(key) && !line.at(key).is_string()) return false;
  }
  return !line.contains("exit_code") || line.at("exit_code").is_number_integer();
}

bool write_all(int descriptor, std::string_view bytes, off_t offset) {
  while (!bytes.empty()) {
    const ssize_t written = pwrite(descriptor, bytes.data(), bytes.size(), offset);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes.remove_prefix(static_cast<size_t>(written));
    offset += written;
  }
  return true;
}

}  // namespace

std::string utc_time() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  std::array<char, 32> text{};
  const size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return {text.data(), length};
}

EventLog::EventLog(const std::filesystem::path& file)
    : file_(file), descriptor_(open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kMode)) {
  if (descriptor_ < 0) {
    fail<ConfigError>(file.string(), ": cannot be written: ", std::strerror(errno));
  }
}

EventLog::~EventLog() {
  close(descriptor_);
}

void EventLog::append(const json& event) {
  nlohmann::ordered_json line = {{"format", 1},
                                 {"event", event.at("event")},
                                 {"time", utc_time()},
                                 {"process", process_name()}};
  for (const auto& item : event.items()) line[item.key()] = item.value();
  std::string text = line.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";

  const WholeFileLock lock(descriptor_);
  const off_t end = lseek(descriptor_, 0, SEEK_END);
  char last = '\n';
  if (end > 0 && pread(descriptor_, &last, 1, end - 1) == 1 && last != '\n')
    text = fmt::format("\n{}", text);
  if (!write_all(descriptor_, text, end) || fdatasync(descriptor_) != 0) {
    const std::string reason = std::strerror(errno);
    if (ftruncate(descriptor_, end) != 0) {
      // The torn line stays; readers skip it.
    }
    fail<IoError>(file_.string(), ": writing failed: ", reason);
  }
}

std::vector<json> EventLog::read() const {
  return read_events(file_);
}

std::vector<json> read_events(const std::filesystem::path& file) {
  std::vector<json> events;
  std::ifstream stream(file, std::ios::binary);
  for (std::string line; std::getline(stream, line);) {
    auto event = try_strict_json(line);
    if (event && is_event(*event)) events.push_back(std::move(*event));
  }
  return events;
}

}  // namespace reel::batch
