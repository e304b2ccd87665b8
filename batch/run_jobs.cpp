#include "batch/run_jobs.h"

#include <fmt/format.h>

#include <chrono>
#include <deque>
#include <thread>

#include "batch/event_log.h"
#include "batch/file_lock.h"
#include "core/stopwatch.h"

namespace reel::batch {
namespace {

using nlohmann::json;

constexpr auto kPollInterval = std::chrono::milliseconds(200);

json event_of(const char* name, const Job& job) {
  return {{"event", name},
          {"index", job.index},
          {"id", job.id},
          {"video", job.video},
          {"hash", job.hash}};
}

// The work of one process.
class Run {
 public:
  Run(const std::vector<Job>& jobs, const RunFolder& folder, const RunOptions& options,
      JobRenderer& renderer, RunObserver& observer, const pipeline::StopRequest& stop)
      : jobs_(jobs),
        folder_(folder),
        options_(options),
        renderer_(renderer),
        observer_(observer),
        stop_(stop),
        locks_(folder.lock()),
        log_(folder.events()) {}

  RunSummary work();

 private:
  enum class Step { kNext, kTaken, kEnd };

  void enter();
  std::deque<const Job*> sort_out();
  void record_lost_events();
  void work_through(std::deque<const Job*> pending);
  Step take(const Job& job);
  Step render(const Job& job);
  Step note_failure(const Job& job, const JobFailure& failure);
  void finish(const char* how);

