# Gives a target our flags, include root and precompiled header.
function(reel_setup_target target)
  target_include_directories(${target} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>)
  # Flags are ours; LibTorch is everybody's who links an installed library.
  target_link_libraries(${target} PUBLIC $<BUILD_INTERFACE:reel::flags> ${REEL_TORCH})
  if(REEL_PCH)
    target_precompile_headers(${target} REUSE_FROM reel_pch)
  endif()
endfunction()

# One static library a folder, aliased reel::<folder>. Sources are listed, never globbed.
function(reel_add_library folder)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;USES")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "reel_add_library(${folder}): unknown argument: ${arg_UNPARSED_ARGUMENTS}")
  endif()
  add_library(reel_${folder} STATIC ${arg_SOURCES})
  add_library(reel::${folder} ALIAS reel_${folder})
  set_target_properties(reel_${folder} PROPERTIES EXPORT_NAME ${folder})
  reel_setup_target(reel_${folder})
  target_link_libraries(reel_${folder} PUBLIC ${arg_USES})
endfunction()

# One GoogleTest program; every test in it is a ctest entry of its own.
function(reel_add_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT" "SOURCES;USES;LABELS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "reel_add_test(${name}): unknown argument: ${arg_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 300)
  endif()
  add_executable(${name} ${arg_SOURCES})
  reel_setup_target(${name})
  target_link_libraries(${name} PRIVATE ${arg_USES} reel::test_support GTest::gmock GTest::gtest_main)
  gtest_discover_tests(${name}
    DISCOVERY_MODE PRE_TEST
    WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
    PROPERTIES TIMEOUT ${arg_TIMEOUT}
      ENVIRONMENT "LSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/cmake/leaks.txt" # asan preset
      LABELS "${arg_LABELS}") # last: CMake drops it if it is empty
endfunction()

# One benchmark program; never run by ctest.
function(reel_add_benchmark name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;USES")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "reel_add_benchmark(${name}): unknown argument: ${arg_UNPARSED_ARGUMENTS}")
  endif()
  add_executable(${name} ${arg_SOURCES})
  reel_setup_target(${name})
  target_link_libraries(${name} PRIVATE ${arg_USES})
endfunction()
