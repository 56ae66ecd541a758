// sim --seconds 60 | --steps N     runs new scenarios; a failing one is shrunk and
// shown
//     --seed S                     from that seed on; alone with --count 1
//     --mute KIND                  that kind of failure is known
//     --only KIND                  all others are
//     --collect FOLDER             writes what fails there, shrunk
//     --isolate                    each in a process of its own: one may crash
//     --keep-going                 counts kinds of failures, with the first seed of
//     each
//     --scenario FILE --trace      runs one that was kept
//     --coverage                   how often each kind of thing was
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iostream>
#include <map>
#include <set>
#include <sstream>
#include <string>

#include "sim/coverage.h"
#include "sim/generate.h"
#include "sim/isolated.h"
#include "sim/shrink.h"
#include "sim/world.h"

namespace celadon::sim {
namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  double seconds = 0;
  double cpu_seconds = 0;
  std::uint64_t steps = 0;
  std::uint64_t count = 0;
  std::uint64_t seed = 1;
  double shrink_seconds = 20;
  std::set<std::string> muted;
  std::set<std::string> only;
  [[nodiscard]] bool is_muted(const std::string& kind) const {
    return muted.contains(kind) || (!only.empty() && !only.contains(kind));
  }
  std::string scenario;
  std::string collect;
  bool trace = false;
  bool keep_going = false;
  bool coverage = false;
  bool isolate = false;
  [[nodiscard]] Runner runner() const {
    if (isolate) return run_isolated;
    return [](const Scenario& each) { return run(each, false); };
  }
};

