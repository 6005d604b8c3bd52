#include "sim/timeline_events.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <stdexcept>
#include <tuple>

namespace tenure::sim::timeline {

namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";

bool covers(const Span& span, std::uint32_t step) { return span.from_step <= step && step < span.until_step; }

// The length of the valid, printable UTF-8 character that begins at `i`, or 0.
std::size_t character_at(std::string_view text, std::size_t i) {
  const auto byte = [&](std::size_t at) { return at < text.size() ? static_cast<unsigned char>(text[at]) : 0U; };
  const unsigned lead = byte(i);
  if (lead < 0x80) return lead >= 0x20 && lead != 0x7F ? 1 : 0;
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4) return 0;
  unsigned code = lead & (0xFFU >> (length + 1));
  for (std::size_t k = 1; k < length; ++k) {
    if ((byte(i + k) & 0xC0U) != 0x80U) return 0;
    code = (code << 6U) | (byte(i + k) & 0x3FU);
  }
  constexpr std::array<unsigned, 5> smallest{0, 0, 0x80, 0x800, 0x10000};
  const bool overlong = code < smallest[length] || code > 0x10FFFF;
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  const bool control = code < 0xA0 || code == 0xFFFE || code == 0xFFFF;
  // Marks that turn the direction of what follows would show a line as it is not.
  const bool turns = (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069) || code == 0x2028 || code == 0x2029;
  return overlong || surrogate || control || turns ? 0 : length;
}

struct Character {
  unsigned code;
  std::size_t columns;
};

// Blocks of the Unicode standard whose characters take two columns, or none. Near enough for a layout.
std::size_t columns_of(unsigned code) {
  struct Block {
    unsigned first;
    unsigned last;
    std::size_t columns;
  };
  constexpr std::array<Block, 12> blocks{{{0x300, 0x36F, 0},
                                          {0x1100, 0x115F, 2},
                                          {0x200B, 0x200F, 0},
                                          {0x2E80, 0xA4CF, 2},
                                          {0xAC00, 0xD7A3, 2},
                                          {0xF900, 0xFAFF, 2},
                                          {0xFE00, 0xFE0F, 0},
                                          {0xFE30, 0xFE6F, 2},
                                          {0xFF00, 0xFF60, 2},
                                          {0xFFE0, 0xFFE6, 2},
                                          {0x1F300, 0x1FAFF, 2},
                                          {0x20000, 0x3FFFD, 2}}};
  const auto block = std::ranges::find_if(blocks, [&](const Block& b) { return b.first <= code && code <= b.last; });
  return block == blocks.end() ? 1 : block->columns;
}

// The character of clean text that begins at `i`, which moves on to the next one.
Character next_character(std::string_view text, std::size_t& i) {
  const unsigned lead = static_cast<unsigned char>(text[i++]);
  unsigned code = lead < 0x80 ? lead : lead < 0xE0 ? lead & 0x1FU : lead < 0xF0 ? lead & 0x0FU : lead & 0x07U;
  while (i < text.size() && (static_cast<unsigned char>(text[i]) & 0xC0U) == 0x80U) {
    code = (code << 6U) | (static_cast<unsigned char>(text[i++]) & 0x3FU);
  }
  return {code, columns_of(code)};
}

std::string quoted(std::string_view name) { return name.empty() ? std::string() : " `" + std::string(name) + "`"; }

std::string span_words(const Span& span) {
  const std::string name = clean(span.name);
  std::string words;
  switch (span.kind) {
    case Span::Kind::waiting: words = name.empty() ? "waits" : "waits for" + quoted(name); break;
    case Span::Kind::holding: words = "holds" + quoted(name); break;
    case Span::Kind::asleep: words = name.empty() ? "asleep" : "asleep on " + name; break;
    case Span::Kind::paused: words = name.empty() ? "paused" : "paused: " + name; break;
    case Span::Kind::suspended: words = name.empty() ? "host suspended" : "host suspended: " + name; break;
    case Span::Kind::dead: words = name.empty() ? "dead" : name; break;
  }
  if (span.token) words += " #" + std::to_string(*span.token);
  return words;
}

std::string point_words(const Point& point) {
  std::string words;
  if (is_fault(point.kind) && point.kind != Point::Kind::fault) words = kind_word(point.kind);
  const std::string label = clean(point.label);
  if (!label.empty()) words += (words.empty() ? "" : " ") + label;
  return words.empty() ? std::string(kind_word(point.kind)) : words;
}

std::string arrow_words(const Arrow& arrow, std::string_view target) {
  std::string words = clean(arrow.label);
  if (arrow.kind == Arrow::Kind::wake) words = "wakes" + (words.empty() ? "" : " " + words);
  if (arrow.kind == Arrow::Kind::spawn) words = "starts" + (words.empty() ? "" : " " + words);
  if (words.empty()) words = kind_word(arrow.kind);
  if (!target.empty()) words += " -> " + clean(target);
  if (arrow.fate != Arrow::Fate::delivered) words += " (" + std::string(fate_word(arrow.fate)) + ")";
  return words;
}

