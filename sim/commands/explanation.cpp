#include "sim/commands/explanation.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "sim/commands/text.hpp"
#include "sim/timeline_events.hpp"

namespace tenure::sim::commands {

namespace {

using timeline::Event;

constexpr std::array<std::pair<std::string_view, std::string_view>, 23> meanings{{
    {"exclusion", "Two believe at the same time that they hold what only one may hold: both now work on what the lock protects."},
    {"token", "A later grant did not get a larger token than an earlier one: a resource that compares tokens lets the wrong one write."},
    {"lost_wake", "Everybody sleeps, although what a sleeper waits for is there: somebody should have woken it."},
    {"hang", "Everybody sleeps for ever: no step of anybody's, and no timer, can end it."},
    {"livelock", "Somebody runs for ever without getting anywhere."},
    {"liveness", "Somebody who waits, and lives, is not served within the bound, although the last fault is long over."},
    {"recovery", "A death left the lock, or what it guards, in a state that the others neither repair nor are told of."},
    {"lifetime", "Memory was touched after its owner was free to give it to something else."},
    {"fencing", "The resource accepted a write of a holder whose lease was over."},
    {"belief", "Two processes were told at the same true time that they hold the lock."},
    {"fairness", "One who stands in the queue was passed over more often than the bound says."},
    {"bounded_wake", "A waiter slept for longer than the bound while the lock was free for it."},
    {"linearizability",
     "No order of the calls explains their answers: as one lock, one call after the other, it could not have given them."},
    {"history", "What the calls returned contradicts what the lock is."},
    {"order", "One was granted before another who stood in the queue already."},
    {"damaged", "The protocol found its own memory to be what it can never be."},
    {"whole", "After the run the memory was not as a fresh one: something stayed held, queued or half done."},
    {"orphan", "Something of a dead process's is still there, and nobody will take it away."},
    {"news", "Somebody was not told of a death, or was told of one that was none."},
    {"exception", "An exception left the body of a simulated thread."},
    {"crash", "The code under test did what no process survives, as a write to memory that it does not have."},
    {"stuck", "The code under test computes without ever taking a step: nobody else can go on."},
    {"memory", "One run allocated more memory than a run may."},
}};

std::string name_of_lane(const Timeline& timeline, LaneId lane) { return clean(timeline.lanes.at(lane).name); }

// One lane's events without another's in between.
struct Turn {
  LaneId lane;
  std::uint32_t from;
  std::uint32_t to;
  std::vector<std::string> words;
};

std::vector<Turn> turns_of(const Timeline& timeline) {
  std::vector<Turn> turns;
  for (const Event& event : timeline::events_of(timeline)) {
    if (event.weight == Event::Weight::minor || event.implied) continue;
    if (turns.empty() || turns.back().lane != event.lane) turns.push_back({event.lane, event.step, event.step, {}});
    turns.back().to = event.step;
    turns.back().words.push_back(event.words);
  }
  return turns;
}

// The beginning and the end of what was done.
std::string deeds_text(const std::vector<std::string>& words) {
  constexpr std::size_t first = 3;
  constexpr std::size_t last = 3;
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words.size() > first + last + 1 && i == first) {
      text += "; ... " + counted(words.size() - first - last, "more thing");
      i = words.size() - last;
    }
    text += (text.empty() ? "" : "; ") + words[i];
  }
  return text;
}

std::string order_text(const Timeline& timeline) {
  constexpr std::size_t turns_max = 40;
  const std::vector<Turn> turns = turns_of(timeline);
  std::vector<std::vector<std::string>> rows;
  for (std::size_t i = 0; i < turns.size(); ++i) {
    if (turns.size() > turns_max && i == turns_max / 2) {
      rows.push_back({"", "...", counted(turns.size() - turns_max, "more turn")});
      i = turns.size() - turns_max / 2;
    }
    const Turn& turn = turns[i];
    const std::string steps = std::to_string(turn.from) + (turn.to == turn.from ? "" : "-" + std::to_string(turn.to));
    rows.push_back({"  " + steps, name_of_lane(timeline, turn.lane), deeds_text(turn.words)});
  }
  return table_text(rows);
}

bool is_step(const Point& point) { return point.kind == Point::Kind::step; }

const Point* last_step(const Timeline& timeline, LaneId lane, std::uint32_t until, bool minor) {
  const Point* last = nullptr;
  for (const Point& point : timeline.points) {
    const bool counts = point.lane == lane && is_step(point) && point.minor == minor && point.step <= until;
    if (counts && (last == nullptr || point.step >= last->step)) last = &point;
  }
  return last;
}

// What a look was at: "load head 3" is one at "head".
std::string_view object_of(std::string_view label) {
  constexpr std::array<std::string_view, 3> looks{"load ", "cas failed ", "probe byte "};
  for (const std::string_view look : looks) {
    if (!label.starts_with(look)) continue;
    label.remove_prefix(look.size());
    return label.substr(0, label.find_first_of(" ,:"));
  }
  return {};
}

