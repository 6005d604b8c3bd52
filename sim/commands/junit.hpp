// JUnit XML, as the common CI systems read it.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace tenure::sim::commands {

struct TestCase {
  std::string suite;
  std::string name;
  double seconds = 0;
  std::string failure = {};  // one line; empty: it has passed
  std::string details = {};  // of the failure
};

[[nodiscard]] std::string junit_xml(std::string_view suites_name, std::span<const TestCase> cases);

}  // namespace tenure::sim::commands
