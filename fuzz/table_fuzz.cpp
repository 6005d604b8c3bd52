// Garbage in the segment: the input is a list of stores at arbitrary places, with operations of the table in between. Nothing may crash,
// reach outside the segment, or go on for ever; what an operation answers does not matter.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "core/names.inl.hpp"
#include "core/sessions.inl.hpp"

namespace {

using namespace tenure::core;

// One process alone in the world. Sleeping lets time pass, so that every wait ends.
struct FuzzPlatform {
  template <class T>
  using Atomic = std::atomic<T>;
  static void fence() {}
  WaitResult wait(std::span<const Watch<FuzzPlatform>> watches, uint64_t timeout_ns) {
    for (const auto& watch : watches) {
      if (watch.word->load() != watch.expected) return WaitResult::changed;
    }
    now_ns += timeout_ns;
    return WaitResult::timed_out;
  }
  void wake(Atomic<uint32_t>&, uint32_t) {}
  uint64_t boottime_ns() { return now_ns += 1000; }
  uint64_t realtime_ms() { return 1; }
  ByteClaim claim_byte(uint32_t) { return ByteClaim::claimed; }
  bool tag_is_carried(uint64_t tag) { return tag % 4 == 1; }
  void free_byte(uint32_t) {}
  bool byte_is_held(uint32_t slot) { return slot % 2 == 0; }
  bool arm_bell(Atomic<uint32_t>& bell) {
    bell.store(42 | bell::waiters);
    return true;
  }
  void disarm_bell(Atomic<uint32_t>&) {}
  bool raise_token_mark(uint64_t) { return true; }
  static constexpr bool breaks(Rule) { return false; }
  uint64_t now_ns = 1;
};

constexpr Capacity capacity{group_entries, 4};
constexpr uint64_t segment_bytes = geometry_of(capacity).size_bytes;

struct Input {
  const uint8_t* data;
  std::size_t size;
  template <class T>
  T take() {
    T value{};
    const std::size_t bytes = size < sizeof(T) ? size : sizeof(T);
    std::memcpy(&value, data, bytes);
    data += bytes;
    size -= bytes;
    return value;
  }
};

class World {
 public:
  World() : table_(platform_, segment_, prepare()), leases_(table_), sessions_(table_, leases_), names_(table_, leases_) {
    (void)sessions_.open(facts(false));
  }

  void step(Input& input) {
    switch (input.take<uint8_t>() % 8) {
      case 0:
      case 1:
      case 2: scribble(input); break;
      case 3: acquire(input); break;
      case 4: leases_.release(grant_); break;
      case 5: (void)names_.remove(name_of(input), desk_, patience()); break;
      case 6: sessions_.sweep(); break;
      default: look(input);
    }
  }

 private:
  static SessionFacts facts(bool is_run) {
    SessionFacts facts;
    facts.pid = 1;
    facts.command = "fuzz";
    facts.is_run = is_run;
    facts.tag = is_run ? run_tag::bit + 1 : 0;
    return facts;
  }
  SegmentIdentity prepare() {
    const SegmentIdentity identity = finished({}, capacity);
    std::memset(segment_, 0, segment_bytes);
    write_initial_image(identity, [&](uint64_t offset, const auto& page) { std::memcpy(segment_ + offset, page.data(), page_bytes); });
    return identity;
  }
  Patience<FuzzPlatform> patience() {
    Patience<FuzzPlatform> patience;
    patience.until_ns = platform_.now_ns + second_ns;
    return patience;
  }
  NameWords name_of(Input& input) { return NameWords(std::string(1 + input.take<uint8_t>() % name_bytes_max, 'n')); }

  void scribble(Input& input) {
    const uint64_t word = input.take<uint32_t>() % (segment_bytes / 8);
    const auto value = input.take<uint64_t>();
    std::memcpy(segment_ + word * 8, &value, 8);
  }
  void acquire(Input& input) {
    Handle<FuzzPlatform> handle;
    bool weak = false;
    const NameWords name = name_of(input);
    if (names_.resolve(name, desk_, patience(), handle, weak) != Resolved::found) return;
    (void)leases_.acquire(handle, {2, 1}, {input.take<uint8_t>(), HoldKind::user}, patience(), grant_);
    if (grant_.lease == no_index) return;
    (void)leases_.still_held(grant_);
    (void)leases_.renew(grant_, 1000);
    (void)leases_.break_grant(handle.lease, grant_.word);
  }
  void look(Input& input) {
    char name[name_bytes_max];
    (void)names_.read_name(input.take<uint16_t>() % group_entries, name);
    (void)sessions_.stands(input.take<uint8_t>() % capacity.sessions, 1);
    const SessionClaim claim = sessions_.open(facts(input.take<uint8_t>() % 2 != 0));
    if (claim.code == SessionClaim::Code::claimed && claim.slot != 0) sessions_.close(claim.slot);
  }

  alignas(page_bytes) inline static std::byte segment_[segment_bytes];
  FuzzPlatform platform_;
  Table<FuzzPlatform> table_;
  Leases<FuzzPlatform> leases_;
  Sessions<FuzzPlatform> sessions_;
  Names<FuzzPlatform> names_;
  Desk desk_{{0, 0}, 1};
  Grant grant_{0, 2, {}, 0, deadline::strict, Past::released};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  World world;
  Input input{data, size};
  for (int steps = 0; input.size > 0 && steps < 64; ++steps) world.step(input);
  return 0;
}
