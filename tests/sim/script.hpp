// A scenario made of functions, for tests of a few lines.
#pragma once

#include <functional>
#include <string_view>

#include <tenure/sim/runner.hpp>

namespace tenure::sim {

class Script : public Scenario {
 public:
  std::string_view name() const override { return "script"; }
  Config config() const override { return settings; }
  void setup(World& world) override { build(world); }
  void check(World& world) override {
    if (at_end) at_end(world);
  }
  void on_death(World& world, ProcessId process) override {
    if (at_death) at_death(world, process);
  }

  Config settings;
  std::function<void(World&)> build;
  std::function<void(World&)> at_end;
  std::function<void(World&, ProcessId)> at_death;
};

}  // namespace tenure::sim
