#include "names/logfmt_scanner.h"

#include <gtest/gtest.h>

#include <string>

namespace weir::names {
namespace {

// `key=value;` a pair, `key="value";` where it holds a backslash, `!why@position;` for what is broken.
std::string pairs(std::string_view line) {
  std::string out;
  LogfmtScanner in(line);
  while (true) {
    if (in.next()) {
      out += std::string(in.key) + "=" + (in.escaped ? "\"" : "") + std::string(in.value) + (in.escaped ? "\"" : "") + ";";
    } else if (in.why != nullptr) {
      out += "!" + std::string(in.why) + (in.found != '\0' ? std::string(1, in.found) : "") + "@" + std::to_string(in.position()) +
             ";";
    } else {
      return out;
    }
  }
}

TEST(LogfmtScanner, GivesPairs) {
  const auto f = [](std::string_view line, std::string_view expected) { EXPECT_EQ(pairs(line), expected) << line; };
  f("", "");
  f(" \t\r\n", "");
  f("a=1 b c=", "a=1;b=;c=;");
  f("a=\"x y\" b=\"\"", "a=x y;b=;");
  f(R"(a="x\"y" b=2)", R"(a="x\"y";b=2;)");
  f("a=1\x01"
    "b=2",
    "a=1;b=2;");
  f("gr\xc3\xb6\xc3\x9f"
    "e=1",
    "gr\xc3\xb6\xc3\x9f"
    "e=1;");
}

TEST(LogfmtScanner, NamesWhatIsBrokenAndGoesOn) {
  const auto f = [](std::string_view line, std::string_view expected) { EXPECT_EQ(pairs(line), expected) << line; };
  f("=x b=1", "!unexpected=@0;b=1;");
  f("a=b=c d=1", "!unexpected=@3;d=1;");
  f("a\"b c=1", "!unexpected\"@1;c=1;");
  f("a=x\"y b=1", "!unexpected\"@3;b=1;");
  f("a=\"x", "!unterminated quoted value@4;");
  f("a=\"x\\", "!unterminated quoted value@5;");
  f("\xff=1 b=2", "!invalid key@1;b=2;");
  f("\xef\xbf\xbd=1 b=2", "!invalid key@3;b=2;");
}

}  // namespace
}  // namespace weir::names
