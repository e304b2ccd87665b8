# CUDA C++ on the CUDA runtime alone, without LibTorch. Included only if REEL_CUDA is on.
if(NOT DEFINED CMAKE_CUDA20_STANDARD_COMPILE_OPTION) # CMake 3.25 does not know that nvcc has C++20
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
  set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
endif()
set(CMAKE_CUDA_STANDARD 20)
set(CMAKE_CUDA_RUNTIME_LIBRARY Shared) # the one LibTorch uses
if(CCACHE)
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${CCACHE})
endif()

# One static library of kernels for the given architectures (CMAKE_CUDA_ARCHITECTURES' words).
function(reel_add_kernels name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "ARCHITECTURES;SOURCES")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "reel_add_kernels(${name}): unknown argument: ${arg_UNPARSED_ARGUMENTS}")
  endif()
  add_library(reel_${name} STATIC ${arg_SOURCES})
  add_library(reel::${name} ALIAS reel_${name})
  set_target_properties(reel_${name} PROPERTIES
    CUDA_ARCHITECTURES "${arg_ARCHITECTURES}" EXPORT_NAME ${name})
  set_property(GLOBAL APPEND PROPERTY REEL_KERNELS reel_${name})
  target_include_directories(reel_${name} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>)
  target_compile_options(reel_${name} PRIVATE
    -Werror=all-warnings -Xcompiler=-Wall,-Wextra,-Werror -lineinfo --expt-relaxed-constexpr
    -Xptxas=-warn-spills)
  target_link_libraries(reel_${name} PUBLIC CUDA::cudart)
endfunction()
