# Finds LibTorch inside the PyPI wheel, or a folder of the same layout. Its own CMake files are not
# used: they insist on nvcc and bring compiler flags of their own. Installed with SparseReel, too.
# Looks at TORCH_WHEEL_DIR, at the LibTorch that Torch_DIR belongs to, then in CMAKE_PREFIX_PATH.
set(TORCH_WHEEL_DIR "" CACHE PATH "torch folder of the PyPI wheel: include/ and lib/ are in it")
set(torch_hints "${TORCH_WHEEL_DIR}/include")
if(Torch_DIR)
  list(APPEND torch_hints "${Torch_DIR}/../../../include")
endif()
find_path(Torch_INCLUDE_DIR ATen/ATen.h HINTS ${torch_hints})
# Beside these headers and nowhere else: headers of one version and libraries of another crash.
set(torch_lib "${Torch_INCLUDE_DIR}/../lib")
foreach(name torch_cpu c10 torch_cuda c10_cuda)
  find_library(Torch_${name}_LIBRARY ${name} HINTS "${torch_lib}" NO_DEFAULT_PATH)
endforeach()
# Under the name that LibTorch needs it by: a second OpenMP would be a second pool of threads.
find_file(Torch_gomp_LIBRARY libgomp.so.1 HINTS "${torch_lib}" NO_DEFAULT_PATH)
set(version_header "${Torch_INCLUDE_DIR}/torch/headeronly/version.h")
if(Torch_INCLUDE_DIR AND EXISTS "${version_header}")
  file(STRINGS "${version_header}" lines REGEX "#define TORCH_VERSION_(MAJOR|MINOR|PATCH) ")
  string(REGEX REPLACE "[^0-9;]" "" numbers "${lines}")
  list(JOIN numbers "." Torch_VERSION)
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Torch
  REQUIRED_VARS Torch_INCLUDE_DIR Torch_torch_cpu_LIBRARY Torch_c10_LIBRARY Torch_gomp_LIBRARY
  VERSION_VAR Torch_VERSION
  REASON_FAILURE_MESSAGE
    "give -DTORCH_WHEEL_DIR=<torch folder of the PyPI wheel>, in a checkout run scripts/setup first")

if(Torch_FOUND AND NOT TARGET Torch::Torch)
  foreach(name torch_cpu c10 c10_cuda gomp)
    add_library(Torch::${name} SHARED IMPORTED)
    set_target_properties(Torch::${name} PROPERTIES IMPORTED_LOCATION "${Torch_${name}_LIBRARY}")
  endforeach()
  add_library(Torch::Torch INTERFACE IMPORTED)
  target_link_libraries(Torch::Torch INTERFACE Torch::torch_cpu Torch::c10 Torch::gomp)
  # -idirafter, not SYSTEM: the wheel carries fmt 12, which must not shadow the fmt that spdlog was
  # built with.
  if(NOT REEL_FUZZ) # which needs none, and clang's OpenMP would be a second one
    # at::parallel_for is a header that runs on one thread without it.
    target_compile_options(Torch::Torch INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fopenmp>)
  endif()
  target_compile_options(Torch::Torch INTERFACE
    "$<$<COMPILE_LANGUAGE:CXX>:SHELL:-idirafter ${Torch_INCLUDE_DIR}\
 -idirafter ${Torch_INCLUDE_DIR}/torch/csrc/api/include>")
  if(Torch_torch_cuda_LIBRARY AND Torch_c10_cuda_LIBRARY)
    # Nothing refers to libtorch_cuda by name: it registers its operators when it loads.
    add_library(Torch::TorchCuda INTERFACE IMPORTED)
    target_link_libraries(Torch::TorchCuda INTERFACE Torch::Torch Torch::c10_cuda
      "-Wl,--push-state,--no-as-needed,${Torch_torch_cuda_LIBRARY},--pop-state")
  endif()
endif()
