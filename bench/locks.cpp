#include "bench/locks.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <utility>

namespace tenure::bench {
namespace {

class TenureLock : public Lock {
 public:
  explicit TenureLock(const std::string& directory) : space_(open_space(directory)), name_(resolve(space_, "bench/lock")) {}
  void acquire() override {
    auto lease = name_.acquire();
    if (!lease) fail(to_string(lease.error()));
    lease_ = std::move(*lease);
  }
  void release() override { lease_.release(); }

 private:
  Space space_;
  Name name_;
  Lease lease_;
};

class FlockLock : public Lock {
 public:
  explicit FlockLock(const std::string& path) : file_(path) {}
  void acquire() override { file_.lock(); }
  void release() override { file_.unlock(); }

 private:
  FileLock file_;
};

class MutexLock : public Lock {
 public:
  explicit MutexLock(SharedMutex& mutex) : mutex_(mutex) {}
  void acquire() override { mutex_.lock(); }
  void release() override { mutex_.unlock(); }

 private:
  SharedMutex& mutex_;
};

}  // namespace

Space open_space(const std::string& directory, std::uint32_t names) {
  Space::Options options;
  options.name = directory;
  options.names = names;
  auto space = Space::open(options);
  errno = 0;
  if (!space) fail(space.error().message);
  return std::move(*space);
}

Name resolve(Space& space, std::string_view name) {
  auto resolved = space.resolve(name);
  errno = 0;
  if (!resolved) fail(to_string(resolved.error()));
  return std::move(*resolved);
}

SharedMutex::SharedMutex(bool robust) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  if (robust) pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  if (pthread_mutex_init(&*mutex_, &attributes) != 0) fail("pthread_mutex_init");
  pthread_mutexattr_destroy(&attributes);
}

void SharedMutex::recover(int error) {
  if (error != EOWNERDEAD || pthread_mutex_consistent(&*mutex_) != 0) fail("pthread_mutex_lock");
}

FileLock::FileLock(const std::string& path) : descriptor_(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {
  if (descriptor_ < 0) fail("open " + path);
}

FileLock::~FileLock() { close(descriptor_); }

MakeLock tenure_lock(const TemporaryDirectory& directory) {
  return [path = directory.path() + "/space"] { return std::make_unique<TenureLock>(path); };
}

MakeLock file_lock(const TemporaryDirectory& directory) {
  return [path = directory.path() + "/flock"] { return std::make_unique<FlockLock>(path); };
}

MakeLock robust_mutex(SharedMutex& mutex) {
  return [&mutex] { return std::make_unique<MutexLock>(mutex); };
}

}  // namespace tenure::bench
