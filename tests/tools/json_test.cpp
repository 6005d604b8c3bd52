#include "tools/json.hpp"

#include <gtest/gtest.h>

namespace tenure::tools {
namespace {

TEST(Json, PutsCommasAndQuotes) {
  JsonWriter json;
  json.open_object();
  json.key("a").value(true);
  json.key("list").open_array();
  json.value(std::uint32_t{1});
  json.null();
  json.open_object();
  json.close_object();
  json.close_array();
  json.key("b").value(1.5);
  json.close_object();
  EXPECT_EQ(json.text(), R"({"a":true,"list":[1,null,{}],"b":1.500})");
}

TEST(Json, TokensAreStrings) {
  JsonWriter json;
  json.token(9'223'372'036'854'775'807U);
  EXPECT_EQ(json.text(), "\"9223372036854775807\"");
}

TEST(Json, EscapesWhatHasToBe) {
  JsonWriter json;
  json.value(std::string_view("a\"\\\n\x1b\x7f\xff ü\0", 11));
  EXPECT_EQ(json.text(), "\"a\\\"\\\\\\u000a\\u001b\\u007f\xEF\xBF\xBD ü\\u0000\"");
}

}  // namespace
}  // namespace tenure::tools
