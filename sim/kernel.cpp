// The part of the kernel that a lock manager sees: futexes, robust lists, byte locks, clocks, and what becomes of a dead process.
#include <algorithm>
#include <bit>
#include <cstdlib>
#include <utility>

#include <tenure/sim/world.hpp>

namespace tenure::sim {

namespace {

std::uint32_t all_of(std::span<const FutexWatch> watches) { return static_cast<std::uint32_t>((std::uint64_t{1} << watches.size()) - 1); }

}  // namespace

// --- Futexes --------------------------------------------------------------------------------------------------------------------------

// futex_waitv with the compare and the enqueue of all words in one step. The real call takes the words one after the other, but a word that
// was queued early can only make the sleep shorter.
Wakeup World::futex_wait(std::span<const FutexWatch> watches, std::uint64_t timeout_ns, Site site) {
  step(site);
  barrier();
  for (const FutexWatch& watch : watches) {
    if (*watch.word == watch.expected) continue;
    record(Op::wait, watch.word, *watch.word, watch.expected, "changed");
    return Wakeup::changed;
  }
  Thread& thread = threads_[running_];
  for (const FutexWatch& watch : watches) record(Op::sleep, watch.word, watch.expected);
  thread.watches = watches;
  thread.queued = all_of(watches);
  thread.queued_at = ++sleeps_;
  thread.timed_out = false;
  thread.deadline_ns = deadline_after(timeout_ns);
  // A signal makes the sleeper ready, and leaves it queued until it runs.
  const bool may_be_spurious = spurious_left_ != 0 && steps_ < config_.quiet_after_steps;
  const bool spurious = may_be_spurious && choose(2, Kind::spurious) != 0;
  if (spurious) {
    --spurious_left_;
  } else {
    thread.state = State::asleep;
    alarm_ns_ = std::min(alarm_ns_, thread.deadline_ns);
    ready_ &= ~bit(running_);
  }
  schedule();
  ++actor_steps_[running_];
  if (has_stale_reads()) weak_->fence(running_);  // to be woken is to see what the waker did before
  if (faults_due()) land_faults();
  const bool woken = thread.queued != all_of(watches);
  thread.queued = 0;
  const Wakeup result = woken || !thread.timed_out ? Wakeup::woken : Wakeup::timed_out;
  record(Op::resume, nullptr, static_cast<std::uint64_t>(result), 0, woken ? "woken" : thread.timed_out ? "timed out" : "spurious");
  return result;
}

std::uint32_t World::futex_wake(const std::uint32_t* word, std::uint32_t count, Site site) {
  step(site);
  barrier();
  const std::uint32_t woken = wake_waiters(word, count);
  record(Op::wake, word, count, woken);
  return woken;
}

// A sleeper has one entry for each word that it watches, and each counts as a sleeper. The others stay when one is woken, until the sleeper
// runs: further wake-ups may be spent on it. Linux takes a count of 0 for 1.
std::uint32_t World::wake_waiters(const std::uint32_t* word, std::uint32_t count) {
  struct Entry {
    std::uint32_t thread;
    std::uint32_t watch;
  };
  std::array<Entry, std::size_t{threads_max} * 32> waiters;  // 32: see SimPlatform::wait
  std::uint32_t found = 0;
  for (std::uint32_t id = 0; id < thread_count_; ++id) {
    for (std::uint32_t rest = threads_[id].queued; rest != 0; rest &= rest - 1) {
      const auto watch = static_cast<std::uint32_t>(std::countr_zero(rest));
      if (threads_[id].watches[watch].word == word) waiters[found++] = {id, watch};
    }
  }
  std::sort(waiters.begin(), waiters.begin() + found, [&](const Entry& a, const Entry& b) {
    return a.thread == b.thread ? a.watch < b.watch : threads_[a.thread].queued_at < threads_[b.thread].queued_at;
  });
  const std::uint32_t wakes = std::min(std::max(count, 1U), found);
  for (std::uint32_t i = 0; i < wakes; ++i) {
    const bool any_order = config_.wake_any_order && wakes < found;
    const std::uint32_t chosen = any_order ? i + choose(found - i, Kind::wake_order) : i;
    std::rotate(waiters.begin() + i, waiters.begin() + chosen, waiters.begin() + chosen + 1);
    Thread& thread = threads_[waiters[i].thread];
    thread.queued &= ~(1U << waiters[i].watch);  // also of a dead thread: the wake-up is spent on it
    if (thread.state == State::asleep) make_ready(waiters[i].thread);
  }
  return wakes;
}

// --- Clocks ---------------------------------------------------------------------------------------------------------------------------

// Spans and products stay below 2^63: a run lasts for minutes of its own time.
std::uint64_t World::host_boottime_ns(const Host& host) const {
  const std::uint64_t up_ns = now_ns_ - host.booted_ns;
  const std::int64_t drift_ns = host.drift_ppm == 0 ? 0 : static_cast<std::int64_t>(up_ns / 1'000'000) * host.drift_ppm;
  return config_.boot_ns + up_ns + static_cast<std::uint64_t>(drift_ns);
}

std::uint64_t World::true_ns(const Host& host, std::uint64_t ns) const {
  if (host.drift_ppm == 0 || ns > never_ns / 2) return ns;
  const auto parts = static_cast<std::uint64_t>(1'000'000 + host.drift_ppm);
  return ns / parts * 1'000'000 + ns % parts * 1'000'000 / parts;
}

std::uint64_t World::realtime_ms(HostId id) const {
  const Host& host = hosts_[id];
  // The realtime clock goes on over a reboot.
  const std::uint64_t since_ns = host_boottime_ns(host) - config_.boot_ns + (host.booted_ns - config_.boot_ns);
  const std::uint64_t ms = config_.realtime_start_ms + since_ns / 1'000'000 + host.realtime_ahead_ms;
  return ms > ~std::uint64_t{0} / 2 ? 0 : ms;
}

std::uint64_t World::deadline_after(std::uint64_t timeout_ns) const {
  const std::uint64_t span_ns = true_ns(hosts_[processes_[this_process()].host], timeout_ns);
  return span_ns > never_ns - now_ns_ ? never_ns : now_ns_ + span_ns;
}

std::uint64_t World::read_boottime_ns(Site site) {
  step(site);
  const std::uint64_t ns = boottime_ns(processes_[this_process()].host);
  record(Op::read_clock, nullptr, ns);
  return ns;
}

std::uint64_t World::read_monotonic_ns(Site site) {
  step(site);
  const Host& host = hosts_[processes_[this_process()].host];
  const std::uint64_t ns = host_boottime_ns(host) - host.suspended_ns;
  record(Op::read_clock, nullptr, ns);
  return ns;
}

std::uint64_t World::read_realtime_ms(Site site) {
  step(site);
  const std::uint64_t ms = realtime_ms(processes_[this_process()].host);
  record(Op::read_clock, nullptr, ms);
  return ms;
}

// --- Byte locks, bells, the durable mark ------------------------------------------------------------------------------------------------

// By the process that claimed it, or by one that has inherited the descriptor.
bool World::byte_is_locked(std::uint8_t owner) const {
  if (owner == 0) return false;
  if (processes_[owner - 1].lingers_until_ns >= now_ns_) return true;
  const auto inherits = [owner](const Process& process) { return (process.inherited >> (owner - 1) & 1) != 0; };
  return std::any_of(processes_.begin(), processes_.begin() + process_count_, inherits);
}

bool World::other_holds_byte(std::uint32_t slot) const {
  const std::uint8_t owner = byte_owners_[slot];
  return owner != this_process() + 1 && byte_is_locked(owner);
}

bool World::shares_byte(ProcessId process, std::uint32_t slot) const {
  const std::uint8_t owner = byte_owners_[slot];
  if (owner == 0 || gone(process)) return false;
  return owner == process + 1 || (processes_[process].inherited >> (owner - 1) & 1) != 0;
}

void World::hand_over_bytes(ProcessId heir, Site site) {
  step(site);
  record(Op::inherit_byte, nullptr, heir);
  if (!gone(heir)) processes_[heir].inherited |= 1U << this_process();
}

void World::close_inherited_bytes(Site site) {
  step(site);
  record(Op::close_byte, nullptr, this_process());
  processes_[this_process()].inherited = 0;
}

void World::set_tag(std::uint64_t tag, Site site) {
  step(site);
  record(Op::set_tag, nullptr, tag);
  processes_[this_process()].tag = tag;
}

// As long as the kernel still works on a dead process, its last stores may be on their way.
bool World::tag_is_carried(std::uint64_t tag, Site site) {
  step(site);
  if (has_stale_reads()) weak_->fence(running_);
  bool carried = false;
  for (ProcessId id = 0; id < process_count_ && tag != 0; ++id) carried |= processes_[id].tag == tag && !gone(id);
  record(Op::find_tag, nullptr, tag, carried);
  return carried;
}

bool World::send_kill(ProcessId process, Site site) {
  step(site);
  barrier();
  record(Op::send_kill, nullptr, process);
  if (!processes_[process].alive) return false;
  end_at_once(process);
  return true;
}

ByteClaim World::claim_byte(std::uint32_t slot, Site site) {
  step(site);
  barrier();
  if (slot >= bytes_max) return ByteClaim::failed;
  const bool held = other_holds_byte(slot);
  if (!held) {
    byte_owners_[slot] = static_cast<std::uint8_t>(this_process() + 1);
    bytes_used_ = std::max(bytes_used_, slot + 1);
    processes_[this_process()].holds_bytes = true;
    processes_[this_process()].lingers_until_ns = never_ns;
  }
  record(Op::claim_byte, nullptr, slot, held);
  return held ? ByteClaim::held_by_other : ByteClaim::claimed;
}

void World::preset_byte(ProcessId process, std::uint32_t slot) {
  byte_owners_[slot] = static_cast<std::uint8_t>(process + 1);
  bytes_used_ = std::max(bytes_used_, slot + 1);
  processes_[process].holds_bytes = true;
  processes_[process].lingers_until_ns = never_ns;
}

void World::preset_bell(ProcessId process, std::uint32_t* word) {
  *word = processes_[process].pid | futex_waiters;
  processes_[process].bells[processes_[process].bell_count++] = word;
}

void World::free_byte(std::uint32_t slot, Site site) {
  step(site);
  barrier();
  record(Op::free_byte, nullptr, slot);
  if (slot < bytes_max && byte_owners_[slot] == this_process() + 1) byte_owners_[slot] = 0;
}

bool World::byte_is_held(std::uint32_t slot, Site site) {
  step(site);
  if (has_stale_reads()) weak_->fence(running_);
  const std::uint8_t owner = slot < bytes_max ? byte_owners_[slot] : 0;
  const bool held = slot >= bytes_max || byte_is_locked(owner);
  record(Op::probe_byte, nullptr, slot, held);
  return held;
}

bool World::arm_bell(std::uint32_t* word, Site site) {
  step(site);
  Process& process = processes_[this_process()];
  if (config_.bells_forbidden || process.bell_count == bells_max) return false;
  barrier();
  write_word(word, process.pid | futex_waiters, running_);
  process.bells[process.bell_count++] = word;
  record(Op::arm_bell, word, *word);
  return true;
}

void World::disarm_bell(std::uint32_t* word, Site site) {
  step(site);
  record(Op::disarm_bell, word, 0);
  Process& process = processes_[this_process()];
  const auto end = process.bells.begin() + process.bell_count;
  process.bell_count = static_cast<std::uint32_t>(std::remove(process.bells.begin(), end, word) - process.bells.begin());
}

bool World::raise_token_mark(std::uint64_t number, Site site) {
  step(site);
  if (config_.token_mark_fails) return false;
  token_mark_ = std::max(token_mark_, number);
  record(Op::token_mark, nullptr, token_mark_);
  return true;
}

void World::robust_add(std::uint32_t* word, Site site) {
  step(site);
  record(Op::robust_list, word, 1);
  RobustList& list = threads_[running_].robust;
  if (list.count < robust_words_max) list.words[list.count++] = word;
}

void World::robust_remove(std::uint32_t* word, Site site) {
  step(site);
  record(Op::robust_list, word, 0);
  RobustList& list = threads_[running_].robust;
  const auto end = list.words.begin() + list.count;
  list.count = static_cast<std::uint32_t>(std::remove(list.words.begin(), end, word) - list.words.begin());
}

void World::robust_pending(std::uint32_t* word, Site site) {
  step(site);
  record(Op::robust_list, word, 2);
  threads_[running_].robust.pending = word;
}

// --- Exec -----------------------------------------------------------------------------------------------------------------------------

// In one step, what is several in the kernel: nobody else can tell, but for the order of the wake-ups.
void World::begin_exec() {
  step();
  barrier();
  const ProcessId id = this_process();
  Process& process = processes_[id];
  record(Op::exec, nullptr, id);
  for (std::uint64_t rest = process.threads; rest != 0; rest &= rest - 1) {
    const auto thread = static_cast<std::uint32_t>(std::countr_zero(rest));
    drain_all(thread);
    threads_[thread].queued = 0;
    if (thread != running_) threads_[thread].state = State::done;
    if (threads_[thread].tid != process.pid) tids_used_ &= ~(std::uint64_t{1} << threads_[thread].tid);
  }
  ready_ &= ~process.threads | bit(running_);
  process.death = {};
  while (kernel_walks(id)) {
  }
  process.death = {};
  process.bell_count = 0;
  for (std::uint64_t rest = process.threads; rest != 0; rest &= rest - 1) {
    RobustList& list = threads_[static_cast<std::uint32_t>(std::countr_zero(rest))].robust;
    list.count = 0;
    list.pending = nullptr;
  }
  process.threads = 0;
}

void World::end_exec() {
  threads_[running_].state = State::done;
  ready_ &= ~bit(running_);
  schedule();
  std::abort();
}

// --- Death ----------------------------------------------------------------------------------------------------------------------------

// One step of the work on a dead process: what its processors still hold back, its places in futex queues, its bells and robust lists, and
// late, when the last of its threads has closed its files, its bytes.
void World::run_kernel(ProcessId id) {
  Process& process = processes_[id];
  if (!config_.bell_before_drain && kernel_drains(process)) return;
  const bool any_order = config_.bell_before_unqueue && !process.death.walked && somebody_queued(process);
  const bool walks_first = any_order && choose(2, Kind::death_order) != 0;
  if (!walks_first && kernel_unqueues(process)) return;
  if (!process.death.walked && kernel_walks(id)) return;
  process.death.walked = true;
  if (kernel_unqueues(process)) return;
  if (kernel_drains(process)) return;
  kernel_frees(id);
}

bool World::somebody_queued(const Process& process) const {
  std::uint32_t queued = 0;
  for (std::uint64_t rest = process.threads; rest != 0; rest &= rest - 1) {
    queued |= threads_[static_cast<std::uint32_t>(std::countr_zero(rest))].queued;
  }
  return queued != 0;
}

bool World::kernel_drains(Process& process) {
  for (std::uint64_t rest = process.threads; rest != 0; rest &= rest - 1) {
    const auto thread = static_cast<std::uint32_t>(std::countr_zero(rest));
    if (threads_[thread].stores.count == 0) continue;
    drain_one(thread);
    return true;
  }
  return false;
}

// A killed sleeper stays queued until it runs; up to here a wake-up may have been spent on it.
bool World::kernel_unqueues(Process& process) {
  bool any = false;
  for (std::uint64_t rest = process.threads; rest != 0; rest &= rest - 1) {
    Thread& thread = threads_[static_cast<std::uint32_t>(std::countr_zero(rest))];
    any |= thread.queued != 0;
    thread.queued = 0;
  }
  if (any) record(Op::kernel_unqueue, nullptr, process.pid);
  return any;
}

// One entry, or one wake-up, of the walk. False when there was nothing left. The bells belong to a thread of the library that bears the
// process's number. Linux walks a list when its thread ends; here, where no scenario ends a thread that has words on it while the process
// lives, that is when the process ends.
bool World::kernel_walks(ProcessId id) {
  Process& process = processes_[id];
  Death& death = process.death;
  if (death.wake != nullptr) {
    const std::uint32_t woken = wake_waiters(death.wake, 1);
    record(Op::kernel_wake, death.wake, woken);
    death.wake = nullptr;
    return true;
  }
  while (death.entry < process.bell_count) {
    const auto first = static_cast<ThreadId>(std::countr_zero(process.threads));
    if (kernel_handles_word(process.bells[death.entry++], first, process.pid, false, death)) return true;
  }
  for (; death.thread < thread_count_; ++death.thread, death.entry = process.bell_count) {
    if ((process.threads & bit(death.thread)) == 0) continue;
    Thread& thread = threads_[death.thread];
    // It walks its own list, and so has left its queues: what is spent on it after its walk would be lost.
    if (thread.queued != 0 && (thread.robust.count != 0 || thread.robust.pending != nullptr)) {
      thread.queued = 0;
      record(Op::kernel_unqueue, nullptr, process.pid);
      return true;
    }
    while (death.entry - process.bell_count < thread.robust.count) {
      std::uint32_t* const word = thread.robust.words[death.entry++ - process.bell_count];
      if (word == thread.robust.pending) continue;
      if (kernel_handles_word(word, death.thread, thread.tid, false, death)) return true;
    }
    if (death.entry - process.bell_count == thread.robust.count && thread.robust.pending != nullptr) {
      ++death.entry;
      if (kernel_handles_word(thread.robust.pending, death.thread, thread.tid, true, death)) return true;
    }
  }
  return false;
}

// All that the dead did comes before its mark.
void World::write_word(std::uint32_t* word, std::uint32_t value, ThreadId thread) {
  const std::uint32_t replaced = std::exchange(*word, value);
  if (has_stale_reads()) weak_->store_for(thread, word, replaced, value);
}

// Linux's rule. A pending operation on a word without an owner may be an unlock that has yet to wake somebody, so the kernel wakes in its
// place; on a word that another thread already owns it doesn't. True when it did something that others can see.
bool World::kernel_handles_word(std::uint32_t* word, ThreadId thread, std::uint32_t tid, bool pending, Death& death) {
  const std::uint32_t owner = *word & futex_tid_mask;
  if (pending && owner == 0) {
    record(Op::kernel_wake, word, wake_waiters(word, 1));
    return true;
  }
  if (owner != tid) return false;
  if ((*word & futex_waiters) != 0) death.wake = word;
  write_word(word, (*word & futex_waiters) | futex_owner_died, thread);
  record(Op::kernel_mark, word, *word);
  return true;
}

void World::kernel_frees(ProcessId id) {
  Process& process = processes_[id];
  if (has_stale_reads()) end_in_order(process.threads);
  process.inherited = 0;
  if (process.holds_bytes) {
    const bool lingers = config_.byte_linger_ns != 0 && choose(2, Kind::linger) != 0;
    const bool for_ever = config_.byte_linger_ns > never_ns - now_ns_;
    process.lingers_until_ns = !lingers ? 0 : for_ever ? never_ns : now_ns_ + config_.byte_linger_ns;
    record(Op::kernel_free_bytes, nullptr, id, lingers);
  }
  for (std::uint64_t rest = process.threads; rest != 0; rest &= rest - 1) {
    tids_used_ &= ~(std::uint64_t{1} << threads_[static_cast<std::uint32_t>(std::countr_zero(rest))].tid);
  }
  record(Op::kernel_reap, nullptr, process.pid);
  ready_ &= ~bit(first_death + id);
}

}  // namespace tenure::sim
