// A program that simulates: `run`, `hunt`, `replay`, `shrink`, `explain` and `catalogue` over a list of targets. `tenure sim` is this with
// the lease table's scenarios and the catalogue of lock bugs; a protocol of one's own becomes such a program with TENURE_SIM_MAIN.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

#include <tenure/sim/config.hpp>
#include <tenure/sim/world.hpp>

namespace tenure::sim {

// Something to simulate, by name.
struct Target {
  std::string name;
  std::string summary = {};
  std::function<std::unique_ptr<Scenario>()> make;
  std::optional<Config> config = {};  // instead of the scenario's own
  // Of a known bug: what must fail, where it was seen, and its sound twin, in which nothing may fail.
  std::string property = {};
  std::string source = {};
  std::function<std::unique_ptr<Scenario>()> make_sound = {};

  bool is_bug() const { return !property.empty(); }
};

template <class S>
Target target(const std::string& summary = {}) {
  const std::string name(S().name());
  return {.name = name, .summary = summary, .make = [] { return std::make_unique<S>(); }};
}

// Exit status: 0 nothing failed (of `catalogue`: every bug was found, no twin failed), 1 a property failed, 64 usage.
int sim_main(int argc, char** argv, std::span<const Target> targets);

}  // namespace tenure::sim

// The whole main() of a program that simulates the given scenario classes, which have default constructors.
#define TENURE_SIM_MAIN(...)                                               \
  int main(int argc, char** argv) {                                        \
    return [&]<class... S>(std::type_identity<std::tuple<S...>>) {         \
      const tenure::sim::Target targets[] = {tenure::sim::target<S>()...}; \
      return tenure::sim::sim_main(argc, argv, targets);                   \
    }(std::type_identity<std::tuple<__VA_ARGS__>>{});                      \
  }
