// Real processes on a stage: children that are started, stopped, killed and asked, so that a test reads like the script of a play.
//
//   Stage stage;
//   Actor a = stage.actor(), b = stage.actor();
//   ASSERT_TRUE(a.acquires("x").ok);
//   b.begins_to_acquire("x");
//   ASSERT_TRUE(stage.queue_of("x", 1));
//   a.dies();
//   EXPECT_TRUE(b.answers().previous_holder_died);
//
// Every process dies with the test's own. Every wait has a bound that is generous: passing never depends on how fast anything is.
#pragma once

#include <signal.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <tenure/tenure.hpp>

namespace tenure::test {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

inline constexpr seconds patience{20};       // for what must happen, on the slowest machine
inline constexpr milliseconds a_while{300};  // for what must not happen

#if defined(__has_feature)
#define TENURE_TEST_HAS(feature) __has_feature(feature)
#else
#define TENURE_TEST_HAS(feature) 0
#endif
#if defined(__SANITIZE_THREAD__) || TENURE_TEST_HAS(thread_sanitizer)
inline constexpr bool thread_sanitized = true;
#else
inline constexpr bool thread_sanitized = false;
#endif
#if defined(__SANITIZE_ADDRESS__) || TENURE_TEST_HAS(address_sanitizer)
inline constexpr bool sanitized = true;
#else
inline constexpr bool sanitized = thread_sanitized;
#endif

// Asks again and again, every millisecond, until the answer is yes. False: it never was.
[[nodiscard]] bool eventually(const std::function<bool()>& question, nanoseconds within = patience);

// "x" and 7 make "x7".
[[nodiscard]] std::string numbered(std::string_view prefix, long long number);

// Milliseconds since `since`, for figures that are printed and never judged.
[[nodiscard]] double milliseconds_since(std::chrono::steady_clock::time_point since);

// A directory of its own, removed with all that is in it.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// An object in memory that the test shares with all its children.
template <class T>
class Shared {
 public:
  Shared() {
    void* page = mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) std::abort();
    object_ = new (page) T{};
  }
  ~Shared() {
    if (object_ != nullptr) munmap(object_, sizeof(T));
  }
  Shared(Shared&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Shared& operator=(Shared&& other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  T* operator->() const { return object_; }
  T& operator*() const { return *object_; }

 private:
  T* object_;
};

// A process. Killed and reaped at the end of the object.
class Child {
 public:
  Child() = default;
  // Forks; the child runs `body`, and exits with what it returns, or with `failed_inside` if an expectation failed in there.
  static Child run(const std::function<int()>& body);
  static constexpr int failed_inside = 101;
  Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}
  Child& operator=(Child&& other) noexcept;
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() { kill(); }

  [[nodiscard]] pid_t pid() const { return pid_; }
  void signal(int number) const { ::kill(pid_, number); }
  // SIGKILL, and reaped. Nothing if it has ended.
  void kill();
  // The wait status, as soon as it ends; nullopt: it runs on.
  std::optional<int> ends(nanoseconds within = patience);
  // Its exit status; -1: ended by a signal, or not at all.
  int exit_code(nanoseconds within = patience);

 private:
  pid_t pid_ = -1;
};

// Makes the calling process die with the one that started it. Again after every change of user.
void die_with_parent();

// Unshares, and goes on in a child that is born into the new namespaces. The calling process waits for it, and exits as it did.
// `between` runs before the birth. `born` gets the child's id, as the old namespace sees it. False: the kernel refuses.
[[nodiscard]] bool be_born_into(int namespaces, const std::function<bool()>& between, pid_t& born);

// What an actor says when asked.
struct Answer {
  bool ok = false;
  AcquireError error{};
  LeaseState state = LeaseState::released;
  bool previous_holder_died = false;
  bool previous_holder_expired = false;
  Token token = 0;
  std::int64_t remaining_ns = 0;
  std::int64_t number = 0;
  OpenCode open_code{};
  char message[600] = "";
};

// What an actor has on its side of the fork.
struct Self {
  Space::Options options;
  std::optional<Space> space{};
  std::map<std::string, Lease, std::less<>> leases{};
  int socket = -1;
};

struct Order;
using Act = void (*)(Self& self, const Order& order, Answer& answer);
// What an actor is told to do. Code lies at the same place in all children of a fork, so a function is told by its address.
struct Order {
  Act act = nullptr;
  char name[208] = "";
  std::int64_t ttl_ns = 0;
  std::int64_t timeout_ns = -1;  // for ever
  bool renew = true;
  std::int64_t number = 0;
};

class Actor {
 public:
  struct Role {
    Space::Options options;
    std::function<bool(pid_t& born)> before{};  // in the child, before all else; false: it leaves the stage. `born`: see be_born_into
  };
  explicit Actor(Role role);
  Actor(Actor&&) = default;
  Actor& operator=(Actor&&) = default;

