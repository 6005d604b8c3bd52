// What a fuzzer learns of a run.
#include <algorithm>
#include <array>
#include <map>
#include <utility>
#include <vector>

#include <tenure/sim/fuzz.hpp>

namespace tenure::sim {

namespace {

bool is_fault(Op op) {
  switch (op) {
    case Op::kill:
    case Op::pause:
    case Op::clock_jump:
    case Op::message_lost:
    case Op::message_doubled:
    case Op::connection_breaks:
    case Op::restart:
    case Op::fail_over:
    case Op::partition:
    case Op::suspend:
    case Op::reboot: return true;
    default: return false;
  }
}

// Where a thread stands: its last step by its place in the source, and how often it has stepped there. Who it is does not count, since most
// threads do the same; nor do the late turns of a loop.
struct Standing {
  std::uint64_t place = 0;
  std::uint64_t steps = 0;
  std::uint64_t value() const { return place << 4 | std::min<std::uint64_t>(steps, 15); }
};

struct Word {
  const void* word;
  std::uint32_t thread;  // that was here last
  std::uint64_t standing;
};

class Counter {
 public:
  explicit Counter(std::span<std::uint8_t> counters) : counters_(counters) {}

  void see(const TraceLine& line) {
    if (is_fault(line.op)) see_fault(line);
    if (line.thread >= threads_.size() || has_no_thread(line.op)) return;
    Standing& standing = threads_[line.thread];
    standing.place = std::uint64_t{line.site.line()} << 8 ^ line.site.column() ^ static_cast<std::uint64_t>(line.op) << 24;
    standing.steps = ++steps_[{line.thread, standing.place}];
    if (line.word != nullptr) see_word(line, standing.value());
  }

 private:
  void see_word(const TraceLine& line, std::uint64_t standing) {
    const auto known = std::find_if(words_.begin(), words_.end(), [&](const Word& word) { return word.word == line.word; });
    if (known == words_.end()) return words_.push_back({line.word, line.thread, standing});
    if (known->thread != line.thread) bump(known->standing << 32 ^ standing);
    *known = {line.word, line.thread, standing};
  }
  // All threads in the order of where they stand.
  void see_fault(const TraceLine& line) {
    std::array<std::uint64_t, World::threads_max> standings{};
    for (std::size_t i = 0; i < threads_.size(); ++i) standings[i] = threads_[i].place;
    std::sort(standings.begin(), standings.end());
    StateHash hash;
    hash.add(static_cast<std::uint64_t>(line.op) << 32 | ++faults_);
    for (const std::uint64_t standing : standings) hash.add(standing);
    bump(hash.value());
  }
  void bump(std::uint64_t feature) {
    StateHash hash;
    hash.add(feature);
    std::uint8_t& counter = counters_[hash.value() % counters_.size()];
    if (counter != 255) ++counter;
  }

  std::span<std::uint8_t> counters_;
  std::array<Standing, World::threads_max> threads_{};
  std::map<std::pair<std::uint32_t, std::uint64_t>, std::uint64_t> steps_;
  std::vector<Word> words_;
  std::uint64_t faults_ = 0;
};

}  // namespace

void RunFeatures::count(std::span<const TraceLine> trace, std::span<std::uint8_t> counters) {
  if (counters.empty()) return;
  Counter counter(counters);
  for (const TraceLine& line : trace) counter.see(line);
}

}  // namespace tenure::sim
