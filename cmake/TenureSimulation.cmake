# Installed too: find_package(tenure COMPONENTS sim) brings it.
#
# tenure_add_simulation(NAME name SOURCES file... [TARGETS target...] [BUDGET duration] [EXPECT_BUG property])
# tenure_add_simulation(NAME name PROGRAM program [TARGETS target...] [BUDGET duration] [EXPECT_BUG property])
#
# A program that simulates, with a main() by TENURE_SIM_MAIN, and a test of ctest that hunts with it: in the targets that are named, or in
# all that the program has, for BUDGET in all (10s unless told; 500ms, 2m). The test fails when a property fails, and shows the run and the
# command that replays it. EXPECT_BUG: the test passes when the hunt finds a failure of just this property, which shows that it can find
# one. The second form is one more test of a program that is there. Tests need enable_testing(), or include(CTest), at the top.
#
#   tenure_add_simulation(NAME my-lock SOURCES my_lock.cpp)
#   tenure_add_simulation(NAME my-lock-canary PROGRAM my-lock TARGETS my-lock-broken BUDGET 30s EXPECT_BUG exclusion)
function(tenure_add_simulation)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME;PROGRAM;BUDGET;EXPECT_BUG" "SOURCES;TARGETS")
  if(arg_UNPARSED_ARGUMENTS OR arg_KEYWORDS_MISSING_VALUES)
    message(FATAL_ERROR "tenure_add_simulation: what is ${arg_UNPARSED_ARGUMENTS} ${arg_KEYWORDS_MISSING_VALUES}?")
  endif()
  if(NOT arg_NAME OR (arg_SOURCES AND arg_PROGRAM) OR NOT (arg_SOURCES OR arg_PROGRAM))
    message(FATAL_ERROR "tenure_add_simulation: NAME and one of SOURCES and PROGRAM are needed")
  endif()
  if(NOT arg_BUDGET)
    set(arg_BUDGET 10s)
  endif()
  if(NOT arg_BUDGET MATCHES "^[0-9.]+(ms|s|m|h)?$")
    message(FATAL_ERROR "tenure_add_simulation(${arg_NAME}): BUDGET is a duration like 10s, 500ms or 2m")
  endif()
  if(arg_SOURCES)
    add_executable(${arg_NAME} ${arg_SOURCES})
    target_link_libraries(${arg_NAME} PRIVATE tenure::sim)
    set(arg_PROGRAM ${arg_NAME})
  endif()
  add_test(NAME ${arg_NAME} COMMAND ${arg_PROGRAM} hunt ${arg_TARGETS} --budget ${arg_BUDGET})
  if(arg_EXPECT_BUG)
    set_tests_properties(${arg_NAME} PROPERTIES PASS_REGULAR_EXPRESSION "FAILED (property=)?${arg_EXPECT_BUG}[ \n]")
  endif()
endfunction()
