// Holds a name while some work is done, and says with which token. The whole program: README shows it.
#include <tenure/tenure.hpp>

#include <cstdio>
#include <string>

int main(int count, char** arguments) {
  tenure::Space::Options options;
  if (count > 1) options.name = arguments[1];  // a directory with a space of its own; else the default space
  auto space = tenure::Space::open(options);
  if (!space) {
    std::fprintf(stderr, "%s\n", space.error().message.c_str());
    return 1;
  }
  auto lease = space->acquire_for("backups/orders", std::chrono::seconds(10));
  if (!lease) {
    std::fprintf(stderr, "backups/orders: %s\n", std::string(to_string(lease.error())).c_str());
    return 1;
  }
  if (lease->previous_holder_died()) std::puts("the one before died at its work: cleaning up after it first");
  std::printf("working under token %llu\n", static_cast<unsigned long long>(lease->token()));
  return 0;  // the lease is released here
}