  // Opens the space; every other order does so by itself.
  Answer opens();
  Answer acquires(std::string_view name, Terms terms = {}, nanoseconds timeout = patience);
  Answer tries(std::string_view name, Terms terms = {});
  Answer releases(std::string_view name);
  Answer looks_at(std::string_view name);  // its lease: state, token, remaining
  Answer extends(std::string_view name, nanoseconds ttl);
  Answer removes(std::string_view name);
  // What the table says of a name: ok = held, number = waiters, token = the last one.
  Answer sees(std::string_view name);

  // Without waiting for the answer.
  void begins_to_acquire(std::string_view name, Terms terms = {}, nanoseconds timeout = nanoseconds(-1));
  Answer answers(nanoseconds within = patience);
  [[nodiscard]] bool is_silent(nanoseconds during = a_while);

  // Anything else. The function must have no captures.
  Answer does(Act act, std::string_view name = "", std::int64_t number = 0);
  void begins(Act act, std::string_view name = "", std::int64_t number = 0);

  void dies();  // SIGKILL, reaped
  void dies_unreaped() { ::kill(pid(), SIGKILL); }
  void stops();  // SIGSTOP, and it has stopped
  void continues() { ::kill(pid(), SIGCONT); }
  [[nodiscard]] pid_t pid() const { return *born_ != 0 ? *born_ : child_.pid(); }
  Child& process() { return child_; }

 private:
  void send(const Order& order);
  [[nodiscard]] static Order order(Act act, std::string_view name, Terms terms, nanoseconds timeout);

  class Socket {
   public:
    explicit Socket(int number = -1) : number_(number) {}
    Socket(Socket&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    Socket& operator=(Socket&& other) noexcept {
      std::swap(number_, other.number_);
      return *this;
    }
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;
    ~Socket() {
      if (number_ >= 0) ::close(number_);
    }
    [[nodiscard]] int get() const { return number_; }

   private:
    int number_;
  };
  Shared<pid_t> born_;
  Socket socket_;
  Child child_;
};

// A space of its own in a fresh directory, and whoever looks at it without taking part.
class Stage {
 public:
  Stage();
  explicit Stage(Space::Options options);
  [[nodiscard]] Actor actor(std::function<bool(pid_t& born)> before = {}) const { return Actor({options_, std::move(before)}); }
  [[nodiscard]] const Space::Options& options() const { return options_; }
  [[nodiscard]] std::string directory() const { return directory_.path(); }
  [[nodiscard]] std::string table_path() const { return directory_.path() + "/default.table"; }
  // Whether so many wait for the name, sooner or later.
  [[nodiscard]] bool queue_of(std::string_view name, int waiters);
  Actor& observer();

 private:
  TemporaryDirectory directory_;
  Space::Options options_;
  std::optional<Actor> observer_;
};

// Empty, or why a test of root's powers can't be made here.
[[nodiscard]] std::string why_not_root();

}  // namespace tenure::test
