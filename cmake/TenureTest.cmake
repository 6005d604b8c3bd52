# tenure_test(TARGET LABEL label SOURCES file... [LIBRARIES library...] [TIMEOUT seconds] [ARGUMENTS argument...] [ALONE])
#
# A GoogleTest program. Each of its cases is a test of ctest with the one label that says what it costs and when it runs:
#   unit       no process besides its own, milliseconds                 every build
#   sim        the simulator's daily share                              every build
#   process    forks, kills, seccomp; seconds                           every build
#   fuzz       the fuzz targets, from a fixed seed (TenureFuzz.cmake)   clang19 only
#   rules      the project's own rules                                  release only
#   packaging  installs the build and compiles an outsider against it   release only
#   storm      kill storms                                              release, in a part of its own
#   soak       the long hunts                                           only by `tools/check --soak`
# ALONE: nothing else runs beside its cases.
#
# The target tenure_tests_LABEL builds what the tests of one label run, for a configuration in which no other is run.
include(GoogleTest)
find_package(GTest REQUIRED)

set(TENURE_TEST_LABELS unit sim process rules packaging storm soak)
foreach(label IN LISTS TENURE_TEST_LABELS)
  add_custom_target(tenure_tests_${label})
endforeach()

function(tenure_test target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "ALONE" "LABEL;TIMEOUT" "SOURCES;LIBRARIES;ARGUMENTS")
  if(NOT arg_LABEL IN_LIST TENURE_TEST_LABELS)
    message(FATAL_ERROR "tenure_test(${target}): LABEL is one of ${TENURE_TEST_LABELS}")
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 60)
  endif()
  add_executable(${target} ${arg_SOURCES})
  tenure_target(${target})
  target_link_libraries(${target} PRIVATE ${arg_LIBRARIES} GTest::gtest_main Threads::Threads)
  add_dependencies(tenure_tests_${arg_LABEL} ${target})
  string(REGEX REPLACE "^tenure_(.*)_test$" "\\1." prefix ${target})
  set(properties LABELS ${arg_LABEL} TIMEOUT ${arg_TIMEOUT})
  if(arg_ALONE)
    list(APPEND properties RUN_SERIAL ON)
  endif()
  gtest_discover_tests(${target}
    TEST_PREFIX ${prefix}
    DISCOVERY_MODE PRE_TEST
    DISCOVERY_TIMEOUT 60
    EXTRA_ARGS ${arg_ARGUMENTS}
    PROPERTIES ${properties})
endfunction()
