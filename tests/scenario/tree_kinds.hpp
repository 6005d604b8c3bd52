// Commands that grow a tree of processes in some manner, each of which keeps writing that it lives, and the command that comes next.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <string>

#include "tests/tools/program.hpp"

namespace tenure::tests {

struct TreeKind {
  const char* name;
  std::uint32_t lives;  // so many have begun to write when the tree stands
  void (*grow)(Journal& journal, const std::string& path);
};
[[nodiscard]] std::span<const TreeKind> tree_kinds();

// The command that grows a tree of that kind; ends only when it is killed.
[[nodiscard]] Arguments grower(const TreeKind& kind, const std::string& journal_path);
// The command that comes next: fails if anything has written since it began.
[[nodiscard]] Arguments observer(const std::string& journal_path);

// For main(): what these commands do. -1: the arguments are none of theirs.
int run_tree_command(int argc, char** argv);

}  // namespace tenure::tests
