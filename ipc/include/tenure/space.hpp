// A Space: one shared table of names, made on first use, without a daemon.
//
//   #include <tenure/tenure.hpp>
//   auto space = tenure::Space::open();
//   if (!space) { std::fputs(space.error().message.c_str(), stderr); return 1; }
//   if (auto lease = space->acquire("backups/orders")) backup();
//
// The default space is the user's own: where it lies depends on the user id alone, so cron jobs, services and logins meet in it.
//
// Thread safety: every member may be called by any thread. Process safety: a child of a fork may go on using the object; its first
// acquisition registers it as a session of its own. Opening the same space twice gives handles of one mapping, which stays for the life of
// the process.
//
// Caveats: all who may write the table trust each other. Do not acquire in a signal handler, nor between vfork and exec. A SIGBUS handler
// is installed (and chains to the one before it), so that a table that somebody truncates is an error and not a crash.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <tenure/lease.hpp>
#include <tenure/result.hpp>
#include <tenure/types.hpp>

namespace tenure {

// Why a space could not be opened. `message` says what, where, and what to do next.
enum class OpenCode : std::uint8_t {
  usage,        // an impossible option
  data,         // a file is not what it should be: garbage, another layout, another owner
  no_input,     // cannot be opened, or does not exist and is not to be made
  os_error,     // a system call failed
  cannot_make,  // cannot be created: no room, a read-only place
  try_later,    // somebody is in the way and will go: sessions of another layout, a maker at work
  no_permission,
  config,
};

struct OpenError {
  OpenCode code = OpenCode::os_error;
  std::string message{};
};

// A name, looked up once, for many acquisitions. Stays valid for the life of the process, even when the name is evicted meanwhile.
// Thread safety: any number of threads may acquire through one object; assignment excludes them.
class TENURE_API Name {
 public:
  // At once, or `busy`.
  [[nodiscard]] Result<Lease, AcquireError> try_acquire(Terms terms = {}) const;
  // Waits in order for as long as it takes.
  [[nodiscard]] Result<Lease, AcquireError> acquire(Terms terms = {}) const;
  [[nodiscard]] Result<Lease, AcquireError> acquire(Terms terms, std::stop_token stop) const;
  [[nodiscard]] Result<Lease, AcquireError> acquire_for(std::chrono::nanoseconds timeout, Terms terms = {},
                                                        std::stop_token stop = {}) const;
  [[nodiscard]] Result<Lease, AcquireError> acquire_until(std::chrono::steady_clock::time_point deadline, Terms terms = {},
                                                          std::stop_token stop = {}) const;
  [[nodiscard]] const std::string& text() const { return text_; }

  Name(const Name& other);
  Name(Name&& other) noexcept;
  Name& operator=(const Name& other);
  Name& operator=(Name&& other) noexcept;
  ~Name() = default;

