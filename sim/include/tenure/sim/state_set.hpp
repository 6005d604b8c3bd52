// States of a run, as numbers of 64 bits, and a set of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tenure::sim {

class StateHash {
 public:
  void add(std::uint64_t value) {
    hash_ = (hash_ ^ value) * 0x9e3779b97f4a7c15;
    hash_ ^= hash_ >> 29;
    hash_ *= 0xbf58476d1ce4e5b9;
    hash_ ^= hash_ >> 32;
  }
  // Memory, its place not included.
  void add_bytes(const void* data, std::size_t bytes);
  std::uint64_t value() const { return hash_; }

 private:
  std::uint64_t hash_ = 0x243f6a8885a308d3;
};

// Two states with one number would be taken for one: with N states that is a chance of N^2 / 2^65.
class StateSet {
 public:
  // False: it was there.
  bool insert(std::uint64_t state);
  std::size_t size() const { return size_; }

 private:
  void grow();

  std::vector<std::uint64_t> slots_;  // 0: empty; a state goes to the first empty one from its number on
  std::size_t size_ = 0;
};

}  // namespace tenure::sim
