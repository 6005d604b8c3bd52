// The canary: a mistake that three bytes reach. A fuzzer that does not find it would find nothing else.
#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size >= 3 && data[0] == 'k' && data[1] == 'e' && data[2] == 'y') __builtin_trap();
  return 0;
}
