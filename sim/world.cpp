
#include <cxxabi.h>

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <utility>

#include <tenure/sim/site_coverage.hpp>
#include <tenure/sim/world.hpp>

#include "sim/checkpoint.hpp"

namespace tenure::sim {

void World::refuse(const char* sentence) {
  std::fprintf(stderr, "sim: %s\n", sentence);
  std::abort();
}

World::World() = default;
World::~World() = default;

Verdict World::run(Scenario& scenario, const Config& config, Tape& tape, bool tracing) {
  if (states_ == nullptr || !go_back(tape)) begin(scenario, config, tape, tracing);
  active_ = this;
  exceptions_ = abi::__cxa_get_globals();
  schedule();
  tell_tape();
  active_ = nullptr;
  running_ = nobody;
  if (!verdict_.failed && !verdict_.cut) scenario.check(*this);
  if (crash_detail_ != nullptr) verdict_.detail = std::exchange(crash_detail_, nullptr);
  verdict_.hash = hash_;
  verdict_.steps = steps_;
  return verdict_;
}

void World::begin(Scenario& scenario, const Config& config, Tape& tape, bool tracing) {
  reset(config, tape, tracing);
  scenario_ = &scenario;
  add_host();
  scenario.setup(*this);
  attentive_ = tape.keyed() || !script_.empty() || states_ != nullptr || coverage_ != nullptr;
  plan_faults();
  if (states_ == nullptr || !run_memory_.empty()) return;
  scenario.name_memory(run_memory_);
  if (run_memory_.empty() || has_stale_reads() || !script_.empty()) {
    refuse("this scenario can't be searched for states: it has no name_memory(), or a script, or stale reads");
  }
  name_memory(run_memory_);
}

void World::search(StateSet* states) {
  states_ = states;
  run_memory_.clear();
  checkpoints_ = states == nullptr ? nullptr : std::make_unique<Checkpoints>();
}

void World::reset(const Config& config, Tape& tape, bool tracing) {
  config_ = config;
  planted_mistakes = config.planted;
  tape_ = &tape;
  tracing_ = tracing;
  observed_ = tracing;
  script_ = {};
  cue_times_ = 0;
  ready_ = 0;
  now_ns_ = config.boot_ns;
  alarm_ns_ = never_ns;
  hash_ = 0x243f6a8885a308d3;
  steps_ = 0;
  running_ = last_ = nobody;
  foreseen_ = foreseen_left_ = 0;
  turn_began_ = 0;
  over_ = false;
  actor_steps_.fill(0);
  thread_count_ = process_count_ = paused_count_ = 0;
  host_count_ = server_count_ = message_count_ = partition_count_ = 0;
  messages_sent_ = heap_bytes_ = 0;
  message_due_ns_ = never_ns;
  spurious_left_ = config.spurious_wakes_max;
  message_faults_left_ = config.message_faults_max;
  last_fault_ns_ = 0;
  sleeps_ = 0;
  token_mark_ = 0;
  tids_used_ = 1;  // no thread is number 0
  std::fill_n(byte_owners_.begin(), bytes_used_, std::uint8_t{0});
  bytes_used_ = 0;
  verdict_.failed = verdict_.cut = false;
  verdict_.property.clear();
  verdict_.detail.clear();
  verdict_.ticks = verdict_.kills = verdict_.pauses = verdict_.faults = verdict_.switches = 0;
  if (has_stale_reads()) {
    if (weak_ == nullptr) weak_ = std::make_unique<WeakMemory>();
    weak_->reset();
  }
  if (!tracing) return;
  trace_.clear();
  word_names_.clear();
  process_names_.clear();
  server_names_.clear();
}

std::uint32_t World::free_tid() const {
  const auto tid = static_cast<std::uint32_t>(std::countr_one(tids_used_));
  if (tid >= 64) refuse("more than 63 threads at once");
  return tid;
}

ProcessId World::spawn_process(bool killable, HostId host) {
  if (process_count_ == processes_max) refuse("too many processes in one run");
  const ProcessId id = process_count_++;
  Process& process = processes_[id];
  process.pid = free_tid();
  process.host = host;
  tids_used_ |= std::uint64_t{1} << process.pid;
  process.threads = 0;
  process.alive = true;
  process.killable = killable;
  process.paused = process.holds_bytes = false;
  process.tag = 0;
  process.inherited = 0;
  process.lingers_until_ns = 0;
  process.bell_count = 0;
  process.death = {};
  return id;
}

ProcessId World::spawn_child(bool killable) {
  step();
  barrier();
  const ProcessId parent = this_process();
  const ProcessId child = spawn_process(killable, processes_[parent].host);
  processes_[child].tag = processes_[parent].tag;
  processes_[child].inherited = processes_[parent].inherited | 1U << parent;
  record(Op::inherit_byte, nullptr, child, processes_[child].inherited);
  return child;
}

// The first thread of a process has the process's number, as everywhere.
ThreadId World::add_thread(ProcessId process) {
  if (thread_count_ == threads_max) refuse("too many threads in one run");
  const ThreadId id = thread_count_++;
  Thread& thread = threads_[id];
  thread.process = process;
  thread.tid = processes_[process].threads == 0 ? processes_[process].pid : free_tid();
  tids_used_ |= std::uint64_t{1} << thread.tid;
  thread.state = State::ready;
  thread.queued = 0;
  thread.timed_out = false;
  thread.deadline_ns = never_ns;
  thread.stores.first = thread.stores.count = 0;
  thread.robust.count = 0;
  thread.robust.pending = nullptr;
  site_[id] = {};
  thread.awaits_reply = thread.receives = false;
  thread.call = thread.inbox_count = 0;
  thread.exceptions = {};
  if (has_stale_reads()) weak_->thread_starts(id, running_ == nobody ? WeakMemory::threads_max : running_);
  processes_[process].threads |= bit(id);
  return id;
}

// What the creator stored before is seen by the new thread: a system call lies between.
void World::start_thread(ThreadId thread) {
  if (active_ == this) barrier();
  fibers_[thread].restart(&World::thread_entry, &threads_[thread]);
  ready_ |= bit(thread);
  if (states_ == nullptr) return;
  fibers_[thread].forget();
  threads_[thread].knowledge = knowledge_hash(thread);
}

// An exception is told when it has been caught and destroyed: what the runtime keeps of it is gone before this stack is dropped.
void World::thread_entry(void* argument) {
  Thread& thread = *static_cast<Thread*>(argument);
  World& world = *active_;
  world.record(Op::start, nullptr, thread.tid);
  std::array<char, 200> what;
  what[0] = 0;
  try {
    thread.body(thread.body_storage.data());
  } catch (const std::exception& exception) {
    std::snprintf(what.data(), what.size(), "%s", exception.what());
    if (what[0] == 0) what[0] = '?';
  } catch (...) {
    std::snprintf(what.data(), what.size(), "something that is no std::exception");
  }
  if (what[0] != 0) world.fail("exception", what.data());
  world.finish_thread();
}

// A step of its own, so that a kill right after the thread's last effect is reachable.
void World::finish_thread() {
  step();
  record(Op::exit, nullptr, 0);
  threads_[running_].state = State::done;
  ready_ &= ~bit(running_);
  const ProcessId process = this_process();
  std::uint64_t others = processes_[process].threads;
  bool last = true;
  for (; others != 0; others &= others - 1) last &= threads_[static_cast<std::uint32_t>(std::countr_zero(others))].state == State::done;
  if (last) process_ends(process);
  schedule();
  refuse("a finished thread went on");
}

std::uint32_t World::processes_in_use() const {
  std::uint64_t used = 0;
  for (std::uint32_t i = 0; i < thread_count_; ++i) used |= actor_steps_[i] != 0 ? bit(threads_[i].process) : 0;
  return static_cast<std::uint32_t>(std::popcount(used));
}

std::uint32_t World::threads_alive() const {
  std::uint32_t count = 0;
  for (std::uint32_t i = 0; i < thread_count_; ++i) count += threads_[i].state != State::done;
  return count;
}

void World::fail(std::string_view property, std::string_view detail) {
  if (!verdict_.failed) {
    verdict_.failed = true;
    verdict_.property = property;
    verdict_.detail = detail;
  }
  over_ = true;
  see_no_further();
  if (active_ == this && running_ != nobody) leave();
}

// The strings are short, or stand in the verdict already: a handler must not allocate.
void World::crash(const char* property, const char* detail) {
  if (!in_thread()) return;
  if (!verdict_.failed) {
    verdict_.failed = true;
    verdict_.property = property;
    crash_detail_ = detail;
  }
  over_ = true;
  leave();
}

void World::sometimes(const char* what) {
  auto entry = std::find_if(sometimes_.begin(), sometimes_.end(), [what](const Sometimes& known) { return known.what == what; });
  // Nearly always it is the very same literal.
  if (entry == sometimes_.end()) {
    entry = std::find_if(sometimes_.begin(), sometimes_.end(), [what](const auto& known) { return std::strcmp(known.what, what) == 0; });
  }
  if (entry == sometimes_.end()) entry = sometimes_.insert(entry, {what, 0});
  ++entry->count;
}

void World::end_wait(std::uint64_t bound_ns) {
  record(Op::wait_end, nullptr, 0);
  if (paused_count_ != 0) return;  // a fault that has not stopped
  const std::uint64_t from_ns = std::max(threads_[running_].wait_began_ns, last_fault_ns_);
  if (now_ns_ > from_ns && now_ns_ - from_ns > bound_ns) fail("liveness", "a waiter was served too late");
}

void World::name_word(const void* word, std::string_view name) {
  if (tracing_) word_names_.emplace_back(word, name);
}

std::string_view World::word_name(const void* word) const {
  for (const auto& [known, name] : word_names_) {
    if (known == word) return name;
  }
  return {};
}

void World::name_process(ProcessId process, std::string_view name) {
  if (tracing_) process_names_.emplace_back(process, name);
}

std::string World::process_name(ProcessId process) const {
  for (const auto& [known, name] : process_names_) {
    if (known == process) return name;
  }
  return "P" + std::to_string(process);
}

void World::name_server(ServerId server, std::string_view name) {
  if (tracing_) server_names_.emplace_back(server, name);
}

std::string World::server_name(ServerId server) const {
  for (const auto& [known, name] : server_names_) {
    if (known == server) return name;
  }
  return "server " + std::to_string(server);
}

void World::observe(Op op, const void* word, std::uint64_t first, std::uint64_t second, const char* text) {
  const std::uint32_t process = running_ == nobody ? nobody : this_process();
  if (tracing_)
    trace_.push_back(
        {steps_, process, running_, op, word, first, second, text, now_ns_, running_ == nobody ? Site() : site_[running_].next});
  if (script_.empty()) return;
  const Cue& cue = script_.front();
  const bool happens = cue.what == Cue::What::until && cue.actor == running_ && cue.op == op && (cue.word == nullptr || cue.word == word);
  if (happens && ++cue_times_ == cue.times) next_cue();
}

// --- Memory ---------------------------------------------------------------------------------------------------------------------------

void World::buffer_store(void* word, std::uint32_t bytes, std::uint64_t bits) {
  StoreBuffer& stores = threads_[running_].stores;
  if (stores.count == stores_max) drain_one(running_);
  stores.at(stores.count++) = {word, bits, bytes};
  ready_ |= bit(first_buffer + running_);
}

bool World::find_buffered(const void* word, std::uint64_t& bits) const {
  const StoreBuffer& stores = threads_[running_].stores;
  for (std::uint32_t i = stores.count; i-- > 0;) {
    if (stores.at(i).word != word) continue;
    bits = stores.at(i).bits;
    return true;
  }
  return false;
}

void World::drain_one(std::uint32_t thread) {
  StoreBuffer& stores = threads_[thread].stores;
  assert(stores.count != 0);
  const BufferedStore& oldest = stores.at(0);
  std::memcpy(oldest.word, &oldest.bits, oldest.bytes);
  record(Op::drain, oldest.word, oldest.bits, thread);
  stores.first = (stores.first + 1) % stores_max;
  if (--stores.count == 0) ready_ &= ~bit(first_buffer + thread);
}

void World::drain_all(std::uint32_t thread) {
  while (threads_[thread].stores.count != 0) drain_one(thread);
}

bool World::fails_weak_cas() {
  if (spurious_left_ == 0 || choose(2, Kind::spurious) == 0) return false;
  --spurious_left_;
  return true;
}

std::uint64_t World::weak_load(const void* word, std::uint64_t newest, bool acquires, bool sequential) {
  const std::uint32_t n = weak_->readable(running_, word, newest, sequential);
  return weak_->read(running_, word, newest, choose(n, Kind::stale), acquires, sequential);
}

}  // namespace tenure::sim
