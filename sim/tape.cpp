#include "sim/tape.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <utility>

namespace tenure::sim {

Random::Random(std::uint64_t seed) {
  for (std::uint64_t& word : state_) {
    seed += 0x9e3779b97f4a7c15;
    std::uint64_t z = seed;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    word = z ^ (z >> 31);
  }
}

void FaultPlan::draw(Random& random, std::uint32_t wanted_max, std::uint32_t horizon) {
  const std::uint32_t count = wanted_max == 0 ? 0 : random.below(std::min(wanted_max, faults_max) + 1);
  for (std::uint32_t i = 0; i < count; ++i) at_[i] = random.below(horizon);
  std::sort(at_.begin(), at_.begin() + count);
  for (std::uint32_t i = 1; i < count; ++i) at_[i] = std::max(at_[i], at_[i - 1] + 1);
  at_[count] = ~std::uint32_t{0};
  next_ = 0;
  questions_ = 0;
}

void Tape::start_random(std::uint64_t seed, const Config& config) {
  engine_ = Engine::random;
  random_ = Random(seed);
  sticky_ = config.strategy == Strategy::sticky || (config.strategy == Strategy::mixed && random_.below(2) == 0);
  diverged_ = false;
  position_ = 0;
  prefix_ = 0;
  const std::uint32_t horizon = std::max(config.horizon_steps, std::uint32_t{1});
  kills_.draw(random_, config.kills_max, horizon);
  pauses_.draw(random_, config.pauses_max, horizon);
  clock_jumps_.draw(random_, config.realtime_jumps_max, horizon);
}

void Tape::start_replay(std::vector<Decision> decisions) {
  engine_ = Engine::replay;
  decisions_ = std::move(decisions);
  diverged_ = false;
  position_ = 0;
  prefix_ = decisions_.size();
}

void Tape::start_exhaustive(const Bounds& bounds) {
  engine_ = Engine::exhaustive;
  diverged_ = false;
  position_ = 0;
  prefix_ = 0;
  left_ = bounds;
}

std::uint32_t* Tape::spending(Kind kind) {
  if (kind == Kind::preempt) return &left_.preemptions;
  if (kind == Kind::kill) return &left_.kills;
  return nullptr;
}

bool Tape::advance() {
  while (position_ > 0) {
    Decision& last = decisions_[position_ - 1];
    std::uint32_t* const left = spending(last.kind);
    const bool pays = left != nullptr && last.choice == 0;
    // Lengths and sizes are dimensions of their own: the exhaustive engine keeps to the largest one.
    const bool fixed = last.kind == Kind::length || last.kind == Kind::jump_size;
    if (!fixed && last.choice + 1 < last.n && (!pays || *left > 0)) {
      if (pays) --*left;
      ++last.choice;
      prefix_ = std::exchange(position_, 0);
      return true;
    }
    if (left != nullptr && last.choice != 0) ++*left;
    --position_;
  }
  return false;
}

std::uint32_t Tape::draw(std::uint32_t n, Kind kind) {
  switch (kind) {
    case Kind::preempt:
      if (sticky_ && random_.next() >> 61 != 0) return 0;
      return random_.below(n);
    case Kind::kill: return kills_.due();
    case Kind::pause: return pauses_.due();
    case Kind::clock_jump: return clock_jumps_.due();
    case Kind::length: {
      const std::uint32_t octave = random_.below(static_cast<std::uint32_t>(std::bit_width(n)));
      return std::min((std::uint32_t{1} << octave) - 1 + random_.below(std::uint32_t{1} << octave), n - 1);
    }
    case Kind::spurious: return random_.below(8) == 0 ? 1 : 0;
    case Kind::next:
    case Kind::victim:
    case Kind::wake_order:
    case Kind::jump_size:
    case Kind::linger:
    case Kind::scenario: break;
  }
  return random_.below(n);
}

std::uint32_t Tape::read(std::uint32_t n, Kind kind) {
  if (position_ >= prefix_) {
    const bool largest = engine_ == Engine::exhaustive && (kind == Kind::length || kind == Kind::jump_size);
    return largest ? n - 1 : 0;
  }
  const Decision& given = decisions_[position_];
  const bool typed = given.n != 0;  // a tape read from text knows its choices only
  if (given.choice >= n || (typed && (given.n != n || given.kind != kind))) diverged_ = true;
  return std::min(given.choice, n - 1);
}

std::vector<Decision> Tape::decisions() const { return {decisions_.begin(), decisions_.begin() + static_cast<std::ptrdiff_t>(position_)}; }

std::string to_text(const std::vector<Decision>& decisions) {
  std::string text;
  std::array<char, 16> digits{};
  const auto append = [&](std::size_t number) {
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number, 36).ptr;
    text.append(digits.data(), end);
  };
  std::size_t last = 0;
  for (std::size_t i = 0; i < decisions.size(); ++i) {
    if (decisions[i].choice == 0) continue;
    if (!text.empty()) text += '.';
    append(i - last);
    if (decisions[i].choice != 1) {
      text += '-';
      append(decisions[i].choice);
    }
    last = i;
  }
  return text;
}

std::vector<Decision> from_text(std::string_view text) {
  std::vector<Decision> decisions;
  const char* at = text.data();
  const char* const end = at + text.size();
  std::size_t position = 0;
  while (at != end) {
    std::uint32_t distance = 0;
    std::uint32_t choice = 1;
    auto result = std::from_chars(at, end, distance, 36);
    if (result.ec != std::errc{} || distance > 1'000'000) return {};
    at = result.ptr;
    if (at != end && *at == '-') {
      result = std::from_chars(at + 1, end, choice, 36);
      if (result.ec != std::errc{}) return {};
      at = result.ptr;
    }
    if (at != end) {
      if (*at != '.') return {};
      ++at;
    }
    position += distance;
    decisions.resize(position + 1, Decision{0, 0, Kind::next});
    decisions[position].choice = choice;
  }
  return decisions;
}

}  // namespace tenure::sim
