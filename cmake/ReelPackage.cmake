# What packages carry beside the rest, and how CPack makes them (scripts/package). Components: torch
# (LibTorch's libraries), system (all others but glibc's). The .deb has the first, because Debian
# has the others; the archive has both.
if(REEL_CUDA)
  message(FATAL_ERROR "packages are for CPUs: NVIDIA's libraries would make them gigabytes;"
    " configure with -DREEL_CUDA=OFF (docs/PACKAGES.md says how GPUs are served)")
endif()

set(private_dir lib/sparsereel)
# An old-style RPATH holds for libraries of libraries too, which is what makes the archive whole.
target_link_options(sparsereel PRIVATE -Wl,--disable-new-dtags)
set_target_properties(sparsereel PROPERTIES
  BUILD_WITH_INSTALL_RPATH OFF INSTALL_RPATH "\$ORIGIN/../${private_dir}")

get_filename_component(wheel_root ${Torch_INCLUDE_DIR}/../.. REALPATH)
foreach(component torch system)
  install(CODE "
    set(PROGRAM \"$<TARGET_FILE:sparsereel>\")
    set(WHEEL_ROOT \"${wheel_root}\")
    set(STRIP \"${CMAKE_STRIP}\")
    set(PART ${component})
    set(LIBRARY_DIR \"\${CMAKE_INSTALL_PREFIX}/${private_dir}\")
    set(LICENCE_DIR \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_DOCDIR}/third-party\")
    include(\"${PROJECT_SOURCE_DIR}/cmake/CarryLibraries.cmake\")"
    COMPONENT ${component})
endforeach()

set(CPACK_PACKAGE_NAME sparsereel)
set(CPACK_PACKAGE_VENDOR "SparseReel")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_PACKAGE_FILE_NAME sparsereel-${PROJECT_VERSION}-linux-x86_64-cpu)
set(CPACK_PACKAGE_DIRECTORY ${PROJECT_BINARY_DIR}/packages)
set(CPACK_VERBATIM_VARIABLES ON)
set(CPACK_GENERATOR TGZ DEB) # xz would take minutes
set(CPACK_PROJECT_CONFIG_FILE ${PROJECT_SOURCE_DIR}/cmake/PackageComponents.cmake)
set(CPACK_COMPONENTS_GROUPING ALL_COMPONENTS_IN_ONE)
set(CPACK_ARCHIVE_COMPONENT_INSTALL ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_MAINTAINER "SparseReel <packages@sparsereel.invalid>")
set(CPACK_DEBIAN_PACKAGE_SECTION video)
set(CPACK_DEBIAN_COMPRESSION_TYPE zstd) # 600 MB in seconds instead of minutes
# FFmpeg, OpenCV and the rest from the libraries that the program needs.
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
file(GLOB nvidia_dirs ${wheel_root}/nvidia/*/lib)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${wheel_root}/torch/lib ${nvidia_dirs})
include(CPack)
