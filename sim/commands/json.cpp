#include "sim/commands/json.hpp"

#include <array>
#include <cstdio>

#include "sim/timeline_events.hpp"

namespace tenure::sim::commands {

void JsonWriter::separate() {
  if (comma_) text_ += ',';
  comma_ = true;
}

void JsonWriter::scalar(std::string_view text) {
  separate();
  text_ += text;
}

void JsonWriter::open(char bracket) {
  separate();
  text_ += bracket;
  comma_ = false;
}

void JsonWriter::close(char bracket) {
  text_ += bracket;
  comma_ = true;
}

JsonWriter& JsonWriter::key(std::string_view name) {
  value(name);
  text_ += ':';
  comma_ = false;
  return *this;
}

void JsonWriter::value(std::string_view text) {
  separate();
  text_ += '"';
  for (const char c : timeline::clean(text)) {
    if (c == '"' || c == '\\') text_ += '\\';
    text_ += c;
  }
  text_ += '"';
}

void JsonWriter::value(double number) {
  std::array<char, 64> digits{};
  std::snprintf(digits.data(), digits.size(), "%.3f", number);
  scalar(digits.data());
}

void JsonWriter::hash(std::uint64_t number) {
  std::array<char, 32> digits{};
  std::snprintf(digits.data(), digits.size(), "%016llx", static_cast<unsigned long long>(number));
  value(digits.data());
}

}  // namespace tenure::sim::commands
