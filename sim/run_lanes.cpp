#include "sim/run_lanes.hpp"

#include <bit>

namespace tenure::sim {

RunLanes::RunLanes(const World& world, std::vector<Lane>& lanes) : lanes_(lanes) {
  for (ProcessId process = 0; process < world.processes(); ++process) {
    const std::string name = world.process_name(process);
    const LaneId lane = add(name, Lane::Kind::process);
    processes_.push_back(lane);
    const std::uint64_t threads = world.threads_of(process);
    for (std::uint64_t rest = threads; rest != 0; rest &= rest - 1) {
      const auto thread = static_cast<ThreadId>(std::countr_zero(rest));
      if (threads_.size() <= thread) threads_.resize(thread + 1, no_lane);
      threads_[thread] = std::popcount(threads) == 1 ? lane : add(name + "/t" + std::to_string(thread), Lane::Kind::thread, lane);
    }
  }
  for (ServerId server = 0; server < world.servers(); ++server) servers_.push_back(add(world.server_name(server), Lane::Kind::server));
}

LaneId RunLanes::add(std::string name, Lane::Kind kind, LaneId parent) {
  lanes_.push_back({.name = std::move(name), .kind = kind, .parent = parent});
  return lanes_.size() - 1;
}

LaneId RunLanes::made(LaneId& lane, const char* name, Lane::Kind kind) {
  if (lane == no_lane) lane = add(name, kind);
  return lane;
}

LaneId RunLanes::process(std::uint64_t number) { return number < processes_.size() ? processes_[number] : kernel(); }

LaneId RunLanes::thread(std::uint64_t number) {
  return number < threads_.size() && threads_[number] != no_lane ? threads_[number] : kernel();
}

LaneId RunLanes::server(std::uint64_t number) { return number < servers_.size() ? servers_[number] : network(); }

}  // namespace tenure::sim
