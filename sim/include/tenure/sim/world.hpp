// The simulated world: hosts with their clocks, processes and their threads, memory, the part of the kernel that a lock manager sees,
// servers and the network, and the scheduler.
//
// Everything shared is done in steps. A step first lets the scheduler choose who goes on, then lets a fault land, and then has its effect
// at once; so a kill right before and right after every effect is reachable. Between two steps a thread runs alone: ghost state of a
// scenario needs no care. All decisions go through the tape.
//
// "Actors" are what the scheduler chooses from: the threads, the store buffers that still hold something, the kernel's work on dead
// processes, and the network.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <source_location>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <tenure/sim/config.hpp>
#include <tenure/sim/fiber.hpp>
#include <tenure/sim/message.hpp>
#include <tenure/sim/run_memory.hpp>
#include <tenure/sim/state_set.hpp>
#include <tenure/sim/tape.hpp>
#include <tenure/sim/weak_memory.hpp>

namespace tenure::sim {

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
enum class ByteClaim : std::uint8_t { claimed, held_by_other, failed };

// Where in the code under test a step is taken.
using Site = std::source_location;
class SiteCoverage;
class Checkpoints;

// What the code under test looks at to make its planted mistakes: Config::planted of the run in progress.
constinit inline thread_local std::uint64_t planted_mistakes = 0;

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
  // A host has started anew; its processes have died, one on_death() each.
  virtual void on_reboot(World&, HostId) {}
  // For the search over states: names all memory that a run changes and the world doesn't know, shared memory and ghosts. After setup().
  virtual void name_memory(RunMemory&) {}
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
  exec,
  call,
  answer,
  request_arrives,
  reply_arrives,
  push_arrives,
  receive,
  message_lost,
  message_doubled,
  connection_breaks,
  server_timer,
  restart,
  fail_over,
  partition,
  suspend,
  resume_host,
  reboot,
  hold,
  let_go,
  wait_begin,
  wait_end,
  note,
};
std::string_view name_of(Op op);
// These happen on whatever stack the scheduler stood on; they are no thread's doing.
bool has_no_thread(Op op);

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
  std::uint64_t now_ns;
  Site site;
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
  std::uint32_t faults = 0;    // of all kinds, kills and pauses among them
  std::uint32_t switches = 0;  // times that another thread went on than the last one
  bool cut = false;            // the search over states has been here before
};

class World {
 public:
  static constexpr std::uint32_t threads_max = 23;  // in one run, dead ones included
  static constexpr std::uint32_t processes_max = 16;
  static constexpr std::uint32_t bells_max = 8;  // of one process
  static constexpr std::uint32_t robust_words_max = 8;
  static constexpr std::uint32_t bytes_max = 4096;
  static constexpr std::uint32_t stores_max = 16;  // in one buffer
  static constexpr std::uint32_t hosts_max = 8;
  static constexpr std::uint32_t servers_max = 8;
  static constexpr std::uint32_t messages_max = 64;  // under way at once
  static constexpr std::uint32_t inbox_max = 8;      // pushed to one thread and not received

  World();
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // One run from setup to check.
  Verdict run(Scenario& scenario, const Config& config, Tape& tape, bool tracing = false);
  // The runs that follow are cut where they meet a state of this set, and add theirs to it. Null: no more.
  void search(StateSet* states);
  bool searches() const { return states_ != nullptr; }
  // Notes where steps are taken and processes are killed. Null: no more.
  void cover(SiteCoverage* coverage) { coverage_ = coverage; }
  // From a signal's handler, on another stack: the running thread did what no process survives. Doesn't return when there is one.
  void crash(const char* property, const char* detail);
  bool in_thread() const { return active_ == this && running_ != nobody; }
  // Changes with every step of every run.
  std::uint64_t progress() const { return hash_ + steps_; }
  // The running thread allocates. Beyond Config::heap_bytes_max in one run, freed or not, that fails the run with "memory".
  void charge_heap(std::size_t bytes) {
    if (running_ == nobody) return;
    heap_bytes_ += bytes;
    if (heap_bytes_ > config_.heap_bytes_max) crash("memory", "the run allocates without end");
  }

