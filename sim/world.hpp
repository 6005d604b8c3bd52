// One simulated host: processes and their threads, clocks, memory, the part of the kernel that a lock manager sees, and the scheduler.
//
// Everything shared is done in steps. A step first lets the scheduler choose who goes on, then lets a fault land, and then has its effect
// at once; so a kill right before and right after every effect is reachable. Between two steps a thread runs alone: ghost state of a
// scenario needs no care. All decisions go through the tape.
//
// "Actors" are what the scheduler chooses from: the threads, the store buffers that still hold something, and the kernel's work on dead
// processes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "sim/config.hpp"
#include "sim/fiber.hpp"
#include "sim/tape.hpp"

namespace tenure::sim {

class World;
using ProcessId = std::uint32_t;
using ThreadId = std::uint32_t;
constexpr std::uint32_t nobody = ~std::uint32_t{0};

// Bits of a futex word that the kernel writes when it finds it on a dead thread's robust list.
constexpr std::uint32_t futex_waiters = 0x8000'0000;
constexpr std::uint32_t futex_owner_died = 0x4000'0000;
constexpr std::uint32_t futex_tid_mask = 0x3fff'ffff;

// A word that a thread sleeps on, as the kernel sees it.
struct FutexWatch {
  const std::uint32_t* word;
  std::uint32_t expected;
};

enum class Wakeup : std::uint8_t { woken, changed, timed_out };

// What a scenario is: it builds a run, and judges it. One instance serves many runs, one at a time; setup() must leave nothing of the
// run before.
class Scenario {
 public:
  virtual ~Scenario() = default;
  virtual std::string_view name() const = 0;
  virtual Config config() const = 0;
  // Resets the scenario's memory and spawns its processes.
  virtual void setup(World& world) = 0;
  // After the last step of a run that has not failed.
  virtual void check(World&) {}
  // Everybody sleeps and nobody is paused, the kernel has nothing left to do: only a timer can go on. The place to say that a sleeper
  // should have been woken: world.fail("lost_wake").
  virtual void on_idle(World&) {}
  // `process` was just killed; the kernel hasn't started on it. A successor may be spawned here.
  virtual void on_death(World&, ProcessId) {}
};

enum class Op : std::uint8_t {
  load,
  store,
  exchange,
  cas,
  cas_failed,
  fetch_add,
  fence,
  drain,
  wait,
  sleep,
  resume,
  wake,
  read_clock,
  claim_byte,
  free_byte,
  probe_byte,
  inherit_byte,
  close_byte,
  set_tag,
  find_tag,
  send_kill,
  arm_bell,
  disarm_bell,
  token_mark,
  robust_list,
  start,
  exit,
  kill,
  pause,
  unpause,
  clock_jump,
  tick,
  kernel_unqueue,
  kernel_mark,
  kernel_wake,
  kernel_free_bytes,
  kernel_reap,
  note,
};

// One line of a script: the first part of a run as a scenario dictates it, for schedules that chance doesn't find. The tape decides the
// rest.
struct Cue {
  enum class What : std::uint8_t {
    until,  // `actor` (a thread) runs up to and with its `times`-th next `op` on `word`; null: on any word
    rest,   // `actor` (a thread) runs until it sleeps or ends
    kill,   // `actor` (a process) dies
    bury,   // the kernel does all its work on `actor` (a dead process)
    pause,  // `actor` (a process) stops for `times` steps
  };
  What what;
  std::uint32_t actor;
  Op op = Op::note;
  const void* word = nullptr;
  std::uint32_t times = 1;
};

// One line of the readable trace.
struct TraceLine {
  std::uint32_t step;
  std::uint32_t process;
  std::uint32_t thread;
  Op op;
  const void* word;
  std::uint64_t first;
  std::uint64_t second;
  const char* text;
};

struct Verdict {
  bool failed = false;
  std::string property;
  std::string detail;
  std::uint64_t hash = 0;
  std::uint32_t steps = 0;
  std::uint32_t ticks = 0;  // times that only a timer could go on
  std::uint32_t kills = 0;
  std::uint32_t pauses = 0;
};

class World {
 public:
  static constexpr std::uint32_t threads_max = 24;  // in one run, dead ones included
  static constexpr std::uint32_t processes_max = 16;
  static constexpr std::uint32_t bells_max = 8;  // of one process
  static constexpr std::uint32_t robust_words_max = 8;
  static constexpr std::uint32_t bytes_max = 4096;
  static constexpr std::uint32_t stores_max = 16;  // in one buffer

