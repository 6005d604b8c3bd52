# Installs the library, its headers, its CMake package, its pkg-config file, the simulator with the same, and the program with its man pages
# and completions.
include(CMakePackageConfigHelpers)

set(TENURE_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/tenure)

install(TARGETS tenure EXPORT tenureTargets)
install(EXPORT tenureTargets NAMESPACE tenure:: DESTINATION ${TENURE_CMAKE_DIR})
install(DIRECTORY core/include/ ipc/include/ TYPE INCLUDE FILES_MATCHING PATTERN "*.hpp" PATTERN "*.h")
if(TARGET tenure_sim)
  install(TARGETS tenure_sim EXPORT tenureSimTargets)
  install(EXPORT tenureSimTargets NAMESPACE tenure:: DESTINATION ${TENURE_CMAKE_DIR})
  install(FILES cmake/TenureSimulation.cmake DESTINATION ${TENURE_CMAKE_DIR})
  install(DIRECTORY sim/include/ TYPE INCLUDE FILES_MATCHING PATTERN "*.hpp")
endif()
if(TARGET tenure_program)
  install(TARGETS tenure_program)
  if(TARGET tenure_sim_program)
    install(TARGETS tenure_sim_program RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/tenure)
  endif()
  install(FILES ${TENURE_MAN_PAGES} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
  # Where each shell looks for the completions of a program when they are first asked for. Debian's zsh looks for those of packages, whose
  # prefix is /usr, in share/zsh/vendor-completions.
  set(TENURE_ZSH_DIR ${CMAKE_INSTALL_DATADIR}/zsh/site-functions CACHE STRING "Where the completion for zsh goes, below the prefix")
  mark_as_advanced(TENURE_ZSH_DIR)
  install(FILES tools/completions/tenure.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME tenure)
  install(FILES tools/completions/_tenure DESTINATION ${TENURE_ZSH_DIR})
  install(FILES tools/completions/tenure.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
endif()

configure_package_config_file(cmake/tenureConfig.cmake.in tenureConfig.cmake INSTALL_DESTINATION ${TENURE_CMAKE_DIR})
# Before 1.0 every minor version may change the interface.
write_basic_package_version_file(tenureConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/tenureConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/tenureConfigVersion.cmake
  DESTINATION ${TENURE_CMAKE_DIR})

# The file finds its prefix from its own place, so that an installed tree can be moved.
file(RELATIVE_PATH TENURE_PC_PREFIX ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" TENURE_PC_PREFIX ${TENURE_PC_PREFIX})
set(TENURE_PC tenure)
if(TARGET tenure_sim)
  list(APPEND TENURE_PC tenure-sim)
endif()
foreach(pc IN LISTS TENURE_PC)
  configure_file(cmake/${pc}.pc.in ${pc}.pc @ONLY)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/${pc}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endforeach()
