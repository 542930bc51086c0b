#include "tail/format.h"

#include "record/timestamp.h"

#include <gtest/gtest.h>

namespace weir::tail {
namespace {

TEST(ParseCri, Success) {
  const auto f = [](std::string_view line, std::string_view time, Stream stream, bool partial, std::string_view content) {
    const auto header = parse_cri(line);
    ASSERT_TRUE(header) << line;
    EXPECT_EQ(record::to_rfc3339(header->timestamp), time) << line;
    EXPECT_EQ(header->stream, stream) << line;
    EXPECT_EQ(header->partial, partial) << line;
    EXPECT_EQ(line.substr(header->size), content) << line;
  };
  f("2024-05-01T10:00:00.123456789Z stdout F hello", "2024-05-01T10:00:00.123456789Z", Stream::standard_output, false, "hello");
  f("2024-05-01T10:00:00.123456789+02:00 stderr P a b ", "2024-05-01T08:00:00.123456789Z", Stream::standard_error, true, "a b ");
  f("2024-05-01T10:00:00Z stdout F ", "2024-05-01T10:00:00Z", Stream::standard_output, false, "");
  f("2024-05-01T10:00:00Z stdout F  two", "2024-05-01T10:00:00Z", Stream::standard_output, false, " two");
  f("2024-05-01T10:00:00Z stdout P:x:y part", "2024-05-01T10:00:00Z", Stream::standard_output, true, "part");
  f("2024-05-01T10:00:00Z stdout F:P whole", "2024-05-01T10:00:00Z", Stream::standard_output, false, "whole");
  f("2024-05-01T10:00:00Z stdout F: whole", "2024-05-01T10:00:00Z", Stream::standard_output, false, "whole");
  // An empty content without the blank in front of it, as conmon 2.2.0 writes it.
  f("2024-05-01T10:00:00Z stdout F", "2024-05-01T10:00:00Z", Stream::standard_output, false, "");
  f("2024-05-01T10:00:00.123456789Z stderr F", "2024-05-01T10:00:00.123456789Z", Stream::standard_error, false, "");
  f("2024-05-01T10:00:00+02:00 stderr P", "2024-05-01T08:00:00Z", Stream::standard_error, true, "");
  f("2024-05-01T10:00:00Z stdout P:x:y", "2024-05-01T10:00:00Z", Stream::standard_output, true, "");
  f("2024-05-01T10:00:00Z stdout F:" + std::string(60, 'x') + " whole", "2024-05-01T10:00:00Z", Stream::standard_output, false,
    "whole");
}

TEST(ParseCri, Failure) {
  const auto f = [](std::string_view line) { EXPECT_FALSE(parse_cri(line)) << line; };
  f("");
  f("hello world");
  f("2024-05-01T10:00:00Z stdout ");
  f("2024-05-01T10:00:00Z stdout");
  // A tag is F or P, perhaps with further ones behind a colon.
  f("2024-05-01T10:00:00Z stdout hello world again");
  f("2024-05-01T10:00:00Z stdout PX whole");
  f("2024-05-01T10:00:00Z stdout FP whole");
  f("2024-05-01T10:00:00Z stdout f whole");
  f("2024-05-01T10:00:00Z stdout Panic: no memory");
  f("2024-05-01T10:00:00Z stdout x:F whole");
  f("2024-05-01T10:00:00Z stdout F:" + std::string(80, 'x') + " whole");
  f("2024-05-01T10:00:00Z stdout F\ttab");
  f("2024-05-01T10:00:00Z stdout  hello there");
  f("2024-05-01T10:00:00Z  stdout F hello");
  f("2024-05-01T10:00:00Z stdin F hello there");
  f("2024-13-01T10:00:00Z stdout F hello");
  f("2024-05-01 10:00:00Z stdout F hello");
  f("yesterday-ish-at-noon stdout F hello");
  f("2024-05-01T10:00:00Z stdout nospacebehindthetag");
}

TEST(IsUtf16, ByItsMark) {
  using namespace std::string_view_literals;
  EXPECT_TRUE(is_utf16("\xff\xfeh\0i\0"sv));
  EXPECT_TRUE(is_utf16("\xfe\xff\0h\0i"sv));
  EXPECT_TRUE(is_utf16("\xff\xfe"));
  EXPECT_FALSE(is_utf16("\xff"));
  EXPECT_FALSE(is_utf16("\xef\xbb\xbfhi"));
  EXPECT_FALSE(is_utf16(""));
}

TEST(ParseCri, CachedSecondGivesTheSameTimes) {
  SecondCache cache;
  for (const char* time :
       {"2024-05-01T10:00:00.1Z", "2024-05-01T10:00:00.123456789Z", "2024-05-01T10:00:00.000000001Z", "2024-05-01T10:00:00Z",
        "2024-05-01T10:00:00.5+02:00", "2024-05-01T10:00:01.25Z", "2016-12-31T23:59:60.5Z", "2016-12-31T23:59:60.25Z",
        "1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59.25Z", "2024-05-01T10:00:01.1234567891Z", "2024-05-01T10:00:01.9Z"}) {
    const std::string line = std::string(time) + " stdout F text";
    const auto header = parse_cri(line, cache);
    ASSERT_TRUE(header) << time;
    EXPECT_EQ(header->timestamp, *record::parse_rfc3339(time)) << time;
  }
  EXPECT_FALSE(parse_cri("2024-05-01T10:00:01.9xZ stdout F text", cache));
  EXPECT_FALSE(parse_cri("2024-05-01T10:00:01.Z stdout F text here", cache));
}

TEST(DetectFormat, BehindAByteOrderMarkAndZeros) {
  const std::string cri = "2024-05-01T10:00:00Z stdout F hello\n", docker = R"({"log":"x\n","time":"2024-05-01T10:00:00Z"})";
  for (const std::string& front : {std::string("\xef\xbb\xbf"), std::string(40, '\0')}) {
    EXPECT_EQ(detect_format(front + cri), Format::cri);
    EXPECT_EQ(detect_format(front + docker), Format::docker);
    EXPECT_EQ(detect_format(front + "hello\n"), Format::raw);
  }
  EXPECT_EQ(detect_format("2024-05-01T10:00:00Z stdout hello world again\n"), Format::raw);
  EXPECT_EQ(detect_format("2024-05-01T10:00:00Z stdout F\n"), Format::cri);
}

TEST(ParseDocker, Success) {
  const auto f = [](std::string_view line, std::string_view log, Stream stream) {
    const auto parsed = parse_docker(line);
    ASSERT_TRUE(parsed) << line;
    EXPECT_EQ(parsed->log, log) << line;
    EXPECT_EQ(parsed->stream, stream) << line;
    EXPECT_EQ(record::to_rfc3339(parsed->timestamp), "2024-05-01T10:00:00.5Z") << line;
  };
  f(R"({"log":"hello\n","stream":"stdout","time":"2024-05-01T10:00:00.5Z"})", R"(hello\n)", Stream::standard_output);
  f(R"({"time":"2024-05-01T10:00:00.5Z", "stream":"stderr", "log":"a\"b\u00e9"} )", R"(a\"b\u00e9)", Stream::standard_error);
  f(R"({"log":"x","attrs":{"a":"}","b":[1,true,{"c":null}]},"time":"2024-05-01T10:00:00.5Z"})", "x", Stream::none);
  f(R"({"log":"","stream":"stdout","time":"2024-05-01T10:00:00.5Z"})", "", Stream::standard_output);
}

