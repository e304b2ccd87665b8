# Every library from outside, found once; folders name them as targets.
set(TORCH_WHEEL_DIR "${PROJECT_SOURCE_DIR}/.deps/python/torch" CACHE PATH "torch folder of the wheel")
find_package(Torch 2.11 REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
# The prefix is for those who link our installed libraries, which name the same targets.
pkg_check_modules(REEL_PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(REEL_UTF8PROC REQUIRED IMPORTED_TARGET libutf8proc)
pkg_check_modules(REEL_FFMPEG REQUIRED IMPORTED_TARGET
  libavformat libavcodec libavutil libswscale)

# By hand: Debian's core and imgproc packages come without OpenCV's CMake files.
find_path(OPENCV_INCLUDE_DIR opencv2/core.hpp PATH_SUFFIXES opencv4 REQUIRED)
foreach(module core imgproc)
  find_library(OPENCV_${module}_LIBRARY opencv_${module} REQUIRED)
  add_library(opencv_${module} SHARED IMPORTED)
  set_target_properties(opencv_${module} PROPERTIES
    IMPORTED_LOCATION ${OPENCV_${module}_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES ${OPENCV_INCLUDE_DIR})
endforeach()

if(REEL_CUDA)
  find_package(CUDAToolkit 13.0 REQUIRED)
  if(NOT TARGET Torch::TorchCuda)
    message(FATAL_ERROR "REEL_CUDA is on but this LibTorch has no CUDA libraries: run scripts/setup")
  endif()
endif()
