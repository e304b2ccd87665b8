// Names of outputs from templates such as "{prompt}-{index}.mp4".
#pragma once

#include <map>
#include <string>

#include "core/problems.h"

namespace reel::app {

/// Values of the fields: id, prompt, seed, index, attn, tau, date, hash.
using NameFields = std::map<std::string, std::string>;

/// True if `name` holds a field, and so may name several files.
bool is_template(const std::string& name);

/// Puts the fields into `name` ("{{" and "}}" are braces). Values go in as they are, never cut or
/// folded; adds a problem, named by `flag`, for an unknown field, a brace without its partner, or a
/// value that cannot be in a file name.
std::string fill_template(const std::string& flag, const std::string& name,
                          const NameFields& fields, Problems& problems);

}  // namespace reel::app
