// Release/acquire memory by views: every location keeps its last stores, and every thread knows of each location the oldest store that it
// may still read. What memory itself holds is always the newest store.
//
// The model is C++'s without its two hardest corners: stores to one location are ordered as they happen, and a read-modify-write reads the
// newest one. Sequentially consistent loads see at least the newest sequentially consistent store; a fence, and every system call, is
// ordered with all other fences, both ways.
#pragma once

#include <array>
#include <cstdint>

namespace tenure::sim {

class WeakMemory {
 public:
  static constexpr std::uint32_t threads_max = 24;
  static constexpr std::uint32_t locations_max = 128;  // that one run touches; those beyond are read newest only
  static constexpr std::uint32_t stores_max = 8;       // that one location remembers

  void reset();
  void thread_starts(std::uint32_t thread, std::uint32_t creator);  // creator: threads_max for none

  // How many different stores `thread` may read, newest first; and the bits of the one at `index`.
  std::uint32_t readable(std::uint32_t thread, const void* word, std::uint64_t newest, bool sequential);
  std::uint64_t read(std::uint32_t thread, const void* word, std::uint64_t newest, std::uint32_t index, bool acquires);
  // `replaced`: what memory held. A read-modify-write passes on what the store that it replaces has published.
  void store(std::uint32_t thread, const void* word, std::uint64_t replaced, std::uint64_t bits, bool releases, bool sequential);
  void modify(std::uint32_t thread, const void* word, std::uint64_t replaced, std::uint64_t bits, bool acquires, bool releases,
              bool sequential);
  void fence(std::uint32_t thread);
  // The kernel writes for a dead thread: all that the thread did comes before.
  void store_for(std::uint32_t thread, const void* word, std::uint64_t replaced, std::uint64_t bits);

 private:
  using Stamp = std::uint16_t;
  // Of each location, the number of the oldest store that may be read.
  struct View {
    std::array<Stamp, locations_max> at;
    void join(const View& other, std::uint32_t locations);
  };
  struct Store {
    std::uint64_t bits;
    Stamp stamp;
    bool publishes;
    View view;
  };
  struct Location {
    const void* word;
    Stamp newest;  // its stamp; stores[newest % stores_max]
    Stamp sequential;
    std::array<Store, stores_max> stores;
    Store& last() { return stores[newest % stores_max]; }
  };

  Location* find(const void* word, std::uint64_t newest);
  std::uint32_t index_of(const Location& location) const { return static_cast<std::uint32_t>(&location - locations_.data()); }
  Store& append(Location& location, std::uint64_t bits);

  std::array<Location, locations_max> locations_;
  std::uint32_t count_ = 0;
  std::array<std::uint8_t, 512> table_{};  // by hash: index + 1
  std::array<View, threads_max> views_;
  View fences_;
};

}  // namespace tenure::sim
