// All mutants, or some: which are killed, and by what. See README.md.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <tenure/sim/tape.hpp>
#include "tests/mutants/hunt.hpp"
#include "tests/mutants/manifest.hpp"
#include "tests/mutants/switches.hpp"

namespace tenure::mutants {
namespace {

constexpr std::uint64_t sample_seed = 20260101;

struct Options {
  Plan plan;
  std::string manifest = TENURE_MUTANTS_MANIFEST;
  std::string explained = TENURE_MUTANTS_EXPLAINED;
  std::set<std::uint32_t> only;  // empty: all
  std::uint32_t sample = 0;      // 0: all
  std::string file;              // of these files only
  bool survivors_only = false;   // those that are explained, and no others
  double share_min = 0;
};

struct Tally {
  std::uint32_t tried = 0;
  std::uint32_t killed = 0;
};

struct Sum {
  Tally all;
  std::map<std::string, Tally> by_kind;
  std::map<std::string, std::uint32_t> killed_by;
  std::map<std::string, std::uint32_t> survivors;  // by why
  std::vector<std::string> unexplained;
};

[[noreturn]] void usage() {
  std::fputs(
      "tenure_mutants [--budget-runs N] [--only ID,ID...] [--sample N] [--file PART-OF-NAME] [--survivors] [--scenario PART] [--search] "
      "[--share-min PERCENT]\n",
      stderr);
  std::exit(64);
}

Options options_of(int count, char** arguments) {
  Options options;
  for (int i = 1; i < count; ++i) {
    const std::string name = arguments[i];
    if (name == "--survivors") {
      options.survivors_only = true;
      continue;
    }
    if (name == "--search") {
      options.plan.search = true;
      continue;
    }
    if (i + 1 == count) usage();
    const char* value = arguments[++i];
    if (name == "--budget-runs") {
      options.plan.runs_max = std::strtoull(value, nullptr, 10);
    } else if (name == "--only") {
      for (const char* at = value; *at != '\0'; at += *at == ',' ? 1 : 0) {
        char* end = nullptr;
        options.only.insert(static_cast<std::uint32_t>(std::strtoul(at, &end, 10)));
        if (end == at) usage();
        at = end;
      }
    } else if (name == "--sample") {
      options.sample = static_cast<std::uint32_t>(std::strtoul(value, nullptr, 10));
    } else if (name == "--file") {
      options.file = value;
    } else if (name == "--scenario") {
      options.plan.scenario = value;
    } else if (name == "--share-min") {
      options.share_min = std::strtod(value, nullptr);
    } else {
      usage();
    }
  }
  return options;
}

std::vector<Mutant> chosen_ones(const Options& options, const std::map<std::string, Explained>& explained) {
  std::vector<Mutant> mutants = read_manifest(options.manifest);
  std::erase_if(mutants, [&](const Mutant& mutant) {
    const bool known = explained.contains(mutant.key());
    return (!options.only.empty() && !options.only.contains(mutant.number)) || mutant.file.find(options.file) == std::string::npos ||
           (options.survivors_only && !known);
  });
  if (options.sample == 0 || options.sample >= mutants.size()) return mutants;
  sim::Random random(sample_seed);
  for (std::uint32_t i = 0; i < options.sample; ++i) {
    std::swap(mutants[i], mutants[i + random.below(static_cast<std::uint32_t>(mutants.size()) - i)]);
  }
  mutants.resize(options.sample);
  std::ranges::sort(mutants, {}, &Mutant::number);
  return mutants;
}

std::string told(const Outcome& outcome) {
  switch (outcome.kind) {
    case Outcome::Kind::survived: return "SURVIVED " + std::to_string(outcome.runs) + " runs";
    case Outcome::Kind::unreached: return "SURVIVED, no run comes here";
    case Outcome::Kind::unit_test: return "killed by tests/core";
    default: break;
  }
  return "killed by " + outcome.property + " in " + outcome.scenario + (outcome.run.empty() ? "" : ", " + outcome.run);
}

void add(Sum& sum, const Mutant& mutant, const Outcome& outcome, const std::map<std::string, Explained>& explained) {
  Tally& kind = sum.by_kind[mutant.kind];
  ++sum.all.tried;
  ++kind.tried;
  if (outcome.is_kill()) {
    ++sum.all.killed;
    ++kind.killed;
    ++sum.killed_by[outcome.property];
    return;
  }
  const auto known = explained.find(mutant.key());
  ++sum.survivors[known == explained.end() ? "(not explained)" : known->second.why];
  if (known == explained.end()) sum.unexplained.push_back(mutant.key());
}

void print(const Sum& sum) {
  std::printf("\n%-24s %6s %6s\n", "kind", "tried", "killed");
  for (const auto& [kind, tally] : sum.by_kind) std::printf("%-24s %6u %6u\n", kind.c_str(), tally.tried, tally.killed);
  std::printf("\nkilled by:");
  for (const auto& [what, count] : sum.killed_by) std::printf(" %s %u;", what.c_str(), count);
  std::printf("\nsurvivors:");
  for (const auto& [why, count] : sum.survivors) std::printf(" %s %u;", why.c_str(), count);
  std::printf("\n");
  for (const std::string& key : sum.unexplained) std::printf("not explained: %s\n", key.c_str());
}

int run(const Options& options) {
  std::map<std::string, Explained> explained;
  for (Explained& entry : read_explained(options.explained)) explained.emplace(entry.key, entry);
  Sum sum;
  const std::vector<Mutant> mutants = chosen_ones(options, explained);
  if (mutants.empty()) {
    std::fprintf(stderr, "no such mutant in %s\n", options.manifest.c_str());
    return 65;
  }
  Plan plan = options.plan;
  for (const Mutant& mutant : mutants) plan.mutants = std::max(plan.mutants, mutant.number);
  if (plan.mutants >= mutants_max) return 70;
  Hunt hunt(plan);
  if (const std::string fault = hunt.survey(); !fault.empty()) {
    std::printf("the sound table fails: %s\n", fault.c_str());
    return 1;
  }
  std::printf("the sound table passes %llu runs\n", static_cast<unsigned long long>(hunt.survey_runs()));
  for (const Mutant& mutant : mutants) {
    const Outcome outcome = hunt.try_mutant(mutant);
    add(sum, mutant, outcome, explained);
    std::printf("%4u %s:%u %s: %s: %s -> %s | %s\n", mutant.number, mutant.file.c_str(), mutant.line, mutant.function.c_str(),
                mutant.kind.c_str(), mutant.original.c_str(), mutant.mutated.c_str(), told(outcome).c_str());
  }
  print(sum);
  std::uint32_t harmless = 0;  // survivors that break no promise
  for (const char* why : {"equivalent", "redundant", "performance", "fairness"}) harmless += sum.survivors[why];
  const std::uint32_t faults = sum.all.tried - harmless;
  const double share = faults == 0 ? 100 : 100.0 * sum.all.killed / faults;
  std::printf("%u of %u mutants killed: %.1f %%; %u of those that survive break no promise, so of the faults %.1f %%\n", sum.all.killed,
              sum.all.tried, 100.0 * sum.all.killed / sum.all.tried, harmless, share);
  if (share < options.share_min) std::printf("FAILED: less than %.1f %% of the faults\n", options.share_min);
  if (!sum.unexplained.empty()) std::printf("FAILED: %zu survivors that nobody has explained\n", sum.unexplained.size());
  return share < options.share_min || !sum.unexplained.empty() ? 1 : 0;
}

}  // namespace
}  // namespace tenure::mutants

int main(int count, char** arguments) {
  testing::InitGoogleTest(&count, arguments);
  return tenure::mutants::run(tenure::mutants::options_of(count, arguments));
}
