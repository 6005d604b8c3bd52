#include "ipc/space_core.hpp"

#include <grp.h>
#include <pthread.h>

#include <algorithm>
#include <charconv>
#include <thread>
#include <utility>

#include "core/names.inl.hpp"
#include "core/sessions.inl.hpp"

namespace tenure::ipc {

namespace {

// A hold record that a thread keeps between two leases, so that an uncontended pair takes no lock.
struct Spare {
  SpaceCore* core = nullptr;
  std::uint64_t generation = 0;
  std::uint32_t hold = core::no_index;
  std::uint32_t slot = core::no_index;
  const Word32* bell = nullptr;  // of that slot's session
};
using Table = core::Table<RealPlatform>;
constinit thread_local Spare spare __attribute__((tls_model("initial-exec")));

// For another process's maker, or for a group's lease that somebody stopped holds, when the caller did not want to wait at all.
constexpr std::uint64_t try_patience_ns = 100 * core::millisecond_ns;

}  // namespace

// ---- records ------------------------------------------------------------------------------------------------------------------------

struct SpareKeeper {
  static void give(SpaceCore* core, SessionPool& pool, std::uint32_t hold) {
    const std::uint64_t generation = process_generation();
    if (spare.hold == core::no_index || spare.generation != generation) {
      spare = {core, generation, hold, Table::slot_of_hold(hold), pool.bell_of_hold(hold)};
      register_thread_exit(pool);
    } else {
      pool.give_hold(hold);
    }
  }

  // Returns this thread's spare when the thread ends, or earlier.
  struct Returner {
    SessionPool* pool = nullptr;
    std::uint64_t generation = 0;
    ~Returner() { give_back(); }
    void give_back() {
      if (pool != nullptr && spare.hold != core::no_index && generation == process_generation()) pool->give_hold(spare.hold);
      spare = {};
      pool = nullptr;
    }
  };
  static Returner& returner() {
    thread_local Returner instance;
    return instance;
  }
  static void register_thread_exit(SessionPool& pool) {
    returner().pool = &pool;
    returner().generation = spare.generation;
  }
};

// Whether this thread keeps a record of a living session of this space.
inline bool SpaceCore::has_spare() const {
  return spare.core == this && spare.hold != core::no_index && spare.generation == process_generation() &&
         (spare.bell == nullptr || !core::bell::rung(spare.bell->load(std::memory_order_relaxed)));
}

struct SpaceCore::HeldRecord {
  explicit HeldRecord(SpaceCore& core) : pool(core.local_.load(std::memory_order_acquire)->pool), owner(&core) {
    if (core.has_spare()) {
      hold = std::exchange(spare.hold, core::no_index);
      return;
    }
    // A spare of a session that was declared dead is worth nothing, not even giving back.
    if (spare.core == owner && spare.bell != nullptr && core::bell::rung(spare.bell->load(std::memory_order_relaxed))) spare = {};
    const SessionPool::HoldRecord taken = pool.take_hold();
    hold = taken.hold;
    error = taken.error;
  }
  ~HeldRecord() {
    if (hold != core::no_index) SpareKeeper::give(owner, pool, hold);
  }
  HeldRecord(const HeldRecord&) = delete;
  HeldRecord& operator=(const HeldRecord&) = delete;
  void keep() { hold = core::no_index; }

  SessionPool& pool;
  SpaceCore* owner;
  std::uint32_t hold = core::no_index;
  PoolError error = PoolError::none;
};

struct SpaceCore::WaitRecord {
  explicit WaitRecord(SpaceCore& core) : pool(core.local_.load(std::memory_order_acquire)->pool), wait(pool.take_wait(error)) {}
  ~WaitRecord() {
    if (wait != core::no_index) pool.give_wait(wait);
  }
  WaitRecord(const WaitRecord&) = delete;
  WaitRecord& operator=(const WaitRecord&) = delete;

