// The descriptors that the caller of the program has given it.
#pragma once

#include <string>

namespace tenure::tools {

// A descriptor 0 to 2 that is closed would be taken by the next file that is opened, and written to: it becomes /dev/null. A command that
// is started finds it closed again. REQUIRES: nothing has been opened yet.
void fill_standard_descriptors();

// Whether the caller had this one of 0 to 2 open.
[[nodiscard]] bool came_open(int standard_descriptor);

// Empty, or why the caller's descriptor cannot be written to.
[[nodiscard]] std::string why_not_writable(int descriptor);

}  // namespace tenure::tools