  const std::vector<Job>& jobs_;
  const RunFolder& folder_;
  const RunOptions& options_;
  JobRenderer& renderer_;
  RunObserver& observer_;
  const pipeline::StopRequest& stop_;
  FileLock locks_;
  EventLog log_;
  RunSummary summary_;
};

void Run::enter() {
  const bool alone = locks_.enter();
  if (alone) folder_.remove_unfinished();
  locks_.stay();
  if (options_.overwrite && !alone && options_.shard.count == 1) {
    fail<ConfigError>("--overwrite: another process works in ", folder_.root().string(),
                      ": want it to end first");
  }
}

// The jobs of this shard that are to be rendered, and a count of those that are done.
std::deque<const Job*> Run::sort_out() {
  std::deque<const Job*> pending;
  for (const auto& job : jobs_) {
    if (!options_.shard.has(job)) continue;
    ++summary_.num_jobs;
    if (!options_.overwrite && folder_.state(job) == VideoState::kDone) {
      ++summary_.num_done_before;
    } else {
      pending.push_back(&job);
    }
  }
  return pending;
}

// A process that is killed just after a video got its name has not told so.
void Run::record_lost_events() {
  if (options_.overwrite) return;
  const auto told = [&] {
    std::map<std::string, std::string> done;  // video -> hash
    for (const auto& event : log_.read()) {
      if (event["event"] == "job_done") done[event.value("video", "")] = event.value("hash", "");
    }
    return done;
  };
  auto done = told();
  for (const auto& job : jobs_) {
    if (!options_.shard.has(job) || done[job.video] == job.hash) continue;
    if (folder_.state(job) != VideoState::kDone || !locks_.try_take(job.video)) continue;
    done = told();  // its process may have told it before it let go
    if (done[job.video] != job.hash) {
      folder_.mend_sidecar(job);
      folder_.remove_rest(job, options_.keeps_latents);
      json event = event_of("job_done", job);
      event["found"] = true;
      log_.append(event);
    }
    locks_.release(job.video);
  }
}

Run::Step Run::note_failure(const Job& job, const JobFailure& failure) {
  ++summary_.num_failed;
  summary_.last_failure = failure;
  observer_.job_failed(job, failure);
  json event = event_of("job_failed", job);
  event["exit_code"] = failure.exit_code;
  event["error"] = failure.message;
  log_.append(event);
  const bool enough =
      options_.max_failures && static_cast<int64_t>(summary_.num_failed) >= *options_.max_failures;
  const bool goes_on = (options_.keep_going || options_.max_failures) && !failure.ends_run;
  summary_.went_on = summary_.went_on || goes_on;
  return goes_on && !enough ? Step::kNext : Step::kEnd;
}

Run::Step Run::render(const Job& job) {
  log_.append(event_of("job_start", job));
  observer_.job_started(job);
  folder_.forget(job);
  const Stopwatch watch;
  json metadata;
  std::optional<JobFailure> failure;
  try {
    failure = renderer_.render(job, metadata);
  } catch (const Interrupted&) {
    log_.append(event_of("job_stopped", job));
    throw;
  }
  if (failure) return note_failure(job, *failure);
  folder_.put_sidecar(job, metadata);
  const double seconds = watch.elapsed_ms() / 1000;
  json event = event_of("job_done", job);
  event["seconds"] = seconds;
  log_.append(event);
  ++summary_.num_rendered;
  observer_.job_done(job, seconds);
  return Step::kNext;
}

Run::Step Run::take(const Job& job) {
  stop_.throw_if_requested();
  if (!locks_.try_take(job.video)) return Step::kTaken;
  const VideoState state = options_.overwrite ? VideoState::kMissing : folder_.state(job);
  Step step = Step::kNext;
  if (state == VideoState::kDone) {
    ++summary_.num_done_elsewhere;
    observer_.job_done_elsewhere(job);
  } else if (state == VideoState::kForeign) {
    constexpr int kUsage = 2;
    step = note_failure(job, {.exit_code = kUsage,
                              .message = fmt::format("{}: is there already, and no batch made it",
                                                     folder_.video(job).string())});
  } else {
    step = render(job);
  }
  locks_.release(job.video);
  return step;
}

void Run::work_through(std::deque<const Job*> pending) {
  bool told_to_wait = false;
  while (!pending.empty()) {
    std::deque<const Job*> taken;
    for (size_t i = 0; i < pending.size(); ++i) {
      const Step step = take(*pending[i]);
      if (step == Step::kTaken) taken.push_back(pending[i]);
      if (step != Step::kEnd) continue;
      return;
    }
    if (taken.size() == pending.size()) {  // nothing moved
      if (!told_to_wait) observer_.waiting(taken.size());
      told_to_wait = true;
      std::this_thread::sleep_for(kPollInterval);
    }
    pending = std::move(taken);
  }
}

void Run::finish(const char* how) {
  summary_.num_left = summary_.num_jobs - summary_.num_done_before - summary_.num_rendered -
                      summary_.num_done_elsewhere - summary_.num_failed;
  log_.append({{"event", "run_end"},
               {"how", how},
               {"rendered", summary_.num_rendered},
               {"failed", summary_.num_failed},
               {"left", summary_.num_left}});
  folder_.write(folder_.report(), make_report(jobs_, folder_));
}

RunSummary Run::work() {
  enter();
  record_lost_events();
  const auto pending = sort_out();
  log_.append({{"event", "run_start"},
               {"jobs", summary_.num_jobs},
               {"done", summary_.num_done_before},
               {"shard", std::to_string(options_.shard.index + 1) + "/" +
                             std::to_string(options_.shard.count)}});
  observer_.run_started(summary_.num_jobs, summary_.num_done_before);
  try {
    if (!pending.empty()) renderer_.prepare({pending.begin(), pending.end()});
    work_through(pending);
  } catch (const Interrupted&) {
    finish("stopped");
    throw;
  } catch (const std::exception&) {
    try {
      finish("failed");
    } catch (const Error&) {
      // A disk that took no video takes no report either; the first failure is the one to tell.
    }
    throw;
  }
  const bool ended_early = summary_.last_failure && summary_.last_failure->ends_run;
  try {
    finish(summary_.num_failed == 0 ? "done" : "failed");
  } catch (const IoError&) {
    if (!ended_early) throw;
  }
  return summary_;
}

struct History {
  int64_t num_starts = 0;
  int64_t num_done = 0;
  int64_t num_failures = 0;
  json last_failure;  // null once the job is done
  json seconds;
};

std::map<std::string, History> histories(const RunFolder& folder) {
  std::map<std::string, History> found;
  for (const auto& event : read_events(folder.events())) {
    const std::string name = event["event"];
    if (!event.contains("hash")) continue;
    History& history = found[event.value("video", "") + event.value("hash", "")];
    if (name == "job_start") ++history.num_starts;
    if (name == "job_failed") {
      ++history.num_failures;
      history.last_failure = {{"exit_code", event.value("exit_code", 1)},
                              {"error", event.value("error", "")}};
    }
    if (name == "job_done") {
      ++history.num_done;
      history.last_failure = nullptr;
      history.seconds = event.contains("seconds") ? event["seconds"] : json(nullptr);
    }
  }
  return found;
}

}  // namespace

RunSummary run_jobs(const std::vector<Job>& jobs, const RunFolder& folder,
                    const RunOptions& options, JobRenderer& renderer, RunObserver& observer,
                    const pipeline::StopRequest& stop) {
  return Run(jobs, folder, options, renderer, observer, stop).work();
}

json make_report(const std::vector<Job>& jobs, const RunFolder& folder) {
  auto found = histories(folder);
  std::map<std::string, int64_t> totals = {
      {"done", 0}, {"failed", 0}, {"other", 0}, {"pending", 0}};
  json list = json::array();
  for (const auto& job : jobs) {
    History& history = found[job.video + job.hash];
    const VideoState video = folder.state(job);
    std::string state = "pending";
    if (video == VideoState::kDone) {
      state = "done";
    } else if (!history.last_failure.is_null()) {
      state = "failed";
    } else if (video != VideoState::kMissing) {
      state = "other";
    }
    ++totals[state];
    json entry = event_of(state.c_str(), job);
    entry.erase("event");
    entry["state"] = state;
    entry["starts"] = history.num_starts;
    entry["completions"] = history.num_done;
    entry["failures"] = history.num_failures;
    if (state == "failed") entry.update(history.last_failure);
    if (state == "done" && !history.seconds.is_null()) entry["seconds"] = history.seconds;
    list.push_back(std::move(entry));
  }
  return {{"format", 1},
          {"time", utc_time()},
          {"total", jobs.size()},
          {"done", totals["done"]},
          {"failed", totals["failed"]},
          {"other", totals["other"]},
          {"pending", totals["pending"]},
          {"jobs", std::move(list)}};
}

}  // namespace reel::batch
