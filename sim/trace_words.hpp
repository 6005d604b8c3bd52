// The words of a timeline for what a trace tells.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include <tenure/sim/world.hpp>

namespace tenure::sim {

class TraceWords {
 public:
  explicit TraceWords(const World& world) : world_(world) {}

  // The name of a word in memory; one that has none is called by the order of appearance.
  std::string word(const void* address);
  // The same of a ghost that judges holds.
  std::string lock(const void* oracle);
  // What a step did.
  std::string label(const TraceLine& line);

 private:
  std::string robust_list(const TraceLine& line);

  const World& world_;
  std::map<const void*, std::size_t> words_;
  std::vector<const void*> locks_;
};

}  // namespace tenure::sim
