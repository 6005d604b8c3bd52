#include "sim/timeline_table.hpp"

#include <algorithm>
#include <map>
#include <numeric>

namespace tenure::sim::timeline {

namespace {

constexpr std::size_t narrow_column = 16;
constexpr std::size_t narrowest_column = 12;  // only so that there are three
constexpr std::size_t widest_cell = 72;

// Lanes by how much a reader needs them: the accused, those with faults, those that hold, those where most happens.
std::vector<LaneId> lanes_by_need(const Timeline& timeline, const std::vector<Event>& events) {
  std::vector<std::size_t> need(timeline.lanes.size(), 0);
  for (const Event& event : events) need[event.lane] += event.weight == Event::Weight::major ? 2 : 1;
  for (const Arrow& arrow : timeline.arrows) ++need[arrow.to];
  for (const Span& span : timeline.spans) need[span.lane] += span.kind == Span::Kind::holding ? 1000 : 0;
  for (const Point& point : timeline.points) need[point.lane] += is_fault(point.kind) ? 1000 : 0;
  if (timeline.violation) {
    for (const LaneId lane : timeline.violation->lanes) need[lane] += 1'000'000;
  }
  std::vector<LaneId> lanes(timeline.lanes.size());
  std::iota(lanes.begin(), lanes.end(), LaneId{0});
  std::ranges::sort(lanes, [&](LaneId a, LaneId b) { return need[a] != need[b] ? need[a] > need[b] : a < b; });
  return lanes;
}

std::vector<Column> make_columns(const Timeline& timeline, const std::vector<Event>& events, std::size_t room) {
  const std::size_t columns_max = std::max({room / narrow_column, std::min<std::size_t>(room / narrowest_column, 3), std::size_t{1}});
  std::vector<LaneId> lanes = lanes_by_need(timeline, events);
  const bool all = lanes.size() <= columns_max;
  if (!all) lanes.resize(columns_max - 1);
  std::ranges::sort(lanes);
  std::vector<Column> columns;
  for (const LaneId lane : lanes) columns.push_back({lane, clean(timeline.lanes[lane].name), 0});
  if (!all) columns.push_back({no_lane, lanes.empty() ? "" : "the others", 0});
  return columns;
}

// In lines of at most this width, broken at blanks where there are any.
std::vector<std::string> wrapped(std::string_view text, std::size_t width_max) {
  std::vector<std::string> lines;
  while (width(text) > width_max) {
    const std::size_t end = std::max<std::size_t>(bytes_within(text, width_max), 1);
    const std::size_t blank = text.rfind(' ', end);
    const std::size_t cut = blank == std::string_view::npos || blank == 0 ? end : blank;
    lines.emplace_back(text.substr(0, cut));
    text.remove_prefix(cut);
    if (text.starts_with(' ')) text.remove_prefix(1);
  }
  lines.emplace_back(text);
  return lines;
}

// The rows under construction: for every step and lane what is said there.
class Draft {
 public:
  explicit Draft(const Timeline& timeline) : timeline_(timeline) {}

  void add(std::uint32_t step, LaneId lane, Event::Weight weight, const std::string& words) {
    Line& line = lines_[step];
    line.weight = std::max(line.weight, weight);
    if (!words.empty()) line.said.emplace_back(lane, words);
  }
  void add_all(const std::vector<Event>& events);
  void fill(Table& table, std::size_t room) const;

 private:
  struct Line {
    Event::Weight weight = Event::Weight::minor;
    std::vector<std::pair<LaneId, std::string>> said;
  };
  void add_arrivals();
  void add_ends();
  bool killed(LaneId lane, std::uint32_t step) const;
  std::string cell(const Line& line, const Table& table, std::size_t column) const;

