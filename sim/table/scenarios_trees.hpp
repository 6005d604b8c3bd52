// Runs: a supervisor, a guard that holds a name, and a command with strays, as processes of their own, any of them killed or stopped at any
// step; beside them users of the library, and the killing that only `tenure` may do.
//
// A run is what tools/ makes of `tenure run`, cut down to what the table sees of it: who claims the byte, who inherits it, who carries the
// tag, who kills whom and when, and when the guard lets go.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "sim/table/table_model.hpp"

namespace tenure::sim {

struct TreeTraffic {
  std::string_view name = "trees";
  std::uint32_t runs = 2;
  std::uint32_t users = 1;      // of the library, each once
  std::uint64_t ttl_ns = 0;     // of the runs; 0: strict
  std::uint64_t margin_ns = 0;  // leased: the guard kills this long before the deadline
  std::uint32_t work_steps = 12;
  bool tagged = true;        // the command carries a tag; or else only the byte tells of it
  bool closes_bytes = true;  // some processes close what they have inherited
  bool breaks = false;       // a third party breaks grants
  bool recovers = true;      // a run that waits kills what is left of others
  Config config;
};

class TreesScenario final : public Scenario {
 public:
  explicit TreesScenario(const TreeTraffic& shape);

  std::string_view name() const override { return shape_.name; }
  Config config() const override { return shape_.config; }
  void setup(World& world) override;
  void check(World& world) override;
  void on_death(World& world, ProcessId process) override;

 private:
  static constexpr std::uint32_t runs_max = 4;
  static constexpr std::uint32_t members_max = 4;

  struct Run {
    ProcessId supervisor = nobody;
    ProcessId guard = nobody;
    std::uint32_t slot = core::no_index;
    std::array<ProcessId, members_max> members{};  // of its tree, dead ones included
    std::uint32_t member_count = 0;
    std::uint64_t token = 0;  // of its grant; 0: none yet, or let go
    std::uint64_t deadline_ns = core::deadline::strict;
    bool excused = false;  // it was overdue, and somebody has entered beside it
    bool broken = false;   // somebody has set out to break it
    std::uint32_t blocked_turns = 0;
  };
  struct Call {  // of the callback of a waiting guard
    TreesScenario* scenario;
    std::uint32_t run;
  };

  [[nodiscard]] std::uint64_t tag_of(std::uint32_t run) const { return shape_.tagged ? core::run_tag::bit + 1000 + run : 0; }
  void guard(World& world, std::uint32_t number);
  bool acquire(World& world, std::uint32_t number, core::Grant& grant);
  void watch_over_tree(World& world, std::uint32_t number, const core::Grant& grant);
  void supervise(World& world, std::uint32_t number);
  void command(World& world, std::uint32_t number);
  void stray(World& world, std::uint32_t number);
  void use(World& world);
  void break_grants(World& world);
  void recover(World& world, std::uint32_t slot);

  ProcessId add_member(World& world, std::uint32_t number);
  void work(World& world, std::uint32_t number, std::uint32_t steps);
  void note_grant(World& world, const core::Grant& grant, std::uint32_t number);
  bool tree_is_gone(const World& world, const Run& run) const;
  void kill_tree(World& world, const Run& run);
  void nap(std::uint64_t ns);

  TreeTraffic shape_;
  TableModel model_;
  SimPlatform platform_;
  Handle handle_;
  std::array<Run, runs_max> run_{};
  std::array<Call, runs_max> call_{};
  bool user_inside_ = false;
  ProcessId user_ = nobody;
  std::uint64_t last_token_ = 0;
  std::uint64_t broken_up_to_ = 0;  // the counter of the last grant that somebody set out to break
  Atomic<std::uint32_t> never_;
};

}  // namespace tenure::sim
