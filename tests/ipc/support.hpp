// What the tests of ipc/ share: directories that vanish, child processes, and a kernel that says no.
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "ipc/open_fault.hpp"

namespace tenure::ipc::testing {

using namespace std::chrono_literals;

#if defined(__SANITIZE_THREAD__)
#define TENURE_UNDER_THREAD_SANITIZER 1
#elif defined(__SANITIZE_ADDRESS__)
#define TENURE_UNDER_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TENURE_UNDER_THREAD_SANITIZER 1
#elif __has_feature(address_sanitizer)
#define TENURE_UNDER_ADDRESS_SANITIZER 1
#endif
#endif

// How a process ends that gets a SIGBUS with no handler of ours: a sanitizer's handler says what it saw, and exits.
#if defined(TENURE_UNDER_THREAD_SANITIZER)
inline constexpr int end_by_bus_error = 66;
#elif defined(TENURE_UNDER_ADDRESS_SANITIZER)
inline constexpr int end_by_bus_error = 1;
#else
inline constexpr int end_by_bus_error = -SIGBUS;
#endif

// A directory of mode 0755 that is removed with all that is in it.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    char path[] = "/tmp/tenure-test-XXXXXX";
    path_ = mkdtemp(path);
    chmod(path, 0755);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() {
    if (owner_ == getpid()) remove_tree(path_);
  }
  [[nodiscard]] std::string operator/(const std::string& name) const { return path_ + '/' + name; }
  [[nodiscard]] const std::string& path() const { return path_; }

  static void remove_tree(const std::string& path) { (void)!std::system(("rm -rf -- '" + path + "'").c_str()); }

 private:
  std::string path_;
  pid_t owner_ = getpid();
};

// A value in memory that child processes share.
template <class T>
class Shared {
 public:
  Shared() {
    void* memory = mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    value_ = static_cast<T*>(memory);  // zeros, which is what all the T here start from
  }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  ~Shared() { munmap(value_, sizeof(T)); }
  T& operator*() const { return *value_; }
  T* operator->() const { return value_; }

 private:
  T* value_;
};

// A forked child that runs a function and exits with what it returns; killed and reaped with this object.
class Child {
 public:
  explicit Child(const std::function<int()>& body) {
    std::fflush(nullptr);
    pid_ = fork();
    if (pid_ != 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    _exit(body());
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ <= 0) return;
    kill();
    (void)wait();
  }
  [[nodiscard]] pid_t pid() const { return pid_; }
  void kill(int signal_number = SIGKILL) const {
    if (pid_ > 0) ::kill(pid_, signal_number);
  }
  // The exit status, or minus the signal.
  int wait() {
    int status = 0;
    if (pid_ <= 0 || waitpid(std::exchange(pid_, -1), &status, 0) < 0) return -1000;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

 private:
  pid_t pid_ = -1;
};

inline int in_child(const std::function<int()>& body) { return Child(body).wait(); }

// Waits, far longer than it ever takes, for something to become true.
template <class Condition>
[[nodiscard]] bool eventually(Condition&& condition) {
  for (int i = 0; i < 10'000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(1ms);
  }
  return false;
}

[[noreturn]] inline void sleep_until_killed() {
  for (;;) pause();
}

// From now on the kernel answers EPERM to these system calls in this process: what containers do.
inline bool forbid_system_calls(const std::vector<std::uint32_t>& numbers) {
  std::vector<sock_filter> program;
  program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)));
  for (const std::uint32_t number : numbers) {
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1));
    program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM));
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

inline std::string text_of(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

inline void write_text(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::trunc) << text; }

// The value, or a failure of the test with the fault's own words.
template <class T>
T value_of(Opened<T> opened) {
  if (const OpenFault* fault = fault_in(opened)) {
    ADD_FAILURE() << "unexpected fault " << static_cast<int>(fault->code) << ": " << fault->message;
    std::abort();
  }
  return std::move(std::get<T>(opened));
}

template <class T>
OpenFault fault_of_opened(const Opened<T>& opened) {
  const OpenFault* fault = fault_in(opened);
  return fault != nullptr ? *fault : OpenFault{static_cast<FaultCode>(0), "no fault"};
}

inline bool is_root() { return geteuid() == 0; }

}  // namespace tenure::ipc::testing

#define TENURE_NEEDS_ROOT() \
  if (!is_root()) GTEST_SKIP() << "needs root, to be several users"
