// What both forms of a timeline are made from: its events in order, and the words for them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <tenure/sim/timeline.hpp>

namespace tenure::sim::timeline {

struct Event {
  enum class Source : std::uint8_t { arrow, point, span };
  enum class Weight : std::uint8_t { minor, plain, major };
  std::uint32_t step;
  LaneId lane;
  Source source;
  std::size_t index;  // into spans, points or arrows
  Weight weight;
  std::string words;     // clean()
  std::string brief;     // the same beside a drawing that shows the rest
  bool implied = false;  // the start of a span that a fault at the same place has told already
};

// By step, then by lane; there: arrows, points, spans.
std::vector<Event> events_of(const Timeline& timeline);
// Every step at which something begins, happens or ends, once, in order.
std::vector<std::uint32_t> marked_steps(const Timeline& timeline);
std::uint64_t time_at(const Timeline& timeline, std::uint32_t step);
std::string time_text(std::uint64_t time_ns);

// The spans that the violation is about: of each accused lane what it held, or else slept in, at that step.
std::vector<std::size_t> accused_spans(const Timeline& timeline);
// One sentence, without its full stop.
std::string verdict(const Timeline& timeline);
// "3 processes, 1 fault, 12 context switches, 40 steps, 41 us".
std::string totals_text(const Timeline& timeline);

std::string_view kind_word(Span::Kind kind);
std::string_view kind_word(Point::Kind kind);
std::string_view kind_word(Arrow::Kind kind);
std::string_view fate_word(Arrow::Fate fate);
bool is_fault(Point::Kind kind);
// It runs, and can hold something: a process, a thread, a server.
bool is_alive(Lane::Kind kind);

// Valid UTF-8 without control characters; each bad byte has become U+FFFD.
std::string clean(std::string_view text);
// Of clean text, in columns of a terminal: East Asian characters take two.
std::size_t width(std::string_view text);
// The bytes of the longest beginning of clean text that is not wider.
std::size_t bytes_within(std::string_view text, std::size_t width_max);
// Clean text if it is not wider; else its beginning and an ellipsis.
std::string shortened(std::string_view text, std::size_t width_max);

}  // namespace tenure::sim::timeline