  World() = default;
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // One run from setup to check.
  Verdict run(Scenario& scenario, const Config& config, Tape& tape, bool tracing = false);

  // --- For scenarios: setup and threads -------------------------------------------------------------------------------------------
  ProcessId spawn_process(bool killable = true);
  // `body()` runs as a thread of the process. It is copied into the world and never destroyed.
  template <class Body>
  ThreadId spawn(ProcessId process, Body body);
  // A child of the running process, which inherits its tag and every descriptor of bytes that it has: what is claimed through one, later
  // too, stays locked as long as somebody has it. One step.
  ProcessId spawn_child(bool killable = true);
  // In setup(): what a process has done before the run begins, without the steps it takes.
  void preset_byte(ProcessId process, std::uint32_t slot);
  void preset_bell(ProcessId process, std::uint32_t* word);

  // --- For scenarios: ghosts, which cost no step -------------------------------------------------------------------------------------
  std::uint64_t true_now() const { return boottime_ns_; }
  std::uint32_t steps() const { return steps_; }
  const Config& config() const { return config_; }
  ProcessId this_process() const { return threads_[running_].process; }
  ThreadId this_thread() const { return running_; }
  std::uint32_t tid(ThreadId thread) const { return threads_[thread].tid; }
  std::uint32_t pid(ProcessId process) const { return processes_[process].pid; }
  ProcessId processes() const { return process_count_; }  // of this run so far, dead ones included
  bool alive(ProcessId process) const { return processes_[process].alive; }
  // Dead, and the kernel has done all its work on it.
  bool gone(ProcessId process) const { return !processes_[process].alive && (ready_ & bit(first_death + process)) == 0; }
  std::uint64_t tag(ProcessId process) const { return processes_[process].tag; }
  // Whether it has the byte's description open, as the one who claimed the byte or by inheritance.
  bool shares_byte(ProcessId process, std::uint32_t slot) const;
  std::uint32_t threads_alive() const;
  // The first failure of a run counts. In a thread it doesn't return: the run is over.
  void fail(std::string_view property, std::string_view detail = {});
  // Counts that something interesting happened in this run, so that a report can show that the scenario is not
  // vacuous. `what` must be a literal.
  void sometimes(const char* what);
  // A line of the trace, which also enters the hash. `text` must be a literal.
  void note(const char* text, std::uint64_t value = 0) { record(Op::note, nullptr, value, 0, text); }
  bool tracing() const { return tracing_; }
  // The name of a word in traces. Costs nothing unless this run is traced.
  void name_word(const void* word, std::string_view name);
  // In setup(): the run begins with these cues. They must outlive the run. A cue that can't be followed fails it with "script".
  void follow(std::span<const Cue> script) {
    script_ = script;
    observed_ = observed_ || !script.empty();
  }
  bool follows_script() const { return !script_.empty(); }
  // A decision of the scenario's own, on the tape.
  std::uint32_t choose(std::uint32_t n) { return tape_->choose(n, Kind::scenario); }
  // The liveness property: a thread that waits is served within the bound, counted from the last fault if that came later.
  void begin_wait() { threads_[running_].wait_began_ns = boottime_ns_; }
  void end_wait(std::uint64_t bound_ns);
  std::span<const TraceLine> trace() const { return trace_; }
  std::string_view word_name(const void* word) const;

  struct Sometimes {
    const char* what;
    std::uint64_t count;
  };
  std::span<const Sometimes> sometimes_counts() const { return sometimes_; }
  void forget_sometimes() { sometimes_.clear(); }

  // --- For the platform: one step each -----------------------------------------------------------------------------------------------
  // The world whose thread is running, or null in setup, in checks and in callbacks, where atomics act at once.
  static World* active() { return active_; }

