// One space as this process has it open: mapping, table, sessions, keeper. Made once a process and space, and never destroyed, since
// leases, names and the kernel's list of bells point into it.
//
// Thread safety: every member may be called by any thread. Process safety: a forked child goes on with the inherited object; its first
// call gives it descriptors, sessions and threads of its own (see enter).
#pragma once

#include <atomic>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include <tenure/space.hpp>

#include "core/names.hpp"
#include "core/sessions.hpp"
#include "ipc/keeper.hpp"
#include "ipc/real_platform.hpp"
#include "ipc/run_session.hpp"
#include "ipc/segment_file.hpp"
#include "ipc/session_pool.hpp"

namespace tenure::ipc {

// How long, and who may interrupt. `until_ns` is of CLOCK_BOOTTIME.
struct Wait {
  std::uint64_t until_ns = ~std::uint64_t{0};
  std::stop_token stop;
  const std::function<void(std::uint32_t)>* queued = nullptr;
  const std::function<void(std::uint32_t)>* blocked = nullptr;
};

// Text of the segment: NUL-padded words.
template <class Words>
std::string text_of_words(const Words& words) {
  std::string text(words.size() * 8, '\0');
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::uint64_t word = words[i].load(std::memory_order_relaxed);
    std::memcpy(text.data() + i * 8, &word, 8);
  }
  text.resize(strnlen(text.data(), text.size()));
  return text;
}

class SpaceCore {
 public:
  // The space that this process has open already, or a new one.
  // `run`: its sessions are those of a run, see run_session.hpp.
  static Result<std::shared_ptr<SpaceCore>, OpenError> open(const Space::Options& options, const RunTag* run = nullptr);
  static Space wrap(std::shared_ptr<SpaceCore> core) { return Space(std::move(core)); }
  static SpaceCore& of(Space& space) { return *space.core_; }

  [[gnu::always_inline]] inline Result<Lease, AcquireError> take_named(const Name& name, Terms terms, const Wait* wait);
  Result<Lease, AcquireError> acquire(const Name& name, Terms terms, const Wait& wait);
  Result<Lease, AcquireError> try_acquire(std::string_view name, Terms terms);
  Result<Lease, AcquireError> acquire(std::string_view name, Terms terms, const Wait& wait);
  Result<Name, AcquireError> resolve(std::string_view name);

  LeaseState state(const Lease& lease) const;
  std::chrono::nanoseconds remaining(const Lease& lease) const;
  bool extend(Lease& lease, std::chrono::nanoseconds ttl);
  [[gnu::always_inline]] inline bool release_inline(Lease& lease);
  // The lease's record, looked after by the keeper from now on.
  LeaseRecord& record_of(Lease& lease);
  void watch(Lease& lease);
  void note_time(const Lease& lease);

  std::vector<NameReport> list();
  Result<NameReport, AcquireError> show(std::string_view name);
  std::vector<SessionReport> sessions();
  SpaceReport report();
  Result<Token, BreakError> break_lease(std::string_view name, Token token);
  Result<std::monostate, RemoveError> remove(std::string_view name);
  std::uint32_t sweep();

  int share_bytes() { return platform_.share_bytes(); }
  void ring_with_this_thread() { (void)platform_.ring_with_this_thread(); }
  void release_as_dead(Lease& lease);
  LeftTree left_tree(std::uint32_t slot, bool find_byte);
  std::vector<LeftTree> left_trees();
  [[nodiscard]] bool belongs_to(const LeftTree& tree, pid_t process) const;

  [[nodiscard]] std::uint64_t now_ns() const { return platform_.boottime_ns(); }
  [[nodiscard]] std::uint64_t deadline_after(std::chrono::nanoseconds timeout) const;

 private:
  using Handle = core::Handle<RealPlatform>;

  // What a process has of its own, made anew in a forked child; the parent's is left behind there, since its locks may be held by
  // threads that the child does not have.
  struct Local {
    explicit Local(SpaceCore& core, Local* parents = nullptr);
    Local* left_behind;  // of the process that this one was forked from; never touched
    SessionPool pool;
    Keeper keeper;
    std::mutex desk_mutex;  // one insertion at a time in a process
  };

  SpaceCore(std::unique_ptr<SegmentFile> file, Appearance appearance);

  // Makes the object this process's own, after a fork. False: its files are gone or refused.
  bool enter();
  bool enter_after_fork();
  [[nodiscard, gnu::always_inline]] inline bool has_spare() const;
  [[nodiscard, gnu::always_inline]] inline core::LeaseWord take_fast(const Handle& handle, std::uint64_t deadline_ns, std::uint32_t& hold);
  [[nodiscard, gnu::always_inline]] inline Lease::Made made_of(const Handle& handle, core::LeaseWord word, std::uint64_t deadline_ns,
                                                               std::uint32_t hold);
  [[gnu::noinline]] Result<Lease, AcquireError> take_leased_or_slowly(const Name& name, Terms terms, const Wait* wait);
  Result<Lease, AcquireError> by_name(std::string_view text, Terms terms, const Wait* wait);
  [[gnu::noinline]] bool release_slowly(Lease& lease);
  [[gnu::always_inline]] inline void give_back(std::uint32_t hold, std::uint64_t generation);
  [[gnu::noinline]] void give_to_pool(std::uint32_t hold);
  [[nodiscard]] bool is_lost() const { return file_->is_lost(); }

  struct HeldRecord;  // a hold record in use by this call
  struct WaitRecord;

  Result<Lease, AcquireError> take_slowly(std::string_view text, const Name* name, Terms terms, const Wait* wait);
  core::Acquired acquire_by(const Handle& handle, HeldRecord& hold, core::Terms terms, const Wait* wait, core::Grant& grant,
                            AcquireError& error);
  std::optional<AcquireError> find(std::string_view text, const Wait* wait, Handle& handle);
  std::optional<AcquireError> insert(const core::NameWords& words, const Wait* wait, Handle& handle);
  Result<Lease, AcquireError> made(const core::Grant& grant, Terms terms);
  [[nodiscard]] Lease lease_of(const core::Grant& grant);
  [[nodiscard]] core::Grant grant_of(const Lease& lease) const;
  [[nodiscard, gnu::always_inline]] inline Handle handle_of(const Name& name);
  void forget_handle(const Name& name, const Handle& fresh);
  void close_idle();
  [[nodiscard]] std::uint32_t slots_used();
  [[nodiscard]] std::vector<std::uint64_t> tags_of(std::uint32_t slot);
  struct Losses {
    bool overdue = false;
    bool broken = false;
  };
  [[nodiscard]] Losses losses_of(std::uint32_t slot);
  bool describe(std::uint32_t entry, NameReport& report);
  void describe_holder(std::uint32_t lease, core::LeaseWord word, std::uint64_t base, HolderReport& holder);
  void describe_waiters(std::uint32_t lease, std::vector<WaiterReport>& waiters);
  std::optional<AcquireError> error_of(PoolError error) const;

  std::unique_ptr<SegmentFile> file_;
  Appearance appearance_;
  mutable RealPlatform platform_;
  mutable core::Table<RealPlatform> table_;
  mutable core::Leases<RealPlatform> leases_;
  core::Sessions<RealPlatform> sessions_;
  core::Names<RealPlatform> names_;
  std::atomic<Local*> local_;
  std::atomic<std::uint64_t> local_generation_;
  std::atomic<bool> weak_;
};

}  // namespace tenure::ipc
