// The state of a world as a number: all that its future depends on.
#include <algorithm>
#include <utility>

#include <tenure/sim/world.hpp>

namespace tenure::sim {

// Eight words at a time, in four lanes that don't wait for each other: most of the search's time is spent here. What lies between the
// variables of a stack is hashed, too: AddressSanitizer would call that an overflow, and watches memcpy, so words are read one by one.
__attribute__((no_sanitize("address"))) void StateHash::add_bytes(const void* data, std::size_t bytes) {
  using Word [[gnu::may_alias, gnu::aligned(1)]] = std::uint64_t;
  __extension__ using Wide = unsigned __int128;
  constexpr std::size_t lanes = 4;
  constexpr std::uint64_t odd[lanes] = {0x9e3779b97f4a7c15, 0xbf58476d1ce4e5b9, 0x94d049bb133111eb, 0xd6e8feb86659fd93};
  const auto* at = static_cast<const unsigned char*>(data);
  std::uint64_t lane[lanes] = {1, 2, 3, 4};
  for (; bytes >= 2 * sizeof(lane); bytes -= 2 * sizeof(lane), at += 2 * sizeof(lane)) {
    const auto* const words = reinterpret_cast<const Word*>(at);
    for (std::size_t i = 0; i < lanes; ++i) {
      const Wide product = static_cast<Wide>(words[2 * i] ^ odd[i]) * (words[2 * i + 1] ^ lane[i]);
      lane[i] += static_cast<std::uint64_t>(product >> 64) ^ static_cast<std::uint64_t>(product);
    }
  }
  for (const std::uint64_t value : lane) add(value);
  for (; bytes >= sizeof(Word); bytes -= sizeof(Word), at += sizeof(Word)) add(*reinterpret_cast<const Word*>(at));
  for (; bytes != 0; --bytes, ++at) add(*at);
}

// At most three quarters full.
bool StateSet::insert(std::uint64_t state) {
  if (size_ >= slots_.size() - slots_.size() / 4) grow();
  if (state == 0) state = 1;
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = state & mask;
  for (; slots_[at] != 0; at = (at + 1) & mask) {
    if (slots_[at] == state) return false;
  }
  slots_[at] = state;
  ++size_;
  return true;
}

void StateSet::grow() {
  constexpr std::size_t slots_at_first = 1 << 16;
  const std::vector<std::uint64_t> old = std::exchange(slots_, std::vector<std::uint64_t>(std::max(2 * slots_.size(), slots_at_first)));
  size_ = 0;
  for (const std::uint64_t state : old) {
    if (state != 0) insert(state);
  }
}

namespace {
std::uint64_t address(const void* word) { return reinterpret_cast<std::uintptr_t>(word); }
}  // namespace

// What a thread knows: its stack, its registers with it. It changes only while the thread runs.
std::uint64_t World::knowledge_hash(std::uint32_t thread) const {
  StateHash hash;
  const std::span<const std::byte> known = fibers_[thread].saved();
  hash.add(known.size());
  hash.add_bytes(known.data(), known.size());
  return hash.value();
}

// Of times only what is left until something happens: with step_ns = 0 they change by ticks alone, and what a thread has read of them it
// knows.
std::uint64_t World::state_hash() {
  StateHash hash;
  run_memory_.add_to(hash);
  hash.add(ready_);
  for (const std::uint32_t left : faults_left_) hash.add(left);
  hash.add(spurious_left_);
  for (std::uint32_t id = 0; id < thread_count_; ++id) {
    const Thread& thread = threads_[id];
    const bool sleeps = thread.state == State::asleep;
    hash.add(static_cast<std::uint64_t>(thread.state) | std::uint64_t{thread.timed_out && sleeps} << 3 | std::uint64_t{thread.queued} << 8);
    if (thread.state == State::done && thread.queued == 0) continue;
    hash.add(thread.knowledge);
    hash.add(thread.stores.count);
    for (std::uint32_t i = 0; i < thread.stores.count; ++i) {
      const BufferedStore& store = thread.stores.at(i);
      hash.add(address(store.word));
      hash.add(store.bits);
    }
    for (std::uint32_t i = 0; i < thread.robust.count; ++i) hash.add(address(thread.robust.words[i]));
    hash.add(address(thread.robust.pending));
    if (sleeps && thread.deadline_ns != never_ns) hash.add(thread.deadline_ns - now_ns_);
    // The order of the sleepers decides whom a wake-up meets.
    std::uint64_t before = 0;
    for (std::uint32_t other = 0; other < thread_count_; ++other) {
      before += thread.queued != 0 && threads_[other].queued != 0 && threads_[other].queued_at < thread.queued_at ? 1 : 0;
    }
    hash.add(before);
  }
  for (ProcessId id = 0; id < process_count_; ++id) {
    const Process& process = processes_[id];
    hash.add(std::uint64_t{process.alive} | std::uint64_t{process.paused} << 1 | std::uint64_t{process.holds_bytes} << 2 |
             std::uint64_t{process.pid} << 8 | std::uint64_t{process.inherited} << 24);
    for (std::uint32_t i = 0; i < process.bell_count; ++i) hash.add(address(process.bells[i]));
    hash.add(process.tag);
    hash.add(process.paused ? process.paused_until_ns - now_ns_ : 0);
    hash.add(process.lingers_until_ns == 0 ? 0 : process.lingers_until_ns - now_ns_);
    const Death& death = process.death;
    hash.add(death.thread | std::uint64_t{death.entry} << 16 | std::uint64_t{death.walked} << 32 |
             std::uint64_t{death.wake != nullptr} << 33);
  }
  hash.add_bytes(byte_owners_.data(), bytes_used_);
  hash.add(token_mark_);
  hash.add(message_count_);
  for (std::uint32_t i = 0; i < message_count_; ++i) {
    hash.add(std::uint64_t{messages_[i].client} << 32 | messages_[i].server << 8 | static_cast<std::uint32_t>(messages_[i].what));
    hash.add_bytes(messages_[i].bytes.data(), message_bytes_max);
  }
  return hash.value();
}

}  // namespace tenure::sim