  const Timeline& timeline_;
  std::map<std::uint32_t, Line> lines_;
};

void Draft::add_all(const std::vector<Event>& events) {
  add_arrivals();
  for (const Event& event : events) add(event.step, event.lane, event.weight, event.implied ? std::string() : event.words);
  add_ends();
  if (!timeline_.violation) return;
  const std::uint32_t step = timeline_.violation->step;
  add(step, no_lane, Event::Weight::major, {});
  for (const std::size_t i : accused_spans(timeline_)) {
    const Span& span = timeline_.spans[i];
    if (span.from_step == step) continue;
    const auto event = std::ranges::find_if(events, [&](const Event& e) { return e.source == Event::Source::span && e.index == i; });
    add(step, span.lane, Event::Weight::major, event->words);
  }
}

void Draft::add_arrivals() {
  for (const Arrow& arrow : timeline_.arrows) {
    if (arrow.fate == Arrow::Fate::lost) continue;
    std::string words = arrow.kind == Arrow::Kind::wake ? "woken by " : arrow.kind == Arrow::Kind::spawn ? "started by " : "<- ";
    words += clean(timeline_.lanes.at(arrow.from).name);
    if (arrow.kind == Arrow::Kind::request || arrow.kind == Arrow::Kind::reply) {
      words += ": " + (arrow.label.empty() ? std::string(kind_word(arrow.kind)) : clean(arrow.label));
    }
    if (arrow.fate != Arrow::Fate::delivered) words += " (" + std::string(fate_word(arrow.fate)) + ")";
    add(arrow.to_step, arrow.to, Event::Weight::major, words);
  }
}

void Draft::add_ends() {
  for (const Span& span : timeline_.spans) {
    if (span.kind != Span::Kind::holding || span.until_step == no_step || killed(span.lane, span.until_step)) continue;
    add(span.until_step, span.lane, Event::Weight::major, "end of `" + clean(span.name) + "`");
  }
}

bool Draft::killed(LaneId lane, std::uint32_t step) const {
  return std::ranges::any_of(timeline_.points,
                             [&](const Point& p) { return p.lane == lane && p.step == step && p.kind == Point::Kind::kill; });
}

std::string Draft::cell(const Line& line, const Table& table, std::size_t column) const {
  const LaneId own = table.columns[column].lane;
  const auto has_column = [&](LaneId lane) { return std::ranges::find(table.columns, lane, &Column::lane) != table.columns.end(); };
  std::string text;
  for (const auto& [lane, words] : line.said) {
    const bool here = own == no_lane ? !has_column(lane) : lane == own;
    if (!here) continue;
    if (!text.empty()) text += "; ";
    if (own == no_lane) text += clean(timeline_.lanes.at(lane).name) + ": ";
    text += words;
  }
  return text;
}

// Each column gets what it needs; where that is too much, the widest ones are cut to one width.
void share_room(std::vector<Column>& columns, std::size_t room) {
  const auto taken = [&](std::size_t limit) {
    std::size_t sum = 0;
    for (const Column& column : columns) sum += std::min(column.width, limit) + cell_margin;
    return sum;
  };
  std::size_t limit = widest_cell;
  if (columns.size() == 1) limit = room;
  while (limit > 4 && taken(limit) > room) --limit;
  for (Column& column : columns) column.width = std::min(column.width, limit);
}

void Draft::fill(Table& table, std::size_t room) const {
  std::vector<Column>& columns = table.columns;
  for (Column& column : columns) column.width = width(column.name);
  std::vector<std::vector<std::string>> texts;
  for (const auto& [step, line] : lines_) {
    texts.emplace_back();
    for (std::size_t i = 0; i < columns.size(); ++i) {
      texts.back().push_back(cell(line, table, i));
      columns[i].width = std::max(columns[i].width, width(texts.back().back()));
    }
  }
  share_room(columns, room);
  for (const auto& [step, line] : lines_) {
    Row row{.step = step, .weight = line.weight};
    row.violation = timeline_.violation && timeline_.violation->step == step;
    for (std::size_t i = 0; i < columns.size(); ++i) row.cells.push_back(wrapped(texts[table.rows.size()][i], columns[i].width));
    table.rows.push_back(std::move(row));
  }
}

}  // namespace

std::size_t Row::height() const {
  std::size_t height = 1;
  for (const auto& cell : cells) height = std::max(height, cell.size());
  return height;
}

Table make_table(const Timeline& timeline, std::size_t room) {
  const std::vector<Event> events = events_of(timeline);
  Table table;
  table.columns = make_columns(timeline, events, room);
  Draft draft(timeline);
  draft.add_all(events);
  draft.fill(table, room);
  return table;
}

void fold_rows(Table& table, std::size_t lines_max) {
  std::vector<Row>& rows = table.rows;
  const auto violation = std::ranges::find_if(rows, &Row::violation);
  const std::size_t center = violation == rows.end() ? rows.size() : static_cast<std::size_t>(violation - rows.begin());
  const auto distance = [&](std::size_t i) { return i > center ? i - center : center - i; };
  std::vector<std::size_t> order;
  std::size_t lines = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    lines += rows[i].height();
    if (rows[i].weight != Event::Weight::major) order.push_back(i);
  }
  std::ranges::sort(order, [&](std::size_t a, std::size_t b) {
    if (rows[a].weight != rows[b].weight) return rows[a].weight < rows[b].weight;
    return distance(a) != distance(b) ? distance(a) > distance(b) : a < b;
  });
  std::vector<bool> out(rows.size(), false);
  for (const std::size_t i : order) {
    if (lines <= lines_max) break;
    const std::size_t neighbours = (i > 0 && out[i - 1] ? 1U : 0U) + (i + 1 < rows.size() && out[i + 1] ? 1U : 0U);
    out[i] = true;
    lines = lines + 1 - neighbours - rows[i].height();
  }
  // One line in the place of one line says less.
  for (const std::size_t i : order) {
    const bool alone = (i == 0 || !out[i - 1]) && (i + 1 == rows.size() || !out[i + 1]);
    if (alone && rows[i].height() == 1) out[i] = false;
  }
  std::vector<Row> kept;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (!out[i]) {
      kept.push_back(std::move(rows[i]));
    } else if (i > 0 && out[i - 1]) {
      ++kept.back().left_out;
    } else {
      kept.push_back({.step = rows[i].step, .left_out = 1, .cells = std::vector(table.columns.size(), std::vector<std::string>{""})});
    }
  }
  rows = std::move(kept);
}

}  // namespace tenure::sim::timeline
