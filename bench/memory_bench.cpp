#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "bench/benchmarks.hpp"
#include "bench/locks.hpp"
#include "bench/programs.hpp"

namespace tenure::bench {
namespace {

constexpr int rounds = 31;

double resident_bytes() {
  std::ifstream file("/proc/self/statm");
  double size = 0;
  double resident = 0;
  if (!(file >> size >> resident)) fail("/proc/self/statm");
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE));
}

double segment_bytes(const TemporaryDirectory& directory, std::uint32_t names) {
  return static_cast<double>(open_space(directory.path() + "/" + std::to_string(names), names).report().size_bytes);
}

double create_ns(const TemporaryDirectory& directory, int round) {
  const std::string path = directory.path() + "/made" + std::to_string(round);
  const std::uint64_t begin_ns = now_ns();
  const Space space = open_space(path);
  return static_cast<double>(now_ns() - begin_ns);
}

struct Attached {
  double open_ns = 0;
  double acquired_ns = 0;  // opened, resolved, acquired: with the session's registration and its bell
  double open_bytes = 0;
  double acquired_bytes = 0;
};

Attached attach(const std::string& directory) {
  const std::string output = output_of({"/proc/self/exe", "--attach", directory});
  Attached figures;
  if (std::sscanf(output.c_str(), "%lf %lf %lf %lf", &figures.open_ns, &figures.acquired_ns, &figures.open_bytes,
                  &figures.acquired_bytes) != 4) {
    fail("--attach");
  }
  return figures;
}

}  // namespace

int attach_once(const std::string& directory) {
  const double before_bytes = resident_bytes();
  const std::uint64_t begin_ns = now_ns();
  Space space = open_space(directory);
  const std::uint64_t opened_ns = now_ns();
  const double opened_bytes = resident_bytes();
  const std::uint64_t again_ns = now_ns();
  const auto lease = resolve(space, "bench/attach").try_acquire();
  const std::uint64_t acquired_ns = now_ns();
  if (!lease) fail(to_string(lease.error()));
  std::printf("%.0f %.0f %.0f %.0f\n", static_cast<double>(opened_ns - begin_ns),
              static_cast<double>(opened_ns - begin_ns + acquired_ns - again_ns), opened_bytes - before_bytes,
              resident_bytes() - before_bytes);
  return 0;
}

void memory(const Settings& /*settings*/, const Report& report) {
  const TemporaryDirectory directory;
  std::vector<double> made_ns;
  for (int round = 0; round < rounds; ++round) made_ns.push_back(create_ns(directory, round));

  const double small = segment_bytes(directory, 352'000);
  const double large = segment_bytes(directory, 704'000);
  const std::string path = directory.path() + "/made0";
  Space space = open_space(path);
  (void)resolve(space, "bench/attach");
  std::vector<double> open_ns, acquired_ns, open_bytes, acquired_bytes;
  for (int round = 0; round < rounds; ++round) {
    const Attached figures = attach(path);
    open_ns.push_back(figures.open_ns);
    acquired_ns.push_back(figures.acquired_ns);
    open_bytes.push_back(figures.open_bytes);
    acquired_bytes.push_back(figures.acquired_bytes);
  }
  report.add_limited("the default space; peer: the limit", Unit::bytes, static_cast<double>(space.report().size_bytes), 4 << 20);
  report.add_limited("a name, rounded (groups add 0.2 bytes); peer: the limit", Unit::bytes, std::round((large - small) / 352'000), 128);
  report.add_limited("attach, a fresh program; peer: the limit", Unit::nanoseconds, median(open_ns), 1e6);
  report.add_figure("  attach and the first acquisition", Unit::nanoseconds, median(acquired_ns));
  report.add_figure("  resident memory added by attach", Unit::bytes, median(open_bytes));
  report.add_figure("  resident memory added by attach and the first acquisition", Unit::bytes, median(acquired_bytes));
  report.add_figure("  making a default space", Unit::nanoseconds, median(made_ns));
}

}  // namespace tenure::bench
