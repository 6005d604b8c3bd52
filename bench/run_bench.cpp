#include <string>
#include <vector>

#include "bench/benchmarks.hpp"
#include "bench/processes.hpp"
#include "bench/programs.hpp"

namespace tenure::bench {
namespace {
constexpr int rounds = 101;
}

void run(const Settings& settings, const Report& report) {
  if (settings.program.empty()) return report.note("run: skipped; give the program with --tenure PATH");
  const TemporaryDirectory directory;
  const std::vector<std::string> ours{settings.program, "run", "--space", directory.path() + "/space", "bench/run", "true"};
  const std::vector<std::string> peer{settings.flock_program, directory.path() + "/flock", "true"};
  for (const auto* words : {&ours, &peer}) {  // the first run makes the space and the file
    if (const int status = cost_of_program(*words).exit_status; status != 0) {
      return report.note("run: skipped; " + words->front() + " ends with status " + std::to_string(status));
    }
  }
  std::vector<double> our_bytes;
  std::vector<double> peer_bytes;
  const auto wall_ns = [](const std::vector<std::string>& words, std::vector<double>& bytes) {
    const ProgramCost cost = cost_of_program(words);
    if (cost.exit_status != 0) fail(words[0]);
    bytes.push_back(cost.peak_bytes);
    return cost.wall_ns;
  };
  const Measured time = in_turn(rounds, [&] { return wall_ns(ours, our_bytes); }, [&] { return wall_ns(peer, peer_bytes); });
  report.add("tenure run NAME true, wall clock; peer: flock FILE true", Unit::nanoseconds, time, at_most(1.3));
  report.add("tenure run NAME true, peak memory; peer: flock FILE true", Unit::bytes, medians_of(our_bytes, peer_bytes), at_most(3));
}

}  // namespace tenure::bench
