# Installs the library of the build tree BUILD into a prefix below WORK, then builds and runs the
# outside project of this folder (SOURCE) against it with the model MODEL; WHEEL is LibTorch's folder.
cmake_minimum_required(VERSION 3.25)

function(run what)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE failed OUTPUT_VARIABLE out ERROR_VARIABLE out)
  if(failed)
    message(FATAL_ERROR "${what}: ${failed}\n${out}")
  endif()
  set(output "${out}" PARENT_SCOPE)
endfunction()

function(expect text wanted)
  if(NOT text MATCHES "${wanted}")
    message(FATAL_ERROR "got:\n${text}\nwant: ${wanted}")
  endif()
endfunction()

file(REMOVE_RECURSE ${WORK})
run("install" ${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/prefix --component library)
file(GLOB_RECURSE headers RELATIVE ${WORK}/prefix/include ${WORK}/prefix/include/*)
list(LENGTH headers count)
if(NOT count EQUAL 9)
  message(FATAL_ERROR "installed headers: got ${headers}, want the 9 of docs/LIBRARY.md")
endif()

# Without LibTorch the config says what it wants and how to give it.
set(configure ${CMAKE_COMMAND} -G Ninja -S ${SOURCE} -DCMAKE_BUILD_TYPE=Release
  -DCMAKE_PREFIX_PATH=${WORK}/prefix)
execute_process(COMMAND ${configure} -B ${WORK}/without -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON
  RESULT_VARIABLE failed OUTPUT_QUIET ERROR_VARIABLE out)
string(REGEX REPLACE "[ \n]+" " " out "${out}")
if(NOT failed)
  message(FATAL_ERROR "found SparseReel without LibTorch")
endif()
expect("${out}" "TORCH_WHEEL_DIR")

run("configure" ${configure} -B ${WORK}/build -DTORCH_WHEEL_DIR=${WHEEL})
run("build" ${CMAKE_COMMAND} --build ${WORK}/build)
run("run" ${CMAKE_COMMAND} -E env OMP_NUM_THREADS=2 ${WORK}/build/outsider ${MODEL})
expect("${output}" "\\[5, 64, 64, 3\\] same\nrequest: --width: not a multiple of 16: got 70")
file(REMOVE_RECURSE ${WORK})
