#include <tenure/mutex.hpp>

#include <system_error>
#include <utility>

#include "ipc/space_core.hpp"

namespace tenure {

namespace {
[[noreturn]] void refuse(AcquireError error, std::string_view name) {
  const std::errc code = error == AcquireError::bad_name     ? std::errc::invalid_argument
                         : error == AcquireError::space_full ? std::errc::resource_unavailable_try_again
                         : error == AcquireError::system     ? std::errc::not_enough_memory
                                                             : std::errc::state_not_recoverable;
  throw std::system_error(std::make_error_code(code), "tenure::Mutex \"" + std::string(name) + "\": " + std::string(to_string(error)));
}

Name resolved(Space& space, std::string_view name) {
  auto result = space.resolve(name);
  if (!result.has_value()) refuse(result.error(), name);
  return *result;
}
}  // namespace

Mutex::Mutex(Space& space, std::string_view name) : name_(resolved(space, name)) {}

void Mutex::lock() {
  auto lease = name_.acquire();
  if (!lease.has_value()) refuse(lease.error(), name_.text());
  lease_ = std::move(*lease);
}

bool Mutex::try_lock() {
  auto lease = name_.try_acquire();
  if (lease.has_value()) {
    lease_ = std::move(*lease);
    return true;
  }
  if (lease.error() != AcquireError::busy) refuse(lease.error(), name_.text());
  return false;
}

bool Mutex::lock_until(std::chrono::steady_clock::time_point deadline) {
  auto lease = name_.acquire_until(deadline);
  if (lease.has_value()) {
    lease_ = std::move(*lease);
    return true;
  }
  if (lease.error() != AcquireError::timed_out) refuse(lease.error(), name_.text());
  return false;
}

// Out of the object first: the next holder, another thread perhaps, stores its own there as soon as the name is free.
void Mutex::unlock() {
  Lease mine = std::move(lease_);
  mine.release();
}

}  // namespace tenure
