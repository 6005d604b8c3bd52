// Text for people and from people: nothing that the table or an argument says reaches a terminal before clean() has seen it.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tenure::tools {

// Control characters, those that turn the direction of writing, and what is not UTF-8, become '?'.
[[nodiscard]] std::string clean(std::string_view text);

// As much of a long text as a person wants to see of it: its beginning and its end. Names are shorter than that.
[[nodiscard]] std::string clipped(std::string_view text, std::size_t bytes_max = 400);

// Clipped and clean, between double quotes.
[[nodiscard]] std::string quoted(std::string_view text);

// As an argument that can be pasted into a shell; clean.
[[nodiscard]] std::string shell_word(std::string_view text);

// Whether `text` starts with one character of well-formed UTF-8: its bytes and its number, or no value.
struct Character {
  std::size_t bytes;
  std::uint32_t number;
};
[[nodiscard]] std::optional<Character> first_character(std::string_view text);

// A decimal number without sign or blanks.
[[nodiscard]] std::optional<std::uint64_t> parse_number(std::string_view text);

// "2", "0.25" (seconds), "500ms", "1.5s", "2m", "1h"; at most ten years.
[[nodiscard]] std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text);

// "87 ms", "1.5 s", "2 min 5 s", "3 h 20 min", "4 d 2 h".
[[nodiscard]] std::string duration_text(std::chrono::nanoseconds duration);

// For JSON.
[[nodiscard]] constexpr double seconds_of(std::chrono::nanoseconds duration) { return std::chrono::duration<double>(duration).count(); }

// "2026-11-21 14:02:11", in the time zone of this process.
[[nodiscard]] std::string moment_text(std::chrono::nanoseconds ago);

// Of this host; not clean.
[[nodiscard]] std::string host_name();

// "1 stands before this one".
[[nodiscard]] std::string before_text(std::size_t count);

// "user alice", or "user 1000" where the host has no name for it.
[[nodiscard]] std::string user_text(uid_t user);

// Columns as wide as their widest cell, two blanks apart; the last one as long as it is.
[[nodiscard]] std::string table_text(const std::vector<std::vector<std::string>>& rows);

// Standard output. False: it could not be written in full, and that has been said on standard error.
[[nodiscard]] bool print(std::string_view text);

// Standard error, each line after "tenure: ". Never waits for a reader: what a full pipe does not take within a moment is dropped.
void complain(std::string_view text);

}  // namespace tenure::tools