// KILL says that the process is dead, PAUSE that it is paused.
bool is_implied(const Timeline& timeline, const Span& span) {
  if (span.kind != Span::Kind::dead && span.kind != Span::Kind::paused) return false;
  const Point::Kind cause = span.kind == Span::Kind::dead ? Point::Kind::kill : Point::Kind::pause;
  return std::ranges::any_of(timeline.points,
                             [&](const Point& p) { return p.lane == span.lane && p.step == span.from_step && p.kind == cause; });
}

void require_lane(const Timeline& timeline, LaneId lane) {
  if (lane >= timeline.lanes.size()) throw std::out_of_range("timeline: lane " + std::to_string(lane) + " is not there");
}

Event::Weight weight_of(const Point& point) {
  if (is_fault(point.kind) || point.kind == Point::Kind::note) return Event::Weight::major;
  return point.minor ? Event::Weight::minor : Event::Weight::plain;
}

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) text += i + 1 == names.size() ? " and " : ", ";
    text += names[i];
  }
  return text;
}

std::string counted(std::uint64_t count, std::string_view one, std::string_view many) {
  return std::to_string(count) + " " + std::string(count == 1 ? one : many);
}

}  // namespace

std::vector<Event> events_of(const Timeline& timeline) {
  using enum Event::Weight;
  using enum Event::Source;
  std::vector<Event> events;
  for (const Lane& lane : timeline.lanes) {
    if (lane.parent != no_lane) require_lane(timeline, lane.parent);
  }
  if (timeline.violation) {
    for (const LaneId lane : timeline.violation->lanes) require_lane(timeline, lane);
  }
  for (std::size_t i = 0; i < timeline.arrows.size(); ++i) {
    const Arrow& a = timeline.arrows[i];
    require_lane(timeline, a.from);
    require_lane(timeline, a.to);
    events.push_back({a.from_step, a.from, arrow, i, major, arrow_words(a, timeline.lanes.at(a.to).name),
                      a.fate == Arrow::Fate::duplicated ? std::string() : arrow_words(a, {})});
  }
  for (std::size_t i = 0; i < timeline.points.size(); ++i) {
    const Point& p = timeline.points[i];
    require_lane(timeline, p.lane);
    events.push_back({p.step, p.lane, point, i, weight_of(p), point_words(p), point_words(p)});
  }
  for (std::size_t i = 0; i < timeline.spans.size(); ++i) {
    const Span& s = timeline.spans[i];
    require_lane(timeline, s.lane);
    events.push_back({s.from_step, s.lane, span, i, major, span_words(s), span_words(s), is_implied(timeline, s)});
  }
  std::ranges::sort(events, {}, [](const Event& e) { return std::tuple(e.step, e.lane, e.source, e.index); });
  return events;
}

std::vector<std::uint32_t> marked_steps(const Timeline& timeline) {
  std::set<std::uint32_t> steps;
  for (const Span& span : timeline.spans) {
    steps.insert(span.from_step);
    if (span.until_step != no_step) steps.insert(span.until_step);
  }
  for (const Point& point : timeline.points) steps.insert(point.step);
  for (const Arrow& arrow : timeline.arrows) steps.insert({arrow.from_step, arrow.to_step});
  if (timeline.violation) steps.insert(timeline.violation->step);
  return {steps.begin(), steps.end()};
}

std::uint64_t time_at(const Timeline& timeline, std::uint32_t step) {
  const auto after = std::ranges::upper_bound(timeline.moments, step, {}, &Moment::step);
  return after == timeline.moments.begin() ? 0 : std::prev(after)->time_ns;
}