  void step() {
    boottime_ns_ += config_.step_ns;
    if (++steps_ >= config_.steps_max || boottime_ns_ >= alarm_ns_) [[unlikely]]
      time_passes();
    if (ready_ != std::uint64_t{1} << running_ || !script_.empty()) [[likely]]
      schedule();
    if (faults_possible_ && script_.empty()) land_faults();
  }
  void record(Op op, const void* word, std::uint64_t first, std::uint64_t second = 0, const char* text = nullptr) {
    hash_ = (((hash_ << 5) | (hash_ >> 59)) ^ (first + (std::uint64_t{running_} << 56) + (static_cast<std::uint64_t>(op) << 48))) *
            0x9e3779b97f4a7c15;
    hash_ ^= second + (hash_ >> 32);
    if (observed_) [[unlikely]]
      observe(op, word, first, second, text);
  }
  bool buffers_stores() const { return config_.memory == Memory::total_store_order; }
  // The newest store to `word` in the running thread's own buffer.
  bool forwards(const void* word, std::uint64_t& bits) const { return threads_[running_].stores.count != 0 && find_buffered(word, bits); }
  void buffer_store(void* word, std::uint32_t bytes, std::uint64_t bits);
  void drain() {
    if (threads_[running_].stores.count != 0) drain_all(running_);
  }

  Wakeup futex_wait(std::span<const FutexWatch> watches, std::uint64_t timeout_ns);
  std::uint32_t futex_wake(const std::uint32_t* word, std::uint32_t count);
  std::uint64_t read_boottime_ns();
  std::uint64_t read_realtime_ms();
  core::ByteClaim claim_byte(std::uint32_t slot);
  void free_byte(std::uint32_t slot);
  bool byte_is_held(std::uint32_t slot);
  // Gives another process the descriptor through which the running one claimed its bytes; and closes an inherited one.
  void hand_over_bytes(ProcessId heir);
  void close_inherited_bytes();
  void set_tag(std::uint64_t tag);
  bool tag_is_carried(std::uint64_t tag);
  // SIGKILL from the running process. False: it was dead already.
  bool send_kill(ProcessId process);
  bool arm_bell(std::uint32_t* word);
  void disarm_bell(std::uint32_t* word);
  bool raise_token_mark(std::uint64_t number);
  std::uint64_t token_mark() const { return token_mark_; }

  // The robust list of the running thread, for protocols that transliterate a robust mutex. Each is a step: a kill may come between.
  void robust_add(std::uint32_t* word);
  void robust_remove(std::uint32_t* word);
  void robust_pending(std::uint32_t* word);  // null: no operation under way

 private:
  enum class State : std::uint8_t { ready, asleep, done };

  struct BufferedStore {
    void* word;
    std::uint64_t bits;
    std::uint32_t bytes;
  };
  struct StoreBuffer {
    std::array<BufferedStore, stores_max> entries;
    std::uint32_t first;
    std::uint32_t count;
    BufferedStore& at(std::uint32_t i) { return entries[(first + i) % stores_max]; }
    const BufferedStore& at(std::uint32_t i) const { return entries[(first + i) % stores_max]; }
  };
  struct RobustList {
    std::array<std::uint32_t*, robust_words_max> words;
    std::uint32_t count;
    std::uint32_t* pending;
  };
  struct Thread {
    Fiber fiber;
    ProcessId process;
    std::uint32_t tid;
    State state;
    std::uint32_t queued;  // bit set: the watches on whose futex queues it is
    bool timed_out;
    std::uint64_t queued_at;  // order of going to sleep
    std::uint64_t deadline_ns;
    std::uint64_t wait_began_ns;
    std::span<const FutexWatch> watches;
    StoreBuffer stores;
    RobustList robust;
    void (*body)(void*);
    alignas(std::max_align_t) std::array<std::byte, 64> body_storage;
  };
  // Where the kernel is in its work on a dead process. Entries are the bells, then each thread's robust words and pending word.
  struct Death {
    std::uint32_t thread;
    std::uint32_t entry;
    const std::uint32_t* wake;  // marked, its waiter still to be woken
    bool walked;
  };
  struct Process {
    std::uint32_t pid;
    std::uint64_t threads;  // bit set
    bool alive;
    bool killable;
    bool paused;
    bool holds_bytes;
    std::uint64_t tag;
    std::uint32_t inherited;  // bit set: the processes whose descriptor it has beside its own
    std::uint64_t paused_until_ns;
    std::uint64_t lingers_until_ns;
    std::array<std::uint32_t*, bells_max> bells;
    std::uint32_t bell_count;
    Death death;
  };

  // Actors, as bits of ready_.
  static constexpr std::uint32_t first_buffer = threads_max;
  static constexpr std::uint32_t first_death = 2 * threads_max;
  static_assert(first_death + processes_max == 64);
  static std::uint64_t bit(std::uint32_t actor) { return std::uint64_t{1} << actor; }

  void reset(const Config& config, Tape& tape, bool tracing);
  ThreadId add_thread(ProcessId process);
  void start_thread(ThreadId thread);
  static void thread_entry(void* thread);
  void finish_thread();

