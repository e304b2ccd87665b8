#include "pipeline/generate.h"

#include "pipeline/memory_check.h"

namespace reel::pipeline {

void generate(const GenerationRequest& request, const weights::ModelFolder& folder,
              ClipOutputs& outputs, Progress& progress, const StopRequest& stop) {
  check_memory(request, folder);
  Renderer renderer(folder, request.compute, progress, stop);
  generate(request, renderer, outputs);
}

void generate(const GenerationRequest& request, Renderer& renderer, ClipOutputs& outputs) {
  bool needs_text = false;
  for (size_t clip = 0; clip < request.seeds.size(); ++clip) {
    needs_text = renderer.needs_text(request, clip, outputs) || needs_text;
  }
  const ClipTexts texts = needs_text ? renderer.encode(request) : ClipTexts{};
  renderer.drop_text_encoders();
  for (size_t clip = 0; clip < request.seeds.size(); ++clip) {
    renderer.render(request, clip, texts, outputs);
  }
}

}  // namespace reel::pipeline
