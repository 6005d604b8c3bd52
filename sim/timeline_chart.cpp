#include "sim/timeline_chart.hpp"

#include <algorithm>

#include "sim/timeline_axis.hpp"
#include "sim/timeline_layout.hpp"
#include "sim/timeline_svg.hpp"

namespace tenure::sim::timeline {

namespace {

using Source = Event::Source;

std::string_view shape_of(const Event& event, const Timeline& timeline) {
  if (event.source == Source::arrow) return "g-dot";
  if (event.source == Source::span) return "g-dot";
  const Point& point = timeline.points[event.index];
  switch (point.kind) {
    case Point::Kind::step: return point.minor ? "g-minor" : "g-step";
    case Point::Kind::clock: return "g-clock";
    case Point::Kind::note: return "g-note";
    case Point::Kind::kill: return "g-kill";
    case Point::Kind::pause: return "g-pause";
    case Point::Kind::clock_jump: return "g-jump";
    case Point::Kind::fault: return "g-fault";
  }
  return "g-step";
}

// Of the events at one place the one with the most telling shape.
int rank(const Event& event, const Timeline& timeline) {
  if (event.source != Source::point) return 0;
  const Point& point = timeline.points[event.index];
  return point.minor ? 1 : 2 + static_cast<int>(point.kind);
}

class Chart {
 public:
  Chart(const Timeline& timeline, const std::vector<Event>& events)
      : timeline_(timeline),
        events_(events),
        tracks_(make_tracks(timeline)),
        strips_(make_strips(timeline, events, tracks_)),
        accused_(accused_spans(timeline)) {}

  std::string svg() {
    for (const Strip& strip : strips_) draw(strip);
    return std::move(out_);
  }

 private:
  void draw(const Strip& strip);
  void draw_lanes(const Strip& strip);
  void draw_violation(const Strip& strip);
  void draw_life(const Strip& strip, LaneId lane);
  void draw_stops(const Strip& strip);
  void draw_bars(const Strip& strip);
  void draw_bar(const Strip& strip, std::size_t span);
  void draw_overlap(const Strip& strip, std::size_t span);
  std::string bar_text(std::size_t span, int x, int end, int next, int y) const;
  int next_bar(const Strip& strip, std::size_t span) const;
  double where_lost(const Strip& strip, double y_from, double y_to) const;
  void draw_arrow(const Strip& strip, const Arrow& arrow, std::size_t event);
  void draw_marks(const Strip& strip);
  void draw_mark(const Strip& strip, std::size_t first, std::size_t count);

  bool is_accused(LaneId lane) const;
  std::string_view name_class(LaneId lane) const;
  std::size_t event_of(Source source, std::size_t index) const;
  std::string link(std::size_t event, std::string_view css, std::size_t count = 1) const;

