// The program that simulates: its commands, its targets by name, and how it speaks of a run.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tenure/sim/main.hpp>
#include <tenure/sim/runner.hpp>

#include "sim/commands/options.hpp"

namespace tenure::sim::commands {

struct Program {
  std::string name;  // as it was called: "tenure sim", "./my-protocol"
  std::span<const Target> targets;
};

struct Command {
  std::string_view name;
  std::string_view arguments;  // of the usage line
  std::string_view purpose;    // one line
  std::string_view details;    // for help; lines, each ended
  std::span<const Key> options;
  std::string_view examples;  // for help; each ended, without the program's name
  int (*run)(const Program& program, const Wishes& wishes);
};

extern const Command run_command;
extern const Command hunt_command;
extern const Command replay_command;
extern const Command shrink_command;
extern const Command explain_command;
extern const Command catalogue_command;
extern const Command targets_command;

// What is wrong with the arguments, and the exit status for that.
int usage_error(const Program& program, const Command& command, std::string_view what);

// A target, or its sound twin, whose name is NAME/sound.
struct Subject {
  std::string name;
  Target target;  // `make` and `config` are those of the twin, if it is one

  std::unique_ptr<Scenario> scenario() const { return target.make(); }
  Config config(const Scenario& of) const { return target.config ? *target.config : of.config(); }
};
// A subject with its scenario and a runner for it.
struct Stage {
  explicit Stage(Subject of) : subject(std::move(of)), scenario(subject.scenario()), runner(*scenario, subject.config(*scenario)) {}

  Subject subject;
  std::unique_ptr<Scenario> scenario;
  Runner runner;
};

Subject subject_of(const Target& target);
std::optional<Subject> sound_twin(const Target& target);
// Nothing for a name that there is not; that has been said, with the nearest names.
std::optional<Subject> find_subject(const Program& program, std::string_view name);
std::vector<std::string> subject_names(const Program& program);
// The one operand of a command. Nothing: what is wrong has been said.
std::optional<Subject> one_subject(const Program& program, const Command& command, const Wishes& wishes);

// "tenure sim replay strict --run pct3:99"
std::string replay_line(const Program& program, std::string_view subject, const RunId& id);
std::string replay_line(const Program& program, std::string_view subject, const std::vector<Decision>& tape);
std::string replay_line(const Program& program, std::string_view subject, const Failure& failure);

// Writes a whole file. False: that has been said.
bool write_file(const Program& program, const std::string& path, std::string_view text);

}  // namespace tenure::sim::commands
