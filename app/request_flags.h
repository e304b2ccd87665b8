// From flags to the options that pipeline/, media/ and app/ check: no decisions here.
#pragma once

#include "app/console.h"
#include "app/output_plan.h"
#include "app/parsed_flags.h"
#include "media/encoder_plan.h"
#include "pipeline/generation_request.h"
#include "weights/model_folder.h"

namespace reel::app {

// Each adds a problem for every value that is no number.

pipeline::RequestOptions request_options(const ParsedFlags& flags, Problems& problems);
OutputOptions output_options(const ParsedFlags& flags, Problems& problems);
media::EncoderOptions encoder_options(const ParsedFlags& flags, Problems& problems);

/// --checkpoint-every; 0 if it was not given. Adds a problem for less than 1.
int64_t checkpoint_steps(const ParsedFlags& flags, Problems& problems);

/// --device, --dtype, --threads, --offload and --max-vram.
pipeline::ComputeOptions compute_options(const ParsedFlags& flags, Problems& problems);

/// --vae-tiling and --vae-tile.
pipeline::VaeTilingOptions tiling_options(const ParsedFlags& flags);

/// The attention flags that no model folder sets a default for.
attention::ScheduleOptions schedule_options(const ParsedFlags& flags, Problems& problems);

/// --dit, --vae, --text-encoder and --clip.
weights::PartPaths part_paths(const ParsedFlags& flags);

/// -q and -v. Adds a problem if both came.
Verbosity verbosity(const ParsedFlags& flags, Problems& problems);

/// --progress. Adds a problem for an unknown mode.
std::string progress_mode(const ParsedFlags& flags, Problems& problems);

}  // namespace reel::app
