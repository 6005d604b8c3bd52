# tenure_fuzz(TARGET SOURCE... [LIBRARIES library...] [RUNS n] [CANARY] [FINDS text] [SIMULATES])
#
# A libFuzzer program and a test of label `fuzz` that makes RUNS tries (100,000 unless told) from a fixed seed, so that it says the same
# every time. CANARY: a program with a mistake in it; its test passes when the fuzzer finds the mistake. FINDS: the same, and it must print
# this text. SIMULATES: without AddressSanitizer, which must be told of each change of stacks by a simulator that was built with it. Hunt
# longer by hand:
#   build/clang19/fuzz/tenure_fuzz_NAME -max_total_time=600
function(tenure_fuzz target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "CANARY;SIMULATES" "RUNS;FINDS" "LIBRARIES")
  if(NOT arg_RUNS)
    set(arg_RUNS 100000)
  endif()
  set(sanitize -fsanitize=fuzzer,undefined)
  if(NOT arg_SIMULATES)
    string(APPEND sanitize ,address)
  endif()
  add_executable(${target} ${arg_UNPARSED_ARGUMENTS})
  tenure_target(${target})
  target_compile_options(${target} PRIVATE ${sanitize} -fno-sanitize-recover=all -UNDEBUG -g)
  target_link_options(${target} PRIVATE ${sanitize})
  target_link_libraries(${target} PRIVATE ${arg_LIBRARIES} Threads::Threads)

  string(REGEX REPLACE "^tenure_fuzz_" "fuzz." test ${target})
  add_test(NAME ${test} COMMAND ${target} -runs=${arg_RUNS} -seed=1 -artifact_prefix=${CMAKE_CURRENT_BINARY_DIR}/)
  set_tests_properties(${test} PROPERTIES LABELS fuzz TIMEOUT 120)
  if(arg_FINDS)
    set_tests_properties(${test} PROPERTIES PASS_REGULAR_EXPRESSION ${arg_FINDS})
  elseif(arg_CANARY)
    set_tests_properties(${test} PROPERTIES PASS_REGULAR_EXPRESSION "SUMMARY: (AddressSanitizer|UndefinedBehaviorSanitizer|libFuzzer)")
  endif()
endfunction()
