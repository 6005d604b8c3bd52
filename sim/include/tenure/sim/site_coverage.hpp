// Which places of the code under test were reached, and at which of them a process was killed: right before the step, and right after it.
#pragma once

#include <cstdint>
#include <map>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tenure/sim/tape.hpp>

namespace tenure::sim {

class SiteCoverage {
 public:
  struct Entry {
    std::source_location site;
    std::uint64_t reached = 0;
    std::uint64_t killed_before = 0;
    std::uint64_t killed_after = 0;
    Place place = {};  // where it was reached last: there a plan can kill, or one step further on
    bool covered() const { return killed_before != 0 && killed_after != 0; }
  };

  void reached(const std::source_location& site, const Place& place) {
    Entry& entry = at(site);
    ++entry.reached;
    entry.place = place;
  }
  void killed_before(const std::source_location& site) { ++at(site).killed_before; }
  void killed_after(const std::source_location& site) { ++at(site).killed_after; }

  // Those in files whose name contains `file`, by file and line.
  std::vector<Entry> entries(std::string_view file = {}) const;

 private:
  Entry& at(const std::source_location& site);

  // The strings of source locations are literals: one place has one address, or a few.
  std::map<std::pair<const char*, std::uint64_t>, Entry> entries_;
};

// "leases.inl.hpp:523 sleep"
std::string to_text(const std::source_location& site);

}  // namespace tenure::sim
