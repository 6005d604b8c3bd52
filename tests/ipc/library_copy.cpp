#include "tests/ipc/library_copy.hpp"

#include <map>
#include <optional>
#include <string>

#include <tenure/tenure.hpp>

namespace {

struct Copy {
  std::optional<tenure::Space> space;
  std::map<std::string, tenure::Lease> leases;
  tenure::AcquireError error{};
};
Copy& copy() {
  static Copy instance;
  return instance;
}

}  // namespace

#define TENURE_COPY __attribute__((visibility("default")))

extern "C" {

TENURE_COPY std::uint64_t copy_acquire(const char* directory, const char* name, std::int64_t timeout_ms) {
  if (!copy().space) {
    tenure::Space::Options options;
    options.name = directory;
    auto space = tenure::Space::open(options);
    if (!space) return 0;
    copy().space.emplace(std::move(*space));
  }
  auto lease = timeout_ms < 0 ? copy().space->try_acquire(name) : copy().space->acquire_for(name, std::chrono::milliseconds(timeout_ms));
  if (!lease) {
    copy().error = lease.error();
    return 0;
  }
  const std::uint64_t token = lease->token();
  copy().leases[name] = std::move(*lease);
  return token;
}

TENURE_COPY int copy_release(const char* name) { return copy().leases[name].release() ? 1 : 0; }
TENURE_COPY int copy_still_held(const char* name) { return copy().leases[name].still_held() ? 1 : 0; }
TENURE_COPY int copy_last_error() { return static_cast<int>(copy().error); }
TENURE_COPY void copy_close() {
  copy().leases.clear();
  copy().space.reset();
}

}  // extern "C"
