#include "app/batch_renderer.h"

#include <c10/util/Exception.h>

#include <set>

#include "app/clip_files.h"
#include "app/exit_code.h"
#include "pipeline/memory_check.h"

namespace reel::app {
namespace {

// Whether the next job would fail too: the disk, the device or the model folder is at fault.
bool ends_run(const std::exception_ptr& error, int exit_code) {
  constexpr int kMemory = 4;
  try {
    std::rethrow_exception(error);
  } catch (const IoError&) {
    return true;
  } catch (const DeviceError&) {
    return true;
  } catch (const WeightError&) {
    return true;
  } catch (const c10::Error& problem) {
    return exit_code != kMemory && std::string(problem.what()).find("CUDA") != std::string::npos;
  } catch (...) {
    return false;
  }
}

OutputPlan outputs_of(const BatchPlan& plan, const batch::Job& job) {
  OutputPlan outputs;
  outputs.clips = {{.video = plan.folder.video(job),
                    .latents = plan.folder.latents(job),
                    .state = plan.folder.state_file(job),
                    .frames_png = {},
                    .density_json = {},
                    .perf_json = {},
                    .recall_json = {},
                    .sidecar = {}}};
  outputs.save_latents = plan.save_latents;
  outputs.if_exists = IfExists::kReplace;  // what may not be replaced was refused before
  outputs.resume = plan.options.overwrite ? Resume::kNever : Resume::kIfSame;
  outputs.checkpoint_every = plan.checkpoint_every;
  return outputs;
}

pipeline::TextConditioning conditioning(const text_encoder::EncodedPrompt& encoded) {
  return {{encoded.states}, encoded.pooled.unsqueeze(0)};
}

}  // namespace

BatchRenderer::BatchRenderer(const BatchPlan& plan, RunProgress& progress, Console& console,
                             const pipeline::StopRequest& stop)
    : plan_(plan),
      progress_(progress),
      console_(console),
      renderer_(plan.model, plan.compute, progress, stop),
      cache_(plan.folder.text_cache(), renderer_.identity(), plan.tokenizers_sha256,
             plan.compute.device.is_cuda()) {}

void BatchRenderer::prepare(const std::vector<const batch::Job*>& jobs) {
  std::set<std::string> sizes;
  std::set<std::pair<std::string, pipeline::PromptTemplate>> seen, missing;
  for (const auto* job : jobs) {
    const auto& request = job->request;
    const std::string size = std::to_string(request.size.width) + "x" +
                             std::to_string(request.size.height) + "x" +
                             std::to_string(request.size.frames);
    if (sizes.insert(size).second) pipeline::check_memory(request, plan_.model);
    const auto need = [&](const std::string& prompt) {
      if (!seen.insert({prompt, request.prompt_template}).second) return;
      if (!cache_.has(prompt, request.prompt_template)) {
        missing.insert({prompt, request.prompt_template});
      }
    };
    need(request.prompt);
    if (request.uses_negative_prompt()) need(request.negative_prompt);
  }
  if (missing.empty()) return;
  console_.info("encoding " + std::to_string(missing.size()) + " prompts");
  for (const auto& [prompt, which] : missing) {
    if (!cache_.has(prompt, which)) encode(prompt, which);  // another process may have been faster
  }
}

text_encoder::EncodedPrompt BatchRenderer::encode(const std::string& prompt,
                                                  pipeline::PromptTemplate which) {
  auto encoded = renderer_.encode(prompt, which);
  for (const auto& warning : encoded.warnings) progress_.warn(warning);
  cache_.keep(prompt, which, encoded);
  return encoded;
}

pipeline::ClipTexts BatchRenderer::texts_of(const pipeline::GenerationRequest& request) {
  const auto text_of = [&](const std::string& prompt) {
    auto encoded = cache_.find(prompt, request.prompt_template);
    if (!encoded)
      encoded = encode(prompt, request.prompt_template);  // removed or damaged meanwhile
    return conditioning(*encoded);
  };
  pipeline::ClipTexts texts;
  texts.text = text_of(request.prompt);
  if (request.uses_negative_prompt()) texts.negative = text_of(request.negative_prompt);
  return texts;
}

std::optional<batch::JobFailure> BatchRenderer::render(const batch::Job& job,
                                                       nlohmann::json& metadata) {
  const OutputPlan outputs = outputs_of(plan_, job);
  ClipFiles files(job.request, outputs, job.encoder, progress_);
  files.set_job(job.to_json());
  try {
    renderer_.render(job.request, 0, texts_of(job.request), files);
    metadata = files.metadata();
    return std::nullopt;
  } catch (...) {
    const auto error = std::current_exception();
    const Failure failure = describe_failure(error);
    progress_.clip_failed(failure.message, failure.exit_code);
    rescue(files, console_,
           [](const ClipFiles::Rest&) { return std::string("the same batch goes on from there"); });
    try {
      throw;
    } catch (const Interrupted&) {
      throw;
    } catch (...) {
      return batch::JobFailure{.exit_code = failure.exit_code,
                               .message = failure.message,
                               .ends_run = ends_run(error, failure.exit_code)};
    }
  }
}

}  // namespace reel::app
