// Names: which are valid, and where their hash sends them.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

#include "core/layout.hpp"

namespace tenure::core {

enum class NameFault : uint8_t { sound, empty, too_long, control_character, not_utf8 };

namespace detail {
// Length of the well-formed UTF-8 sequence at the front of `text`, 0 if there is none (overlong forms, surrogates, above U+10FFFF).
[[nodiscard]] constexpr std::size_t utf8_sequence_bytes(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto continues = [&](std::size_t i, unsigned low = 0x80, unsigned high = 0xBF) {
    return i < text.size() && byte(i) >= low && byte(i) <= high;
  };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return continues(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    return continues(1, first == 0xE0 ? 0xA0 : 0x80, first == 0xED ? 0x9F : 0xBF) && continues(2) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    return continues(1, first == 0xF0 ? 0x90 : 0x80, first == 0xF4 ? 0x8F : 0xBF) && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}
}  // namespace detail

// A name is 1 to 200 bytes of UTF-8 without control characters (C0, DEL, C1).
[[nodiscard]] constexpr NameFault fault_of_name(std::string_view name) {
  if (name.empty()) return NameFault::empty;
  if (name.size() > name_bytes_max) return NameFault::too_long;
  for (std::string_view rest = name; !rest.empty();) {
    const std::size_t bytes = detail::utf8_sequence_bytes(rest);
    if (bytes == 0) return NameFault::not_utf8;
    const auto first = static_cast<unsigned char>(rest[0]);
    if (first < 0x20 || first == 0x7F) return NameFault::control_character;
    if (first == 0xC2 && static_cast<unsigned char>(rest[1]) < 0xA0) return NameFault::control_character;
    rest.remove_prefix(bytes);
  }
  return NameFault::sound;
}

// A name as the words of an entry hold it: padded with zeros to whole words.
struct NameWords {
  static constexpr std::size_t count_max = name_bytes_max / 8;
  uint64_t words[count_max] = {};
  uint32_t bytes = 0;
  uint64_t hash = 0;  // 56 bits of it; the low byte is the length

  // REQUIRES: fault_of_name(name) == sound.
  explicit NameWords(std::string_view name) : bytes(static_cast<uint32_t>(name.size())) {
    std::memcpy(words, name.data(), name.size());
    hash = mixed(0x9E37'79B9'7F4A'7C15 ^ bytes);
    for (std::size_t i = 0; i < word_count(); ++i) hash = mixed(hash ^ words[i]);
    hash = (hash & ~uint64_t{0xFF}) | bytes;
  }
  [[nodiscard]] static constexpr uint64_t bytes_in(uint64_t stored_hash) { return stored_hash & 0xFF; }
  [[nodiscard]] std::size_t word_count() const { return (bytes + 7) / 8; }
  [[nodiscard]] uint32_t extension_count() const {
    if (bytes <= name_bytes_inline) return 0;
    return (bytes - name_bytes_inline + name_bytes_extension - 1) / name_bytes_extension;
  }

 private:
  // A 64-bit finalizer: every bit of the input reaches every bit of the output.
  static constexpr uint64_t mixed(uint64_t value) {
    value = (value ^ (value >> 32)) * 0xD6E8'FEB8'6659'FD93;
    value = (value ^ (value >> 32)) * 0xD6E8'FEB8'6659'FD93;
    return value ^ (value >> 32);
  }
};

[[nodiscard]] constexpr uint32_t group_of(uint64_t hash, uint32_t groups) { return static_cast<uint32_t>(((hash >> 32) * groups) >> 32); }
// The low byte of the hash is the length.
[[nodiscard]] constexpr uint32_t probe_start(uint64_t hash) { return static_cast<uint32_t>(hash >> 8) % group_entries; }

}  // namespace tenure::core
