// What a worker process tells its hunter: findings and counters, as bytes through a pipe. Both run the same program.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>

#include <tenure/sim/runner.hpp>

namespace tenure::sim::wire {

// Exit statuses of a worker.
constexpr int done = 0;
constexpr int spoilt = 3;  // the code under test has left this process in no state to go on

void send_finding(int out, std::uint64_t index, const Failure& failure);
void send_sometimes(int out, std::span<const World::Sometimes> counts);
// Nobody reads any more.
bool parent_is_gone(int out);

// Appends what has come. False: the worker has closed its end.
bool receive(int in, std::string& received);
// Takes the whole messages out of `received`. Of each property the failure of the lowest index stays.
void take(std::string& received, std::map<std::string, std::pair<std::uint64_t, Failure>>& findings,
          std::map<std::string, std::uint64_t>& sometimes);

}  // namespace tenure::sim::wire
