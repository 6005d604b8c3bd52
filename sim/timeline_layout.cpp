#include "sim/timeline_layout.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <map>
#include <utility>

namespace tenure::sim::timeline {

namespace {

constexpr int rows_max = 4;
constexpr int left_edge = names_width + 34;
constexpr int right_edge = strip_width - 14;
constexpr int gap_min = 24;
constexpr int gap_of_break = 64;
constexpr double stretch_max = 1.7;
constexpr std::size_t label_characters_max = 32;
// In a long run plain steps get a label only where there is room.
constexpr std::size_t events_of_a_long_run = 160;
constexpr std::uint32_t steps_of_a_break = 9;
constexpr std::uint64_t times_the_usual = 16;

struct Wish {
  LaneId lane;
  std::string text;
  bool pushes;  // what follows is moved to the right until there is room
};
using Wishes = std::map<std::uint32_t, std::vector<Wish>>;

// Holding and waiting have their words in their bars.
Wishes wishes_of(const Timeline& timeline, const std::vector<Event>& events) {
  Wishes wishes;
  const bool is_long = events.size() > events_of_a_long_run;
  for (const Event& event : events) {
    if (event.implied || event.brief.empty()) continue;
    if (event.source == Event::Source::span && is_bar(timeline.spans[event.index].kind)) continue;
    const bool pushes = event.weight == Event::Weight::major || (event.weight == Event::Weight::plain && !is_long);
    auto& here = wishes[event.step];
    const auto same = std::ranges::find(here, event.lane, &Wish::lane);
    if (same == here.end()) {
      here.push_back({event.lane, event.brief, pushes});
    } else {
      same->text += "; " + event.brief;
      same->pushes = same->pushes || pushes;
    }
  }
  return wishes;
}

// What is drawn short.
class Breaks {
 public:
  explicit Breaks(const Timeline& timeline) : timeline_(timeline), usual_ns_(usual_ns()) {}
  bool between(std::uint32_t before, std::uint32_t step) const {
    const std::uint64_t ns = time_at(timeline_, step) - time_at(timeline_, before);
    return step - before >= steps_of_a_break || ns > times_the_usual * std::max<std::uint64_t>(usual_ns_, 1);
  }

 private:
  std::uint64_t usual_ns() const;

  const Timeline& timeline_;
  const std::uint64_t usual_ns_;
};

// The middle one of the times between two marked steps.
std::uint64_t Breaks::usual_ns() const {
  std::vector<std::uint64_t> times;
  const std::vector<std::uint32_t> steps = marked_steps(timeline_);
  for (std::size_t i = 1; i < steps.size(); ++i) times.push_back(time_at(timeline_, steps[i]) - time_at(timeline_, steps[i - 1]));
  if (times.empty()) return 0;
  const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
  std::ranges::nth_element(times, middle);
  return *middle;
}

class Layouter {
 public:
  Layouter(const Timeline& timeline, const std::vector<Event>& events, const Tracks& tracks)
      : timeline_(timeline), tracks_(tracks), wishes_(wishes_of(timeline, events)), row_ends_(timeline.lanes.size()), breaks_(timeline) {}
  std::vector<Strip> strips();

 private:
  using RowEnds = std::array<int, rows_max>;
  void begin_strip();
  void end_strip();
  int gap(std::uint32_t before, std::uint32_t step) const;
  int needed_x(std::uint32_t step, int x) const;
  bool fits(std::uint32_t step, int x) const;
  void place_labels(std::uint32_t step, int x);
  void lower_labels();
  void justify();

