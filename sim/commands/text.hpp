// Text for people and from people.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tenure::sim::commands {

// Control characters, and what is not UTF-8, become '?'.
[[nodiscard]] std::string clean(std::string_view text);
// As much of it as a person wants to see, clean, between double quotes.
[[nodiscard]] std::string quoted(std::string_view text);
// As an argument that can be pasted into a shell.
[[nodiscard]] std::string shell_word(std::string_view text);

// A decimal number without sign or blanks.
[[nodiscard]] std::optional<std::uint64_t> parse_number(std::string_view text);
// Seconds from "2", "0.25", "500ms", "1.5s", "2m", "1h"; at most ten years.
[[nodiscard]] std::optional<double> parse_duration(std::string_view text);

// "1,234,567"
[[nodiscard]] std::string grouped(std::uint64_t number);
// "870 ms", "1.5 s", "2 min 5 s".
[[nodiscard]] std::string seconds_text(double seconds);
// "1 run", "2 runs".
[[nodiscard]] std::string counted(std::uint64_t count, std::string_view what);

// Columns as wide as their widest cell, two blanks apart.
[[nodiscard]] std::string table_text(const std::vector<std::vector<std::string>>& rows);
// Lines of at most so many columns, broken at blanks.
[[nodiscard]] std::string wrapped(std::string_view text, std::size_t columns = 100);

// Up to five of the names that a mistyped one may have meant, the nearest first.
[[nodiscard]] std::vector<std::string> near_matches(std::string_view typed, std::span<const std::string> names);

// Standard output. False: it could not be written in full, and that has been said.
[[nodiscard]] bool print(std::string_view text);
// Standard error, each line after the program's name.
void complain(std::string_view program, std::string_view text);

}  // namespace tenure::sim::commands
