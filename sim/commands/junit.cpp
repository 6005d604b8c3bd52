#include "sim/commands/junit.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include "sim/timeline_events.hpp"

namespace tenure::sim::commands {

namespace {

std::string escaped_line(std::string_view text) {
  std::string result;
  for (const char c : timeline::clean(text)) {
    switch (c) {
      case '&': result += "&amp;"; break;
      case '<': result += "&lt;"; break;
      case '>': result += "&gt;"; break;
      case '"': result += "&quot;"; break;
      default: result += c;
    }
  }
  return result;
}

// Line ends stay.
std::string escaped(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    result += escaped_line(text.substr(0, end));
    if (end == std::string_view::npos) break;
    result += '\n';
    text.remove_prefix(end + 1);
  }
  return result;
}

std::string seconds(double value) {
  std::array<char, 64> digits{};
  std::snprintf(digits.data(), digits.size(), "%.3f", value);
  return digits.data();
}

std::string counts(std::span<const TestCase> cases) {
  double total = 0;
  for (const TestCase& each : cases) total += each.seconds;
  const auto failures = std::ranges::count_if(cases, [](const TestCase& each) { return !each.failure.empty(); });
  return " tests=\"" + std::to_string(cases.size()) + "\" failures=\"" + std::to_string(failures) + "\" errors=\"0\" time=\"" +
         seconds(total) + '"';
}

}  // namespace

std::string junit_xml(std::string_view suites_name, std::span<const TestCase> cases) {
  const std::string name = escaped_line(suites_name);
  std::string xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"" + name + '"' + counts(cases) + ">\n";
  xml += "  <testsuite name=\"" + name + '"' + counts(cases) + ">\n";
  for (const TestCase& each : cases) {
    xml += "    <testcase classname=\"" + escaped_line(each.suite) + "\" name=\"" + escaped_line(each.name) + "\" time=\"" +
           seconds(each.seconds);
    if (each.failure.empty()) {
      xml += "\"/>\n";
    } else {
      xml +=
          "\">\n      <failure message=\"" + escaped_line(each.failure) + "\">" + escaped(each.details) + "</failure>\n    </testcase>\n";
    }
  }
  return xml + "  </testsuite>\n</testsuites>\n";
}

}  // namespace tenure::sim::commands
