// Contention for a few leases of the real table: strict or leased, with deaths, successors, pauses, time-outs, cancellations.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "sim/table/name_judge.hpp"
#include "sim/table/table_model.hpp"

namespace tenure::sim {

// What one process of a scripted contention does, instead of choosing.
struct Role {
  std::uint32_t lease = 0;
  std::uint64_t patience_ns = 0;  // gives up after this; 0: never
  bool breaks = false;            // breaks the grant of whoever holds the lease
};

// What the processes of a contention do. The defaults are the strict, exclusive lease.
struct Contention {
  std::string_view name = "strict";
  std::uint32_t processes = 3;
  std::uint32_t threads = 1;     // of a process; at most 2
  std::uint32_t operations = 2;  // of a thread
  std::uint32_t leases = 1;
  std::uint32_t successors = 3;     // a killed process is replaced while there are any left,
  bool delays = false;              // at once or later; its numbers may be reused then
  std::uint64_t ttl_ns = 0;         // 0: strict
  std::uint64_t second_ttl_ns = 0;  // of a process's second thread, where it differs
  std::uint32_t renewals = 0;       // at most, in one hold
  std::uint32_t hold_steps = 3;
  std::uint64_t hold_sleep_ns = 0;       // a holder may also sleep
  std::uint64_t bound_ns = 400'000'000;  // a waiter is served within this, once faults have stopped
  std::uint32_t killable = ~0u;          // the processes that may be killed, one bit each
  std::uint32_t impatient = ~0u;         // those of which some operations give up
  bool tries = true;                     // some operations do not wait,
  bool timeouts = true;                  // some give up (see impatient),
  bool cancels = false;                  // and some are told to
  bool breaks = false;                   // the last process breaks the grants of others
  bool closes = true;                    // a process that is done may close its session; or else just ends
  bool sweeps = false;                   // every operation may be preceded by a sweep
  bool drops_bytes = false;              // some processes close all their descriptors, and live on
  bool plain = false;                    // nothing but acquire, hold, release: nothing to choose, for exhaustive search
  bool late_sessions = false;            // the first processes too register in steps of the run
  std::uint32_t deaths_excused = 2;  // so many deaths in one run may cost a wake-up: lease-table.md, 4.3. The tick then saves the sleeper
  // A script fixes how the run begins and what its processes do: roles[i] is the part of process i, the last one that of every successor.
  // When they are done they stay alive, asleep.
  std::vector<Cue> (*script)(TableModel& model, const Handle& handle) = nullptr;
  std::array<Role, 5> roles{};
  Judges judges = {};
  Config config;
};

class ContentionScenario final : public Scenario {
 public:
  explicit ContentionScenario(const Contention& shape);

  std::string_view name() const override { return shape_.name; }
  Config config() const override { return shape_.config; }
  void setup(World& world) override;
  void check(World& world) override;
  void on_idle(World& world) override;
  void on_death(World& world, ProcessId process) override;
  void name_memory(RunMemory& memory) override;

 private:
  static constexpr std::uint32_t leases_max = 4;

  struct Session {
    std::uint32_t slot = core::no_index;
    std::uint64_t generation = 0;
    std::uint32_t threads_left = 0;
    ThreadId second_thread = nobody;
  };
  struct Name {
    Handle handle;
    LeaseOracle oracle;
    NameJudge judge;
    bool holder_died = false;        // the next holder must be told
    std::uint64_t broken_up_to = 0;  // the counter of the last grant that somebody set out to break
  };
  // A thread that wants a lease.
  struct Wish {
    ProcessId process = nobody;
    ThreadId thread = nobody;
    std::uint32_t lease = core::no_index;
    NameJudge* judge = nullptr;
    std::uint32_t* sleeps = nullptr;                        // counts them
    std::array<std::uint64_t, World::threads_max> ahead{};  // the keys of those who stood in the queue before, 0 for the others
  };

  void spawn_member(World& world, bool preset);
  void spawn_successors(World& world);
  bool someone_died_unheard(World& world);
  void tell_sleepers(World& world);
  NameRules rules(bool stale_reads) const;
  // The search over states has no use for properties of which each asks for a state of its own: a history is another with every order of
  // answers. The plain scenarios are there for it, and have only the oracle.
  bool judges() const { return shape_.judges.properties && !shape_.plain; }
  void answer(World& world, NameJudge& judge, core::Acquired result);
  bool coin(World& world) { return !shape_.plain && world.choose(2) != 0; }
  const Role& role(const World& world) const { return shape_.roles[std::min<std::size_t>(world.this_process(), shape_.processes)]; }
  void play(World& world, core::Seat seat);
  void register_and_work(World& world);
  void work(World& world, std::uint32_t thread);
  void operate(World& world, core::Seat seat, std::uint32_t thread);
  core::Acquired acquire(World& world, core::Seat seat, std::uint32_t lease, core::Terms terms, core::Grant& grant);
  void wish(World& world, std::uint32_t lease);
  core::WaitKey key_of(const World& world, ThreadId thread);
  void check_order(World& world, const Wish& mine);
  void hold(World& world, Name& name, core::Grant& grant, core::Terms terms);
  void use(World& world, const Name& name);
  void note_grant(World& world, Name& name, const core::Grant& grant);
  bool release(World& world, Name& name, const core::Grant& grant, bool quick);
  void renew(World& world, Name& name, core::Grant& grant, core::Terms terms);
  void check_belief(World& world, Name& name, const core::Grant& grant);
  void let_go(World& world, Name& name, const core::Grant& grant);
  void break_grants(World& world);
  void break_grant(World& world, Name& name);
  void cancel_later(World& world, ProcessId process);
  void sleep(World& world, std::uint64_t ns);
  void finish(World& world);

  Contention shape_;
  TableModel model_;
  LinearizabilityChecker checker_;
  std::vector<Cue> script_;
  SimPlatform platform_;
  std::array<Session, World::processes_max> session_;
  std::array<Name, leases_max> name_;
  std::array<Wish, World::threads_max> wish_;
  std::array<std::uint32_t, World::threads_max> sleeps_{};  // of a thread in its call
  std::array<Atomic<std::uint32_t>, World::processes_max> cancelled_;
  std::array<Atomic<std::uint32_t>, leases_max> data_;  // what each lease is for
  Atomic<std::uint32_t> never_;
  std::uint32_t successors_left_ = 0;
  std::uint32_t successors_due_ = 0;
  std::uint32_t kills_ = 0;
  bool stale_reads_ = false;  // what the judges are made for
};

}  // namespace tenure::sim
