// Each rule twice: the project keeps it, and a text that breaks it is refused.
#include "tests/rules/rules.hpp"

#include <gtest/gtest.h>

#include <string>

namespace tenure::rules {
namespace {

const Tree& project() {
  static const Tree tree = read_tree(TENURE_SOURCE_DIR);
  return tree;
}

std::string listed(const Findings& findings) {
  std::string text;
  for (const std::string& finding : findings) text += finding + "\n";
  return text;
}

TEST(Rules, TheTreeIsThere) {
  EXPECT_GT(project().size(), 20U);
  EXPECT_FALSE(public_headers(project()).empty());
}

TEST(Rules, FolderArrows) { EXPECT_EQ(listed(folder_arrows(project())), ""); }
TEST(Rules, CoreIncludes) { EXPECT_EQ(listed(core_includes(project())), ""); }
TEST(Rules, CoreWords) { EXPECT_EQ(listed(core_words(project())), ""); }
TEST(Rules, PublicIncludes) { EXPECT_EQ(listed(public_includes(project())), ""); }
TEST(Rules, PragmaOnce) { EXPECT_EQ(listed(pragma_once(project())), ""); }
TEST(Rules, LineWidth) { EXPECT_EQ(listed(line_width(project())), ""); }
TEST(Rules, Unfinished) { EXPECT_EQ(listed(unfinished(project())), ""); }
TEST(Rules, DeadFiles) { EXPECT_EQ(listed(dead_files(project())), ""); }
TEST(Rules, PlatformTemplates) { EXPECT_EQ(listed(platform_templates(project())), ""); }
TEST(Rules, OneTargetAFolder) { EXPECT_EQ(listed(one_target_a_folder(project())), ""); }

TEST(CodeOnly, BlanksCommentsAndLiterals) {
  EXPECT_EQ(code_only("a /* new */ b // new\nc"), "a           b       \nc");
  EXPECT_EQ(code_only("f(\"new \\\" new\", 'n', 1'000)"), "f(            ,    , 1'000)");
  EXPECT_EQ(code_only("R\"x(new)x\" d"), "           d");
  EXPECT_EQ(code_only("\"open\nnew"), "     \nnew");
}

TEST(Refused, FolderArrows) {
  const Tree tree{{"ipc/include/tenure/space.hpp", ""},
                  {"core/a.hpp", "#include \"ipc/b.hpp\"\n#include \"core/c.hpp\"\n"},
                  {"core/d.hpp", "#  include <tenure/space.hpp>\n"},
                  {"sim/e.hpp", "#include \"ipc/b.hpp\"\n"},
                  {"ipc/f.cpp", "#include \"b.hpp\"\n#include <tenure/space.hpp>\n"},
                  {"tools/g.cpp", "#include \"tests/h.hpp\"\n"},
                  {"tests/i.cpp", "#include \"sim/e.hpp\"\n#include \"ipc/b.hpp\"\n#include \"tools/g.hpp\"\n"}};
  EXPECT_EQ(listed(folder_arrows(tree)),
            "core/a.hpp:1: core/ may not include ipc/b.hpp of ipc/\n"
            "core/d.hpp:1: core/ may not include tenure/space.hpp of ipc/\n"
            "sim/e.hpp:1: sim/ may not include ipc/b.hpp of ipc/\n"
            "ipc/f.cpp:1: \"b.hpp\" does not start at the root of the repository\n"
            "tools/g.cpp:1: tools/ may not include tests/h.hpp of tests/\n");
}

TEST(Refused, CoreIncludes) {
  const Tree tree{{"core/a.hpp", "#include <atomic>\n#include <unistd.h>\n#include <vector>\n"}, {"ipc/b.hpp", "#include <unistd.h>\n"}};
  EXPECT_EQ(core_includes(tree).size(), 2U);
}

TEST(Refused, CoreWords) {
  const Tree tree{
      {"core/a.hpp", "int* p = new int;  // a new one\nvoid f() { throw 1; }\nbool try_take();\nvoid g() try {} catch (...) {}\n"},
      {"ipc/b.cpp", "int* p = new int;\n"}};
  EXPECT_EQ(core_words(tree).size(), 4U);
}

TEST(Refused, PublicIncludes) {
  const Tree tree{
      {"ipc/include/tenure/a.hpp", "#include <string>\n#include <tenure/b.hpp>\n#include <boost/version.hpp>\n#include <unistd.h>\n"},
      {"ipc/include/tenure/c.hpp", "#include \"core/d.hpp\"\n"},
      {"ipc/include/tenure/e.h", "#include <stdint.h>\n"}};
  EXPECT_EQ(public_includes(tree).size(), 3U);
}

TEST(Refused, PragmaOnce) {
  const Tree tree{{"core/a.hpp", "// what it is\n#pragma once\n"}, {"core/b.hpp", "// what it is\n"}};
  EXPECT_EQ(pragma_once(tree).size(), 1U);
}

TEST(Refused, LineWidth) {
  const Tree tree{{"core/a.hpp", std::string(140, 'a') + "\n" + std::string(141, 'a') + "\n"},
                  {"b.cpp", std::string(138, 'a') + "\u00e9\u00e9\n"}};
  EXPECT_EQ(listed(line_width(tree)), "core/a.hpp:2: wider than 140\n");
}

TEST(Refused, Unfinished) {
  const Tree tree{{"core/a.hpp",
                   "// TO"
                   "DO later\n// MASTODON\n"},
                  {"tools/b",
                   "# FIX"
                   "ME\n"}};
  EXPECT_EQ(unfinished(tree).size(), 2U);
}

TEST(Refused, DeadFiles) {
  const Tree tree{{"tests/CMakeLists.txt", "tenure_test(t SOURCES core/a_test.cpp script.sh)\n# b_test.cpp\n"},
                  {"tests/core/a_test.cpp", "#include \"tests/core/used.hpp\"\n"},
                  {"tests/b_test.cpp", ""},
                  {"tests/script.sh", ""},
                  {"tests/forgotten.sh", ""},
                  {"tests/core/used.hpp", ""},
                  {"core/unread.hpp", "#include \"core/unread.hpp\"\n"}};
  EXPECT_EQ(listed(dead_files(tree)),
            "tests/b_test.cpp:1: no CMakeLists.txt names it\n"
            "tests/forgotten.sh:1: no CMakeLists.txt names it\n"
            "core/unread.hpp:1: no file includes it\n");
}

TEST(Refused, PlatformTemplates) {
  Tree tree;
  for (int i = 0; i < 6; ++i) tree.push_back({"core/" + std::to_string(i) + ".hpp", "template <class P>\nclass A;\n"});
  tree.push_back({"core/0.inl.hpp", "template <class P>\nvoid A<P>::f() {}\n"});
  tree.push_back({"core/pure.hpp", "// template <class P>\n"});
  EXPECT_EQ(listed(platform_templates(tree)), "");
  tree.push_back({"core/6.hpp", "template <class P, int n>\nclass A;\n"});
  EXPECT_EQ(platform_templates(tree).size(), 7U);
}

TEST(Refused, OneTargetAFolder) {
  const Tree tree{{"core/CMakeLists.txt", "add_library(a INTERFACE)\n# add_library(b)\n"},
                  {"ipc/CMakeLists.txt", "add_library(c c.cpp)\nadd_library(c::c ALIAS c)\n"},
                  {"sim/CMakeLists.txt", "add_library(d d.cpp)\nadd_executable(e e.cpp)\n"},
                  {"tools/sim/CMakeLists.txt", "add_executable(f f.cpp)\n"}};
  EXPECT_EQ(listed(one_target_a_folder(tree)), "sim/: 2 targets, not one\ntools/: 0 targets, not one\n");
}

}  // namespace
}  // namespace tenure::rules
