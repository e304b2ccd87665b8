# Writes OUTPUT, which defines what pipeline/version.h declares for VERSION and the checkout SOURCE,
# if it has changed. A script of the build, not of the configuration: commits come in between.
cmake_minimum_required(VERSION 3.25)
execute_process(COMMAND git -C ${SOURCE} describe --always --dirty --abbrev=12 --exclude=*
  OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
if(failed)
  set(commit "unknown")
endif()
file(CONFIGURE OUTPUT ${OUTPUT} @ONLY CONTENT
"#include \"pipeline/version.h\"

#include <nlohmann/json.hpp>

const char* const reel::pipeline::kVersion = \"@VERSION@\";
const char* const reel::pipeline::kCommit = \"@commit@\";

nlohmann::json reel::pipeline::program_json() {
  return {{\"name\", \"sparsereel\"}, {\"version\", kVersion}, {\"commit\", kCommit}};
}
")
