// What a plug-in that has the library linked into itself offers. The test loads the plug-in twice.
#pragma once

#include <cstdint>

extern "C" {
// Opens the space in a directory, and acquires. 0: no. Negative timeouts only try.
std::uint64_t copy_acquire(const char* directory, const char* name, std::int64_t timeout_ms);
int copy_release(const char* name);     // 1: it was held
int copy_still_held(const char* name);  // 1: yes
int copy_last_error();                  // of copy_acquire: an AcquireError
void copy_close();                      // gives every lease and space back
}
