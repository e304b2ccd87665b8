// The history of a run folder: a JSON object a line, from all processes that worked in it.
#pragma once

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <vector>

namespace reel::batch {

/// Appends events. A process that dies can leave at most one torn line, which the next event
/// isolates and readers skip.
class EventLog {
 public:
  /// Opens `file`, made if it is not there. Throws ConfigError.
  explicit EventLog(const std::filesystem::path& file);
  ~EventLog();
  EventLog(const EventLog&) = delete;
  EventLog& operator=(const EventLog&) = delete;

  /// Appends {"format":1, "event":..., "time":..., "process":"host:pid", ...}; `event` holds at
  /// least "event". On the disk when it returns. Throws IoError, and takes back what it wrote.
  void append(const nlohmann::json& event);

  /// All whole events so far.
  std::vector<nlohmann::json> read() const;

 private:
  std::filesystem::path file_;
  int descriptor_ = -1;
};

/// All whole events of a file; none if it is not there.
std::vector<nlohmann::json> read_events(const std::filesystem::path& file);

/// "2026-01-31T12:00:00Z".
std::string utc_time();

}  // namespace reel::batch
