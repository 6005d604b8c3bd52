// What the table answers, situation by situation: one scene each, of up to four processes that wait for each other, so that there is one
// right answer. The scenarios of sim/ judge what must never happen; a wrong answer that harms nobody at once passes them.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "sim/table/table_model.hpp"

namespace tenure::mutants {

// A process of a scene, with what it needs to take part.
class Actor {
 public:
  Actor(sim::World& world, sim::TableModel& model, std::uint32_t slot, std::uint32_t& beat)
      : world(world), model(model), slot(slot), beat_(beat) {}

  static constexpr std::uint32_t first_hold(std::uint32_t slot) { return slot * core::holds_per_session; }
  [[nodiscard]] core::Seat seat() const { return {first_hold(slot), slot * core::waits_per_session}; }
  [[nodiscard]] core::Desk desk() const { return {{first_hold(slot) + 1, slot * core::waits_per_session}, first_hold(slot) + 2}; }

  sim::Leases& leases() { return model.leases(); }
  sim::Names& names() { return model.names(); }
  sim::Sessions& sessions() { return model.sessions(); }
  std::uint64_t now() { return world.true_now(); }

  // The scene's clock: who has something to do at a beat waits for it.
  void reach(std::uint32_t beat) { beat_ = beat; }
  void await(std::uint32_t beat) {
    while (beat_ < beat) nap(core::millisecond_ns / 10);
  }
  void nap(std::uint64_t ns);
  // Ends a process and waits until the kernel is done with it.
  void end(sim::ProcessId process);
  // The name that is there from the beginning.
  sim::Handle handle();
  sim::Handle resolve(std::string_view name);

  core::Acquired try_it(core::Grant& grant, core::Terms terms = {}) { return leases().try_acquire(handle(), seat().hold, terms, grant); }
  core::Acquired acquire(core::Grant& grant, core::Terms terms = {}, std::uint64_t patience_ns = 0);
  void expect(bool fact, const char* what) {
    if (!fact) world.fail("answer", what);
  }

  sim::World& world;
  sim::TableModel& model;
  std::uint32_t slot;

 private:
  std::uint32_t& beat_;
};

struct Scene {
  std::string_view name;
  void (*part[4])(Actor&);  // null: that process does nothing
  bool is_whole = true;     // afterwards the table is as it should be
  std::uint64_t counter = 0;
  std::uint32_t usable = 8;  // entries
  bool bells = true;
  std::uint64_t token_floor = 0;
  std::uint64_t runs = 20;  // one right answer, whoever runs first
  sim::Memory memory = sim::Memory::sequential;
};

class SceneScenario final : public sim::Scenario {
 public:
  explicit SceneScenario(const Scene& scene) : scene_(scene), model_(5) {}

  std::string_view name() const override { return scene_.name; }
  sim::Config config() const override;
  void setup(sim::World& world) override;
  void check(sim::World& world) override;

 private:
  void play(std::uint32_t number);

  Scene scene_;
  sim::TableModel model_;
  std::uint32_t beat_ = 0;
};

// What several files of scenes look at.
bool is_there(Actor& me, std::string_view name);
std::string name_in(Actor& me, std::uint32_t entry);
core::EntryState state_of_entry(Actor& me, std::uint32_t entry);
// Takes a name that is free and lets go of it; its token.
std::uint64_t use(Actor& me, const sim::Handle& handle);
// No record of the actor's is bound that is not in use, and it waits for nothing.
void expect_tidy(Actor& me);

std::span<const Scene> lease_scenes();
std::span<const Scene> damage_scenes();
std::span<const Scene> name_scenes();
std::span<const Scene> queue_scenes();
std::span<const Scene> session_scenes();
std::span<const Scene> traffic_scenes();
std::unique_ptr<sim::Scenario> announced_waiter_dies();

}  // namespace tenure::mutants
