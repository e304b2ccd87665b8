// Renders two small clips of the model folder that is its argument and prints a few of their
// pixels.
#include <ATen/core/Tensor.h>
#include <pipeline/text_to_video.h>

#include <iostream>

int main(int argc, char** argv) try {
  if (argc != 2) return 2;
  reel::pipeline::TextToVideo text_to_video(argv[1]);
  reel::pipeline::ClipOptions clip;
  clip.prompt = "A red star sways at night.";
  clip.width = clip.height = 64;
  clip.frames = 5;
  clip.steps = 2;
  clip.attention_mode = "dense";
  clip.dense_steps = "0";
  const auto frames = text_to_video.render(clip).frames;
  const auto again = text_to_video.render(clip).frames;
  std::cout << frames.sizes() << (frames.equal(again) ? " same" : " different") << '\n';
  clip.width = 70;
  text_to_video.check(clip);
  return 1;
} catch (const reel::ConfigError& error) {
  std::cout << error.what() << '\n';
  return 0;
}
