// Ours and the peers: as they are, for loops of nanoseconds; behind one interface, for what processes do to each other.
#pragma once

#include <pthread.h>
#include <sys/file.h>

#include <cerrno>
#include <functional>
#include <memory>
#include <string>

#include <tenure/tenure.hpp>

#include "bench/harness.hpp"
#include "bench/processes.hpp"

namespace tenure::bench {

[[nodiscard]] Space open_space(const std::string& directory, std::uint32_t names = 0);
[[nodiscard]] Name resolve(Space& space, std::string_view name);

// A process-shared mutex, robust unless told otherwise.
class SharedMutex {
 public:
  explicit SharedMutex(bool robust = true);
  void lock() {
    if (const int error = pthread_mutex_lock(&*mutex_); error != 0) [[unlikely]]
      recover(error);
  }
  void unlock() { pthread_mutex_unlock(&*mutex_); }

 private:
  [[gnu::cold]] void recover(int error);
  Shared<pthread_mutex_t> mutex_;
};

// flock(2) on a descriptor of this object's own.
class FileLock {
 public:
  explicit FileLock(const std::string& path);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  void lock() const {
    if (flock(descriptor_, LOCK_EX) != 0) [[unlikely]]
      fail("flock");
  }
  void unlock() const { flock(descriptor_, LOCK_UN); }

 private:
  int descriptor_;
};

class Lock {
 public:
  Lock() = default;
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;
  virtual ~Lock() = default;
  virtual void acquire() = 0;
  virtual void release() = 0;
};

// Called in each process that uses the lock, after the fork.
using MakeLock = std::function<std::unique_ptr<Lock>()>;

[[nodiscard]] MakeLock tenure_lock(const TemporaryDirectory& directory);
[[nodiscard]] MakeLock file_lock(const TemporaryDirectory& directory);
[[nodiscard]] MakeLock robust_mutex(SharedMutex& mutex);

}  // namespace tenure::bench