  // --- For scenarios: setup and threads -------------------------------------------------------------------------------------------
  // The first host is there. Its clocks are true time, up to the drift that the configuration allows and the tape chooses.
  HostId add_host();
  // A server on a host of its own, or on a given one.
  ServerId add_server(Server& server) { return add_server(server, add_host()); }
  ServerId add_server(Server& server, HostId host);
  ProcessId spawn_process(bool killable = true, HostId host = 0);
  // `body()` runs as a thread of the process. It is copied into the world and never destroyed.
  template <class Body>
  ThreadId spawn(ProcessId process, Body body);
  // The running process becomes another program: its other threads end, the kernel goes over its robust lists, the number stays.
  template <class Body>
  [[noreturn]] void exec(Body body) {
    begin_exec();
    spawn(this_process(), body);
    end_exec();
  }
  // A child of the running process, which inherits its tag and every descriptor of bytes that it has: what is claimed through one, later
  // too, stays locked as long as somebody has it. One step.
  ProcessId spawn_child(bool killable = true);
  // In setup(): what a process has done before the run begins, without the steps it takes.
  void preset_byte(ProcessId process, std::uint32_t slot);
  void preset_bell(ProcessId process, std::uint32_t* word);
  // From a server: a message to a client that has not asked for one; and a call of timer() after a time.
  template <Sendable T>
  void push(ServerId from, ThreadId client, const T& message) {
    push_bytes(from, client, bytes_of(message));
  }
  void set_timer(ServerId server, std::uint64_t after_ns, std::uint64_t cookie = 0);

  // --- For scenarios: ghosts, which cost no step -------------------------------------------------------------------------------------
  std::uint64_t true_now() const { return now_ns_; }
  std::uint32_t steps() const { return steps_; }
  const Config& config() const { return config_; }
  ProcessId this_process() const { return threads_[running_].process; }
  ThreadId this_thread() const { return running_; }
  std::uint32_t tid(ThreadId thread) const { return threads_[thread].tid; }
  std::uint32_t pid(ProcessId process) const { return processes_[process].pid; }
  ProcessId process_of(ThreadId thread) const { return threads_[thread].process; }
  HostId host(ProcessId process) const { return processes_[process].host; }
  // What the clocks of a host show, for its servers; and how often it was rebooted.
  std::uint64_t boottime_ns(HostId host) const { return host_boottime_ns(hosts_[host]); }
  std::uint64_t realtime_ms(HostId host) const;
  std::uint32_t boots(HostId host) const { return hosts_[host].boots; }
  std::uint64_t planted() const { return config_.planted; }
  ProcessId processes() const { return process_count_; }                                     // of this run so far, dead ones included
  std::uint32_t processes_in_use() const;                                                    // those that have taken a step
  std::uint64_t threads_of(ProcessId process) const { return processes_[process].threads; }  // one bit each
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
  void name_word(const void* word, std::string_view name);
  // In setup(): the run begins with these cues. They must outlive the run. A cue that can't be followed fails it with "script".
  void follow(std::span<const Cue> script) {
    script_ = script;
    observed_ = observed_ || !script.empty();
  }
  bool follows_script() const { return !script_.empty(); }
  // A decision of the scenario's own, on the tape.
  std::uint32_t choose(std::uint32_t n) { return choose(n, Kind::scenario); }
  // How many processes or operations this run has: from 1 to `most`.
  std::uint32_t size(std::uint32_t most) { return choose(most, Kind::size) + 1; }
  // The liveness property: a thread that waits is served within the bound, counted from the last fault if that came later.
  void begin_wait() {
    threads_[running_].wait_began_ns = now_ns_;
    record(Op::wait_begin, nullptr, 0);
  }
  void end_wait(std::uint64_t bound_ns);
  // Whether any fault has stopped somebody who has not yet gone on.
  bool faults_last() const { return paused_count_ != 0; }
  std::uint64_t last_fault_ns() const { return last_fault_ns_; }
  std::span<const TraceLine> trace() const { return trace_; }
  // The names of lanes in traces, and of words. They cost nothing unless this run is traced.
  void name_process(ProcessId process, std::string_view name);
  std::string process_name(ProcessId process) const;
  void name_server(ServerId server, std::string_view name);
  std::string server_name(ServerId server) const;
  std::uint32_t servers() const { return server_count_; }
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

