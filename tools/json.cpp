#include "tools/json.hpp"

#include <array>
#include <cstdio>

#include "tools/text.hpp"

namespace tenure::tools {

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
  while (!text.empty()) {
    const std::optional<Character> character = first_character(text);
    const std::size_t bytes = character ? character->bytes : 1;
    if (!character) {
      text_ += "\xEF\xBF\xBD";
    } else if (character->number < 0x20 || (character->number >= 0x7F && character->number < 0xA0)) {
      std::array<char, 8> escape{};
      std::snprintf(escape.data(), escape.size(), "\\u%04x", character->number);
      text_ += escape.data();
    } else {
      if (text[0] == '"' || text[0] == '\\') text_ += '\\';
      text_ += text.substr(0, bytes);
    }
    text.remove_prefix(bytes);
  }
  text_ += '"';
}

void JsonWriter::value(double number) {
  std::array<char, 64> digits{};
  std::snprintf(digits.data(), digits.size(), "%.3f", number);
  scalar(digits.data());
}

}  // namespace tenure::tools
