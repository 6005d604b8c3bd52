// The lanes of a run's timeline: a process, below it its threads where it has several, the servers, and what else somebody speaks of.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <tenure/sim/timeline.hpp>
#include <tenure/sim/world.hpp>

namespace tenure::sim {

class RunLanes {
 public:
  // Puts them into `lanes`, which must outlive this.
  RunLanes(const World& world, std::vector<Lane>& lanes);

  LaneId process(std::uint64_t number);
  LaneId thread(std::uint64_t number);
  LaneId server(std::uint64_t number);
  // Made when they are first needed.
  LaneId kernel() { return made(kernel_, "kernel", Lane::Kind::kernel); }
  LaneId network() { return made(network_, "network", Lane::Kind::network); }
  LaneId clock() { return made(clock_, "clock", Lane::Kind::clock); }

 private:
  LaneId add(std::string name, Lane::Kind kind, LaneId parent = no_lane);
  LaneId made(LaneId& lane, const char* name, Lane::Kind kind);

  std::vector<Lane>& lanes_;
  std::vector<LaneId> processes_;
  std::vector<LaneId> threads_;
  std::vector<LaneId> servers_;
  LaneId kernel_ = no_lane;
  LaneId network_ = no_lane;
  LaneId clock_ = no_lane;
};

}  // namespace tenure::sim
