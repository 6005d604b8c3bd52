#include <algorithm>

#include "sim/timeline_chart.hpp"
#include "sim/timeline_layout.hpp"

namespace tenure::sim::timeline {

namespace {

struct Sample {
  std::string_view drawing;  // in a box of 34 x 18
  std::string_view words;
};

std::string item(const Sample& sample) {
  return "<li><svg viewBox=\"0 0 34 18\" aria-hidden=\"true\">" + std::string(sample.drawing) + "</svg>" + std::string(sample.words) +
         "</li>\n";
}

Sample sample_of(Span::Kind kind) {
  switch (kind) {
    case Span::Kind::waiting: return {R"(<g class="waits"><rect class="bar" x="2" y="2" width="30" height="14" rx="3"/></g>)", "waits"};
    case Span::Kind::holding:
      return {
          R"(<g class="holds"><rect class="bar" x="2" y="1" width="30" height="16" rx="3"/><text class="in" x="9" y="13">#7</text></g>)",
          "holds, and its token"};
    case Span::Kind::asleep: return {R"(<rect class="asleep" x="2" y="3" width="30" height="12" rx="6"/>)", "asleep"};
    case Span::Kind::paused: return {R"(<rect class="paused" x="2" y="3" width="30" height="12" rx="6"/>)", "paused"};
    case Span::Kind::suspended: return {R"(<rect class="suspended" x="2" y="3" width="30" height="12" rx="6"/>)", "host suspended"};
    case Span::Kind::dead: return {R"(<path class="life" d="M2 9h12"/>)", "the line ends: dead"};
  }
  return {};
}

Sample sample_of(const Point& point) {
  switch (point.kind) {
    case Point::Kind::step:
      if (point.minor) return {R"(<use href="#g-minor" x="17" y="9"/>)", "a step that changes nothing"};
      return {R"(<use href="#g-step" x="17" y="9"/>)", "step"};
    case Point::Kind::clock: return {R"(<use href="#g-clock" x="17" y="9"/>)", "reads a clock"};
    case Point::Kind::note: return {R"(<use href="#g-note" x="17" y="9"/>)", "note"};
    case Point::Kind::kill: return {R"(<g class="fault"><use href="#g-kill" x="17" y="9"/></g>)", "killed"};
    case Point::Kind::pause: return {R"(<g class="fault"><use href="#g-pause" x="17" y="9"/></g>)", "is paused"};
    case Point::Kind::clock_jump: return {R"(<g class="fault"><use href="#g-jump" x="17" y="9"/></g>)", "a clock jumps"};
    case Point::Kind::fault: return {R"(<g class="fault"><use href="#g-fault" x="17" y="9"/></g>)", "another fault"};
  }
  return {};
}

Sample sample_of(const Arrow& arrow) {
  const bool is_message = arrow.kind == Arrow::Kind::request || arrow.kind == Arrow::Kind::reply;
  if (is_message && arrow.fate == Arrow::Fate::lost) {
    return {R"(<g class="arrow request"><path d="M2 9h22"/><path class="end" d="M20 5l8 8m-8 0l8 -8"/></g>)", "lost"};
  }
  if (is_message && arrow.fate == Arrow::Fate::reset) {
    return {R"(<g class="arrow request"><path d="M2 9h24"/><path class="end" d="M26 3v12"/></g>)", "connection reset"};
  }
  if (is_message && arrow.fate == Arrow::Fate::delayed) {
    return {R"(<g class="arrow request"><path class="late" d="M2 9h22"/><path class="head" d="M32 9l-9 -5v10z"/></g>)", "late"};
  }
  if (is_message && arrow.fate == Arrow::Fate::duplicated) {
    return {R"(<g class="arrow request"><path class="second" d="M2 9h22"/><path class="head" d="M32 9l-9 -5v10z"/></g>)", "second copy"};
  }
  if (arrow.kind == Arrow::Kind::wake) {
    return {R"(<g class="arrow wake-up"><path d="M2 9h22"/><path class="head" d="M32 9l-9 -5v10z"/></g>)", "wakes"};
  }
  if (arrow.kind == Arrow::Kind::spawn) {
    return {R"(<g class="arrow start"><path d="M2 9h22"/><path class="head" d="M32 9l-9 -5v10z"/></g>)", "starts"};
  }
  return {R"(<g class="arrow request"><path d="M2 9h22"/><path class="head" d="M32 9l-9 -5v10z"/></g>)", "message"};
}

}  // namespace

std::string chart_legend(const Timeline& timeline) {
  std::vector<Sample> samples;
  const auto add = [&](const Sample& sample) {
    if (std::ranges::find(samples, sample.words, &Sample::words) == samples.end()) samples.push_back(sample);
  };
  for (const Span& span : timeline.spans) add(sample_of(span.kind));
  for (const Point& point : timeline.points) add(sample_of(point));
  for (const Arrow& arrow : timeline.arrows) add(sample_of(arrow));
  const auto accused = accused_spans(timeline);
  if (accused.size() > 1 && timeline.spans[accused[0]].kind == Span::Kind::holding) {
    add({R"(<g class="holds"><rect class="bar" x="2" y="1" width="30" height="16" rx="3"/>)"
         R"(<rect class="overlap" x="2" y="1" width="30" height="16" rx="3"/></g>)",
         "holds beside another"});
  }
  if (timeline.violation) add({R"(<g class="violation"><rect class="band" x="10" y="0" width="14" height="18"/></g>)", "the violation"});
  if (has_break(timeline)) add({R"(<path class="break" d="M12 14l6 -10m4 0l-6 10"/>)", "much time, or many steps"});
  std::string html;
  for (const Sample& sample : samples) html += item(sample);
  return html.empty() ? html : "<ul class=\"legend\" aria-label=\"Legend\">\n" + html + "</ul>\n";
}

std::string_view chart_shapes() {
  return R"svg(<svg width="0" height="0" aria-hidden="true" class="shapes"><defs>
<circle id="g-dot" r="2.5"/>
<circle id="g-step" r="4"/>
<circle id="g-minor" r="3" class="hollow"/>
<g id="g-clock"><circle r="6" class="hollow"/><path class="stroke" d="M0 -4v4l3 2"/></g>
<path id="g-note" d="M-4.5 -4.5h9v9h-9z"/>
<path id="g-kill" class="thick" d="M-6 -6l12 12m-12 0l12 -12"/>
<path id="g-pause" class="thick" d="M-3 -6v12m6 -12v12"/>
<path id="g-jump" class="bold" d="M-7 4l4 -8l5 8l4 -8m-4 0h4v4"/>
<path id="g-fault" d="M0 -7l7 12h-14z"/>
<pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
<path class="hatch" d="M0 3h6"/></pattern>
<pattern id="cross" width="6" height="6" patternUnits="userSpaceOnUse"><path class="hatch" d="M0 3h6M3 0v6"/></pattern>
<pattern id="alarm" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(-45)">
<path d="M0 3.5h7"/></pattern>
</defs></svg>
)svg";
}

}  // namespace tenure::sim::timeline