  void step(Site site = Site::current()) {
    site_[running_] = {site, site_[running_].next};
    now_ns_ += config_.step_ns;
    ++actor_steps_[running_];
    if (++steps_ >= config_.steps_max || now_ns_ >= alarm_ns_) [[unlikely]]
      time_passes();
    if (foreseen_left_ != 0 && ready_ == foreseen_ready_) {
      --foreseen_left_;
    } else if (ready_ != bit(running_) || attentive_) [[likely]] {
      schedule();
    } else {
      see_no_further();
    }
    if (faults_due()) [[unlikely]]
      land_faults();
  }
  void record(Op op, const void* word, std::uint64_t first, std::uint64_t second = 0, const char* text = nullptr) {
    hash_ = (((hash_ << 5) | (hash_ >> 59)) ^ (first + (std::uint64_t{running_} << 56) + (static_cast<std::uint64_t>(op) << 48))) *
            0x9e3779b97f4a7c15;
    hash_ ^= second + (hash_ >> 32);
    if (observed_) [[unlikely]]
      observe(op, word, first, second, text);
  }
  bool buffers_stores() const { return config_.memory == Memory::total_store_order; }
  bool has_stale_reads() const { return config_.memory == Memory::release_acquire; }
  WeakMemory& weak_memory() { return *weak_; }
  // In the release/acquire mode: one of the values that the running thread may read.
  std::uint64_t weak_load(const void* word, std::uint64_t newest, bool acquires, bool sequential);
  // Whether a weak compare-and-swap fails here for no reason: a spurious event, like a sleep that ends so.
  bool fails_weak_cas();
  // The newest store to `word` in the running thread's own buffer.
  bool forwards(const void* word, std::uint64_t& bits) const { return buffers_stores() && find_buffered(word, bits); }
  void buffer_store(void* word, std::uint32_t bytes, std::uint64_t bits);
  // What a locked instruction, a fence or a system call does to the running thread's stores.
  void drain() {
    if (buffers_stores() && threads_[running_].stores.count != 0) drain_all(running_);
  }
  // The same in every memory mode: all that this thread did and saw comes before all that follows.
  void barrier() {
    drain();
    if (has_stale_reads()) weak_->fence(running_);
  }

  Wakeup futex_wait(std::span<const FutexWatch> watches, std::uint64_t timeout_ns, Site site = Site::current());
  std::uint32_t futex_wake(const std::uint32_t* word, std::uint32_t count, Site site = Site::current());
  // A request to a server, and its reply. One call of a thread at a time.
  template <Sendable Request, Sendable Reply>
  Answer call(ServerId server, const Request& request, Reply& reply, std::uint64_t timeout_ns = never_ns, Site site = Site::current()) {
    const Answer answer = call_bytes(server, bytes_of(request), timeout_ns, site);
    if (answer == Answer::replied) std::memcpy(&reply, threads_[running_].reply.data(), sizeof(reply));
    return answer;
  }
  // The oldest message that was pushed to this thread. False: none came in time.
  template <Sendable T>
  bool receive(T& message, std::uint64_t timeout_ns = never_ns, Site site = Site::current()) {
    MessageBytes bytes;
    if (!receive_bytes(bytes, timeout_ns, site)) return false;
    std::memcpy(&message, bytes.data(), sizeof(message));
    return true;
  }
  std::uint64_t read_boottime_ns(Site site = Site::current());
  std::uint64_t read_monotonic_ns(Site site = Site::current());  // does not count the time in which the host was suspended
  std::uint64_t read_realtime_ms(Site site = Site::current());
  ByteClaim claim_byte(std::uint32_t slot, Site site = Site::current());
  void free_byte(std::uint32_t slot, Site site = Site::current());
  bool byte_is_held(std::uint32_t slot, Site site = Site::current());
  // Gives another process the descriptor through which the running one claimed its bytes; and closes an inherited one.
  void hand_over_bytes(ProcessId heir, Site site = Site::current());
  void close_inherited_bytes(Site site = Site::current());
  void set_tag(std::uint64_t tag, Site site = Site::current());
  bool tag_is_carried(std::uint64_t tag, Site site = Site::current());
  // SIGKILL from the running process. False: it was dead already.
  bool send_kill(ProcessId process, Site site = Site::current());
  bool arm_bell(std::uint32_t* word, Site site = Site::current());
  void disarm_bell(std::uint32_t* word, Site site = Site::current());
  bool raise_token_mark(std::uint64_t number, Site site = Site::current());
  std::uint64_t token_mark() const { return token_mark_; }

