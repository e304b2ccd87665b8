#include "app/render_clips.h"

#include <ATen/Parallel.h>

#include "app/exit_code.h"
#include "app/signals.h"
#include "pipeline/generate.h"

namespace reel::app {

nlohmann::json render_clips(const ClipRun& run, const std::string& progress_mode,
                            Console& console) {
  at::set_num_threads(run.request.compute.threads);
  make_output_folders(run.outputs);
  const auto progress = make_progress(progress_mode, console);
  ClipFiles files(run.request, run.outputs, run.encoder, *progress);
  if (!run.job.is_null()) files.set_job(run.job);
  try {
    pipeline::generate(run.request, run.model, files, *progress,
                       pipeline::StopRequest(watch_signals()));
  } catch (...) {
    const Failure failure = describe_failure(std::current_exception());
    progress->clip_failed(failure.message, failure.exit_code);
    rescue(files, console, run.how_to_go_on);
    throw;
  }
  return files.metadata();
}

}  // namespace reel::app
