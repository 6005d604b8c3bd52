#include "tools/text.hpp"

#include <poll.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <ctime>

namespace tenure::tools {
namespace {

constexpr std::chrono::nanoseconds duration_max = std::chrono::hours(24) * 3653;
constexpr int complaint_patience_ms = 100;

bool is_fit_to_show(std::uint32_t character) {
  const bool control = character < 0x20 || (character >= 0x7F && character < 0xA0);
  const bool line_break = character == 0x2028 || character == 0x2029;
  const bool turns = character == 0x061C || character == 0x200E || character == 0x200F || (character >= 0x202A && character <= 0x202E) ||
                     (character >= 0x2066 && character <= 0x2069);
  return !control && !line_break && !turns && character != 0xFEFF;
}

// Digits with at most nine behind the point, as billionths; takes them from the front of `text`.
std::optional<std::uint64_t> take_billionths(std::string_view& text) {
  std::uint64_t number = 0;
  std::size_t digits = 0;
  bool behind_point = false;
  std::uint64_t unit = 1'000'000'000;
  for (; !text.empty(); text.remove_prefix(1)) {
    const char c = text.front();
    if (c == '.' && !behind_point) {
      behind_point = true;
    } else if (c >= '0' && c <= '9') {
      const auto digit = static_cast<std::uint64_t>(c - '0');
      if (behind_point) {
        unit /= 10;
        number += digit * unit;
      } else {
        if (number > UINT64_MAX / 100) return std::nullopt;
        number = number * 10 + digit * unit;
      }
      ++digits;
    } else {
      break;
    }
  }
  return digits == 0 ? std::nullopt : std::optional(number);
}

std::string with_unit(std::uint64_t number, const char* unit) { return std::to_string(number) + " " + unit; }

std::string two_units(std::uint64_t number, std::uint64_t base, const char* large, const char* small) {
  std::string text = with_unit(number / base, large);
  if (number % base != 0) (text += ' ') += with_unit(number % base, small);
  return text;
}

std::size_t columns(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

// A pipe that can be written to takes this much without waiting, so nobody hangs on a reader who does not read.
bool write_without_waiting(int descriptor, std::string_view text) {
  while (!text.empty()) {
    pollfd ready{descriptor, POLLOUT, 0};
    // Without a reader it would end this process by SIGPIPE.
    if (poll(&ready, 1, complaint_patience_ms) <= 0 || (ready.revents & (POLLERR | POLLNVAL)) != 0) return false;
    const ssize_t written = write(descriptor, text.data(), std::min<std::size_t>(text.size(), PIPE_BUF));
    if (written <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace

std::optional<Character> first_character(std::string_view text) {
  if (text.empty()) return std::nullopt;
  const auto lead = static_cast<unsigned char>(text[0]);
  if (lead < 0x80) return Character{1, lead};
  const std::size_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < bytes) return std::nullopt;
  std::uint32_t number = lead & (0xFFU >> (bytes + 1));
  for (std::size_t i = 1; i < bytes; ++i) {
    const auto next = static_cast<unsigned char>(text[i]);
    if ((next & 0xC0U) != 0x80U) return std::nullopt;
    number = (number << 6U) | (next & 0x3FU);
  }
  constexpr std::array<std::uint32_t, 5> smallest{0, 0, 0x80, 0x800, 0x10000};
  if (number < smallest[bytes] || number > 0x10FFFF || (number >= 0xD800 && number <= 0xDFFF)) return std::nullopt;
  return Character{bytes, number};
}

std::string clean(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const std::optional<Character> character = first_character(text);
    const std::size_t bytes = character ? character->bytes : 1;
    if (character && is_fit_to_show(character->number)) {
      result += text.substr(0, bytes);
    } else {
      result += '?';
    }
    text.remove_prefix(bytes);
  }
  return result;
}

std::string clipped(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return std::string(text);
  // Not in the middle of a character.
  const auto is_inside = [text](std::size_t at) { return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U; };
  std::size_t head = bytes_max / 2;
  std::size_t tail = text.size() - bytes_max / 2;
  while (head > 0 && is_inside(head)) --head;
  while (is_inside(tail)) ++tail;
  return std::string(text.substr(0, head)).append("...").append(text.substr(tail));
}

std::string quoted(std::string_view text) {
  std::string result(1, '"');
  return (result += clean(clipped(text))) += '"';
}

std::string shell_word(std::string_view text) {
  std::string shown = clean(text);
  const auto plain = [](char c) {
    return std::strchr("@%+=:,./_-", c) != nullptr || (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
  };
  if (!shown.empty() && std::ranges::all_of(shown, plain)) return shown;
  std::string word(1, '\'');
  for (const char c : shown) c == '\'' ? word += "'\\''" : word += c;
  return word += '\'';
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t number = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    const auto digit = static_cast<std::uint64_t>(c - '0');
    if (number > (UINT64_MAX - digit) / 10) return std::nullopt;
    number = number * 10 + digit;
  }
  return text.empty() ? std::nullopt : std::optional(number);
}

std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text) {
  const std::optional<std::uint64_t> billionths = take_billionths(text);
  if (!billionths) return std::nullopt;
  std::uint64_t factor = 1;
  std::uint64_t divisor = 1;
  if (text == "ms") {
    divisor = 1000;
  } else if (text == "m") {
    factor = 60;
  } else if (text == "h") {
    factor = 3600;
  } else if (!text.empty() && text != "s") {
    return std::nullopt;
  }
  const std::uint64_t scaled = *billionths / divisor;
  if (scaled > static_cast<std::uint64_t>(duration_max.count()) / factor) return std::nullopt;
  return std::chrono::nanoseconds(scaled * factor);
}

std::string duration_text(std::chrono::nanoseconds duration) {
  const std::uint64_t milliseconds = duration.count() <= 0 ? 0 : static_cast<std::uint64_t>(duration.count()) / 1'000'000;
  const std::uint64_t seconds = milliseconds / 1000;
  if (milliseconds < 1000) return with_unit(milliseconds, "ms");
  if (seconds < 60) {
    const std::uint64_t tenths = milliseconds % 1000 / 100;
    return std::to_string(seconds) + (tenths == 0 ? std::string() : std::string(".").append(std::to_string(tenths))) + " s";
  }
  if (seconds < 3600) return two_units(seconds, 60, "min", "s");
  if (seconds < 86400) return two_units(seconds / 60, 60, "h", "min");
  return two_units(seconds / 3600, 24, "d", "h");
}

std::string moment_text(std::chrono::nanoseconds ago) {
  using std::chrono::system_clock;
  const std::time_t moment = system_clock::to_time_t(system_clock::now() - std::chrono::duration_cast<system_clock::duration>(ago));
  std::tm parts{};
  std::array<char, 64> text{};
  if (localtime_r(&moment, &parts) == nullptr) return {};
  text[std::strftime(text.data(), text.size() - 1, "%Y-%m-%d %H:%M:%S", &parts)] = '\0';
  return text.data();
}

std::string host_name() {
  std::array<char, HOST_NAME_MAX + 1> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

std::string before_text(std::size_t count) { return std::to_string(count) + (count == 1 ? " stands" : " stand") + " before this one"; }

std::string user_text(uid_t user) {
  std::array<char, 1024> buffer{};
  passwd entry{};
  passwd* found = nullptr;
  if (getpwuid_r(user, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr) {
    return std::string("user ").append(clean(found->pw_name));
  }
  return std::string("user ").append(std::to_string(user));
}

std::string table_text(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], columns(row[i]));
  }
  std::string text;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      text += row[i];
      if (i + 1 < row.size()) text.append(widths[i] - columns(row[i]) + 2, ' ');
    }
    text += '\n';
  }
  return text;
}

bool print(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(STDOUT_FILENO, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      complain(std::string("cannot write to standard output: ") + std::strerror(errno));
      return false;
    }
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

void complain(std::string_view text) {
  std::string lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    ((lines += "tenure: ") += text.substr(0, end)) += '\n';
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  static_cast<void>(write_without_waiting(STDERR_FILENO, lines));
}

}  // namespace tenure::tools
