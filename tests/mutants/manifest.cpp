#include "tests/mutants/manifest.hpp"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>

namespace tenure::mutants {

namespace {

std::vector<std::string> fields_of(const std::string& line) {
  std::vector<std::string> fields(1);
  for (const char c : line) {
    if (c == '\t') {
      fields.emplace_back();
    } else {
      fields.back() += c;
    }
  }
  return fields;
}

void each_line(const std::string& path, std::size_t fields_wanted, const std::function<void(std::vector<std::string>&)>& take) {
  std::ifstream stream(path);
  std::size_t number = 0;
  for (std::string line; std::getline(stream, line);) {
    ++number;
    if (line.empty() || line[0] == '#') continue;
    std::vector<std::string> fields = fields_of(line);
    if (fields.size() != fields_wanted) {
      std::fprintf(stderr, "%s:%zu: %zu fields, not %zu\n", path.c_str(), number, fields.size(), fields_wanted);
      std::exit(65);
    }
    take(fields);
  }
}

std::uint32_t number_in(const std::string& field) { return static_cast<std::uint32_t>(std::strtoul(field.c_str(), nullptr, 10)); }

}  // namespace

std::string Mutant::key() const {
  return file + '\t' + function + '\t' + kind + '\t' + original + '\t' + mutated + '\t' + std::to_string(like);
}

std::vector<Mutant> read_manifest(const std::string& path) {
  std::vector<Mutant> mutants;
  each_line(path, 9, [&](std::vector<std::string>& f) {
    mutants.push_back({number_in(f[0]), f[1], number_in(f[2]), f[3], f[4], f[5] == "1", f[6], f[7], number_in(f[8])});
  });
  return mutants;
}

std::vector<Explained> read_explained(const std::string& path) {
  std::vector<Explained> list;
  each_line(path, 8, [&](std::vector<std::string>& f) {
    list.push_back({f[0] + '\t' + f[1] + '\t' + f[2] + '\t' + f[3] + '\t' + f[4] + '\t' + f[5], f[6], f[7]});
  });
  return list;
}

}  // namespace tenure::mutants
