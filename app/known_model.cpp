#include "app/known_model.h"

#include "app/request_flags.h"

namespace reel::app {

std::optional<pipeline::KnownModel> try_model(const ParsedFlags& flags, std::exception_ptr& broken,
                                              Problems& problems) {
  const auto folder = flags.text("--model");
  if (!folder) {
    problems.add("--model: is missing: want a checkpoint folder");
    return std::nullopt;
  }
  try {
    return pipeline::read_known_model(*folder, part_paths(flags));
  } catch (const WeightError&) {
    broken = std::current_exception();
    return std::nullopt;
  }
}

}  // namespace reel::app
