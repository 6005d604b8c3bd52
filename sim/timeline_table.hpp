// The table of a timeline before it is printed: which lanes get a column, which steps a row.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "sim/timeline_events.hpp"

namespace tenure::sim::timeline {

struct Column {
  LaneId lane = no_lane;  // no_lane: all that have no column of their own
  std::string name;
  std::size_t width = 0;  // of a cell's text
};

struct Row {
  std::uint32_t step = 0;
  Event::Weight weight = Event::Weight::minor;
  bool violation = false;
  std::uint32_t left_out = 0;                        // not 0: this row stands for so many
  std::vector<std::vector<std::string>> cells = {};  // one a column: its lines
  std::size_t height() const;
};

struct Table {
  std::vector<Column> columns;
  std::vector<Row> rows;
};

// Beside the text of each cell: two marks of what the lane is, and two blanks.
constexpr std::size_t cell_margin = 4;

Table make_table(const Timeline& timeline, std::size_t room);
// Leaves out rows until the others have at most `lines_max` lines: minor ones first, far from the violation first, major ones never.
void fold_rows(Table& table, std::size_t lines_max);

}  // namespace tenure::sim::timeline
