// Children, memory that they share, and directories that go away.
#pragma once

#include <sys/mman.h>
#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <new>
#include <string>

#include "bench/harness.hpp"

namespace tenure::bench {

// One T that this process and the children that it forks later have in common. T needs no destructor.
template <class T>
class Shared {
 public:
  Shared() {
    void* const place = mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (place == MAP_FAILED) fail("mmap");
    object_ = new (place) T;
  }
  ~Shared() { munmap(object_, sizeof(T)); }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  T& operator*() const { return *object_; }
  T* operator->() const { return object_; }

 private:
  T* object_;
};

// A forked child that does `work` and ends without any clean-up, as killed processes do. It never outlives this object.
class Child {
 public:
  explicit Child(const std::function<void()>& work);
  Child(Child&& other) noexcept;
  Child& operator=(Child&&) = delete;
  Child(const Child&) = delete;
  ~Child();

  [[nodiscard]] pid_t id() const { return id_; }
  void kill() const;
  void join();  // fails if the child failed
  // Processor time of all its threads so far, user and system.
  [[nodiscard]] std::uint64_t processor_ns() const;
  // Returns when its main thread sleeps in the kernel.
  void wait_until_asleep() const;

 private:
  pid_t id_;
};

void run_on(int processor);  // this thread, and those that it starts
[[nodiscard]] int processors();

// Looks every 100 us, which costs the others nothing. Fails after a minute.
void wait_until(const std::function<bool()>& condition);

class TemporaryDirectory {
 public:
  TemporaryDirectory();  // in memory where there is a tmpfs
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace tenure::bench