bool speaks_of(std::string_view label, std::string_view object) {
  const std::size_t at = label.find(object);
  if (at == std::string_view::npos || at == 0 || label[at - 1] != ' ') return false;
  const std::size_t end = at + object.size();
  return end == label.size() || label[end] == ' ' || label[end] == ':' || label[end] == ',';
}

// "cas head 0 -> 1", and where that stands.
std::string with_place(const Point& point) {
  const std::string label = '`' + clean(point.label) + '`';
  return point.place.empty() ? label : label + " (" + clean(point.place) + ')';
}

// It looked, somebody else changed that, and it acted on what it had seen.
std::optional<std::string> stale_look(const Timeline& timeline, LaneId lane, std::uint32_t until) {
  const Point* act = last_step(timeline, lane, until, false);
  if (act == nullptr) return {};
  for (auto look = timeline.points.rbegin(); look != timeline.points.rend(); ++look) {
    if (look->lane != lane || !look->minor || !is_step(*look) || look->step >= act->step) continue;
    const std::string_view object = object_of(look->label);
    if (object.empty()) continue;
    for (const Point& change : timeline.points) {
      const bool between = change.lane != lane && !change.minor && is_step(change) && change.step > look->step && change.step < act->step;
      if (!between || !speaks_of(change.label, object)) continue;
      const std::string name = name_of_lane(timeline, lane);
      std::string text = name;
      text += " looked at step " + std::to_string(look->step) + ", " + with_place(*look) + "; " + name_of_lane(timeline, change.lane);
      text += " changed that at step " + std::to_string(change.step) + ", " + with_place(change) + "; and ";
      text += name;
      text += " acted on the old answer at step " + std::to_string(act->step) + ", " + with_place(*act) + ".";
      return text;
    }
  }
  return {};
}

// Where each fault fell: between which two steps of whom it met.
std::string fault_place(const Timeline& timeline, const Point& fault) {
  const std::string name = name_of_lane(timeline, fault.lane);
  const std::string what = fault.kind == Point::Kind::kill ? " was killed" : " was stopped";
  const Point* before = last_step(timeline, fault.lane, fault.step, false);
  for (const Arrow& arrow : timeline.arrows) {
    const bool died_woken =
        fault.kind == Point::Kind::kill && arrow.kind == Arrow::Kind::wake && arrow.to == fault.lane && arrow.to_step == fault.step;
    if (!died_woken) continue;
    return name + " was woken by " + name_of_lane(timeline, arrow.from) + " at step " + std::to_string(arrow.from_step) +
           " and killed at step " + std::to_string(fault.step) +
           ", before it went on: the wake-up died with it, and nobody else has had it.";
  }
  std::string text = name + what + " at step " + std::to_string(fault.step);
  text += before == nullptr ? ", before it had done anything"
                            : ", the last thing it had done being " + with_place(*before) + " at step " + std::to_string(before->step);
  return text + (fault.kind == Point::Kind::kill ? ": what it left like that is what the others find."
                                                 : ": what it knew then may be old when it goes on.");
}

std::vector<std::string> places_to_look(const Timeline& timeline) {
  std::vector<std::string> places;
  const Violation& violation = *timeline.violation;
  for (const LaneId lane : violation.lanes) {
    if (std::optional<std::string> stale = stale_look(timeline, lane, violation.step)) places.push_back(*stale);
  }
  for (const Point& point : timeline.points) {
    if (point.kind == Point::Kind::kill || point.kind == Point::Kind::pause) places.push_back(fault_place(timeline, point));
  }
  for (const LaneId lane : violation.lanes) {
    const Point* last = last_step(timeline, lane, violation.step, false);
    if (last == nullptr) continue;
    places.push_back("The last thing that " + name_of_lane(timeline, lane) + " did was " + with_place(*last) + " at step " +
                     std::to_string(last->step) + ".");
  }
  return places;
}

}  // namespace

std::string_view property_meaning(std::string_view property) {
  const auto* const found = std::ranges::find(meanings, property, &std::pair<std::string_view, std::string_view>::first);
  return found == meanings.end() ? "This property is one of the scenario's own." : found->second;
}

std::string explanation(const Timeline& timeline, std::string_view summary) {
  if (!timeline.violation) return "Nothing failed.\n";
  std::string text = wrapped("What failed: " + timeline::verdict(timeline) + ".");
  text += wrapped("It means: " + std::string(property_meaning(timeline.violation->property)));
  if (!summary.empty()) text += wrapped("What is known of it: " + clean(summary) + ".");
  text += "\nWho did what, in this order:\n" + order_text(timeline);
  const std::vector<std::string> places = places_to_look(timeline);
  if (!places.empty()) text += "\nWhere to look:\n";
  for (const std::string& place : places) {
    std::string lines = wrapped("- " + place);
    for (std::size_t i = lines.find('\n'); i + 1 < lines.size(); i = lines.find('\n', i + 1)) lines.insert(i + 1, "  ");
    text += lines;
  }
  return text;
}

}  // namespace tenure::sim::commands