  SessionPool& pool;
  PoolError error = PoolError::none;
  std::uint32_t wait;
};

// ---- opening, and after a fork ------------------------------------------------------------------------------------------------------

SpaceCore::Local::Local(SpaceCore& core, Local* parents)
    : left_behind(parents),
      pool(core.table_, core.sessions_, core.appearance_, core.file_->boottime_offset_ns()),
      keeper(core.table_, core.leases_) {}

SpaceCore::SpaceCore(std::unique_ptr<SegmentFile> file, Appearance appearance)
    : file_(std::move(file)),
      appearance_(std::move(appearance)),
      platform_(*file_),
      table_(platform_, file_->base(), file_->identity()),
      leases_(table_),
      sessions_(table_, leases_),
      names_(table_, leases_),
      local_(nullptr),
      local_generation_(process_generation()),
      weak_(file_->identity().tokens_weak != 0) {
  local_.store(new Local(*this), std::memory_order_release);
}

bool SpaceCore::enter() {
  if (local_generation_.load(std::memory_order_acquire) == process_generation()) [[likely]]
    return true;
  return enter_after_fork();
}

// The first thread of the child that comes here does the work, the others wait for it.
bool SpaceCore::enter_after_fork() {
  constexpr std::uint64_t busy_bit = std::uint64_t{1} << 63;
  const std::uint64_t generation = renew_after_fork();
  std::uint64_t seen = local_generation_.load(std::memory_order_acquire);
  while (seen != generation) {
    if (seen == (generation | busy_bit)) {
      std::this_thread::yield();
      seen = local_generation_.load(std::memory_order_acquire);
      continue;
    }
    if (!local_generation_.compare_exchange_strong(seen, generation | busy_bit, std::memory_order_acq_rel)) continue;
    const bool renewed = !platform_.renew_after_fork().has_value();
    if (renewed) local_.store(new Local(*this, local_.load(std::memory_order_relaxed)), std::memory_order_release);
    // Release: partner of the acquire load in enter.
    local_generation_.store(renewed ? generation : 0, std::memory_order_release);
    return renewed;
  }
  return true;
}

namespace {
OpenError open_error(const OpenFault& fault) {
  switch (fault.code) {
    case FaultCode::unusable: return {OpenCode::data, fault.message};
    case FaultCode::cannot_open: return {OpenCode::no_input, fault.message};
    case FaultCode::system_error: return {OpenCode::os_error, fault.message};
    case FaultCode::cannot_create: return {OpenCode::cannot_make, fault.message};
    case FaultCode::try_later: return {OpenCode::try_later, fault.message};
    case FaultCode::not_permitted: return {OpenCode::no_permission, fault.message};
    case FaultCode::configuration: return {OpenCode::config, fault.message};
  }
  return {OpenCode::os_error, fault.message};
}

// By name or by number.
std::optional<gid_t> group_number(const std::string& text) {
  std::vector<char> buffer(16384);
  group entry{};
  group* found = nullptr;
  if (getgrnam_r(text.c_str(), &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr) return found->gr_gid;
  gid_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  return parsed.ec == std::errc{} && parsed.ptr == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

struct OpenSpace {
  std::string key;
  SpaceCore* core;
  std::weak_ptr<SpaceCore> handle;
};
struct Registry {
  std::mutex mutex;
  std::vector<OpenSpace> spaces;
};
Registry& registry() {
  static Registry* const instance = [] {
    // A child must not inherit the mutex locked by a thread that it does not have.
    pthread_atfork([] { registry().mutex.lock(); }, [] { registry().mutex.unlock(); }, [] { registry().mutex.unlock(); });
    return new Registry;  // never destroyed: leases may outlive everything
  }();
  return *instance;
}
}  // namespace

Result<std::shared_ptr<SpaceCore>, OpenError> SpaceCore::open(const Space::Options& options, const RunTag* run) {
  watch_forks();
  if (process_generation() == 0) renew_after_fork();
  SpaceOptions wanted;
  if (options.name.find('/') == std::string::npos) {
    wanted.space = options.name;
  } else {
    wanted.directory = options.name;
  }
  if (options.names != 0) wanted.capacity.names = options.names;
  if (options.sessions != 0) wanted.capacity.sessions = options.sessions;
  wanted.create = options.create;
  if (!options.group.empty()) {
    const auto group = group_number(options.group);
    if (!group) return OpenError{OpenCode::config, "there is no group \"" + options.group + "\"; see getent group"};
    wanted.group = *group;
  }
  wanted.guard_bus_errors = options.guard_against_truncation;

  Registry& open_spaces = registry();
  const std::lock_guard lock(open_spaces.mutex);
  const std::string key = options.name;
  const auto closed = [](SpaceCore* core) { core->close_idle(); };
  for (OpenSpace& space : open_spaces.spaces) {
    if (space.key != key) continue;
    if (space.core->is_lost()) {
      return OpenError{OpenCode::data,
                       space.core->file_->path() + " was truncated while it was in use; end this process and start it again"};
    }
    if (auto handle = space.handle.lock()) return handle;
    std::shared_ptr<SpaceCore> handle(space.core, closed);
    space.handle = handle;
    return handle;
  }
  auto opened = SegmentFile::open(wanted);
  if (const OpenFault* fault = fault_in(opened)) return open_error(*fault);
  auto* core = new SpaceCore(std::move(std::get<0>(opened)), {options.label, run == nullptr ? std::nullopt : std::optional(*run)});
  std::shared_ptr<SpaceCore> handle(core, closed);
  open_spaces.spaces.push_back({key, core, handle});
  return handle;
}

// The last handle is gone; leases and names that are left go on working.
void SpaceCore::close_idle() {
  if (local_generation_.load(std::memory_order_acquire) != process_generation()) return;
  if (spare.core == this) SpareKeeper::returner().give_back();
  local_.load(std::memory_order_acquire)->pool.close_idle();
}

// ---- acquiring ----------------------------------------------------------------------------------------------------------------------

std::uint64_t SpaceCore::deadline_after(std::chrono::nanoseconds timeout) const {
  const std::uint64_t now = now_ns();
  if (timeout.count() <= 0) return now;
  const auto wanted = static_cast<std::uint64_t>(timeout.count());
  return wanted > ~std::uint64_t{0} - now ? ~std::uint64_t{0} : now + wanted;
}

inline SpaceCore::Handle SpaceCore::handle_of(const Name& name) {
  // Acquire: partner of the release store in forget_handle.
  const Name::Place* moved = name.moved_.load(std::memory_order_acquire);
  const Name::Place& place = moved == nullptr ? name.place_ : *moved;
  return {place.lease, place.base, &table_.entry(place.lease).header, place.header};
}

// The name was evicted and has come back elsewhere. The old place may be in use by other threads, so it stays; this is rare.
void SpaceCore::forget_handle(const Name& name, const Handle& fresh) {
  name.moved_.store(new Name::Place{fresh.base, fresh.expected_header, fresh.lease}, std::memory_order_release);
}

Lease SpaceCore::lease_of(const core::Grant& grant) {
  return Lease(Lease::Made{this, grant.word.bits, grant.token, grant.deadline_ns, process_generation(), grant.lease, grant.hold,
                           static_cast<std::uint8_t>(grant.past)});
}

core::Grant SpaceCore::grant_of(const Lease& lease) const {
  const Lease::Parts& parts = lease.parts_;
  return {parts.lease, parts.hold, core::LeaseWord{parts.word}, parts.token, parts.deadline_ns, core::Past::released};
}

Result<Lease, AcquireError> SpaceCore::made(const core::Grant& grant, Terms terms) {
  Lease lease = lease_of(grant);
  if (terms.ttl.count() <= 0 || !terms.renew) return lease;
  lease.parts_.record = LeaseRecord::make();
  lease.parts_.record->grant = grant;
  lease.parts_.record->ttl_ns = static_cast<std::uint64_t>(terms.ttl.count());
  lease.parts_.record->renew = true;
  if (!local_.load(std::memory_order_acquire)->keeper.watch(lease.parts_.record->self)) return AcquireError::system;
  return lease;
}

// The uncontended path. A locked instruction waits until every store before it has reached the cache, so this path stores nothing that it
// need not: the lease is made where it stays, and whatever needs a call, and with it saved registers, is a function of its own.
inline core::LeaseWord SpaceCore::take_fast(const Handle& handle, std::uint64_t deadline_ns, std::uint32_t& hold) {
  if (!has_spare()) [[unlikely]]
    return {};
  hold = spare.hold;
  const core::LeaseWord word = leases_.acquire_fast(handle, hold, deadline_ns);
  if (word.has_owner()) [[likely]]
    spare.hold = core::no_index;
  return word;
}

inline Lease::Made SpaceCore::made_of(const Handle& handle, core::LeaseWord word, std::uint64_t deadline_ns, std::uint32_t hold) {
  return {this, word.bits, handle.base + word.counter(), deadline_ns, spare.generation, handle.lease, hold, 0};
}

inline Result<Lease, AcquireError> SpaceCore::take_named(const Name& name, Terms terms, const Wait* wait) {
  if (terms.ttl.count() <= 0) [[likely]] {
    const Handle handle = handle_of(name);
    std::uint32_t hold = 0;
    const core::LeaseWord word = take_fast(handle, core::deadline::strict, hold);
    if (word.has_owner()) [[likely]] {
      return Result<Lease, AcquireError>(std::in_place, made_of(handle, word, core::deadline::strict, hold));
    }
  }
  return take_leased_or_slowly(name, terms, wait);
}

Result<Lease, AcquireError> SpaceCore::take_leased_or_slowly(const Name& name, Terms terms, const Wait* wait) {
  if (terms.ttl.count() > 0 && !terms.renew) {
    const Handle handle = handle_of(name);
    const std::uint64_t deadline_ns = core::deadline_from(now_ns(), static_cast<std::uint64_t>(terms.ttl.count()));
    std::uint32_t hold = 0;
    const core::LeaseWord word = take_fast(handle, deadline_ns, hold);
    if (word.has_owner()) [[likely]]
      return Result<Lease, AcquireError>(std::in_place, made_of(handle, word, deadline_ns, hold));
  }
  return take_slowly(name.text(), &name, terms, wait);
}

Result<Lease, AcquireError> SpaceCore::acquire(const Name& name, Terms terms, const Wait& wait) { return take_named(name, terms, &wait); }

Result<Lease, AcquireError> SpaceCore::try_acquire(std::string_view text, Terms terms) { return by_name(text, terms, nullptr); }

Result<Lease, AcquireError> SpaceCore::acquire(std::string_view text, Terms terms, const Wait& wait) { return by_name(text, terms, &wait); }

Result<Lease, AcquireError> SpaceCore::by_name(std::string_view text, Terms terms, const Wait* wait) {
  if (core::fault_of_name(text) != core::NameFault::sound) return AcquireError::bad_name;
  Handle handle;
  if ((terms.ttl.count() > 0 && terms.renew) || names_.look_up(core::NameWords(text), handle) != core::Resolved::found) {
    return take_slowly(text, nullptr, terms, wait);
  }
  const bool strict = terms.ttl.count() <= 0;
  const std::uint64_t deadline_ns =
      strict ? core::deadline::strict : core::deadline_from(now_ns(), static_cast<std::uint64_t>(terms.ttl.count()));
  std::uint32_t hold = 0;
  const core::LeaseWord word = take_fast(handle, deadline_ns, hold);
  if (!word.has_owner()) [[unlikely]]
    return take_slowly(text, nullptr, terms, wait);
  return Result<Lease, AcquireError>(std::in_place, made_of(handle, word, deadline_ns, hold));
}

namespace {
// Everything that ends an acquisition without a lease, but for `stale`.
AcquireError error_of_acquired(core::Acquired result) {
  switch (result) {
    case core::Acquired::busy: return AcquireError::busy;
    case core::Acquired::timed_out: return AcquireError::timed_out;
    case core::Acquired::cancelled: return AcquireError::cancelled;
    case core::Acquired::session_lost: return AcquireError::session_lost;
    default: return AcquireError::damaged;
  }
}

// The core's patience for a caller's wait: a word that a stop_token sets.
struct Interruptible {
  Interruptible(RealPlatform& platform, const Wait& wait) : callback(wait.stop, Stopper{&platform, &cancelled}) {
    patience.until_ns = wait.until_ns;
    if (wait.stop.stop_possible()) patience.cancelled = &cancelled;
    patience.context = const_cast<Wait*>(&wait);
    if (wait.queued != nullptr && *wait.queued) {
      patience.queued = [](void* context, std::uint32_t place) { (*static_cast<const Wait*>(context)->queued)(place); };
    }
    if (wait.blocked != nullptr && *wait.blocked) {
      patience.blocked = [](void* context, std::uint32_t slot) { (*static_cast<const Wait*>(context)->blocked)(slot); };
    }
  }
  struct Stopper {
    RealPlatform* platform;
    RealPlatform::Atomic<std::uint32_t>* word;
    void operator()() const noexcept {
      word->store(1, std::memory_order_release);
      platform->wake(*word, 1);
    }
  };
  RealPlatform::Atomic<std::uint32_t> cancelled{0};
  core::Patience<RealPlatform> patience;
  std::stop_callback<Stopper> callback;
};
}  // namespace

std::optional<AcquireError> SpaceCore::error_of(PoolError error) const {
  switch (error) {
    case PoolError::none: return std::nullopt;
    case PoolError::full: return AcquireError::space_full;
    case PoolError::damaged: return AcquireError::damaged;
    case PoolError::system: return AcquireError::system;
  }
  return AcquireError::system;
}

std::optional<AcquireError> SpaceCore::insert(const core::NameWords& words, const Wait* wait, Handle& handle) {
  Local& local = *local_.load(std::memory_order_acquire);
  const std::lock_guard one_at_a_time(local.desk_mutex);
  HeldRecord group(*this);
  HeldRecord entry(*this);
  WaitRecord seat(*this);
  for (const PoolError error : {group.error, entry.error, seat.error}) {
    if (const auto refused = error_of(error)) return refused;
  }
  const Wait brief{now_ns() + try_patience_ns, {}, nullptr};
  Interruptible interruptible(platform_, wait == nullptr ? brief : *wait);
  interruptible.patience.queued = nullptr;
  interruptible.patience.blocked = nullptr;
  bool weak = false;
  switch (names_.resolve(words, {{group.hold, seat.wait}, entry.hold}, interruptible.patience, handle, weak)) {
    case core::Resolved::found: break;
    case core::Resolved::absent:
    case core::Resolved::full: return AcquireError::space_full;
    case core::Resolved::timed_out: return wait == nullptr ? AcquireError::busy : AcquireError::timed_out;
    case core::Resolved::cancelled: return AcquireError::cancelled;
    case core::Resolved::tokens_ended: return AcquireError::tokens_ended;
    case core::Resolved::damaged: return AcquireError::damaged;
    case core::Resolved::session_lost: return AcquireError::session_lost;
  }
  if (weak) weak_.store(true, std::memory_order_relaxed);
  return std::nullopt;
}

std::optional<AcquireError> SpaceCore::find(std::string_view text, const Wait* wait, Handle& handle) {
  if (core::fault_of_name(text) != core::NameFault::sound) return AcquireError::bad_name;
  const core::NameWords words(text);
  switch (names_.look_up(words, handle)) {
    case core::Resolved::found: return std::nullopt;
    case core::Resolved::damaged: return AcquireError::damaged;
    default: return insert(words, wait, handle);
  }
}

core::Acquired SpaceCore::acquire_by(const Handle& handle, HeldRecord& hold, core::Terms terms, const Wait* wait, core::Grant& grant,
                                     AcquireError& error) {
  if (wait == nullptr) return leases_.try_acquire(handle, hold.hold, terms, grant);
  WaitRecord seat(*this);
  if (const auto refused = error_of(seat.error)) {
    error = *refused;
    return core::Acquired::busy;
  }
  Interruptible interruptible(platform_, *wait);
  return leases_.acquire(handle, {hold.hold, seat.wait}, terms, interruptible.patience, grant);
}

Result<Lease, AcquireError> SpaceCore::take_slowly(std::string_view text, const Name* name, Terms terms, const Wait* wait) {
  if (!enter()) return AcquireError::system;
  if (is_lost()) return AcquireError::damaged;
  HeldRecord hold(*this);
  if (const auto refused = error_of(hold.error)) return *refused;
  const core::Terms core_terms{terms.ttl.count() <= 0 ? 0 : static_cast<std::uint64_t>(terms.ttl.count()), core::HoldKind::user};
  bool moved = false;
  for (;;) {
    Handle handle;
    if (name != nullptr && !moved) {
      handle = handle_of(*name);
    } else if (const auto refused = find(text, wait, handle)) {
      return is_lost() ? AcquireError::damaged : *refused;
    }
    core::Grant grant;
    AcquireError error = AcquireError::damaged;
    const core::Acquired result = acquire_by(handle, hold, core_terms, wait, grant, error);
    if (result == core::Acquired::stale) {  // each time somebody else has taken the entry over for another name
      moved = true;
      if (is_lost()) return AcquireError::damaged;
      continue;
    }
    if (result != core::Acquired::granted) {
      const bool refused = result == core::Acquired::busy && error != AcquireError::damaged;
      return is_lost() ? AcquireError::damaged : refused ? error : error_of_acquired(result);
    }
    if (name != nullptr && moved) forget_handle(*name, handle);
    hold.keep();
    auto lease = made(grant, terms);
    if (lease.has_value()) note_time(*lease);
    return lease;
  }
}

Result<Name, AcquireError> SpaceCore::resolve(std::string_view text) {
  if (!enter()) return AcquireError::system;
  if (is_lost()) return AcquireError::damaged;
  Handle handle;
  const Wait wait{now_ns() + 5 * core::second_ns, {}, nullptr};
  if (const auto refused = find(text, &wait, handle)) return *refused;
  Name name;
  name.core_ = this;
  name.place_ = {handle.base, handle.expected_header, handle.lease};
  name.text_ = text;
  return name;
}

// ---- names and sessions of others --------------------------------------------------------------------------------------------------

Result<std::monostate, RemoveError> SpaceCore::remove(std::string_view name) {
  if (core::fault_of_name(name) != core::NameFault::sound) return RemoveError::bad_name;
  if (!enter()) return RemoveError::system;
  Local& local = *local_.load(std::memory_order_acquire);
  const std::lock_guard one_at_a_time(local.desk_mutex);
  HeldRecord group(*this);
  HeldRecord entry(*this);
  WaitRecord seat(*this);
  if (group.error != PoolError::none || entry.error != PoolError::none || seat.error != PoolError::none) return RemoveError::system;
  core::Patience<RealPlatform> patience;
  patience.until_ns = now_ns() + 5 * core::second_ns;
  using Removed = core::Names<RealPlatform>::Removed;
  switch (names_.remove(core::NameWords(name), {{group.hold, seat.wait}, entry.hold}, patience)) {
    case Removed::removed: return std::monostate{};
    case Removed::absent: return RemoveError::absent;
    case Removed::in_use: return RemoveError::in_use;
    case Removed::timed_out: return RemoveError::timed_out;
    case Removed::damaged: return RemoveError::damaged;
  }
  return RemoveError::damaged;
}

std::uint32_t SpaceCore::sweep() { return enter() ? sessions_.sweep() : 0; }

// ---- a lease in hand ----------------------------------------------------------------------------------------------------------------

LeaseState SpaceCore::state(const Lease& lease) const {
  if (lease.parts_.generation != process_generation()) return LeaseState::forked;
  core::Grant grant = grant_of(lease);
  if (lease.parts_.record != nullptr) {
    const std::lock_guard lock(lease.parts_.record->mutex);
    if (lease.parts_.record->end != LeaseState::held) return lease.parts_.record->end;
    grant = lease.parts_.record->grant;
  }
  if (leases_.still_held(grant)) return LeaseState::held;
  const bool past = grant.deadline_ns != core::deadline::strict && core::is_past(grant.deadline_ns, now_ns());
  return past ? LeaseState::expired : LeaseState::lost;
}

std::chrono::nanoseconds SpaceCore::remaining(const Lease& lease) const {
  if (state(lease) != LeaseState::held) return std::chrono::nanoseconds::zero();
  std::uint64_t deadline_ns = lease.parts_.deadline_ns;
  if (lease.parts_.record != nullptr) {
    const std::lock_guard lock(lease.parts_.record->mutex);
    deadline_ns = lease.parts_.record->grant.deadline_ns;
  }
  if (deadline_ns == core::deadline::strict) return std::chrono::nanoseconds::max();
  const std::uint64_t now = now_ns();
  return std::chrono::nanoseconds(core::is_past(deadline_ns, now) ? 0 : deadline_ns - now);
}

bool SpaceCore::extend(Lease& lease, std::chrono::nanoseconds ttl) {
  if (lease.parts_.generation != process_generation() || lease.parts_.deadline_ns == core::deadline::strict || ttl.count() <= 0)
    return false;
  const auto ttl_ns = static_cast<std::uint64_t>(ttl.count());
  if (lease.parts_.record == nullptr) {
    core::Grant grant = grant_of(lease);
    if (!leases_.renew(grant, ttl_ns)) return false;
    lease.parts_.deadline_ns = grant.deadline_ns;
    return true;
  }
  {
    const std::lock_guard lock(lease.parts_.record->mutex);
    if (lease.parts_.record->done || !leases_.renew(lease.parts_.record->grant, ttl_ns)) return false;
    lease.parts_.record->ttl_ns = ttl_ns;
    lease.parts_.record->jeopardy_told = false;
  }
  return local_.load(std::memory_order_acquire)->keeper.watch(lease.parts_.record->self);
}

inline bool SpaceCore::release_inline(Lease& lease) {
  const Lease::Parts& parts = lease.parts_;
  if (parts.record != nullptr || parts.generation != process_generation() ||
      !leases_.release_fast(parts.lease, parts.hold, core::LeaseWord{parts.word})) [[unlikely]] {
    return release_slowly(lease);
  }
  give_back(parts.hold, parts.generation);
  return true;
}

bool SpaceCore::release_slowly(Lease& lease) {
  if (lease.parts_.generation != process_generation()) return false;  // the parent's
  core::Grant grant = grant_of(lease);
  bool ended = false;
  if (lease.parts_.record != nullptr) {
    const std::shared_ptr<LeaseRecord> record = std::move(lease.parts_.record->self);
    const std::lock_guard lock(record->mutex);
    grant = record->grant;
    ended = record->end != LeaseState::held;
    record->done = true;
    if (!ended) record->end = LeaseState::released;
    record->on_loss = nullptr;
    record->on_jeopardy = nullptr;
  }
  const bool held = leases_.release(grant) && !ended;
  give_back(grant.hold, lease.parts_.generation);
  return held;
}

// The session of the spare is ours as long as its bell is silent; the record goes back to it without a lock.
inline void SpaceCore::give_back(std::uint32_t hold, std::uint64_t generation) {
  if (spare.core == this && spare.hold == core::no_index && spare.generation == generation && Table::slot_of_hold(hold) == spare.slot)
      [[likely]] {
    spare.hold = hold;
  } else {
    give_to_pool(hold);
  }
}

void SpaceCore::give_to_pool(std::uint32_t hold) { SpareKeeper::give(this, local_.load(std::memory_order_acquire)->pool, hold); }

void SpaceCore::watch(Lease& lease) {
  if (lease.parts_.record == nullptr) {
    lease.parts_.record = LeaseRecord::make();
    lease.parts_.record->grant = grant_of(lease);
    const std::uint64_t now = now_ns();
    const bool leased = lease.parts_.deadline_ns != core::deadline::strict && lease.parts_.deadline_ns > now;
    lease.parts_.record->ttl_ns = leased ? lease.parts_.deadline_ns - now : 0;
  }
  if (local_.load(std::memory_order_acquire)->keeper.watch(lease.parts_.record->self)) return;
  Keeper::tell_end(*lease.parts_.record, LeaseState::lost);  // nobody would ever tell it
}

LeaseRecord& SpaceCore::record_of(Lease& lease) {
  if (lease.parts_.record == nullptr) watch(lease);
  return *lease.parts_.record;
}

void SpaceCore::note_time(const Lease& lease) {
  if (lease.parts_.core == nullptr || lease.parts_.generation != process_generation()) return;
  auto& hold = table_.hold(lease.parts_.hold);
  hold.since_ns.store(now_ns(), std::memory_order_relaxed);
  hold.since_counter.store(core::LeaseWord{lease.parts_.word}.counter(), std::memory_order_release);
}

}  // namespace tenure::ipc

namespace tenure {

Result<Lease, AcquireError> Name::try_acquire(Terms terms) const { return core_->take_named(*this, terms, nullptr); }

bool Lease::release() noexcept {
  if (parts_.core == nullptr) return false;
  const bool held = parts_.core->release_inline(*this);
  parts_.forget();
  return held;
}

void Lease::drop() noexcept { parts_.core->release_inline(*this); }

}  // namespace tenure
