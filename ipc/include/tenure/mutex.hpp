// A Mutex over a name: for std::unique_lock, std::lock_guard and std::scoped_lock. Satisfies TimedLockable.
//
//   tenure::Mutex mutex(space, "reports/daily");
//   std::unique_lock lock(mutex);
//   fence_the_database(mutex.lease().token());
//
//   state \ call   lock()        try_lock()   try_lock_for()   unlock()
//   not held       waits         true/false   true/false       undefined
//   held by self   undefined     undefined    undefined        releases
//
// Thread safety: as std::mutex between threads and between processes, but the thread that locked is the one that unlocks. Not recursive.
// Errors that are no conflict throw std::system_error, as std::mutex does. Strict contract: a holder that dies is replaced at once.
#pragma once

#include <chrono>
#include <string_view>

#include <tenure/space.hpp>

namespace tenure {

class TENURE_API Mutex {
 public:
  // Throws std::system_error if the name is bad or finds no room.
  Mutex(Space& space, std::string_view name);
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void lock();
  [[nodiscard]] bool try_lock();
  void unlock();

  template <class Rep, class Period>
  [[nodiscard]] bool try_lock_for(const std::chrono::duration<Rep, Period>& timeout) {
    return lock_until(std::chrono::steady_clock::now() + std::chrono::ceil<std::chrono::steady_clock::duration>(timeout));
  }
  template <class Clock, class Duration>
  [[nodiscard]] bool try_lock_until(const std::chrono::time_point<Clock, Duration>& deadline) {
    return try_lock_for(deadline - Clock::now());
  }

  // The lease while locked: its token, its loss callback, whether the holder before died. REQUIRES: held by the caller.
  [[nodiscard]] Lease& lease() { return lease_; }

 private:
  bool lock_until(std::chrono::steady_clock::time_point deadline);
  Name name_;
  Lease lease_;
};

}  // namespace tenure
