// Tries one mutant after the other in the scenarios of the table, each in a process of its own: a mutant may crash or spin.
//
// A run in which nobody comes to the mutant's place is the run of the sound table. So the sound table runs first, every seed of every
// scenario once, and notes who came where; a mutant is then tried with the seeds that reach it, and with no others.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <tenure/sim/runner.hpp>
#include "tests/mutants/manifest.hpp"

namespace tenure::mutants {

struct Plan {
  std::uint64_t runs_max = 2'000;  // of one scenario, for one mutant
  std::uint32_t mutants = 0;       // the highest number
  std::string scenario;            // only those with this in their name
  bool search = false;             // every schedule within a bound, too, for what chance does not find
};

struct Outcome {
  enum class Kind : std::uint8_t { survived, killed, unit_test, crashed, hung, unreached };
  Kind kind = Kind::survived;
  std::string scenario;
  std::string property;
  std::string run;  // which one
  std::uint64_t runs = 0;

  bool is_kill() const { return kind != Kind::survived && kind != Kind::unreached; }
};

class Hunt {
 public:
  explicit Hunt(const Plan& plan);
  ~Hunt();
  Hunt(const Hunt&) = delete;
  Hunt& operator=(const Hunt&) = delete;

  // The sound table with every seed. An empty string, or what failed.
  std::string survey();
  // REQUIRES: survey() was called.
  Outcome try_mutant(const Mutant& mutant);

  std::uint64_t survey_runs() const { return survey_runs_; }

 private:
  struct Stage;
  struct Shared;

  std::string run_name(const Stage& stage, std::uint64_t index) const;
  void add_stage(std::unique_ptr<sim::Scenario> scenario, std::uint64_t runs, bool has_stale_reads = false);
  std::vector<const Stage*> order_for(const Mutant& mutant) const;
  void try_in_child(const Mutant& mutant, const std::vector<const Stage*>& order);
  bool runs_show_it(const Stage& stage, std::uint32_t mutant, std::uint64_t from, std::uint64_t to);

  bool search_shows_it();

  Plan plan_;
  std::vector<std::unique_ptr<Stage>> stages_;
  Shared* shared_;
  std::uint64_t survey_runs_ = 0;
  std::uint64_t runs_most_ = 0;  // of one stage
};

}  // namespace tenure::mutants
