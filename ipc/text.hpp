// Sentences for faults.
#pragma once

#include <cstdarg>
#include <cstdio>
#include <string>

namespace tenure::ipc {

// As printf, at most 1023 bytes.
[[gnu::format(printf, 1, 2)]] [[nodiscard]] inline std::string formatted(const char* format, ...) {
  char buffer[1024];
  va_list arguments;
  va_start(arguments, format);
  const int length = std::vsnprintf(buffer, sizeof buffer, format, arguments);
  va_end(arguments);
  return length < 0 ? std::string(format) : std::string(buffer);
}

}  // namespace tenure::ipc
