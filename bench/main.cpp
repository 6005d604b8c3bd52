// tenure_bench [--markdown] [--tenure PATH] [--flock PATH] [NAME...]: the benchmarks named, or all.
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "bench/benchmarks.hpp"
#include "bench/processes.hpp"

namespace {

using tenure::bench::Report;
using tenure::bench::Settings;

struct Benchmark {
  std::string_view name;
  void (*measure)(const Settings&, const Report&);
};
constexpr std::array<Benchmark, 9> benchmarks{{
    {"uncontended", tenure::bench::uncontended},
    {"names", tenure::bench::names},
    {"death", tenure::bench::death},
    {"hand_off", tenure::bench::hand_off},
    {"crowd", tenure::bench::crowd},
    {"waiters", tenure::bench::waiters},
    {"memory", tenure::bench::memory},
    {"run", tenure::bench::run},
    {"simulator", tenure::bench::simulator},
}};

struct Arguments {
  bool sound = true;
  bool markdown = false;
  Settings settings;
  std::vector<std::string_view> chosen;
};

Arguments parse(const std::vector<std::string_view>& words) {
  Arguments arguments;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const bool has_value = i + 1 < words.size();
    if (words[i] == "--markdown") {
      arguments.markdown = true;
    } else if (words[i] == "--tenure" && has_value) {
      arguments.settings.program = words[++i];
    } else if (words[i] == "--flock" && has_value) {
      arguments.settings.flock_program = words[++i];
    } else if (std::any_of(benchmarks.begin(), benchmarks.end(), [&](const Benchmark& known) { return known.name == words[i]; })) {
      arguments.chosen.push_back(words[i]);
    } else {
      arguments.sound = false;
    }
  }
  return arguments;
}

int usage() {
  std::fputs("usage: tenure_bench [--markdown] [--tenure PATH] [--flock PATH] [NAME...]\nnames:", stderr);
  for (const Benchmark& known : benchmarks) std::fprintf(stderr, " %.*s", static_cast<int>(known.name.size()), known.name.data());
  std::fputs("\n", stderr);
  return 64;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string_view> words(argv + 1, argv + argc);
  if (words.size() == 2 && words[0] == "--attach") return tenure::bench::attach_once(std::string(words[1]));
  const Arguments arguments = parse(words);
  if (!arguments.sound) return usage();
  const Report report(arguments.markdown);
  report.head();
  for (const Benchmark& known : benchmarks) {
    const auto& chosen = arguments.chosen;
    if (!chosen.empty() && std::find(chosen.begin(), chosen.end(), known.name) == chosen.end()) continue;
    tenure::bench::Child([&] { known.measure(arguments.settings, report); }).join();
  }
  return 0;
}
