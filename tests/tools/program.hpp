// Runs the real program, and watches what is left of it.
//
// Every test has a space of its own (Scratch), ends its own processes by their ids (Process), and waits for a condition, never for a time.
#pragma once

#include <sys/types.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace tenure::tests {

using Arguments = std::vector<std::string>;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool is_sanitized = true;
#elif defined(__has_feature)
inline constexpr bool is_sanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
inline constexpr bool is_sanitized = false;
#endif

// A directory that ends with the test, with the directory of a space in it.
class Scratch {
 public:
  Scratch();
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  [[nodiscard]] std::string path(const std::string& file) const { return directory_ + "/" + file; }
  [[nodiscard]] std::string space() const { return path("space"); }
  // Any user may make files in it, and its space is that user's.
  void open_to_all() const;
  [[nodiscard]] std::string read(const std::string& file) const;
  // The arguments of `tenure COMMAND --space ... REST`.
  [[nodiscard]] Arguments tenure(const std::string& command, const Arguments& rest) const;
  [[nodiscard]] Arguments run(const Arguments& rest) const { return tenure("run", rest); }

 private:
  std::string directory_;
};

struct Ended {
  int exit = -1;  // -1: by a signal
  int signal = 0;
  std::string out;
  std::string err;
  [[nodiscard]] bool operator==(int status) const { return exit == status; }
};

// A child process in a session of its own, without a terminal. The destructor kills it.
class Process {
 public:
  // `prepare` runs in the child before the exec.
  explicit Process(const Arguments& arguments, std::string input = {}, const std::function<void()>& prepare = {});
  Process(Process&& other) noexcept;
  Process& operator=(Process&&) = delete;
  ~Process();
  [[nodiscard]] pid_t pid() const { return pid_; }
  void send(int signal) const;
  // Waits for its end and for that of its output; at most half a minute, and then the test has failed.
  Ended wait();
  [[nodiscard]] bool has_ended();
  // The process between this one and the command.
  [[nodiscard]] pid_t guard() const;

 private:
  pid_t pid_ = -1;
  int out_ = -1;  // files without a name, so that nothing waits for a reader
  int err_ = -1;
  int status_ = -1;
  bool reaped_ = false;
};

Ended run_to_end(const Arguments& arguments, std::string input = {}, const std::function<void()>& prepare = {});

// A pipe whose ends no other program inherits.
class Pipe {
 public:
  Pipe();
  ~Pipe();
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  [[nodiscard]] int reader() const { return ends_[0]; }
  [[nodiscard]] int writer() const { return ends_[1]; }
  void close_reader() { close_end(0); }
  void close_writer() { close_end(1); }
  // Until it takes no more.
  void fill() const;
  // Takes what is there.
  std::string drain() const;

 private:
  void close_end(std::size_t end);
  std::array<int, 2> ends_{-1, -1};
};

// For `prepare` of a Process: the program finds the descriptor under that number.
void give_as(int descriptor, int as);

// Waits until it is true, at most half a minute.
[[nodiscard]] bool eventually(const std::function<bool()>& condition);

// An argument that no other process on the host has: the time of a sleep(1) that is to be counted.
[[nodiscard]] std::string unique_sleep();
// Processes that have this as one of their arguments, and are neither zombies nor of the program itself.
[[nodiscard]] std::vector<pid_t> processes_with(const std::string& argument);
[[nodiscard]] int count_left(const std::string& argument);
// As ps(1) shows it: 'T' stopped, 'D' in uninterruptible sleep, 'Z' a zombie; '?' there is none.
[[nodiscard]] char state_of(pid_t process);
[[nodiscard]] pid_t parent_of(pid_t process);
[[nodiscard]] bool has_pending(pid_t process, int signal);
[[nodiscard]] pid_t child_of(pid_t process);  // 0: it has none

// What commands write while they run, in a shared file: who was in, from when to when.
struct Journal {
  struct Visit {
    std::atomic<std::uint64_t> first_ns;
    std::atomic<std::uint64_t> last_ns;  // written all the time while it runs
  };
  static constexpr std::size_t visits_max = 4096;
  std::atomic<std::uint32_t> visits;
  Visit visit[visits_max];
};
[[nodiscard]] Journal* map_journal(const std::string& path);
void munmap_journal(Journal* journal);
// Visits that began before an earlier one wrote for the last time.
[[nodiscard]] int overlaps(const Journal& journal);

// Commands that this test program itself can be: see main() in program.cpp.
[[nodiscard]] Arguments visitor(const std::string& journal_path);        // writes its visit until it is killed
[[nodiscard]] Arguments short_visitor(const std::string& journal_path);  // ... for a fifth of a millisecond
[[nodiscard]] Arguments large_visitor(const std::string& journal_path);  // ... until it is killed, with 512 MiB in small pages
[[nodiscard]] Arguments signal_counter(const std::string& path);         // notes each signal as a line; "ready" first; ends on SIGRTMIN
// What a signal counter has noted after these.
[[nodiscard]] std::string noted(const std::vector<int>& signals);

Arguments operator+(Arguments left, const Arguments& right);

}  // namespace tenure::tests