  const Timeline& timeline_;
  const Tracks& tracks_;
  const Wishes wishes_;
  std::vector<RowEnds> row_ends_;  // where the last label of each row of each lane ends
  const Breaks breaks_;
  std::vector<Strip> strips_;
};

std::string label_text(const Wish& wish) { return shortened(wish.text, label_characters_max); }

// The rows, from the lane upwards, that are free at `x`.
int free_rows(const std::array<int, rows_max>& ends, int x) {
  return static_cast<int>(std::ranges::find_if(ends, [&](int end) { return end > x; }) - ends.begin());
}

std::vector<Strip> Layouter::strips() {
  const std::vector<std::uint32_t> steps = marked_steps(timeline_);
  begin_strip();
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const bool fresh = strips_.back().ticks.empty();
    int x = needed_x(steps[i], fresh ? left_edge : strips_.back().ticks.back().x + gap(steps[i - 1], steps[i]));
    if (!fresh && (x > right_edge || !fits(steps[i], x))) {
      end_strip();
      begin_strip();
      x = left_edge;
    }
    place_labels(steps[i], x);
    strips_.back().ticks.push_back({steps[i], x, i > 0 && breaks_.between(steps[i - 1], steps[i])});
  }
  if (strips_.back().ticks.empty()) strips_.back().ticks.push_back({0, left_edge, false});
  end_strip();
  return std::move(strips_);
}

void Layouter::begin_strip() {
  strips_.push_back({});
  for (RowEnds& ends : row_ends_) ends.fill(0);
}

void Layouter::end_strip() {
  justify();
  lower_labels();
  Strip& strip = strips_.back();
  int y = axis_height;
  for (LaneId lane = 0; lane < timeline_.lanes.size(); ++lane) {
    int rows = 1;
    for (const Label& label : strip.labels) rows = std::max(rows, label.lane == lane ? label.row + 1 : 1);
    LaneBox box{.top = y, .line = y + rows * label_height + 13, .bars = 0, .bottom = 0};
    box.bars = box.line + 9;
    box.bottom = box.bars + tracks_.count[lane] * (bar_height + 2) + 5;
    y = box.bottom;
    strip.lanes.push_back(box);
  }
  strip.height = y + 22;
}

int Layouter::gap(std::uint32_t before, std::uint32_t step) const {
  if (breaks_.between(before, step)) return gap_of_break;
  return gap_min + 7 * (static_cast<int>(std::bit_width(step - before)) - 1);
}

// From `x` on, the first place where every label that insists on it has a free row.
int Layouter::needed_x(std::uint32_t step, int x) const {
  const auto wishes = wishes_.find(step);
  if (wishes == wishes_.end()) return x;
  for (const Wish& wish : wishes->second) {
    if (wish.pushes) x = std::max(x, row_ends_[wish.lane][0]);
  }
  return x;
}

bool Layouter::fits(std::uint32_t step, int x) const {
  const auto wishes = wishes_.find(step);
  if (wishes == wishes_.end()) return true;
  return std::ranges::all_of(wishes->second,
                             [&](const Wish& wish) { return !wish.pushes || x + text_width(label_text(wish)) <= strip_width; });
}

void Layouter::place_labels(std::uint32_t step, int x) {
  const auto wishes = wishes_.find(step);
  if (wishes == wishes_.end()) return;
  for (const Wish& wish : wishes->second) {
    const std::string text = label_text(wish);
    const int wide = text_width(text);
    const int row = free_rows(row_ends_[wish.lane], x) - 1;
    if (row < 0 || x + wide > strip_width) continue;
    row_ends_[wish.lane][static_cast<std::size_t>(row)] = x + wide + 10;
    strips_.back().labels.push_back({wish.lane, step, x, wide, row, text});
  }
}

// Spreads a strip over the width of the page.
void Layouter::justify() {
  Strip& strip = strips_.back();
  double factor = stretch_max;
  const auto limit = [&](int x, int end) {
    if (x > left_edge) factor = std::min(factor, static_cast<double>(end - left_edge) / (x - left_edge));
  };
  limit(strip.ticks.back().x, right_edge - 30);
  for (const Label& label : strip.labels) limit(label.x, strip_width - label.width);
  if (factor <= 1) return;
  const auto stretch = [&](int& x) { x = left_edge + static_cast<int>((x - left_edge) * factor); };
  for (Tick& tick : strip.ticks) stretch(tick.x);
  for (Label& label : strip.labels) stretch(label.x);
}

// They were placed as high as possible, for those to come. Now that all are known, each goes down as far as the later ones let it.
void Layouter::lower_labels() {
  std::vector<Label>& labels = strips_.back().labels;
  for (std::size_t i = labels.size(); i-- > 0;) {
    int row = 0;
    for (std::size_t k = i + 1; k < labels.size(); ++k) {
      if (labels[k].lane == labels[i].lane && labels[k].x < labels[i].x + labels[i].width + 10) row = std::max(row, labels[k].row + 1);
    }
    labels[i].row = row;
  }
}

}  // namespace

int Strip::x(std::uint32_t step) const {
  if (step < first_step()) return names_width;
  if (step > last_step()) return strip_width;
  const auto after = std::ranges::lower_bound(ticks, step, {}, &Tick::step);
  if (after->step == step) return after->x;
  const Tick& before = *std::prev(after);
  const auto part = static_cast<double>(step - before.step) / static_cast<double>(after->step - before.step);
  return before.x + static_cast<int>(part * (after->x - before.x));
}

Tracks make_tracks(const Timeline& timeline) {
  Tracks tracks{std::vector<int>(timeline.spans.size(), 0), std::vector<int>(timeline.lanes.size(), 0)};
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < timeline.spans.size(); ++i) {
    if (is_bar(timeline.spans[i].kind)) order.push_back(i);
  }
  std::ranges::sort(order, {}, [&](std::size_t i) { return std::pair(timeline.spans[i].from_step, i); });
  std::vector<std::vector<std::uint32_t>> ends(timeline.lanes.size());
  for (const std::size_t i : order) {
    const Span& span = timeline.spans[i];
    auto& of_lane = ends.at(span.lane);
    auto track = std::ranges::find_if(of_lane, [&](std::uint32_t end) { return end <= span.from_step; });
    if (track == of_lane.end()) track = of_lane.insert(track, 0);
    *track = span.until_step;
    tracks.of_span[i] = static_cast<int>(track - of_lane.begin());
    tracks.count[span.lane] = static_cast<int>(of_lane.size());
  }
  return tracks;
}

bool has_break(const Timeline& timeline) {
  const Breaks breaks(timeline);
  const std::vector<std::uint32_t> steps = marked_steps(timeline);
  return std::ranges::adjacent_find(steps, [&](std::uint32_t a, std::uint32_t b) { return breaks.between(a, b); }) != steps.end();
}

std::vector<Strip> make_strips(const Timeline& timeline, const std::vector<Event>& events, const Tracks& tracks) {
  return Layouter(timeline, events, tracks).strips();
}

int text_width(std::string_view text) { return static_cast<int>(width(text) * 67 / 10) + 4; }

}  // namespace tenure::sim::timeline
