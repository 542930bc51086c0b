#include "base/visible.h"

#include "base/clock.h"
#include "base/diagnostics.h"

#include <gtest/gtest.h>

namespace weir::base {
namespace {

TEST(Visible, EscapesWhatCouldChangeWhatSomebodySees) {
  const auto f = [](std::string_view text, std::string_view expected) { EXPECT_EQ(escape_control(text), expected); };
  f("a b~ \xc3\xa9 \xe4\xb8\x96 \xf0\x9f\x98\x80", "a b~ \xc3\xa9 \xe4\xb8\x96 \xf0\x9f\x98\x80");
  f(std::string_view("\0\x01\x1f", 3), "\\x00\\x01\\x1f");
  f("a\nb\tc\rd", "a\\nb\\tc\\rd");
  f("\x7f", "\\x7f");                                      // DEL
  f("\xc2\x80\xc2\x9b\xc2\x9f", "\\u0080\\u009b\\u009f");  // C1
  f("\xc2\xa0", "\xc2\xa0");
  f("\xe2\x80\xa7|\xe2\x80\xa8|\xe2\x80\xa9", "\xe2\x80\xa7|\\u2028|\\u2029");  // line and paragraph separator
  f("\xe2\x80\xaa\xe2\x80\xae|\xe2\x80\xaf", "\\u202a\\u202e|\xe2\x80\xaf");    // embeddings and overrides of direction
  f("\xe2\x81\xa5|\xe2\x81\xa6\xe2\x81\xa9|\xe2\x81\xaa", "\xe2\x81\xa5|\\u2066\\u2069|\xe2\x81\xaa");  // isolates
  f("\xe2\x80\x8d\xe2\x80\x8e", "\xe2\x80\x8d\xe2\x80\x8e");  // joiners and marks belong to the writing of languages
  f("\xff\xc3", "\\xff\\xc3");
  f("\xc0\x80|\xed\xa0\x80|\xf4\x90\x80\x80", "\\xc0\\x80|\\xed\\xa0\\x80|\\xf4\\x90\\x80\\x80");
  f("\xe2\x80", "\\xe2\\x80");
}

TEST(Visible, EscapingTwiceChangesNothing) {
  const std::string once = escape_control("a\n\xc2\x9b\xff\xe2\x80\xae");
  EXPECT_EQ(escape_control(once), once);
}

TEST(Visible, PrefixEndsWhereSomethingMustBeEscaped) {
  EXPECT_EQ(visible_prefix(""), 0U);
  EXPECT_EQ(visible_prefix("ab\xc3\xa9"), 4U);
  EXPECT_EQ(visible_prefix("ab\xc3\xa9\x1b"), 4U);
  EXPECT_EQ(visible_prefix("\xc2\x9b"), 0U);
}

// Who reads stderr for "weir push: " must find what weir said, and nothing that a log wrote.
TEST(Visible, NoTextOfOthersBeginsALineOfDiagnostics) {
  const auto diagnostics = Diagnostics::standard_error("push", Clock::system());
  testing::internal::CaptureStderr();
  diagnostics->say("cannot push {pod=\"a\nweir push: all is well\"}");
  diagnostics->warn("key", "b\r\nc");
  diagnostics->report(fail(Code::io, "cannot open 'x\ny'").with_hint("first\nsecond"));
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "weir push: cannot push {pod=\"a\\nweir push: all is well\"}\n"
            "weir push: b\\r\\nc\n"
            "weir push: cannot open 'x\\ny'\nweir push: first\nweir push: second\n");
}

TEST(Visible, EightBytesAtOnceAsOneByOne) {
  for (int at = 0; at < 20; ++at) {
    for (const char c : {'\x1f', '\x7f', '\n', '\x80', '\0'}) {
      std::string text(20, 'a');
      text[static_cast<std::size_t>(at)] = c;
      EXPECT_EQ(visible_prefix(text), static_cast<std::size_t>(at)) << int{c};
    }
  }
  EXPECT_EQ(visible_prefix(" ~ ~ ~ ~~~~~~~~~  "), 18U);
}

TEST(Visible, AppendVisible) {
  std::string out;
  append_visible(out, "a\tb\nc\x1b");
  EXPECT_EQ(out, "a\\tb\\nc\\x1b");
  out.clear();
  append_visible_line(out, "\ta\tb\nc");
  EXPECT_EQ(out, "\ta\tb\\nc");
  out.clear();
  append_visible(out, "a\nb\rc", [&out](std::string_view rest) -> std::size_t {
    if (rest[0] != '\n') return 0;
    out += "; ";
    return 1;
  });
  EXPECT_EQ(out, "a; b\\rc");
}

}  // namespace
}  // namespace weir::base
