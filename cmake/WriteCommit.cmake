# Writes OUTPUT, which defines app/commit.h's kCommit for the checkout SOURCE, if it has changed.
# A script of the build, not of the configuration: commits come in between.
cmake_minimum_required(VERSION 3.25)
execute_process(COMMAND git -C ${SOURCE} describe --always --dirty --abbrev=12 --exclude=*
  OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
if(failed)
  set(commit "unknown")
endif()
file(CONFIGURE OUTPUT ${OUTPUT} @ONLY CONTENT
"#include \"app/commit.h\"

const char* const reel::app::kCommit = \"@commit@\";
")