  const Timeline& timeline_;
  const std::vector<Event>& events_;
  const Tracks tracks_;
  const std::vector<Strip> strips_;
  const std::vector<std::size_t> accused_;
  std::string out_;
};

bool Chart::is_accused(LaneId lane) const {
  return timeline_.violation && std::ranges::find(timeline_.violation->lanes, lane) != timeline_.violation->lanes.end();
}

std::size_t Chart::event_of(Source source, std::size_t index) const {
  const auto event = std::ranges::find_if(events_, [&](const Event& e) { return e.source == source && e.index == index; });
  return static_cast<std::size_t>(event - events_.begin());
}

std::string Chart::link(std::size_t event, std::string_view css, std::size_t count) const {
  std::string html = "<a href=\"#e" + std::to_string(event) + "\"";
  if (!css.empty()) html += " class=\"" + std::string(css) + "\"";
  if (count > 1) html += " data-n=\"" + std::to_string(count) + "\"";
  return html + ">";
}

void Chart::draw(const Strip& strip) {
  out_ += "<svg class=\"strip\" viewBox=\"0 0 " + at(strip_width, strip.height) + "\" role=\"group\" aria-label=\"Steps " +
          std::to_string(strip.first_step()) + " to " + std::to_string(strip.last_step()) + "\">\n";
  draw_lanes(strip);
  out_ += axis_svg(timeline_, strip);
  draw_violation(strip);
  for (LaneId lane = 0; lane < timeline_.lanes.size(); ++lane) draw_life(strip, lane);
  draw_stops(strip);
  draw_bars(strip);
  for (std::size_t i = 0; i < events_.size(); ++i) {
    if (events_[i].source == Source::arrow) draw_arrow(strip, timeline_.arrows[events_[i].index], i);
  }
  draw_marks(strip);
  out_ += "</svg>\n";
}

std::string_view Chart::name_class(LaneId lane) const {
  if (is_accused(lane)) return "name accused";
  return is_alive(timeline_.lanes[lane].kind) ? "name" : "name other";
}

void Chart::draw_lanes(const Strip& strip) {
  for (LaneId lane = 0; lane < strip.lanes.size(); ++lane) {
    const LaneBox& box = strip.lanes[lane];
    const bool is_child = timeline_.lanes[lane].parent != no_lane;
    const int left = is_child ? 18 : 6;
    if (!is_child) out_ += "<path class=\"rule\" d=\"M0 " + std::to_string(box.top) + "h" + std::to_string(strip_width) + "\"/>";
    const std::size_t characters_max = is_child ? 10 : 12;
    const std::string name = clean(timeline_.lanes[lane].name);
    out_ += "<g>" + text(name_class(lane), left, box.line + 5, shortened(name, characters_max));
    if (width(name) > characters_max) out_ += "<title>" + escaped(name) + "</title>";
    out_ += "</g>\n";
  }
}

void Chart::draw_violation(const Strip& strip) {
  if (!timeline_.violation || !strip.has(timeline_.violation->step)) return;
  const int x = strip.x(timeline_.violation->step);
  const std::string words = shortened(clean(timeline_.violation->property) + " at step " + std::to_string(timeline_.violation->step), 60);
  const int half = text_width(words) / 2 + 8;
  const int middle = std::clamp(x, names_width + half, strip_width - half);
  const int bottom = strip.lanes.empty() ? axis_height : strip.lanes.back().bottom;
  out_ += "<a id=\"band\" href=\"#violation\" class=\"violation\">" + rect("band", x - 8, axis_height - 2, 16, bottom - axis_height + 4) +
          rect("caption", middle - half, bottom + 2, 2 * half, 18, " rx=\"4\"") + text("mid", middle, bottom + 15, words) + "</a>\n";
}

void Chart::draw_life(const Strip& strip, LaneId lane) {
  std::uint32_t born = 0;
  std::uint32_t dead = no_step;
  for (const Arrow& arrow : timeline_.arrows) {
    if (arrow.kind == Arrow::Kind::spawn && arrow.to == lane) born = arrow.to_step;
  }
  for (const Span& span : timeline_.spans) {
    const bool is_own = span.lane == lane || span.lane == timeline_.lanes[lane].parent;
    if (is_own && span.kind == Span::Kind::dead) dead = std::min(dead, span.from_step);
  }
  if (born > strip.last_step() || dead < strip.first_step()) return;
  const int y = strip.lanes[lane].line;
  out_ += "<path class=\"" + std::string(is_alive(timeline_.lanes[lane].kind) ? "life" : "life other") + "\" d=\"M" + at(strip.x(born), y) +
          "H" + std::to_string(strip.x(dead)) + "\"/>\n";
}

// Of a process: also on the lanes of its threads.
void Chart::draw_stops(const Strip& strip) {
  for (std::size_t i = 0; i < timeline_.spans.size(); ++i) {
    const Span& span = timeline_.spans[i];
    if (is_bar(span.kind) || span.kind == Span::Kind::dead) continue;
    if (span.from_step > strip.last_step() || span.until_step <= strip.first_step()) continue;
    const int x = strip.x(span.from_step) + (strip.has(span.from_step) ? 7 : 0);
    std::string css(kind_word(span.kind));
    if (std::ranges::find(accused_, i) != accused_.end()) css += " accused";
    for (LaneId lane = 0; lane < timeline_.lanes.size(); ++lane) {
      const bool is_own = lane == span.lane || (timeline_.lanes[lane].parent == span.lane && span.kind != Span::Kind::asleep);
      if (is_own) out_ += rect(css, x, strip.lanes[lane].line - 6, strip.x(span.until_step) - x, 12, " rx=\"6\"") + "\n";
    }
  }
}

void Chart::draw_bars(const Strip& strip) {
  for (std::size_t i = 0; i < timeline_.spans.size(); ++i) {
    const Span& span = timeline_.spans[i];
    if (!is_bar(span.kind) || span.from_step > strip.last_step() || span.until_step <= strip.first_step()) continue;
    draw_bar(strip, i);
  }
}

// Where the next bar of the same track begins.
int Chart::next_bar(const Strip& strip, std::size_t span) const {
  std::uint32_t next = no_step;
  for (std::size_t i = 0; i < timeline_.spans.size(); ++i) {
    const Span& other = timeline_.spans[i];
    const bool is_beside = is_bar(other.kind) && other.lane == timeline_.spans[span].lane && tracks_.of_span[i] == tracks_.of_span[span];
    if (is_beside && other.from_step >= timeline_.spans[span].until_step) next = std::min(next, other.from_step);
  }
  return strip.x(next);
}

// The words of a bar: in it where they fit, else behind it; else the token alone, else as many as fit.
std::string Chart::bar_text(std::size_t span, int x, int end, int next, int y) const {
  const Span& s = timeline_.spans[span];
  const std::string token = s.token ? "#" + std::to_string(*s.token) : "";
  const std::string name = clean(s.name);
  const std::string full = (s.kind == Span::Kind::waiting ? "waits " : "") + name + (name.empty() || token.empty() ? "" : " ") + token;
  for (const std::string& words : {full, token}) {
    const int wide = text_width(words) + 6;
    if (words.empty()) continue;
    if (wide <= end - x) return text("in", x + 5, y, words);
    if (end + wide <= next) return text("", end + 4, y, words);
  }
  const int characters = (end - x - 8) * 10 / 67;
  return characters >= 3 ? text("in", x + 5, y, shortened(full, static_cast<std::size_t>(characters))) : "";
}

void Chart::draw_bar(const Strip& strip, std::size_t i) {
  const Span& span = timeline_.spans[i];
  const LaneBox& box = strip.lanes[span.lane];
  const int x = strip.x(span.from_step);
  const int end = strip.x(span.until_step);
  const int y = box.bars + tracks_.of_span[i] * (bar_height + 2);
  const std::string words = bar_text(i, x, end, next_bar(strip, i), y + 13);
  const std::size_t event = event_of(Source::span, i);
  out_ += link(event, kind_word(span.kind)) + rect("bar", x, y, end - x, bar_height, " rx=\"3\"");
  draw_overlap(strip, i);
  out_ += "<title>" + escaped(events_[event].words) + "</title>" + words + "</a>\n";
}

// The part of an accused hold beside the others.
void Chart::draw_overlap(const Strip& strip, std::size_t i) {
  if (accused_.size() < 2 || std::ranges::find(accused_, i) == accused_.end()) return;
  std::uint32_t from = 0;
  std::uint32_t until = no_step;
  for (const std::size_t k : accused_) {
    if (!is_bar(timeline_.spans[k].kind)) return;
    from = std::max(from, timeline_.spans[k].from_step);
    until = std::min(until, timeline_.spans[k].until_step);
  }
  if (from > strip.last_step() || until <= strip.first_step()) return;
  const int y = strip.lanes[timeline_.spans[i].lane].bars + tracks_.of_span[i] * (bar_height + 2);
  const int x = strip.x(from);
  out_ += rect("overlap", x, y, strip.x(until) - x, bar_height, " rx=\"3\"");
}

// On the network's lane if that lies between, else on the way.
double Chart::where_lost(const Strip& strip, double y_from, double y_to) const {
  const auto network = std::ranges::find(timeline_.lanes, Lane::Kind::network, &Lane::kind);
  if (network != timeline_.lanes.end()) {
    const double y = strip.lanes[static_cast<std::size_t>(network - timeline_.lanes.begin())].line;
    if ((y_from - y) * (y_to - y) < 0) return y;
  }
  return y_from + (y_to - y_from) * 0.6;
}

void Chart::draw_arrow(const Strip& strip, const Arrow& arrow, std::size_t event) {
  if (arrow.from == arrow.to || arrow.from_step > strip.last_step() || arrow.to_step < strip.first_step()) return;
  const bool begins = strip.has(arrow.from_step);
  const bool ends = strip.has(arrow.to_step);
  const double y_from = strip.lanes[arrow.from].line;
  const double y_to = strip.lanes[arrow.to].line;
  const double x1 = strip.x(arrow.from_step);
  const double y1 = begins ? y_from : (y_from + y_to) / 2;
  const double x2 = strip.x(arrow.to_step);
  double y2 = ends ? y_to : (y_from + y_to) / 2;
  if (ends && arrow.fate == Arrow::Fate::lost) y2 = where_lost(strip, y1, y_to);
  out_ += link(event, "arrow " + std::string(arrow.kind == Arrow::Kind::reply ? "request" : kind_word(arrow.kind)));
  out_ += arrow_svg({x1, y1, x2, y2}, arrow.fate, ends);
  out_ += "<title>" + escaped(events_[event].words) + "</title></a>\n";
}

void Chart::draw_marks(const Strip& strip) {
  std::string leaders;
  for (const Label& label : strip.labels) {
    const int y = strip.lanes[label.lane].line;
    leaders += "M" + at(label.x, y - 5) + "v-" + std::to_string(label.row * label_height + 8);
  }
  if (!leaders.empty()) out_ += "<path class=\"leader\" d=\"" + leaders + "\"/>\n";
  for (std::size_t i = 0; i < events_.size();) {
    std::size_t end = i + 1;
    while (end < events_.size() && events_[end].step == events_[i].step && events_[end].lane == events_[i].lane) ++end;
    if (strip.has(events_[i].step)) draw_mark(strip, i, end - i);
    i = end;
  }
}

void Chart::draw_mark(const Strip& strip, std::size_t first, std::size_t count) {
  const auto is_mark = [&](const Event& e) { return e.source != Source::span || !is_bar(timeline_.spans[e.index].kind); };
  const Event* best = nullptr;
  for (std::size_t i = first; i < first + count; ++i) {
    if (is_mark(events_[i]) && (best == nullptr || rank(events_[i], timeline_) > rank(*best, timeline_))) best = &events_[i];
  }
  if (best == nullptr) return;
  const int y = strip.lanes[best->lane].line;
  const auto label = std::ranges::find_if(strip.labels, [&](const Label& l) { return l.lane == best->lane && l.step == best->step; });
  const bool is_fault_mark = best->source == Source::point && is_fault(timeline_.points[best->index].kind);
  out_ += link(first, is_fault_mark ? "mark fault" : "mark", count) + "<use href=\"#" + std::string(shape_of(*best, timeline_)) + "\"" +
          attribute("x", strip.x(best->step)) + attribute("y", y) + "/>";
  if (label == strip.labels.end()) out_ += "<title>" + escaped(best->words) + "</title>";
  if (label != strip.labels.end()) out_ += text("", label->x + 3, y - 8 - label->row * label_height, label->text);
  out_ += "</a>\n";
}

}  // namespace

std::string chart(const Timeline& timeline, const std::vector<Event>& events) { return Chart(timeline, events).svg(); }

}  // namespace tenure::sim::timeline