std::string time_text(std::uint64_t time_ns) {
  struct Unit {
    std::uint64_t ns;
    const char* name;
  };
  constexpr std::array<Unit, 4> units{{{1'000'000'000, " s"}, {1'000'000, " ms"}, {1000, " us"}, {1, " ns"}}};
  const Unit& unit = *std::ranges::find_if(units, [&](const Unit& u) { return time_ns >= u.ns || u.ns == 1; });
  std::string text = std::to_string(time_ns / unit.ns);
  if (unit.ns > 1) {
    const std::uint64_t parts = std::min<std::uint64_t>(unit.ns, 1'000'000);
    const std::string fraction = std::to_string(parts + time_ns % unit.ns / (unit.ns / parts));  // a 1, then the digits
    const std::size_t digits = fraction.find_last_not_of('0');
    if (digits > 0) text += "." + fraction.substr(1, digits);
  }
  return text + unit.name;
}

std::vector<std::size_t> accused_spans(const Timeline& timeline) {
  std::vector<std::size_t> accused;
  if (!timeline.violation) return accused;
  for (const Span::Kind kind : {Span::Kind::holding, Span::Kind::asleep}) {
    for (std::size_t i = 0; i < timeline.spans.size(); ++i) {
      const Span& span = timeline.spans[i];
      const auto& lanes = timeline.violation->lanes;
      const bool is_accused = std::ranges::find(lanes, span.lane) != lanes.end();
      if (is_accused && span.kind == kind && covers(span, timeline.violation->step)) accused.push_back(i);
    }
    if (!accused.empty()) return accused;
  }
  return accused;
}

std::string verdict(const Timeline& timeline) {
  if (!timeline.violation) return "no property was violated";
  const Violation& violation = *timeline.violation;
  std::vector<std::string> names;
  std::set<std::string> held;
  Span::Kind kind = Span::Kind::dead;
  for (const std::size_t i : accused_spans(timeline)) {
    const Span& span = timeline.spans[i];
    names.push_back(clean(timeline.lanes.at(span.lane).name));
    held.insert(clean(span.name));
    kind = span.kind;
  }
  const std::string where = " at step " + std::to_string(violation.step) + ": " + clean(violation.property);
  if (kind == Span::Kind::holding && names.size() > 1 && held.size() == 1) {
    return listed(names) + (names.size() == 2 ? " both" : " all") + " hold" + quoted(*held.begin()) + where;
  }
  if (kind == Span::Kind::asleep) return listed(names) + (names.size() == 1 ? " is" : " are") + " still asleep" + where;
  std::string detail = clean(violation.detail);
  while (detail.ends_with('.')) detail.pop_back();
  if (detail.empty()) {
    names.clear();
    for (const LaneId lane : violation.lanes) names.push_back(clean(timeline.lanes.at(lane).name));
    detail = names.empty() ? "it went wrong" : "it went wrong between " + listed(names);
  }
  return detail + where;
}

std::string totals_text(const Timeline& timeline) {
  const Totals& totals = timeline.totals;
  return counted(totals.processes, "process", "processes") + ", " + counted(totals.faults, "fault", "faults") + ", " +
         counted(totals.context_switches, "context switch", "context switches") + ", " + counted(totals.steps, "step", "steps") + ", " +
         time_text(timeline.moments.empty() ? 0 : timeline.moments.back().time_ns);
}

std::string_view kind_word(Span::Kind kind) {
  switch (kind) {
    case Span::Kind::waiting: return "waits";
    case Span::Kind::holding: return "holds";
    case Span::Kind::asleep: return "asleep";
    case Span::Kind::paused: return "paused";
    case Span::Kind::suspended: return "suspended";
    case Span::Kind::dead: return "dead";
  }
  return "?";
}

std::string_view kind_word(Point::Kind kind) {
  switch (kind) {
    case Point::Kind::step: return "step";
    case Point::Kind::clock: return "clock";
    case Point::Kind::note: return "note";
    case Point::Kind::kill: return "KILL";
    case Point::Kind::pause: return "PAUSE";
    case Point::Kind::clock_jump: return "CLOCK JUMP";
    case Point::Kind::fault: return "fault";
  }
  return "?";
}

std::string_view kind_word(Arrow::Kind kind) {
  switch (kind) {
    case Arrow::Kind::request: return "request";
    case Arrow::Kind::reply: return "reply";
    case Arrow::Kind::wake: return "wake-up";
    case Arrow::Kind::spawn: return "start";
  }
  return "?";
}

std::string_view fate_word(Arrow::Fate fate) {
  switch (fate) {
    case Arrow::Fate::delivered: return "delivered";
    case Arrow::Fate::lost: return "lost";
    case Arrow::Fate::duplicated: return "second copy";
    case Arrow::Fate::delayed: return "late";
    case Arrow::Fate::reset: return "reset";
  }
  return "?";
}

bool is_fault(Point::Kind kind) { return kind >= Point::Kind::kill; }

bool is_alive(Lane::Kind kind) { return kind == Lane::Kind::process || kind == Lane::Kind::thread || kind == Lane::Kind::server; }

std::string clean(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = character_at(text, i);
    out += length == 0 ? replacement : text.substr(i, length);
    i += std::max<std::size_t>(length, 1);
  }
  return out;
}

std::size_t width(std::string_view text) {
  std::size_t columns = 0;
  for (std::size_t i = 0; i < text.size();) columns += next_character(text, i).columns;
  return columns;
}

std::size_t bytes_within(std::string_view text, std::size_t width_max) {
  std::size_t columns = 0;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t begin = i;
    columns += next_character(text, i).columns;
    if (columns > width_max) return begin;
  }
  return text.size();
}

std::string shortened(std::string_view text, std::size_t width_max) {
  if (width(text) <= width_max) return std::string(text);
  return std::string(text.substr(0, bytes_within(text, width_max - std::min<std::size_t>(width_max, 1)))) + "\xE2\x80\xA6";
}

}  // namespace tenure::sim::timeline