  // scheduler.cpp
  void schedule();
  std::uint32_t pick();
  void follow_cue(std::uint32_t& actor);
  void next_cue();
  void continue_thread(std::uint32_t thread);
  [[noreturn]] void leave();
  void idle();
  void time_passes();
  void fire_alarms();
  void make_ready(std::uint32_t thread);
  void land_faults();
  void offer_kill();
  void offer_pause();
  void offer_clock_jump();
  void kill(ProcessId process);
  void end_at_once(ProcessId process);
  void pause(ProcessId process, std::uint64_t steps);
  void process_ends(ProcessId process);
  std::uint32_t steps_length(std::uint32_t steps_max) { return tape_->choose(steps_max, Kind::length) + 1; }

  // kernel.cpp
  void run_kernel(ProcessId process);
  bool kernel_drains(Process& process);
  bool kernel_unqueues(Process& process);
  bool kernel_walks(ProcessId id);
  bool kernel_handles_word(std::uint32_t* word, std::uint32_t tid, bool pending, Death& death);
  void kernel_frees(ProcessId id);
  std::uint32_t wake_waiters(const std::uint32_t* word, std::uint32_t count);
  bool byte_is_locked(std::uint8_t owner) const;
  bool other_holds_byte(std::uint32_t slot) const;
  std::uint32_t free_tid() const;

  void drain_one(std::uint32_t thread);
  void drain_all(std::uint32_t thread);
  bool find_buffered(const void* word, std::uint64_t& bits) const;
  void observe(Op op, const void* word, std::uint64_t first, std::uint64_t second, const char* text);
  template <class Callback>
  void call_out(Callback callback);

  static constinit inline thread_local World* active_ = nullptr;

  // The hot part first.
  std::uint64_t ready_ = 0;
  std::uint64_t boottime_ns_ = 0;
  std::uint64_t alarm_ns_ = never_ns;  // earliest deadline of a sleeper or end of a pause
  std::uint64_t hash_ = 0;
  std::uint32_t steps_ = 0;
  std::uint32_t running_ = nobody;  // the thread on whose stack we stand
  std::uint32_t last_ = nobody;     // the actor of the last step
  std::uint32_t turn_began_ = 0;
  bool tracing_ = false;
  bool observed_ = false;  // by a trace or a script
  bool faults_possible_ = false;
  bool over_ = false;
  Tape* tape_ = nullptr;
  Config config_;

  std::uint32_t thread_count_ = 0;
  std::uint32_t process_count_ = 0;
  std::uint32_t paused_count_ = 0;
  std::uint32_t kills_left_ = 0;
  std::uint32_t pauses_left_ = 0;
  std::uint32_t spurious_left_ = 0;
  std::uint32_t jumps_left_ = 0;
  std::uint64_t last_fault_ns_ = 0;
  std::uint64_t sleeps_ = 0;
  std::uint64_t realtime_ahead_ms_ = 0;  // modulo 2^64: may stand for a negative number
  std::uint64_t token_mark_ = 0;
  std::uint64_t tids_used_ = 0;   // bit set
  std::uint32_t bytes_used_ = 0;  // high-water mark of byte_owners_
  Scenario* scenario_ = nullptr;
  std::span<const Cue> script_;  // what is left of it
  std::uint32_t cue_times_ = 0;  // how often the first cue has happened
  Verdict verdict_;
  Fiber main_;
  std::array<Thread, threads_max> threads_{};
  std::array<Process, processes_max> processes_{};
  std::array<std::uint8_t, bytes_max> byte_owners_{};  // process + 1
  std::vector<Sometimes> sometimes_;
  std::vector<TraceLine> trace_;
  std::vector<std::pair<const void*, std::string>> word_names_;
};

template <class Body>
ThreadId World::spawn(ProcessId process, Body body) {
  static_assert(sizeof(Body) <= sizeof(Thread::body_storage) && alignof(Body) <= alignof(std::max_align_t));
  static_assert(std::is_trivially_destructible_v<Body>, "a killed thread is dropped, not unwound");
  const ThreadId thread = add_thread(process);
  ::new (static_cast<void*>(threads_[thread].body_storage.data())) Body(body);
  threads_[thread].body = [](void* storage) { (*std::launder(static_cast<Body*>(storage)))(); };
  start_thread(thread);
  return thread;
}

}  // namespace tenure::sim
