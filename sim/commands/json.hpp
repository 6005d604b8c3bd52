// Writes JSON, one value after the other. Commas and quoting are its own business; objects and arrays are closed by whoever opens them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tenure::sim::commands {

class JsonWriter {
 public:
  void open_object() { open('{'); }
  void close_object() { close('}'); }
  void open_array() { open('['); }
  void close_array() { close(']'); }
  JsonWriter& key(std::string_view name);  // REQUIRES: in an object; a value comes next

  void value(std::string_view text);  // what is not UTF-8, and control characters, become U+FFFD
  void value(const std::string& text) { value(std::string_view(text)); }
  void value(const char* text) { value(std::string_view(text)); }
  void value(bool truth) { scalar(truth ? "true" : "false"); }
  void value(std::uint64_t number) { scalar(std::to_string(number)); }
  void value(std::uint32_t number) { scalar(std::to_string(number)); }
  void value(double number);  // with at most three digits behind the point
  // As a string of hexadecimal digits, since many readers keep 53 bits of a number.
  void hash(std::uint64_t number);
  void null() { scalar("null"); }

  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  void separate();
  void scalar(std::string_view text);
  void open(char bracket);
  void close(char bracket);

  std::string text_;
  bool comma_ = false;  // whether something stands before the next value
};

}  // namespace tenure::sim::commands
