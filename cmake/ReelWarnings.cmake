# Flags that every target of ours shares. They must be identical everywhere, or the shared
# precompiled header could not be reused.
add_library(reel_flags INTERFACE)
add_library(reel::flags ALIAS reel_flags)
target_compile_options(reel_flags INTERFACE
  -march=x86-64-v3 # asked for at start by app/cpu_baseline.cpp; wider code is chosen at run time
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # GCC 12 sees overflows in std::string's assignment that are not there (its bug 105651).
  target_compile_options(reel_flags INTERFACE -Wno-stringop-overflow -Wno-restrict)
endif()
set(REEL_TORCH Torch::Torch)
if(REEL_CUDA)
  list(APPEND REEL_TORCH Torch::TorchCuda CUDA::cudart)
endif()
target_link_libraries(reel_flags INTERFACE ${REEL_TORCH} nlohmann_json::nlohmann_json)
if(REEL_CUDA)
  target_compile_definitions(reel_flags INTERFACE REEL_CUDA=1)
else()
  target_compile_definitions(reel_flags INTERFACE REEL_CUDA=0)
endif()
if(REEL_ASAN)
  target_compile_options(reel_flags INTERFACE
    -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  target_link_options(reel_flags INTERFACE -fsanitize=address,undefined)
endif()
if(REEL_FUZZ)
  # Since version 18 clang spells some of LibTorch's templates otherwise than the GCC that built it.
  target_compile_options(reel_flags INTERFACE -fclang-abi-compat=17 -Wno-missing-designated-field-initializers)
  # Left out are checks that need instrumentation on both sides of a call, which LibTorch and FFmpeg do not have,
  # and two that double the time to compile for what the address sanitizer finds too.
  target_compile_options(reel_flags INTERFACE -fsanitize=fuzzer-no-link,address,undefined,float-cast-overflow
    -fno-sanitize=vptr,function,null,object-size -fno-sanitize-recover=all -fno-omit-frame-pointer)
endif()
if(REEL_PCH AND CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  target_compile_options(reel_flags INTERFACE "SHELL:-Xclang -fno-pch-timestamp") # the same for clang
elseif(REEL_PCH)
  target_compile_options(reel_flags INTERFACE -fpch-preprocess) # lets ccache see through it
endif()

# The one precompiled header: LibTorch's operators and the JSON library, 17 s to read otherwise.
add_library(reel_pch OBJECT ${PROJECT_SOURCE_DIR}/cmake/pch.cpp)
target_link_libraries(reel_pch PUBLIC reel::flags)
target_include_directories(reel_pch PUBLIC ${PROJECT_SOURCE_DIR})
if(REEL_PCH)
  target_precompile_headers(reel_pch PRIVATE <ATen/ATen.h> <nlohmann/json.hpp>)
endif()
