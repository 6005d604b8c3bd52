# tenure_fuzz(TARGET SOURCE [LIBRARIES library...] [RUNS n] [CANARY])
#
# A libFuzzer program and a test of label `fuzz` that makes RUNS tries (100,000 unless told) from a fixed seed, so that it says the same
# every time. CANARY: a program with a mistake in it; its test passes when the fuzzer finds the mistake. Hunt longer by hand:
#   build/clang19/fuzz/tenure_fuzz_NAME -max_total_time=600
function(tenure_fuzz target source)
  cmake_parse_arguments(PARSE_ARGV 2 arg "CANARY" "RUNS" "LIBRARIES")
  if(NOT arg_RUNS)
    set(arg_RUNS 100000)
  endif()
  add_executable(${target} ${source})
  tenure_target(${target})
  target_compile_options(${target} PRIVATE -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -UNDEBUG -g)
  target_link_options(${target} PRIVATE -fsanitize=fuzzer,address,undefined)
  target_link_libraries(${target} PRIVATE ${arg_LIBRARIES} Threads::Threads)

  string(REGEX REPLACE "^tenure_fuzz_" "fuzz." test ${target})
  add_test(NAME ${test} COMMAND ${target} -runs=${arg_RUNS} -seed=1 -artifact_prefix=${CMAKE_CURRENT_BINARY_DIR}/)
  set_tests_properties(${test} PROPERTIES LABELS fuzz TIMEOUT 120)
  if(arg_CANARY)
    set_tests_properties(${test} PROPERTIES PASS_REGULAR_EXPRESSION "SUMMARY: (AddressSanitizer|UndefinedBehaviorSanitizer|libFuzzer)")
  endif()
endfunction()