double since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double cpu_spent() {
  return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

void show(const Outcome& outcome) {
  for (const std::string& line : outcome.trace) std::cout << line << "\n";
}

// Prints the scenario as small as it goes, with what happens in it.
void explain(const Scenario& scenario, const Options& options) {
  const std::string kind = options.runner()(scenario).verdict.kind;
  const Scenario small =
      shrink(scenario, kind, options.shrink_seconds, options.runner());
  std::cout << "--- " << kind << ", shrunk:\n" << to_text(small);
  if (kind == "crash") return;
  const Outcome outcome = run(small, true);
  std::cout << "--- trace:\n";
  show(outcome);
  std::cout << "--- " << outcome.verdict.kind << ": " << outcome.verdict.text << "\n";
}

int replay(const Options& options) {
  std::ifstream file(options.scenario);
  std::stringstream text;
  text << file.rdbuf();
  std::string error;
  const auto scenario = from_text(text.str(), error);
  if (!file || !scenario) {
    std::cerr << options.scenario << ": no scenario: " << error << "\n";
    return 2;
  }
  const Outcome outcome =
      options.trace ? run(*scenario, true) : options.runner()(*scenario);
  show(outcome);
  if (outcome.verdict.bad()) {
    std::cout << options.scenario << ": " << outcome.verdict.kind << ": "
              << outcome.verdict.text << "\n";
  }
  return outcome.verdict.bad() ? 1 : 0;
}

// A file for each scenario that fails, made small.
void keep(const Scenario& scenario, const Verdict& verdict, std::uint64_t seed,
          const Options& options) {
  const Scenario small =
      shrink(scenario, verdict.kind, options.shrink_seconds, options.runner());
  std::ofstream file(options.collect + "/" + verdict.kind + "-" + std::to_string(seed) +
                     ".txt");
  file << "# " << options.runner()(small).verdict.text << "\n" << to_text(small);
}

int search(const Options& options) {
  const auto start = Clock::now();
  double told = 0;
  std::uint64_t steps = 0;
  std::uint64_t scenarios = 0;
  struct Kind {
    std::uint64_t count = 0;
    std::uint64_t seed = 0;
    double at = 0;
  };
  std::map<std::string, Kind> kinds;
  Coverage coverage;
  std::uint64_t failed_seed = 0;
  for (std::uint64_t seed = options.seed;; ++seed) {
    const double now = since(start);
    if (options.seconds > 0 && now > options.seconds) break;
    if (options.cpu_seconds > 0 && cpu_spent() > options.cpu_seconds) break;
    if (options.steps > 0 && steps > options.steps) break;
    if (options.count > 0 && scenarios >= options.count) break;
    if (now - told > 5) {
      told = now;
      std::cout << static_cast<int>(now) << " s: " << scenarios << " scenarios, "
                << steps << " steps, seed " << seed << std::endl;
    }
    const Scenario scenario = generate(seed);
    note_seed(seed);
    const Outcome outcome = options.runner()(scenario);
    ++scenarios;
    steps += outcome.steps;
    coverage.add(scenario, outcome);
    if (!outcome.verdict.bad()) continue;
    Kind& kind = kinds[outcome.verdict.kind];
    if (kind.count++ == 0) {
      kind.seed = seed;
      kind.at = since(start);
      if (options.keep_going) {
        std::cout << "seed " << seed << " after " << kind.at
                  << " s: " << outcome.verdict.kind << ": " << outcome.verdict.text
                  << std::endl;
      }
    }
    if (!options.collect.empty() && !options.is_muted(outcome.verdict.kind))
      keep(scenario, outcome.verdict, seed, options);
    if (options.keep_going || options.is_muted(outcome.verdict.kind)) continue;
    std::cout << "seed " << seed << ": " << outcome.verdict.kind << ": "
              << outcome.verdict.text << "\n";
    failed_seed = seed;
    break;
  }
  const double took = since(start);
  std::cout << scenarios << " scenarios, " << steps << " steps, "
            << static_cast<std::uint64_t>(static_cast<double>(steps) / took)
            << " steps/s, " << cpu_spent() << " s\n";
  for (const auto& [name, kind] : kinds) {
    std::cout << "  " << kind.count << " x " << name << ", first by seed " << kind.seed
              << " after " << kind.at << " s\n";
  }
  if (options.coverage) coverage.print();
  if (failed_seed != 0) explain(generate(failed_seed), options);
  if (scenarios >= 20'000) {
    if (const std::string missing = coverage.missing(); !missing.empty()) {
      std::cout << "the generator never made:" << missing << "\n";
      return 1;
    }
  }
  return failed_seed != 0 ? 1 : 0;
}

int main(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    const auto value = [&]() -> const char* { return i + 1 < argc ? argv[++i] : ""; };
    if (name == "--seconds")
      options.seconds = std::atof(value());
    else if (name == "--cpu-seconds")
      options.cpu_seconds = std::atof(value());
    else if (name == "--steps")
      options.steps = std::strtoull(value(), nullptr, 10);
    else if (name == "--count")
      options.count = std::strtoull(value(), nullptr, 10);
    else if (name == "--seed")
      options.seed = std::strtoull(value(), nullptr, 10);
    else if (name == "--shrink")
      options.shrink_seconds = std::atof(value());
    else if (name == "--mute")
      options.muted.insert(value());
    else if (name == "--collect")
      options.collect = value();
    else if (name == "--only")
      options.only.insert(value());
    else if (name == "--scenario")
      options.scenario = value();
    else if (name == "--trace")
      options.trace = true;
    else if (name == "--keep-going")
      options.keep_going = true;
    else if (name == "--coverage")
      options.coverage = true;
    else if (name == "--isolate")
      options.isolate = true;
    else {
      std::cerr << "unknown: " << name << "\n";
      return 2;
    }
  }
  if (!options.scenario.empty()) return replay(options);
  if (options.seconds == 0 && options.cpu_seconds == 0 && options.steps == 0 &&
      options.count == 0) {
    options.seconds = 60;
  }
  if (!options.isolate) expect_crashes();
  return search(options);
}

}  // namespace
}  // namespace celadon::sim

int main(int argc, char** argv) {
  return celadon::sim::main(argc, argv);
}