  // The robust list of the running thread, for protocols that transliterate a robust mutex. Each is a step: a kill may come between.
  void robust_add(std::uint32_t* word, Site site = Site::current());
  void robust_remove(std::uint32_t* word, Site site = Site::current());
  void robust_pending(std::uint32_t* word, Site site = Site::current());  // null: no operation under way

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
    ProcessId process;
    std::uint32_t tid;
    State state;
    std::uint64_t knowledge;  // in the search over states: a number for what it knows
    std::uint32_t queued;     // bit set: the watches on whose futex queues it is
    bool timed_out;
    std::uint64_t queued_at;  // order of going to sleep
    std::uint64_t deadline_ns;
    std::uint64_t wait_began_ns;
    std::span<const FutexWatch> watches;
    StoreBuffer stores;
    RobustList robust;
    Answer answer;
    bool awaits_reply;
    bool receives;
    std::uint32_t call;  // number of the last one
    MessageBytes reply;
    std::array<MessageBytes, inbox_max> inbox;
    std::uint32_t inbox_count;
    std::array<std::uint64_t, 2> exceptions;  // what the C++ runtime keeps of a thread
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
    HostId host;
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

  struct Host {
    std::uint64_t booted_ns;  // in true time
    std::int64_t drift_ppm;
    std::uint64_t realtime_ahead_ms;  // modulo 2^64: may stand for a negative number
    std::uint64_t suspended_ns;       // in all
    std::uint64_t suspended_until_ns;
    std::uint32_t boots;
  };
  struct ServerEntry {
    Server* server;
    HostId host;
  };
  struct Message {
    enum class What : std::uint8_t { none, request, reply, push, breaks, timer };
    What what;
    bool breaks;  // the connection does, after the request was handled
    ServerId server;
    ThreadId client;
    std::uint32_t call;
    std::uint64_t due_ns;
    std::uint64_t order;
    MessageBytes bytes;
  };
  // Nothing passes this way until its end.
  struct Partition {
    HostId host;
    ServerId server;
    bool to_server;
    std::uint64_t until_ns;
  };
  static constexpr std::uint32_t partitions_max = 4;

  // Actors, as bits of ready_.
  static constexpr std::uint32_t first_buffer = threads_max;
  static constexpr std::uint32_t first_death = 2 * threads_max;
  static constexpr std::uint32_t network = first_death + processes_max;
  static_assert(network < 64);
  static std::uint64_t bit(std::uint32_t actor) { return std::uint64_t{1} << actor; }

  void begin(Scenario& scenario, const Config& config, Tape& tape, bool tracing);
  void reset(const Config& config, Tape& tape, bool tracing);
  ThreadId add_thread(ProcessId process);
  void start_thread(ThreadId thread);
  static void thread_entry(void* thread);
  void finish_thread();

