#include "core/name.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace tenure::core {
namespace {

TEST(NameTest, Bounds) {
  EXPECT_EQ(fault_of_name(""), NameFault::empty);
  EXPECT_EQ(fault_of_name("a"), NameFault::sound);
  EXPECT_EQ(fault_of_name(std::string(200, 'a')), NameFault::sound);
  EXPECT_EQ(fault_of_name(std::string(201, 'a')), NameFault::too_long);
}

TEST(NameTest, ControlCharactersAreRefused) {
  for (const char* name : {"a\nb", "a\x1b[31m", "\x7f", "a\xC2\x85z"}) {
    EXPECT_EQ(fault_of_name(name), NameFault::control_character) << testing::PrintToString(name);
  }
  EXPECT_EQ(fault_of_name(std::string_view("a\0b", 3)), NameFault::control_character);
}

TEST(NameTest, Utf8) {
  EXPECT_EQ(fault_of_name("backups/größe/日本/😀"), NameFault::sound);
  for (const char* name : {"\xff", "a\x80", "\xC0\xAF", "\xE0\x80\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xE6\x97"}) {
    EXPECT_EQ(fault_of_name(name), NameFault::not_utf8) << testing::PrintToString(name);
  }
}

TEST(NameTest, ExtensionsCoverTheLongestName) {
  EXPECT_EQ(NameWords(std::string(64, 'x')).extension_count(), 0u);
  EXPECT_EQ(NameWords(std::string(65, 'x')).extension_count(), 1u);
  EXPECT_EQ(NameWords(std::string(176, 'x')).extension_count(), 1u);
  EXPECT_EQ(NameWords(std::string(200, 'x')).extension_count(), 2u);
  EXPECT_GE(name_bytes_inline + extensions_max * name_bytes_extension, name_bytes_max);
}

TEST(NameTest, HashesSpreadOverTheGroups) {
  std::set<uint64_t> hashes;
  uint32_t counts[64] = {};
  for (int i = 0; i < 64 * 200; ++i) {
    const NameWords name("jobs/" + std::to_string(i));
    hashes.insert(name.hash);
    ++counts[group_of(name.hash, 64)];
    EXPECT_LT(probe_start(name.hash), group_entries);
  }
  EXPECT_EQ(hashes.size(), 64u * 200u);
  for (const uint32_t count : counts) {
    EXPECT_GT(count, 120u);
    EXPECT_LT(count, 300u);
  }
}

}  // namespace
}  // namespace tenure::core
