// Names that come and go in the real table: more of them than entries, long ones, handles that have grown stale, counters near their end,
// and deaths in the middle of it all.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "sim/table/name_judge.hpp"
#include "sim/table/table_model.hpp"

namespace tenure::sim {

struct NameTraffic {
  std::string_view name = "names";
  std::uint32_t processes = 3;
  std::uint32_t operations = 3;
  std::uint32_t successors = 3;
  std::uint32_t names = 5;       // that are asked for
  std::uint32_t long_names = 0;  // how many of them need further entries
  std::uint32_t usable = 3;      // entries of the group
  std::uint32_t preset = 0;      // names that are in the table when the run begins,
  std::uint64_t counter = 0;     // with this counter
  bool removes = false;          // some operations remove a name
  bool timeouts = false;         // some waits are given up
  bool recreates = false;        // the segment is then lost, the clock is set back, and a new segment starts above the durable mark
  std::uint64_t bound_ns = 2'000'000'000;
  std::uint32_t deaths_excused = 2;  // see Contention
  Judges judges = {};
  Config config;
};

class NamesScenario final : public Scenario {
 public:
  explicit NamesScenario(const NameTraffic& shape);

  std::string_view name() const override { return shape_.name; }
  Config config() const override { return shape_.config; }
  void setup(World& world) override;
  void check(World& world) override;
  void on_idle(World& world) override;
  void on_death(World& world, ProcessId process) override;

 private:
  static constexpr std::uint32_t names_max = 8;
  using Handles = std::array<Handle, names_max>;

  struct Wish {
    ProcessId process;
    std::uint32_t lease;
  };
  static constexpr std::uint64_t nowhere = 0;
  struct Ledger {
    LeaseOracle oracle;
    NameJudge judge;
    std::uint64_t entry = nowhere;       // header and number of the entry where it was granted last
    std::uint64_t died_entry = nowhere;  // the same, if that holder died: whoever is granted it there next must be told
  };

  void register_and_work(World& world);
  void work(World& world, std::uint32_t slot);
  void use(World& world, std::uint32_t slot, std::uint32_t name, Handle& handle);
  void remove(World& world, std::uint32_t slot, std::uint32_t name);
  bool resolve(World& world, std::uint32_t slot, std::uint32_t name, Handle& handle);
  void answer(World& world, NameJudge& judge, core::Acquired result);
  core::Acquired acquire(World& world, std::uint32_t slot, std::uint32_t name, const Handle& handle, core::Grant& grant);
  void hold(World& world, Ledger& ledger, const Handle& handle, const core::Grant& grant);
  std::string_view name_at(std::uint32_t name) const;
  Patience patience(World& world);
  void wish(World& world, std::uint32_t lease) { wish_[world.this_thread()] = {world.this_process(), lease}; }

  NameTraffic shape_;
  TableModel model_;
  TableModel second_model_;
  LinearizabilityChecker checker_;
  SimPlatform platform_;
  std::array<Ledger, names_max> ledger_;
  std::array<Wish, World::threads_max> wish_;
  Atomic<std::uint32_t> never_;
  std::uint32_t successors_left_ = 0;
  std::uint32_t kills_ = 0;
};

}  // namespace tenure::sim
