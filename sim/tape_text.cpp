// Runs and tapes as text, and the default mixture of engines.
#include <algorithm>
#include <charconv>

#include <tenure/sim/tape.hpp>

namespace tenure::sim {

namespace {

template <class Number>
bool take_number(std::string_view& text, Number& number, int base = 10) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (error != std::errc{}) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

bool take(std::string_view& text, std::string_view word) {
  if (!text.starts_with(word)) return false;
  text.remove_prefix(word.size());
  return true;
}

}  // namespace

std::string to_text(const RunId& id) {
  switch (id.engine) {
    case Engine::uniform: return "uniform:" + std::to_string(id.seed);
    case Engine::sticky: return "sticky:" + std::to_string(id.seed);
    case Engine::pct: return "pct" + std::to_string(id.depth) + ':' + std::to_string(id.seed);
    case Engine::sweep: return "sweep:" + std::to_string(id.seed) + '@' + std::to_string(id.at);
  }
  return {};
}

std::optional<RunId> run_id_from(std::string_view text) {
  RunId id;
  if (take(text, "sticky:")) {
    id.engine = Engine::sticky;
  } else if (take(text, "sweep:")) {
    id.engine = Engine::sweep;
  } else if (take(text, "pct")) {
    id.engine = Engine::pct;
    if (!take_number(text, id.depth) || id.depth < 2 || id.depth > 5 || !take(text, ":")) return {};
  } else {
    take(text, "uniform:");
  }
  if (!take_number(text, id.seed)) return {};
  if (id.engine == Engine::sweep && (!take(text, "@") || !take_number(text, id.at))) return {};
  if (!text.empty()) return {};
  return id;
}

RunId portfolio(std::uint64_t index, const Config& config) {
  enum : std::uint8_t { u, s, k, p2, p3, p4, p5 };
  static constexpr std::uint8_t turn[] = {u, p3, s, p4, k, p2, p5, p3, s, p4, u, p3, k, p5, p2, s, p4, p3, p5, p4};
  constexpr auto sweeps = static_cast<std::uint64_t>(std::count(std::begin(turn), std::end(turn), k));
  const std::uint64_t round = index / std::size(turn);
  const std::size_t place = index % std::size(turn);
  switch (turn[place]) {
    case u: return {Engine::uniform, 0, index + 1, 0};
    case s: return {Engine::sticky, 0, index + 1, 0};
    case k: {
      if (config.kills_max == 0) return {Engine::sticky, 0, index + 1, 0};
      std::uint64_t kill = round * sweeps;
      for (std::size_t i = 0; i < place; ++i) kill += turn[i] == k ? 1 : 0;
      const std::uint32_t horizon = config.horizon_steps == 0 ? 1 : config.horizon_steps;
      return {Engine::sweep, 0, kill / horizon + 1, static_cast<std::uint32_t>(kill % horizon) + 1};
    }
    default: return {Engine::pct, static_cast<std::uint8_t>(turn[place] - p2 + 2), index + 1, 0};
  }
}

RunId run_at(std::uint64_t index, const Config& config, const std::optional<RunId>& engine) {
  if (!engine) return portfolio(index, config);
  const std::uint32_t horizon = config.horizon_steps == 0 ? 1 : config.horizon_steps;
  if (engine->engine == Engine::sweep) {
    return {Engine::sweep, 0, index / horizon + 1, static_cast<std::uint32_t>(index % horizon) + 1};
  }
  return {engine->engine, engine->depth, index + 1, 0};
}

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

std::optional<std::vector<Decision>> tape_from(std::string_view text) {
  constexpr std::uint32_t distance_max = 1'000'000;
  std::vector<Decision> decisions;
  std::size_t position = 0;
  while (!text.empty()) {
    std::uint32_t distance = 0;
    std::uint32_t choice = 1;
    if (!take_number(text, distance, 36) || distance > distance_max) return {};
    if (take(text, "-") && !take_number(text, choice, 36)) return {};
    if (!text.empty() && (!take(text, ".") || text.empty())) return {};
    position += distance;
    decisions.resize(position + 1, Decision{0, 0, Kind::next});
    decisions[position].choice = choice;
  }
  return decisions;
}

}  // namespace tenure::sim
