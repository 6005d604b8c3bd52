// The timeline as one page. It is HTML and well-formed XML at once, asks for nothing, and its policy forbids it to.
#include <algorithm>

#include "sim/timeline_chart.hpp"
#include "sim/timeline_page.hpp"
#include "sim/timeline_svg.hpp"

namespace tenure::sim {

namespace {

using timeline::clean;
using timeline::escaped;
using timeline::Event;

std::string text_of(std::string_view text) { return escaped(clean(text)); }

std::string cell(std::string_view text) { return "<td>" + escaped(text) + "</td>"; }

std::string head(const Timeline& timeline) {
  const std::string title = text_of(timeline.title);
  const std::string state = timeline.violation ? "FAILED " + text_of(timeline.violation->property) : "passed";
  std::string html = "<!DOCTYPE html>\n<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n<head>\n<meta charset=\"utf-8\"/>\n";
  html += "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n";
  html += "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; ";
  html += "script-src 'unsafe-inline'\"/>\n";
  html += "<title>" + state + ": " + title + "</title>\n<style>" + std::string(timeline::page_style()) + "</style>\n</head>\n<body>\n";
  const std::string chip =
      timeline.violation ? "<a class=\"chip\" href=\"#band\">" + state + "</a>" : "<span class=\"chip passed\">passed</span>";
  html += "<header>\n<h1>" + chip + title + "</h1>\n";
  html += "<p class=\"verdict\">" + escaped(timeline::verdict(timeline)) + "</p>\n";
  const std::string detail = timeline.violation ? text_of(timeline.violation->detail) : std::string();
  const bool told = escaped(timeline::verdict(timeline)).starts_with(std::string_view(detail).substr(0, detail.find_last_not_of('.') + 1));
  if (!told) html += "<p>" + detail + "</p>\n";
  html += "<p class=\"soft\">" + escaped(timeline::totals_text(timeline));
  if (!timeline.engine.empty()) html += "; engine " + text_of(timeline.engine);
  if (timeline.seed) html += ", seed " + std::to_string(*timeline.seed);
  html += "</p>\n";
  if (!timeline.repro.empty()) html += "<pre class=\"repro\" title=\"Shows this run again\">" + text_of(timeline.repro) + "</pre>\n";
  return html + "</header>\n";
}

// What the words of an event leave unsaid: when it ends.
std::string note_of(const Timeline& timeline, const Event& event) {
  const auto when = [&](std::uint32_t step) {
    return std::to_string(step) + ", " + timeline::time_text(timeline::time_at(timeline, step));
  };
  if (event.source == Event::Source::span) {
    const Span& span = timeline.spans[event.index];
    if (span.kind == Span::Kind::dead) return "";
    return span.until_step == no_step ? "until the end" : "until step " + when(span.until_step);
  }
  if (event.source == Event::Source::arrow) {
    const Arrow& arrow = timeline.arrows[event.index];
    if (arrow.to_step == arrow.from_step) return "";
    return (arrow.fate == Arrow::Fate::lost ? "dropped at step " : "arrives at step ") + when(arrow.to_step);
  }
  return "";
}

std::string row_class(const Timeline& timeline, const Event& event, const std::vector<std::size_t>& accused) {
  if (event.source == Event::Source::span) return std::ranges::find(accused, event.index) != accused.end() ? "accused" : "";
  if (event.source == Event::Source::arrow) return timeline.arrows[event.index].fate == Arrow::Fate::delivered ? "" : "hit";
  if (timeline::is_fault(timeline.points[event.index].kind)) return "hit";
  return event.weight == Event::Weight::minor ? "minor" : "";
}

std::string violation_row(const Timeline& timeline) {
  const Violation& violation = *timeline.violation;
  std::string lanes;
  for (const LaneId lane : violation.lanes) lanes += (lanes.empty() ? "" : ", ") + clean(timeline.lanes.at(lane).name);
  return "<tr id=\"violation\" class=\"violation\">" + cell(std::to_string(violation.step)) +
         cell(timeline::time_text(timeline::time_at(timeline, violation.step))) + cell(lanes) + "<td colspan=\"2\">" +
         escaped("VIOLATION of " + clean(violation.property) + ": " + clean(violation.detail)) + "</td></tr>\n";
}

std::string table(const Timeline& timeline, const std::vector<Event>& events) {
  const std::vector<std::size_t> accused = timeline::accused_spans(timeline);
  std::string html = "<section>\n<h2>Events</h2>\n";
  if (std::ranges::any_of(timeline.points, &Point::minor)) {
    html +=
        "<p class=\"quiet\"><label><input type=\"checkbox\" id=\"minor\" checked=\"checked\"/> also the steps that change nothing"
        "</label></p>\n";
  }
  html += "<table>\n<thead><tr><th>step</th><th>time</th><th>lane</th><th>what</th><th>how long, when</th></tr></thead>\n<tbody>\n";
  bool told = !timeline.violation.has_value();
  for (std::size_t i = 0; i < events.size(); ++i) {
    const Event& event = events[i];
    if (!told && event.step > timeline.violation->step) {
      html += violation_row(timeline);
      told = true;
    }
    const std::string css = row_class(timeline, event, accused);
    html += "<tr id=\"e" + std::to_string(i) + "\"" + (css.empty() ? "" : " class=\"" + css + "\"") + ">";
    html += cell(std::to_string(event.step)) + cell(timeline::time_text(timeline::time_at(timeline, event.step)));
    html += cell(clean(timeline.lanes[event.lane].name)) + cell(event.words) + cell(note_of(timeline, event)) + "</tr>\n";
  }
  if (!told) html += violation_row(timeline);
  return html + "</tbody>\n</table>\n</section>\n";
}

}  // namespace

std::string to_html(const Timeline& timeline) {
  const std::vector<Event> events = timeline::events_of(timeline);
  std::string html = head(timeline);
  html += "<section>\n<h2>Timeline</h2>\n" + timeline::chart_legend(timeline) + std::string(timeline::chart_shapes());
  html += "<div class=\"chart\">\n" + timeline::chart(timeline, events) + "</div>\n";
  html +=
      "<p class=\"soft quiet\">Details: point at a mark, or Tab to the first one and go on with the arrow keys. Enter goes to its row "
      "below.</p>\n</section>\n";
  html += table(timeline, events);
  html += "<div id=\"tip\" role=\"status\" hidden=\"hidden\"></div>\n<script>" + std::string(timeline::page_script()) + "</script>\n";
  return html + "</body>\n</html>\n";
}

}  // namespace tenure::sim
