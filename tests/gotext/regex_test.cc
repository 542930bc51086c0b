#include "gotext/regex.h"

#include <gtest/gtest.h>

namespace weir::gotext {
namespace {

bool matches(std::string_view pattern, std::string_view text, Regex::Mode mode = Regex::Mode::search) {
  auto regex = Regex::compile(pattern, mode);
  EXPECT_TRUE(regex.ok()) << pattern;
  return regex.ok() && regex->matches(text);
}

TEST(Regex, Modes) {
  using Mode = Regex::Mode;
  EXPECT_TRUE(matches("b", "abc"));
  EXPECT_FALSE(matches("b", "abc", Mode::anchored));
  EXPECT_TRUE(matches("a|abc", "abc", Mode::anchored));
  EXPECT_FALSE(matches("a.c", "a\nc", Mode::anchored));
  EXPECT_TRUE(matches("a.c", "a\nc", Mode::anchored_all));
  EXPECT_FALSE(matches("b", "bc", Mode::anchored_all));
  EXPECT_FALSE(matches("^b", "a\nb"));
}

TEST(Regex, AnythingButUtf8IsOneCharacter) {
  EXPECT_TRUE(matches("a.b",
                      "a\xff"
                      "b"));
  EXPECT_FALSE(matches("a.b",
                       "a\xff\xff"
                       "b"));
  EXPECT_TRUE(matches("a..b",
                      "a\xff\xfe"
                      "b"));
  EXPECT_TRUE(matches("err.*end", "err \xc3 end"));
}

TEST(Regex, LiteralsFirst) {
  EXPECT_TRUE(matches("foo\\d+bar", "xfoo12bar"));
  EXPECT_FALSE(matches("foo\\d+bar", "xfoobar"));
  EXPECT_TRUE(matches("(foo|bar)[0-9]", "bar1"));
  EXPECT_FALSE(matches("(foo|bar)[0-9]", "baz1"));
  EXPECT_TRUE(matches("error|fail", "it failed"));
  EXPECT_TRUE(matches("(?i)error|fail", "ERROR"));
}

TEST(Regex, GoSpellings) {
  EXPECT_TRUE(matches("(?<name>a)b", "ab"));
  EXPECT_TRUE(matches("[(?<]", "<"));
  EXPECT_TRUE(matches("\\(?<", "<"));
  EXPECT_TRUE(matches("[]a]", "]"));
  EXPECT_TRUE(matches("\\pL+", "\xc3\xa9"));
}

TEST(Regex, Groups) {
  auto regex = Regex::compile("(?P<a>\\w+) (x)?(?<b>\\d+)?");
  ASSERT_TRUE(regex.ok());
  EXPECT_EQ(regex->group_names(), (std::vector<std::string>{"", "a", "", "b"}));
  std::vector<std::string_view> groups;
  ASSERT_TRUE(regex->find(Regex::Subject("say foo 12"), 4, groups));
  EXPECT_EQ(groups[1], "foo");
  EXPECT_EQ(groups[2], "");
  EXPECT_EQ(groups[3], "12");
  EXPECT_FALSE(regex->find("foo", groups));
}

TEST(Regex, FindAll) {
  const auto all = [](std::string_view pattern, std::string_view text, int count = 1) {
    const auto regex = Regex::compile(pattern);
    EXPECT_TRUE(regex.ok()) << pattern;
    std::vector<std::string_view> groups = {"left over"};
    const std::size_t matches = regex->find_all(text, count, groups);
    EXPECT_EQ(groups.size(), matches * static_cast<std::size_t>(count));
    std::string out;
    for (const std::string_view group : groups) out += "<" + std::string(group) + ">";
    return out;
  };
  EXPECT_EQ(all("[0-9]+", "1 22 333"), "<1><22><333>");
  EXPECT_EQ(all("(a)(b)?", "ab a", 3), "<ab><a><b><a><a><>");
  EXPECT_EQ(all("(a)(b)?", "ab a", 2), "<ab><a><a><a>");
  EXPECT_EQ(all("x", "abc"), "");
  EXPECT_EQ(all("x", ""), "");
  EXPECT_EQ(all("cat|dog", "bird"), "");
  EXPECT_EQ(all("[0-9]*", "a1b"), "<1>") << "empty matches are left out";
  EXPECT_EQ(all("^a", "aaa"), "<a>") << "a text has one beginning";
  EXPECT_EQ(all("\\bb", "b ab b"), "<b><b>");
  EXPECT_EQ(all("a.",
                "\xff"
                "a\xfe"
                "ab",
                1),
            "<a\xfe><ab>")
      << "bytes that are not UTF-8 stay what they are";
  EXPECT_EQ(all("(((((((((((a)))))))))))", "aa", 12).size(), 24 * 3U);
}

TEST(Regex, RefusesRepeatsThatAreTooManyAtOnce) {
  const auto repeats = [](int count, std::string_view one) {
    std::string pattern;
    for (int i = 0; i < count; ++i) pattern += one;
    return pattern;
  };
  for (const std::string& pattern : {repeats(3'400, "a{1000}"), repeats(34'000, "a{100,}"), repeats(7'000, "(?:b{500,600})")}) {
    const auto regex = Regex::compile(pattern, Regex::Mode::search);
    ASSERT_FALSE(regex.ok());
    EXPECT_EQ(regex.error().message, "error parsing regexp: expression too large: `" + pattern + "`");
  }
  for (const std::string& pattern :
       {repeats(3'400, "\\{1000}"), repeats(3'400, "[{1000}]"), "\\Q" + repeats(3'400, "a{1000}"), repeats(10, "a{1000}")})
    EXPECT_TRUE(Regex::compile(pattern, Regex::Mode::search).ok()) << pattern.substr(0, 20);
}

TEST(Regex, ErrorsAreWordedAsInGo) {
  auto t = [](std::string_view pattern, std::string_view expected) {
    auto regex = Regex::compile(pattern);
    ASSERT_FALSE(regex.ok()) << pattern;
    EXPECT_EQ(regex.error().message, expected);
  };
  t("(", "error parsing regexp: missing closing ): `(`");
  t("a(b", "error parsing regexp: missing closing ): `a(b`");
  t("^^^^x43\\q", "error parsing regexp: invalid escape sequence: `\\q`");
  t("[a", "error parsing regexp: missing closing ]: `[a`");
  t("*", "error parsing regexp: missing argument to repetition operator: `*`");
  t("(?=a)", "error parsing regexp: invalid or unsupported Perl syntax: `(?=`");
}

}  // namespace
}  // namespace weir::gotext
