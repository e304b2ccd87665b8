// sparsereel: text to video. See app/command_line.h.
#include "app/command_line.h"
#include "core/heap.h"

int main(int argc, char** argv) {
  reel::keep_freed_memory();
  return reel::app::run_command_line({argv + 1, argv + argc}, stdout, stderr);
}
