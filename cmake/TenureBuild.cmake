# How every target of the project is compiled.

find_package(Threads REQUIRED)

# Our own code, never a user's: warnings are errors only when this is the project that is being built.
add_library(tenure_warnings INTERFACE)
if(PROJECT_IS_TOP_LEVEL)
  target_compile_options(tenure_warnings INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror)
  # gcc 12 sees overlapping copies in std::string's operator+ where there are none (its bug 105329).
  target_compile_options(tenure_warnings INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)
  set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
  if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE Release)
  endif()
  find_program(TENURE_CCACHE ccache)
  mark_as_advanced(TENURE_CCACHE)
  if(TENURE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    set(CMAKE_CXX_COMPILER_LAUNCHER ${TENURE_CCACHE})
  endif()
endif()

# tenure_target(TARGET): C++20, our warnings, and quoted includes that start at the root of the repository ("core/platform.hpp").
function(tenure_target target)
  target_compile_features(${target} PRIVATE cxx_std_20)
  target_include_directories(${target} PRIVATE ${tenure_SOURCE_DIR})
  target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:tenure_warnings>)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
endfunction()
