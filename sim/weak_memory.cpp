#include <tenure/sim/weak_memory.hpp>

#include <algorithm>

namespace tenure::sim {

void WeakMemory::View::join(const View& other, std::uint32_t locations) {
  for (std::uint32_t i = 0; i < locations; ++i) at[i] = std::max(at[i], other.at[i]);
}

void WeakMemory::View::copy(const View& other, std::uint32_t locations) { std::copy_n(other.at.begin(), locations, at.begin()); }
void WeakMemory::View::clear(std::uint32_t locations) { std::fill_n(at.begin(), locations, Stamp{0}); }

void WeakMemory::reset() {
  for (auto* views : {&views_, &heard_, &fenced_}) {
    for (View& view : *views) view.clear(count_);
  }
  sequential_.clear(count_);
  count_ = 0;
  table_.fill(0);
}

void WeakMemory::thread_starts(std::uint32_t thread, std::uint32_t creator) {
  if (creator < threads_max) {
    views_[thread].copy(views_[creator], count_);
  } else {
    views_[thread].clear(count_);
  }
  heard_[thread].clear(count_);
  fenced_[thread].copy(views_[thread], count_);
}

// Null where there are too many. What memory holds without our knowing, because a callback wrote it, is taken for a store of its own.
WeakMemory::Location* WeakMemory::find(const void* word, std::uint64_t newest) {
  const auto address = reinterpret_cast<std::uintptr_t>(word);
  std::size_t slot = (address >> 2) * 0x9e3779b1u % table_.size();
  for (; table_[slot] != 0; slot = (slot + 1) % table_.size()) {
    Location& location = locations_[table_[slot] - 1u];
    if (location.word != word) continue;
    if (location.last().bits != newest) append(location, newest);
    return &location;
  }
  if (count_ == locations_max) return nullptr;
  Location& location = locations_[count_++];
  table_[slot] = static_cast<std::uint16_t>(count_);
  location.word = word;
  location.newest = 0;
  location.stores[0].bits = newest;
  location.stores[0].stamp = 0;
  location.stores[0].publishes = false;
  for (std::uint32_t i = 1; i < stores_max; ++i) location.stores[i].stamp = 0;
  return &location;
}

WeakMemory::Store& WeakMemory::append(Location& location, std::uint64_t bits) {
  ++location.newest;
  Store& store = location.last();
  store.bits = bits;
  store.stamp = location.newest;
  store.publishes = false;
  return store;
}

std::uint32_t WeakMemory::readable(std::uint32_t thread, const void* word, std::uint64_t newest, bool sequential) {
  Location* const location = find(word, newest);
  if (location == nullptr) return 1;
  const std::uint32_t oldest_kept = location->newest < stores_max ? 0 : location->newest - stores_max + 1u;
  std::uint32_t oldest = std::max<std::uint32_t>(views_[thread].at[index_of(*location)], oldest_kept);
  if (sequential) oldest = std::max<std::uint32_t>(oldest, sequential_.at[index_of(*location)]);
  return location->newest - oldest + 1u;
}

std::uint64_t WeakMemory::read(std::uint32_t thread, const void* word, std::uint64_t newest, std::uint32_t index, bool acquires,
                               bool sequential) {
  Location* const location = find(word, newest);
  if (location == nullptr) {
    fence(thread);
    return newest;
  }
  const Store& store = location->stores[(location->newest - index) % stores_max];
  View& view = views_[thread];
  Stamp& known = view.at[index_of(*location)];
  known = std::max(known, store.stamp);
  if (store.publishes) (acquires ? view : heard_[thread]).join(store.view, count_);
  if (sequential) {
    Stamp& fixed = sequential_.at[index_of(*location)];
    fixed = std::max(fixed, store.stamp);
  }
  return store.bits;
}

void WeakMemory::store(std::uint32_t thread, const void* word, std::uint64_t replaced, std::uint64_t bits, bool releases, bool sequential) {
  Location* const location = find(word, replaced);
  if (location == nullptr) return fence(thread);
  Store& store = append(*location, bits);
  View& view = views_[thread];
  view.at[index_of(*location)] = store.stamp;
  if (sequential) sequential_.at[index_of(*location)] = store.stamp;
  publish(thread, store, releases);
}

void WeakMemory::publish(std::uint32_t thread, Store& store, bool releases) {
  if (!store.publishes) store.view.clear(locations_max);
  store.publishes = true;
  store.view.join(releases ? views_[thread] : fenced_[thread], count_);
}

void WeakMemory::modify(std::uint32_t thread, const void* word, std::uint64_t replaced, std::uint64_t bits, bool acquires, bool releases,
                        bool sequential) {
  Location* const location = find(word, replaced);
  if (location == nullptr) return fence(thread);
  const Store before = location->last();
  View& view = views_[thread];
  if (before.publishes) (acquires ? view : heard_[thread]).join(before.view, count_);
  Store& store = append(*location, bits);
  view.at[index_of(*location)] = store.stamp;
  if (sequential) sequential_.at[index_of(*location)] = store.stamp;
  store.publishes = before.publishes;
  if (before.publishes) store.view = before.view;
  publish(thread, store, releases);
}

void WeakMemory::fence(std::uint32_t thread) {
  acquire_fence(thread);
  sequential_.join(views_[thread], count_);
  views_[thread].copy(sequential_, count_);
  fenced_[thread].copy(sequential_, count_);
}

void WeakMemory::acquire_fence(std::uint32_t thread) { views_[thread].join(heard_[thread], count_); }

void WeakMemory::store_for(std::uint32_t thread, const void* word, std::uint64_t replaced, std::uint64_t bits) {
  store(thread, word, replaced, bits, true, true);
}

}  // namespace tenure::sim
