#include "sim/commands/program.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "sim/commands/text.hpp"

namespace tenure::sim::commands {

namespace {

constexpr std::string_view sound_suffix = "/sound";

}  // namespace

Subject subject_of(const Target& target) { return {target.name, target}; }

std::optional<Subject> sound_twin(const Target& target) {
  if (!target.make_sound) return {};
  Subject twin{target.name + std::string(sound_suffix), target};
  twin.target.name = twin.name;
  twin.target.make = target.make_sound;
  twin.target.make_sound = {};
  twin.target.property.clear();
  return twin;
}

std::vector<std::string> subject_names(const Program& program) {
  std::vector<std::string> names;
  for (const Target& target : program.targets) {
    names.push_back(target.name);
    if (target.make_sound) names.push_back(target.name + std::string(sound_suffix));
  }
  return names;
}

std::optional<Subject> find_subject(const Program& program, std::string_view name) {
  for (const Target& target : program.targets) {
    if (target.name == name) return subject_of(target);
    if (target.make_sound && name.ends_with(sound_suffix) && name.substr(0, name.size() - sound_suffix.size()) == target.name) {
      return sound_twin(target);
    }
  }
  std::string text = "there is no target " + quoted(name);
  const std::vector<std::string> near = near_matches(name, subject_names(program));
  if (!near.empty()) text += "; near it:";
  for (const std::string& each : near) text += ' ' + each;
  complain(program.name, text + "\nall of them: " + program.name + " targets");
  return {};
}

std::optional<Subject> one_subject(const Program& program, const Command& command, const Wishes& wishes) {
  if (wishes.operands.size() == 1) return find_subject(program, wishes.operands[0]);
  if (wishes.operands.empty() && program.targets.size() == 1) return subject_of(program.targets[0]);
  const bool none = wishes.operands.empty();
  usage_error(program, command, none ? "which target? all of them: " + program.name + " targets" : "one target at a time");
  return {};
}

std::string replay_line(const Program& program, std::string_view subject, const RunId& id) {
  return program.name + " replay " + shell_word(subject) + " --run " + to_text(id);
}

std::string replay_line(const Program& program, std::string_view subject, const std::vector<Decision>& tape) {
  return program.name + " replay " + shell_word(subject) + " --tape " + shell_word(to_text(tape));
}

std::string replay_line(const Program& program, std::string_view subject, const Failure& failure) {
  return failure.id ? replay_line(program, subject, *failure.id) : replay_line(program, subject, failure.tape);
}

bool write_file(const Program& program, const std::string& path, std::string_view text) {
  std::FILE* file = std::fopen(path.c_str(), "we");
  bool written = file != nullptr && std::fwrite(text.data(), 1, text.size(), file) == text.size();
  int error = errno;
  if (file != nullptr && std::fclose(file) != 0) {
    written = false;
    error = errno;
  }
  if (!written) complain(program.name, quoted(path) + " cannot be written: " + std::strerror(error));
  return written;
}

}  // namespace tenure::sim::commands
