// The timeline for a terminal. Nothing is drawn with characters outside ASCII; names and labels are shown as they are.
#include <algorithm>
#include <array>

#include "sim/timeline_table.hpp"

namespace tenure::sim {

namespace {

using timeline::clean;
using timeline::Row;
using timeline::Table;

constexpr std::uint32_t columns_min = 40;

// What a lane is at a step, in two characters: whether it holds, and whether it is stopped.
struct Marks {
  char holds = '.';
  char stopped = ' ';
};

class Printer {
 public:
  Printer(const Timeline& timeline, const TextOptions& options);
  std::string text();

 private:
  void head();
  void rows();
  void row(const Row& row);
  void cell(const Row& row, std::size_t column, std::size_t line);
  void legend();
  Marks marks(LaneId lane, std::uint32_t step) const;
  bool overlaps(std::size_t span, std::uint32_t step) const;
  bool has_point(LaneId lane, std::uint32_t step, Point::Kind kind) const;
  bool started(LaneId lane, std::uint32_t step) const;

  void line(std::string_view words, const char* style = "");
  std::string styled(std::string text, const char* style) const;
  static std::string padded(std::string_view text, std::size_t to_width);

  const Timeline& timeline_;
  const TextOptions options_;
  const std::vector<std::size_t> accused_;
  std::size_t step_width_ = 4;
  std::size_t time_width_ = 6;
  Table table_;
  std::string used_;  // the marks that were drawn
  std::string out_;
};

constexpr const char* bold = "\x1b[1m";
constexpr const char* alarm = "\x1b[1;31m";
constexpr const char* fault = "\x1b[1;35m";
constexpr const char* hold = "\x1b[1;36m";
constexpr const char* faint = "\x1b[2m";

Printer::Printer(const Timeline& timeline, const TextOptions& options)
    : timeline_(timeline), options_(options), accused_(timeline::accused_spans(timeline)) {
  for (const std::uint32_t step : timeline::marked_steps(timeline)) {
    step_width_ = std::max(step_width_, std::to_string(step).size());
    time_width_ = std::max(time_width_, timeline::time_text(timeline::time_at(timeline, step)).size());
  }
  const std::size_t columns = std::max(options.columns, columns_min);
  table_ = timeline::make_table(timeline, columns - (3 + step_width_ + 2 + time_width_ + 2));
}

std::string Printer::styled(std::string text, const char* style) const {
  return options_.color && *style != '\0' ? style + std::move(text) + "\x1b[0m" : text;
}

std::string Printer::padded(std::string_view text, std::size_t to_width) {
  const std::size_t has = timeline::width(text);
  return std::string(text) + std::string(to_width > has ? to_width - has : 0, ' ');
}

// Whole words as far as the width goes; what is longer than a line is left whole, so that it can be copied.
void Printer::line(std::string_view words, const char* style) {
  std::string now;
  while (!words.empty()) {
    const std::size_t end = std::min(words.find(' '), words.size());
    const std::string_view word = words.substr(0, end);
    words.remove_prefix(std::min(end + 1, words.size()));
    if (!now.empty() && timeline::width(now) + 1 + timeline::width(word) > std::max(options_.columns, columns_min)) {
      out_ += styled(now, style) + "\n";
      now = " ";
    }
    now += (now.empty() ? "" : " ") + std::string(word);
  }
  out_ += styled(now, style) + "\n";
}

std::string Printer::text() {
  head();
  const std::string header = std::move(out_);
  out_.clear();
  // The column names, the note at the violation, the legend's two lines, the verdict.
  const auto taken = static_cast<std::size_t>(std::ranges::count(header, '\n')) + 6;
  if (options_.rows != 0) timeline::fold_rows(table_, options_.rows > taken ? options_.rows - taken : 1);
  rows();
  legend();
  line(timeline::verdict(timeline_), timeline_.violation ? alarm : bold);
  return header + out_;
}

void Printer::head() {
  const bool failed = timeline_.violation.has_value();
  line((failed ? "FAILED " + clean(timeline_.violation->property) + ": " : "passed: ") + clean(timeline_.title), failed ? alarm : bold);
  std::string facts = timeline::totals_text(timeline_);
  if (!timeline_.engine.empty()) facts += "; engine " + clean(timeline_.engine);
  if (timeline_.seed) facts += ", seed " + std::to_string(*timeline_.seed);
  line(facts);
  if (!timeline_.repro.empty()) out_ += "repro: " + clean(timeline_.repro) + "\n";
}

void Printer::rows() {
  std::string names = padded("", 3 + step_width_ - 4) + "step  " + padded("time", time_width_) + "  ";
  for (const timeline::Column& column : table_.columns) {
    names += padded(timeline::shortened(column.name, column.width + 3), column.width + timeline::cell_margin);
  }
  names.erase(names.find_last_not_of(' ') + 1);
  out_ += styled(names, bold) + "\n";
  for (const Row& r : table_.rows) row(r);
}

void Printer::row(const Row& row) {
  for (std::size_t k = 0; k < row.height(); ++k) {
    std::string left(3 + step_width_, ' ');
    if (k == 0) {
      const std::string step = row.left_out > 0 ? ".." : std::to_string(row.step);
      left = (row.violation ? ">> " : "   ") + std::string(step_width_ - step.size(), ' ') + step;
    }
    std::string time;
    if (k == 0) {
      time = row.left_out > 0 ? std::to_string(row.left_out) + " more" : timeline::time_text(timeline::time_at(timeline_, row.step));
    }
    left += "  " + padded(time, time_width_) + "  ";
    out_ += styled(left, row.violation ? alarm : row.left_out > 0 ? faint : "");
    for (std::size_t i = 0; i < table_.columns.size(); ++i) cell(row, i, k);
    out_.erase(out_.find_last_not_of(' ') + 1);
    out_ += "\n";
  }
  if (!row.violation) return;
  used_ += '>';
  const Violation& violation = *timeline_.violation;
  line(">> " + clean(violation.property) + (violation.detail.empty() ? "" : ": " + clean(violation.detail)), alarm);
}

void Printer::cell(const Row& row, std::size_t column, std::size_t line) {
  const LaneId lane = table_.columns[column].lane;
  Marks now{.holds = ' '};
  if (lane != no_lane) now = marks(lane, row.step);
  const bool killed = lane != no_lane && row.left_out == 0 && has_point(lane, row.step, Point::Kind::kill);
  if (killed) now.holds = line == 0 ? 'X' : ' ';
  if (row.violation && std::ranges::find(timeline_.violation->lanes, lane) != timeline_.violation->lanes.end()) {
    if (now.stopped == ' ') now.stopped = '!';
  }
  if (row.left_out > 0) used_ += '+';
  used_ += {now.holds, now.stopped};
  const bool accused = row.violation && (now.holds == '#' || now.stopped == '!');
  const char* style = accused || now.holds == '#' ? alarm : now.holds == '|' ? hold : killed ? fault : faint;
  const auto& lines = row.cells[column];
  const std::string text = padded(line < lines.size() ? lines[line] : "", table_.columns[column].width);
  out_ += styled(std::string{now.holds, now.stopped}, style) + " " +
          styled(text, row.violation && now.holds == '#' ? alarm
                       : killed                          ? fault
                                                         : "") +
          " ";
}

void Printer::legend() {
  struct Sign {
    char mark;
    const char* words;
  };
  constexpr std::array signs{Sign{'.', ". runs"},    Sign{'|', "| holds"},      Sign{'#', "# holds beside another"}, Sign{':', ": waits"},
                             Sign{'z', "z asleep"},  Sign{'=', "= paused"},     Sign{'~', "~ host suspended"},       Sign{'X', "X killed"},
                             Sign{'!', "! accused"}, Sign{'>', ">> violation"}, Sign{'+', "N more: rows left out"}};
  std::string now;
  for (const Sign& sign : signs) {
    if (used_.find(sign.mark) == std::string::npos) continue;
    if (!now.empty() && now.size() + 3 + std::string_view(sign.words).size() > std::max(options_.columns, columns_min)) {
      out_ += styled(now, faint) + "\n";
      now.clear();
    }
    now += (now.empty() ? "" : "   ") + std::string(sign.words);
  }
  out_ += styled(now, faint) + "\n";
}

bool Printer::overlaps(std::size_t span, std::uint32_t step) const {
  const auto covers = [&](std::size_t i) {
    return timeline_.spans[i].from_step <= step && step < timeline_.spans[i].until_step && timeline_.spans[i].kind == Span::Kind::holding;
  };
  return accused_.size() > 1 && std::ranges::find(accused_, span) != accused_.end() && std::ranges::all_of(accused_, covers);
}

Marks Printer::marks(LaneId lane, std::uint32_t step) const {
  Marks now;
  if (!timeline::is_alive(timeline_.lanes[lane].kind)) now.holds = ' ';
  if (!started(lane, step)) return {.holds = ' '};
  for (std::size_t i = 0; i < timeline_.spans.size(); ++i) {
    const Span& span = timeline_.spans[i];
    const bool is_parent = timeline_.lanes[lane].parent == span.lane && span.kind >= Span::Kind::paused;
    if ((span.lane != lane && !is_parent) || step < span.from_step || step >= span.until_step) continue;
    switch (span.kind) {
      case Span::Kind::waiting: now.holds = now.holds == '|' || now.holds == '#' ? now.holds : ':'; break;
      case Span::Kind::holding: now.holds = overlaps(i, step) || now.holds == '#' ? '#' : '|'; break;
      case Span::Kind::asleep: now.stopped = 'z'; break;
      case Span::Kind::paused: now.stopped = '='; break;
      case Span::Kind::suspended: now.stopped = '~'; break;
      case Span::Kind::dead: return {.holds = now.holds == '|' || now.holds == '#' ? now.holds : ' '};
    }
  }
  return now;
}

bool Printer::has_point(LaneId lane, std::uint32_t step, Point::Kind kind) const {
  return std::ranges::any_of(timeline_.points, [&](const Point& p) { return p.lane == lane && p.step == step && p.kind == kind; });
}

// A lane that somebody started begins there; the others have been there all along.
bool Printer::started(LaneId lane, std::uint32_t step) const {
  const auto born = std::ranges::find_if(timeline_.arrows, [&](const Arrow& a) { return a.kind == Arrow::Kind::spawn && a.to == lane; });
  return born == timeline_.arrows.end() || step >= born->to_step;
}

}  // namespace

std::string to_text(const Timeline& timeline, const TextOptions& options) { return Printer(timeline, options).text(); }

}  // namespace tenure::sim
