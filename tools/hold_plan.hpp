// What `tenure run` and `tenure hold` have in common: which name to hold, on which terms, and what to say about it.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "tools/exit_status.hpp"

namespace tenure::tools {

struct HoldPlan {
  std::string name;
  std::string space;  // as Space::Options::name; a path is absolute
  std::string label;
  std::optional<std::chrono::nanoseconds> wait;  // none: for as long as it takes; zero: not at all
  std::chrono::nanoseconds ttl{0};               // zero: the strict contract
  bool renew = true;
  std::chrono::nanoseconds hold_max{0};  // the hold ends so long after the grant; zero: whenever its holder likes
  int conflict_status = exit_no;
  int lost_status = exit_lost;
  int status_descriptor = -1;  // of the caller, for the events of event_stream.hpp; -1: none
  bool verbose = false;
  bool quiet = false;
};

}  // namespace tenure::tools