TEST(ParseDocker, Failure) {
  const auto f = [](std::string_view line) { EXPECT_FALSE(parse_docker(line)) << line; };
  f("");
  f("hello");
  f("{}");
  f(R"({"log":"x"})");
  f(R"({"log":"x","time":"noon"})");
  f(R"({"log":1,"time":"2024-05-01T10:00:00.5Z"})");
  f(R"({"log":"x\q","time":"2024-05-01T10:00:00.5Z"})");
  f(R"({"log":"x\u00e","time":"2024-05-01T10:00:00.5Z"})");
  f(R"({"log":"x","time":"2024-05-01T10:00:00.5Z")");
  f(R"({"log":"x","time":"2024-05-01T10:00:00.5Z"} trailing)");
  f(R"({"level":"info","msg":"an application's own JSON"})");
}

TEST(DetectFormat, ByTheFirstLineThatTells) {
  const auto f = [](std::string_view text, Format want) { EXPECT_EQ(detect_format(text), want) << text; };
  const std::string cri = "2024-05-01T10:00:00Z stdout F hello\n";
  const std::string docker = R"({"log":"x\n","stream":"stdout","time":"2024-05-01T10:00:00.5Z"})"
                             "\n";
  f(cri, Format::cri);
  f(docker, Format::docker);
  f("plain\n", Format::raw);
  f("", Format::raw);
  f("rest of a line\n" + cri, Format::cri);
  f(cri.substr(0, cri.size() - 1), Format::cri);
  f("a\nb\nc\nd\ne\nf\ng\nh\n" + cri, Format::raw);
  EXPECT_EQ(detect_format("a\nb\nc\nd\ne\nf\ng\nh\n" + cri, 9), Format::cri);
}

}  // namespace
}  // namespace weir::tail
