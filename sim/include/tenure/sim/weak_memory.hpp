// Release/acquire memory by views: every location keeps its last stores, and every thread knows of each location the oldest store that it
// may still read. What memory itself holds is always the newest store.
//
// The model is C++20's without its two hardest corners: stores to one location are ordered as they happen, and a read-modify-write reads
// the newest one. The one order of all sequentially consistent operations is that of time, too. So such a load sees what such an operation
// on its location has stored or read before, and what came before a fence (in its thread, or in one that its thread had heard of); and what
// comes after a fence sees both. A fence, which every system call is, also acquires for the loads before it and releases for the stores
// behind it.
#pragma once

#include <array>
#include <cstdint>

namespace tenure::sim {

class WeakMemory {
 public:
  static constexpr std::uint32_t threads_max = 24;
  static constexpr std::uint32_t locations_max = 512;  // that one run touches; an access beyond is a fence, and reads the newest
  static constexpr std::uint32_t stores_max = 8;       // that one location remembers

  void reset();
  void thread_starts(std::uint32_t thread, std::uint32_t creator);  // creator: threads_max for none

  // How many different stores `thread` may read, newest first; and the bits of the one at `index`.
  std::uint32_t readable(std::uint32_t thread, const void* word, std::uint64_t newest, bool sequential);
  std::uint64_t read(std::uint32_t thread, const void* word, std::uint64_t newest, std::uint32_t index, bool acquires, bool sequential);
  // `replaced`: what memory held. A read-modify-write passes on what the store that it replaces has published.
  void store(std::uint32_t thread, const void* word, std::uint64_t replaced, std::uint64_t bits, bool releases, bool sequential);
  void modify(std::uint32_t thread, const void* word, std::uint64_t replaced, std::uint64_t bits, bool acquires, bool releases,
              bool sequential);
  void fence(std::uint32_t thread);
  void acquire_fence(std::uint32_t thread);
  // The kernel writes for a dead thread: all that the thread did comes before.
  void store_for(std::uint32_t thread, const void* word, std::uint64_t replaced, std::uint64_t bits);

 private:
  using Stamp = std::uint16_t;
  // Of each location, the number of the oldest store that may be read.
  struct View {
    std::array<Stamp, locations_max> at;
    void join(const View& other, std::uint32_t locations);
    void copy(const View& other, std::uint32_t locations);
    void clear(std::uint32_t locations);
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
    std::array<Store, stores_max> stores;
    Store& last() { return stores[newest % stores_max]; }
  };

  Location* find(const void* word, std::uint64_t newest);
  std::uint32_t index_of(const Location& location) const { return static_cast<std::uint32_t>(&location - locations_.data()); }
  Store& append(Location& location, std::uint64_t bits);
  void publish(std::uint32_t thread, Store& store, bool releases);

  std::array<Location, locations_max> locations_;
  std::uint32_t count_ = 0;
  std::array<std::uint16_t, 4 * locations_max> table_{};  // by hash: index + 1
  // Of the locations that there are so far; behind them all is 0.
  std::array<View, threads_max> views_{};
  std::array<View, threads_max> heard_{};   // what loads that acquire nothing have met: the next fence acquires it
  std::array<View, threads_max> fenced_{};  // the view at the last fence: stores that release nothing publish it
  View sequential_{};                       // what sequentially consistent operations have fixed so far
};

}  // namespace tenure::sim
