// The mutants as mutate.py lists them, and the survivors that somebody has explained.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tenure::mutants {

struct Mutant {
  std::uint32_t number = 0;
  std::string file;
  std::uint32_t line = 0;
  std::string function;
  std::string kind;
  bool visible = true;  // where stores pass through a buffer, and no load is stale
  std::string original;
  std::string mutated;
  std::uint32_t like = 1;  // the how manieth of those that look the same

  // Its name in the list of survivors, which outlives changes elsewhere: no line, no number.
  std::string key() const;
};

// A survivor that is accounted for.
struct Explained {
  std::string key;
  std::string why;  // one word, see README.md
  std::string reason;
};

std::vector<Mutant> read_manifest(const std::string& path);
// Empty for a file that is not there.
std::vector<Explained> read_explained(const std::string& path);

}  // namespace tenure::mutants
