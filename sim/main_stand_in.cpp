// Stands in until sim/commands/ has the whole sim_main, and then goes: `hunt [TARGET] [--budget SECONDSs]` and `replay TARGET --run=ID` or
// `--tape=TEXT`. Weak, so that the real one wins.
#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>

#include <tenure/sim/main.hpp>
#include <tenure/sim/runner.hpp>

namespace tenure::sim {

namespace {

constexpr int usage = 64;

int hunt_each(std::span<const Target> targets, std::string_view name, double seconds) {
  int status = usage;
  for (const Target& target : targets) {
    if (!name.empty() && name != target.name) continue;
    const std::unique_ptr<Scenario> scenario = target.make();
    Runner runner(*scenario, target.config.value_or(scenario->config()));
    const Report report = runner.explore({.runs_max = ~std::uint64_t{0}, .seconds_max = seconds});
    for (const Failure& failure : report.failures) std::cout << "FAILED " << failure.property << " in " << target.name << '\n';
    std::cout << target.name << ": " << to_text(report) << '\n';
    status = status == 1 || report.failed() ? 1 : 0;
  }
  return status;
}

int replay(std::span<const Target> targets, std::string_view name, std::string_view what) {
  for (const Target& target : targets) {
    if (name != target.name) continue;
    const std::unique_ptr<Scenario> scenario = target.make();
    Runner runner(*scenario, target.config.value_or(scenario->config()));
    std::vector<Decision> tape;
    if (what.starts_with("--run=")) {
      const auto id = run_id_from(what.substr(6));
      if (!id) return usage;
      runner.run(*id);
      tape = runner.tape().decisions();
    } else {
      const auto given = tape_from(what.starts_with("--tape=") ? what.substr(7) : what);
      if (!given) return usage;
      tape = *given;
    }
    const Verdict verdict = runner.replay(tape, true);
    print_trace(std::cout, runner.world());
    std::cout << (verdict.failed ? "FAILED property=" + verdict.property : "nothing failed") << '\n';
    return verdict.failed ? 1 : 0;
  }
  return usage;
}

}  // namespace

__attribute__((weak)) int sim_main(int argc, char** argv, std::span<const Target> targets) {
  const std::string_view command = argc > 1 ? argv[1] : "";
  if (command == "replay" && argc == 4) return replay(targets, argv[2], argv[3]);
  if (command != "hunt") return usage;
  std::string_view name;
  double seconds = 60;
  for (int i = 2; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--budget" && i + 1 < argc) {
      seconds = std::atof(argv[++i]);
    } else {
      name = argument;
    }
  }
  return hunt_each(targets, name, seconds);
}

}  // namespace tenure::sim
