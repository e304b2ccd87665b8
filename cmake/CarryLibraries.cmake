# Copies the shared libraries that PROGRAM loads into LIBRARY_DIR, under the names by which they are
# asked for, and their licences into LICENCE_DIR. PART says which: torch (those of the Python wheels
# below WHEEL_ROOT) or system (the others, of Debian's packages). glibc's stay at home: they belong to
# the kernel's side of a system, and every system has them. EXCEPT, if given, is a regular expression
# of names to leave out.
set(glibc "^(ld-linux-x86-64|libc|libm|libmvec|libdl|librt|libpthread|libresolv|libutil|libanl)\\.so")

execute_process(COMMAND ldd ${PROGRAM} OUTPUT_VARIABLE listing COMMAND_ERROR_IS_FATAL ANY)
if(listing MATCHES "([^ \t\n]+) => not found")
  message(FATAL_ERROR "${PROGRAM}: needs ${CMAKE_MATCH_1}, which is not found")
endif()
string(REGEX MATCHALL "[^ \t\n]+ => [^ \t\n]+" entries "${listing}")

# The Debian package that owns `file`, and its version.
function(find_owner file package version)
  string(REGEX REPLACE "^/usr/" "/" unmerged "${file}") # where packages from before /usr's merge lie
  foreach(path ${file} ${unmerged})
    execute_process(COMMAND dpkg-query --search ${path}
      OUTPUT_VARIABLE owner ERROR_QUIET RESULT_VARIABLE failed)
    if(NOT failed)
      break()
    endif()
  endforeach()
  if(failed)
    message(FATAL_ERROR "${file}: belongs to no Debian package: its licence is not known")
  endif()
  string(REGEX REPLACE "[:,].*" "" owner "${owner}")
  execute_process(COMMAND dpkg-query --show --showformat "\${Version}\n" ${owner}
    OUTPUT_VARIABLE number OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX REPLACE "\n.*" "" number "${number}")
  set(${package} ${owner} PARENT_SCOPE)
  set(${version} ${number} PARENT_SCOPE)
endfunction()

# Copies the licence that Debian's `package` came with.
function(keep_licence package)
  file(INSTALL /usr/share/doc/${package}/copyright DESTINATION ${LICENCE_DIR}/${package}
    FOLLOW_SYMLINK_CHAIN)
endfunction()

set(lines "")
foreach(entry IN LISTS entries)
  string(REGEX MATCH "^([^ ]+) => (.+)$" entry "${entry}")
  set(name ${CMAKE_MATCH_1})
  file(REAL_PATH ${CMAKE_MATCH_2} file)
  string(FIND ${file} ${WHEEL_ROOT}/ in_wheel)
  if(DEFINED EXCEPT AND name MATCHES "${EXCEPT}")
    continue()
  endif()
  if(name MATCHES "${glibc}" OR (in_wheel EQUAL 0) EQUAL (PART STREQUAL system))
    continue()
  endif()
  file(INSTALL ${file} DESTINATION ${LIBRARY_DIR} RENAME ${name})
  if(PART STREQUAL torch)
    # A fifth of LibTorch is symbols for debuggers.
    execute_process(COMMAND ${STRIP} --strip-unneeded $ENV{DESTDIR}${LIBRARY_DIR}/${name}
      COMMAND_ERROR_IS_FATAL ANY)
    string(APPEND lines "${name}: Python wheel, licences beside\n")
  else()
    find_owner(${file} package version)
    keep_licence(${package})
    string(APPEND lines "${name}: Debian ${package} ${version}\n")
  endif()
endforeach()

if(PART STREQUAL torch)
  file(GLOB licences ${WHEEL_ROOT}/torch-*.dist-info ${WHEEL_ROOT}/nvidia_cuda_runtime-*.dist-info
    ${WHEEL_ROOT}/nvidia_cuda_cupti-*.dist-info)
  foreach(folder IN LISTS licences)
    get_filename_component(name ${folder} NAME_WE)
    file(INSTALL ${folder}/licenses/ DESTINATION ${LICENCE_DIR}/${name})
  endforeach()
  # Headers of theirs are in the program itself.
  keep_licence(nlohmann-json3-dev)
  keep_licence(libcli11-dev)
endif()
file(WRITE $ENV{DESTDIR}${LICENCE_DIR}/${PART}-libraries.txt "${lines}")
