#include "tools/status_page.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

namespace tenure::tools {
namespace {

class StatusPageText : public testing::Test {
 protected:
  StatusPageText() { EXPECT_TRUE(page_ != nullptr && make_bells(bells_)); }
  ~StatusPageText() override {
    close(bells_.guard);
    close(bells_.supervisor);
  }
  void say_it(const std::string& text) { say(*page_, bells_.guard, text); }
  StatusPage* page_ = map_status_page();
  BellPair bells_;
};

TEST_F(StatusPageText, IsTakenOnce) {
  say_it("one");
  say_it("two");
  EXPECT_EQ(take_text(*page_), "one\ntwo\n");
  EXPECT_EQ(take_text(*page_), "");
}

TEST_F(StatusPageText, HasNoEnd) {
  for (int i = 0; i < 1000; ++i) {
    const std::string line = std::to_string(i) + std::string(99, 'x');
    say_it(line);
    ASSERT_EQ(take_text(*page_), line + "\n");
  }
}

TEST_F(StatusPageText, WithoutRoomIsDroppedWhole) {
  const std::string half(StatusPage::text_bytes / 2, 'x');
  say_it(half);
  say_it(half);
  say_it("short");
  EXPECT_EQ(take_text(*page_), half + "\nshort\n");
  say_it(std::string(StatusPage::text_bytes, 'x'));
  say_it("after");
  EXPECT_EQ(take_text(*page_), "after\n");
}

}  // namespace
}  // namespace tenure::tools
