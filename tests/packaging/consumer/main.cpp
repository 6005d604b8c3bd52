// consumer DIRECTORY: what a user of the installed library writes first.
#include <tenure/tenure.hpp>

#include <cstdio>

int main(int argc, char** argv) {
  if (argc != 2) return 64;
  auto space = tenure::Space::open({.name = argv[1]});
  if (!space) {
    std::fprintf(stderr, "consumer: %s\n", space.error().message.c_str());
    return 1;
  }
  auto lease = space->acquire("backups/orders");
  if (!lease) {
    std::fprintf(stderr, "consumer: %s\n", tenure::to_string(lease.error()).data());
    return 1;
  }
  std::printf("%llu\n", static_cast<unsigned long long>(lease->token()));
  return lease->release() ? 0 : 1;
}
