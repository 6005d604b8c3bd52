#include "tests/mutants/answers.hpp"

#include <array>

namespace tenure::mutants {

namespace {
constexpr std::string_view scene_name = "orders";
sim::Atomic<std::uint32_t> never;
}  // namespace

void Actor::nap(std::uint64_t ns) {
  const core::Watch<sim::SimPlatform> watch{&never, 0};
  model.table().platform().wait({&watch, 1}, ns);
}

void Actor::end(sim::ProcessId process) {
  world.send_kill(process);
  while (!world.gone(process)) nap(core::millisecond_ns / 10);
}

sim::Handle Actor::handle() {
  const std::uint32_t entry = core::probe_start(core::NameWords(scene_name).hash) % sim::TableModel::entries;
  auto& words = model.table().entry(entry);
  return {entry, words.base.ghost(), &words.header, core::EntryHeader::of(2, core::EntryState::ready).bits};
}

sim::Handle Actor::resolve(std::string_view name) {
  sim::Handle found;
  bool weak = false;
  expect(names().resolve(core::NameWords(name), desk(), {}, found, weak) == core::Resolved::found, "a name resolves");
  expect(!weak, "its tokens are covered by the mark");
  return found;
}

core::Acquired Actor::acquire(core::Grant& grant, core::Terms terms, std::uint64_t patience_ns) {
  sim::Patience patience;
  if (patience_ns != 0) patience.until_ns = now() + patience_ns;
  return leases().acquire(handle(), seat(), terms, patience, grant);
}

bool is_there(Actor& me, std::string_view name) {
  sim::Handle handle;
  return me.names().look_up(core::NameWords(name), handle) == core::Resolved::found;
}
std::string name_in(Actor& me, std::uint32_t entry) {
  std::array<char, core::name_bytes_max> text;
  return {text.data(), me.names().read_name(entry, text.data())};
}
core::EntryState state_of_entry(Actor& me, std::uint32_t entry) {
  return core::EntryHeader{me.model.table().entry(entry).header.ghost()}.state();
}
std::uint64_t use(Actor& me, const sim::Handle& handle) {
  core::Grant grant;
  me.expect(me.leases().try_acquire(handle, me.seat().hold, {}, grant) == core::Acquired::granted, "a name that is there is granted");
  me.leases().release(grant);
  return grant.token;
}

void expect_tidy(Actor& me) {
  sim::SimPlatform::fence();  // we look at what all can see
  for (std::uint32_t i = 0; i < core::holds_per_session; ++i) {
    me.expect(me.model.table().hold(me.seat().hold + i).key.ghost() == 0, "a record that is not in use is not bound");
  }
  me.expect(me.model.table().wait_key(me.seat().wait).ghost() == 0, "nor does one wait");
}

sim::Config SceneScenario::config() const {
  sim::Config config;
  config.step_ns = 1000;  // next to nothing beside the times of a scene
  config.steps_max = 60'000;
  config.memory = scene_.memory;
  config.bells_forbidden = !scene_.bells;
  return config;
}

void SceneScenario::setup(sim::World& world) {
  beat_ = 0;
  model_.reset(world, scene_.token_floor);
  model_.keep_only(0, scene_.usable);
  if (scene_.usable == sim::TableModel::entries) model_.preset_name(scene_name, scene_.counter);
  for (std::uint32_t i = 0; i < 4; ++i) {
    if (i == 3 && scene_.part[i] == nullptr) break;
    const sim::ProcessId process = world.spawn_process();
    model_.preset_session(world, process, i);
    world.spawn(process, [this, i] { play(i); });
  }
}

// Whoever has nothing more to do lives on until the first is done.
void SceneScenario::play(std::uint32_t number) {
  constexpr std::uint32_t last_beat = 1000;
  Actor actor(*sim::World::active(), model_, number, beat_);
  if (scene_.part[number] != nullptr) scene_.part[number](actor);
  if (number == 0) {
    actor.reach(last_beat);
  } else {
    actor.await(last_beat);
  }
}

void SceneScenario::check(sim::World& world) {
  if (scene_.is_whole) model_.judge_remains(world, {});
}

}  // namespace tenure::mutants
