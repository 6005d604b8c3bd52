// The version of the library that the program runs with, which may be newer than the one it was compiled with.
#pragma once

#include <tenure/export.hpp>

namespace tenure {

// "MAJOR.MINOR.PATCH"; lives as long as the program.
TENURE_API const char* version() noexcept;

}  // namespace tenure