  // scheduler.cpp
  void schedule();
  void schedule_anyone();
  void schedule_attentively();
  void begin_turn(std::uint32_t actor) {
    last_ = actor;
    turn_began_ = steps_;
  }
  void take_own_step(std::uint32_t actor);
  std::uint32_t pick();
  void follow_cue(std::uint32_t& actor);
  void next_cue();
  std::uint64_t state_hash();
  std::uint64_t knowledge_hash(std::uint32_t thread) const;
  void continue_thread(std::uint32_t thread);
  [[noreturn]] void leave();
  void idle();
  void time_passes();
  void fire_alarms();
  void make_ready(std::uint32_t thread);
  std::uint32_t choose(std::uint32_t n, Kind kind) {
    tell_tape();
    if (tape_->keyed()) [[unlikely]]
      stand();
    return tape_->choose(n, kind);
  }
  void stand();
  // The running thread goes on for as many steps as the tape knows beforehand, if only the ready ones stay the same.
  void foresee() {
    const std::uint32_t turn = steps_ - turn_began_ + 1;
    foreseen_ready_ = ready_;
    foreseen_ = foreseen_left_ = turn < config_.turn_steps_max ? std::min(tape_->foresee(ready_, last_), config_.turn_steps_max - turn) : 0;
  }
  // Before the tape is asked anything: how many of them it took.
  void tell_tape() {
    if (foreseen_ != foreseen_left_) tape_->went_on(foreseen_ - foreseen_left_);
    foreseen_ = foreseen_left_;
  }
  // It takes a step otherwise.
  void see_no_further() { foreseen_ -= std::exchange(foreseen_left_, 0); }
  bool faults_due() const { return steps_ >= fault_step_ && states_ == nullptr; }
  bool seen_before();
  void name_memory(RunMemory& memory);
  void save_checkpoint();
  bool go_back(Tape& tape);
  bool meets_fault(std::uint32_t thread);
  void return_to_main();

  // faults.cpp
  void plan_faults();
  void land_faults();
  std::uint32_t enabled_faults() const;
  std::uint32_t& faults_left(Fault fault) { return faults_left_[static_cast<std::size_t>(fault)]; }
  bool land(Fault fault);
  bool land_kill();
  void jump_clock();
  void suspend(HostId host, std::uint64_t steps);
  void reboot(HostId host);
  void part();
  void kill(ProcessId process);
  void note_kill(std::uint32_t thread);
  void end_at_once(ProcessId process);
  void pause(ProcessId process, std::uint64_t steps);
  void process_ends(ProcessId process);
  void end_in_order(std::uint64_t threads);
  std::uint32_t steps_length() { return choose(config_.pause_steps_max, Kind::length) + 1; }
  std::uint64_t host_boottime_ns(const Host& host) const;
  std::uint64_t true_ns(const Host& host, std::uint64_t ns) const;  // a span of the host's time
  std::uint64_t deadline_after(std::uint64_t timeout_ns) const;

  // network.cpp
  template <class T>
  static MessageBytes bytes_of(const T& value) {
    MessageBytes bytes{};
    std::memcpy(bytes.data(), &value, sizeof(value));
    return bytes;
  }
  Answer call_bytes(ServerId server, const MessageBytes& request, std::uint64_t timeout_ns, Site site);
  bool receive_bytes(MessageBytes& message, std::uint64_t timeout_ns, Site site);
  void push_bytes(ServerId server, ThreadId client, const MessageBytes& message);
  void sleep_until(std::uint64_t deadline_ns);
  void send(Message message);
  void put(const Message& message);
  void watch_messages();
  void run_network();
  void deliver(const Message& message);
  void serve(const Message& request);
  bool held_up(Message& message) const;
  void forget_message(const Message& message, Op why);

  void begin_exec();
  [[noreturn]] void end_exec();

  // kernel.cpp
  void run_kernel(ProcessId process);
  bool kernel_drains(Process& process);
  bool somebody_queued(const Process& process) const;
  bool kernel_unqueues(Process& process);
  bool kernel_walks(ProcessId id);
  bool kernel_handles_word(std::uint32_t* word, ThreadId thread, std::uint32_t tid, bool pending, Death& death);
  void write_word(std::uint32_t* word, std::uint32_t value, ThreadId thread);
  void kernel_frees(ProcessId id);
  std::uint32_t wake_waiters(const std::uint32_t* word, std::uint32_t count);
  bool byte_is_locked(std::uint8_t owner) const;
  bool other_holds_byte(std::uint32_t slot) const;
  std::uint32_t free_tid() const;

