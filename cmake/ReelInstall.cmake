# What `cmake --install` puts where. Components: program (bin, docs, completions), model (the bundled
# one), library (public headers, static libraries, the package config).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(TARGETS sparsereel RUNTIME COMPONENT program)
if(REEL_PACKAGE)
  include(ReelPackage)
else()
  get_filename_component(torch_dir ${Torch_torch_cpu_LIBRARY} DIRECTORY)
  set_target_properties(sparsereel PROPERTIES
    INSTALL_RPATH ${torch_dir} INSTALL_RPATH_USE_LINK_PATH ON)
endif()

install(FILES LICENSE README.md CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT program)
install(DIRECTORY docs DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT program)
install(DIRECTORY prompts DESTINATION ${CMAKE_INSTALL_DATADIR}/sparsereel COMPONENT program)
install(DIRECTORY models/demo DESTINATION ${CMAKE_INSTALL_DATADIR}/sparsereel/models
  COMPONENT model)

# Where each shell looks for completions; the program itself knows them.
set(REEL_ZSH_COMPLETIONS ${CMAKE_INSTALL_DATADIR}/zsh/site-functions CACHE STRING
  "folder of zsh's completions, below the prefix")
set(completions ${PROJECT_BINARY_DIR}/completions)
foreach(shell bash zsh fish)
  install(CODE "
    file(MAKE_DIRECTORY \"${completions}\")
    execute_process(COMMAND \"$<TARGET_FILE:sparsereel>\" completions ${shell}
      OUTPUT_FILE \"${completions}/${shell}\" COMMAND_ERROR_IS_FATAL ANY)"
    COMPONENT program)
endforeach()
install(FILES ${completions}/bash RENAME sparsereel COMPONENT program
  DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(FILES ${completions}/zsh RENAME _sparsereel COMPONENT program
  DESTINATION ${REEL_ZSH_COMPLETIONS})
install(FILES ${completions}/fish RENAME sparsereel.fish COMPONENT program
  DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)

# The library's interface: tools/check_includes.py holds this list to what text_to_video.h includes.
set(public_headers
  attention/schedule_options.h
  core/error.h
  core/output_file.h
  core/problems.h
  media/encoder_plan.h
  media/frame_sink.h
  pipeline/clip_options.h
  pipeline/compute_choice.h
  pipeline/text_to_video.h)
foreach(header IN LISTS public_headers)
  get_filename_component(folder ${header} DIRECTORY)
  install(FILES ${header} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/sparsereel/${folder}
    COMPONENT library)
endforeach()
get_property(kernels GLOBAL PROPERTY REEL_KERNELS)
install(TARGETS reel_core reel_weights reel_schedulers reel_attention reel_text_encoder reel_dit
    reel_vae reel_media reel_pipeline ${kernels}
  EXPORT SparseReel
  ARCHIVE COMPONENT library
  INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/sparsereel)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/SparseReel)
install(EXPORT SparseReel FILE SparseReelTargets.cmake NAMESPACE reel:: DESTINATION ${package_dir}
  COMPONENT library)
configure_package_config_file(cmake/SparseReelConfig.cmake.in
  ${PROJECT_BINARY_DIR}/SparseReelConfig.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/SparseReelConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/SparseReelConfig.cmake
    ${PROJECT_BINARY_DIR}/SparseReelConfigVersion.cmake cmake/FindTorch.cmake
  DESTINATION ${package_dir} COMPONENT library)