 private:
  friend class ipc::SpaceCore;
  struct Place {  // where the name was found
    std::uint64_t base = 0;
    std::uint64_t header = 0;
    std::uint32_t lease = 0;
  };
  Name() = default;
  ipc::SpaceCore* core_ = nullptr;
  Place place_;
  mutable std::atomic<const Place*> moved_{nullptr};  // where it was found again after an eviction; never freed
  std::string text_;
};

// What people are shown. Times are of CLOCK_BOOTTIME.
struct HolderReport {
  Token token = 0;
  std::uint32_t pid = 0;
  std::uint32_t uid = 0;
  bool in_this_pid_namespace = true;
  bool alive = true;                      // false: died; the next one takes over at once
  bool leased = false;                    // else strict
  bool expired = false;                   // leased, and the deadline is past
  bool broken = false;                    // taken away from a run, which is about to end
  bool is_run = false;                    // `tenure run` holds it for a command and all its descendants
  bool is_ending = false;                 // a run that is dead, expired or broken, and of whose processes some may be left: who comes
                                          // next waits for their end
  std::chrono::nanoseconds remaining{0};  // leased
  std::chrono::nanoseconds held_for{0};   // 0: not noted (strict leases of the library do not read a clock)
  std::string command;
  std::string label;
  std::vector<std::uint32_t> left_behind{};  // where it is ending: these processes, as far as they can be seen; see `tenure doctor --reap`
};

struct WaiterReport {
  std::uint32_t place = 0;  // 0: next
  std::uint32_t pid = 0;
  std::uint32_t uid = 0;
  std::chrono::nanoseconds waiting_for{0};
  std::string command;
  std::string label;
};

struct NameReport {
  std::string name;
  bool held = false;
  bool last_holder_died = false;      // not held, and the next holder will be told
  Token last_token = 0;               // of the latest grant; 0: none
  HolderReport holder;                // where held
  std::vector<WaiterReport> waiters;  // in order
};

struct SessionReport {
  std::uint32_t slot = 0;
  std::uint32_t pid = 0;
  std::uint32_t uid = 0;
  bool alive = true;
  bool has_bell = true;
  std::string command;
  std::string label;
};

struct SpaceReport {
  std::string table_path;
  std::string lock_path;
  std::string token_mark_path;  // empty: tokens are weak
  bool tokens_weak = false;
  std::uint64_t size_bytes = 0;
  std::uint32_t names_capacity = 0, names_used = 0;
  std::uint32_t sessions_capacity = 0, sessions_used = 0;
};

enum class BreakError : std::uint8_t { bad_name, not_held, other_token, damaged };
enum class RemoveError : std::uint8_t { bad_name, absent, in_use, timed_out, damaged, system };

class TENURE_API Space {
 public:
  struct Options {
    std::string name = "default";  // 1 to 64 of A-Z a-z 0-9 . _ -, not first a dot; or, with a slash in it, the directory of a shared space
    bool create = true;            // make it if it does not exist
    std::uint32_t names = 0;       // capacity when made; 0: 22,528
    std::uint32_t sessions = 0;    // capacity when made; 0: 2,046
    std::string group{};           // make it for this group, with a directory in `name`; empty: for the user alone
    std::string label{};           // a note shown beside this process's holds
    bool guard_against_truncation = true;  // install the SIGBUS handler
  };

  [[nodiscard]] static Result<Space, OpenError> open(const Options& options);
  [[nodiscard]] static Result<Space, OpenError> open();

  // Looks the name up, or enters it, once for many acquisitions.
  [[nodiscard]] Result<Name, AcquireError> resolve(std::string_view name);

  // By name. See Name.
  [[nodiscard]] Result<Lease, AcquireError> try_acquire(std::string_view name, Terms terms = {});
  [[nodiscard]] Result<Lease, AcquireError> acquire(std::string_view name, Terms terms = {});
  [[nodiscard]] Result<Lease, AcquireError> acquire(std::string_view name, Terms terms, std::stop_token stop);
  [[nodiscard]] Result<Lease, AcquireError> acquire_for(std::string_view name, std::chrono::nanoseconds timeout, Terms terms = {},
                                                        std::stop_token stop = {});

  // The same, telling how many stand before the caller at each turn that ends in a sleep (on the caller's thread; must be quick).
  [[nodiscard]] Result<Lease, AcquireError> acquire_for(std::string_view name, std::chrono::nanoseconds timeout, Terms terms,
                                                        std::stop_token stop, const std::function<void(std::uint32_t place)>& queued);

  // What the table says, for people: a moment's picture, not a basis for decisions.
  [[nodiscard]] std::vector<NameReport> list();
  [[nodiscard]] Result<NameReport, AcquireError> show(std::string_view name);  // bad_name; `held` false and no token: not in the table
  [[nodiscard]] std::vector<SessionReport> sessions();
  [[nodiscard]] SpaceReport report();

  // Takes the name from the holder of exactly this token. That of a `tenure run` is free when its command has been killed.
  [[nodiscard]] Result<Token, BreakError> break_lease(std::string_view name, Token token);
  // Takes a name that nobody holds or waits for out of the table. Its tokens go on growing if it comes back.
  [[nodiscard]] Result<std::monostate, RemoveError> remove(std::string_view name);
  // Frees what dead sessions left behind; the next one to need it would do the same. The number of sessions cleaned.
  std::uint32_t sweep();

  // Notes the time of a hold, so that listings can say since when (strict leases read no clock by themselves).
  void note_time(const Lease& lease);

 private:
  friend class ipc::SpaceCore;
  explicit Space(std::shared_ptr<ipc::SpaceCore> core) : core_(std::move(core)) {}
  std::shared_ptr<ipc::SpaceCore> core_;
};

}  // namespace tenure
