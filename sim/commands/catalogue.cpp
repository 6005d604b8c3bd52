#include "sim/commands/catalogue_search.hpp"

#include "sim/commands/exit_status.hpp"
#include "sim/commands/json.hpp"
#include "sim/commands/junit.hpp"
#include "sim/commands/program.hpp"
#include "sim/commands/progress.hpp"
#include "sim/commands/text.hpp"

namespace tenure::sim::commands {

namespace {

std::optional<std::vector<const Target*>> bugs_of(const Program& program, const Wishes& wishes) {
  std::vector<const Target*> bugs;
  std::vector<std::string> names;
  for (const Target& target : program.targets) {
    if (!target.is_bug()) continue;
    names.push_back(target.name);
    if (wishes.operands.empty()) bugs.push_back(&target);
  }
  for (const std::string& name : wishes.operands) {
    const Target* found = nullptr;
    for (const Target& target : program.targets) found = target.is_bug() && target.name == name ? &target : found;
    if (found == nullptr) {
      std::string text = "the catalogue has no bug " + quoted(name);
      for (const std::string& near : near_matches(name, names)) text += (text.ends_with('"') ? "; near it: " : " ") + near;
      complain(program.name, text);
      return {};
    }
    bugs.push_back(found);
  }
  return bugs;
}

std::string found_text(const BugResult& result) {
  if (!result.trouble.empty()) return "ERROR";
  if (!result.sound_failure.empty()) return "TWIN FAILS";
  return result.found ? "yes" : "NO";
}

std::string as_table(const Program& program, const std::vector<BugResult>& results, bool engines) {
  std::vector<std::vector<std::string>> rows{{"NAME", "PROPERTY", "FOUND", "ENGINE", "SEEDS", "SOURCE"}};
  if (engines) {
    rows[0].pop_back();
    for (const RunId& engine : all_engines()) rows[0].push_back(engine_name(engine));
  }
  std::size_t passed = 0;
  std::string troubles;
  for (const BugResult& result : results) {
    passed += result.passed() ? 1 : 0;
    std::vector<std::string> row{result.bug->name, result.bug->property, found_text(result), result.id ? engine_name(*result.id) : "-",
                                 grouped(result.seeds)};
    if (!engines) row.push_back(clean(result.bug->source));
    for (const std::optional<std::uint64_t>& runs : result.engines) row.push_back(runs ? grouped(*runs) : "-");
    rows.push_back(std::move(row));
    if (!result.trouble.empty()) troubles += result.bug->name + ": " + result.trouble + '\n';
    if (!result.sound_failure.empty()) troubles += result.bug->name + "/sound fails " + result.sound_failure + '\n';
  }
  return table_text(rows) + '\n' + grouped(passed) + " of " + grouped(results.size()) + " found, with their sound twins in order\n" +
         troubles + (results.empty() ? "" : "one of them: " + program.name + " explain " + shell_word(results[0].bug->name) + '\n');
}

std::string as_json(const Program& program, const std::vector<BugResult>& results) {
  JsonWriter json;
  json.open_array();
  for (const BugResult& result : results) {
    json.open_object();
    json.key("name").value(result.bug->name);
    json.key("property").value(result.bug->property);
    json.key("found").value(result.found);
    json.key("engine");
    result.id ? json.value(engine_name(*result.id)) : json.null();
    json.key("seeds").value(result.seeds);
    json.key("source").value(result.bug->source);
    json.key("summary").value(result.bug->summary);
    json.key("run");
    result.id ? json.value(to_text(*result.id)) : json.null();
    json.key("repro");
    result.id ? json.value(replay_line(program, result.bug->name, *result.id)) : json.null();
    json.key("hash").hash(result.hash);
    json.key("seconds").value(result.seconds);
    json.key("sound_runs").value(result.sound_runs);
    json.key("sound_failure");
    result.sound_failure.empty() ? json.null() : json.value(result.sound_failure);
    json.key("trouble");
    result.trouble.empty() ? json.null() : json.value(result.trouble);
    if (!result.engines.empty()) {
      json.key("engines").open_object();
      const std::vector<RunId> engines = all_engines();
      for (std::size_t i = 0; i < result.engines.size(); ++i) {
        json.key(engine_name(engines[i]));
        result.engines[i] ? json.value(*result.engines[i]) : json.null();
      }
      json.close_object();
    }
    json.close_object();
  }
  json.close_array();
  return json.text() + "\n";
}

std::vector<TestCase> as_cases(const std::vector<BugResult>& results) {
  std::vector<TestCase> cases;
  for (const BugResult& result : results) {
    TestCase bug{"tenure.sim.catalogue", result.bug->name, result.seconds};
    if (!result.found) bug.failure = "not found: " + result.bug->property + " after " + counted(result.seeds, "run");
    if (!result.trouble.empty()) bug.failure = result.trouble;
    cases.push_back(std::move(bug));
    if (result.bug->make_sound) cases.push_back({"tenure.sim.catalogue", result.bug->name + "/sound", 0, result.sound_failure});
  }
  return cases;
}

int run(const Program& program, const Wishes& wishes) {
  const std::optional<std::vector<const Target*>> bugs = bugs_of(program, wishes);
  if (!bugs) return exit_usage;
  if (bugs->empty()) return usage_error(program, catalogue_command, "this program has no known bugs to look for");
  CatalogueOptions options;
  options.seconds_max = wishes.budget_seconds.value_or(options.seconds_max);
  options.jobs = wishes.jobs;
  options.engines = wishes.engines;
  options.runs_max = wishes.runs.value_or(options.runs_max);
  std::vector<BugResult> results;
  {
    Progress progress(wishes.quiet);
    results = search_catalogue(*bugs, options, [&](const BugResult& result, std::size_t done) {
      progress.show(std::to_string(done) + " of " + std::to_string(bugs->size()) + ": " + result.bug->name + ' ' + found_text(result));
    });
  }
  if (!print(wishes.json ? as_json(program, results) : as_table(program, results, wishes.engines))) return exit_system;
  if (!wishes.junit_path.empty() && !write_file(program, wishes.junit_path, junit_xml(program.name + " catalogue", as_cases(results)))) {
    return exit_cannot_make;
  }
  for (const BugResult& result : results) {
    if (!result.passed()) return exit_failed;
  }
  return exit_ok;
}

constexpr Key options[]{Key::budget, Key::runs, Key::jobs, Key::engines, Key::junit, Key::json, Key::quiet};

}  // namespace

const Command catalogue_command{
    "catalogue",
    "[NAME...] [options]",
    "finds the known bugs of locks",
    "Hunts in each bug of the catalogue, or in those that are named, until the property fails that its entry names; then its\n"
    "sound twin must come through at least as many runs, and 1000, unharmed. The budget of all is 60 s. ENGINE and SEEDS\n"
    "are of the run that found it: how it was drawn, and the how manieth it was.\n",
    options,
    "catalogue\ncatalogue --json --budget 2m\ncatalogue stale-takeover-unlink --engines\n",
    run,
};

}  // namespace tenure::sim::commands