  void drain_one(std::uint32_t thread);
  void drain_all(std::uint32_t thread);
  bool find_buffered(const void* word, std::uint64_t& bits) const;
  void observe(Op op, const void* word, std::uint64_t first, std::uint64_t second, const char* text);
  // In callbacks atomics act at once: they run inside somebody's step.
  template <class Callback>
  void call_out(Callback callback) {
    World* const self = std::exchange(active_, nullptr);
    callback();
    active_ = self;
  }
  [[noreturn]] static void refuse(const char* sentence);

  static constinit inline thread_local World* active_ = nullptr;

  // The hot part first.
  std::uint64_t ready_ = 0;
  std::uint64_t now_ns_ = 0;
  std::uint64_t alarm_ns_ = never_ns;  // earliest deadline of a sleeper or end of a pause
  std::uint64_t hash_ = 0;
  std::uint32_t steps_ = 0;
  std::uint32_t running_ = nobody;  // the thread on whose stack we stand
  std::uint32_t last_ = nobody;     // the actor of the last step
  std::uint32_t turn_began_ = 0;
  std::uint64_t foreseen_ready_ = 0;  // see foresee()
  std::uint32_t foreseen_left_ = 0;
  std::uint32_t foreseen_ = 0;
  bool tracing_ = false;
  bool observed_ = false;   // by a trace, a script, or the search over states
  bool attentive_ = false;  // somebody wants to be asked at every step: a script, a plan, the search over states
  bool over_ = false;
  void* exceptions_ = nullptr;                    // where the C++ runtime keeps what it knows of this thread's exceptions
  std::uint32_t fault_step_ = ~std::uint32_t{0};  // where the next fault lands
  std::array<std::uint32_t, 64> actor_steps_{};
  struct Sites {
    Site next;  // of the step that a thread is about to take
    Site last;
  };
  std::array<Sites, threads_max> site_{};
  Tape* tape_ = nullptr;
  Config config_;

  std::uint32_t thread_count_ = 0;
  std::uint32_t process_count_ = 0;
  std::uint32_t paused_count_ = 0;
  std::array<std::uint32_t, static_cast<std::size_t>(Fault::count_)> faults_left_{};
  std::uint32_t spurious_left_ = 0;
  std::uint32_t message_faults_left_ = 0;
  StateSet* states_ = nullptr;
  RunMemory run_memory_;                      // while searching,
  std::unique_ptr<Checkpoints> checkpoints_;  // and where it can go back to
  SiteCoverage* coverage_ = nullptr;
  std::uint64_t last_fault_ns_ = 0;
  std::uint64_t sleeps_ = 0;
  std::uint64_t token_mark_ = 0;
  std::uint64_t tids_used_ = 0;   // bit set
  std::uint32_t bytes_used_ = 0;  // high-water mark of byte_owners_
  Scenario* scenario_ = nullptr;
  std::span<const Cue> script_;  // what is left of it
  std::uint32_t cue_times_ = 0;  // how often the first cue has happened
  Verdict verdict_;
  const char* crash_detail_ = nullptr;
  std::uint64_t heap_bytes_ = 0;
  Fiber main_;
  std::array<Fiber, threads_max> fibers_;
  std::array<Thread, threads_max> threads_{};
  std::array<Process, processes_max> processes_{};
  std::array<std::uint8_t, bytes_max> byte_owners_{};  // process + 1
  std::array<Host, hosts_max> hosts_{};
  std::uint32_t host_count_ = 0;
  std::array<ServerEntry, servers_max> servers_{};
  std::uint32_t server_count_ = 0;
  std::array<Message, messages_max> messages_{};
  std::uint32_t message_count_ = 0;
  std::uint64_t messages_sent_ = 0;
  std::uint64_t message_due_ns_ = never_ns;
  std::array<Partition, partitions_max> partitions_{};
  std::uint32_t partition_count_ = 0;
  std::unique_ptr<WeakMemory> weak_;
  std::vector<Sometimes> sometimes_;
  std::vector<TraceLine> trace_;
  std::vector<std::pair<const void*, std::string>> word_names_;
  std::vector<std::pair<ProcessId, std::string>> process_names_;
  std::vector<std::pair<ServerId, std::string>> server_names_;
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
