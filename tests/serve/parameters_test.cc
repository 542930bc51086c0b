#include "serve/parameters.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

namespace weir::serve {
namespace {

using base::kHour;
using base::kMillisecond;
using base::kSecond;
using base::Timestamp;

constexpr Timestamp kNow = 1'760'000'000 * kSecond;

Form form_of(std::string query, std::string body = {}, std::string type = "application/x-www-form-urlencoded; charset=utf-8") {
  httpd::Request request;
  request.method = body.empty() ? "GET" : "POST";
  request.query = std::move(query);
  request.body = std::move(body);
  request.headers.emplace_back("content-type", std::move(type));
  auto form = Form::of(request);
  EXPECT_TRUE(form.ok());
  return form.ok() ? std::move(*form) : Form();
}

template <typename T>
std::string text_of(const base::Result<T>& result) {
  if (!result) return result.error().message;
  return std::to_string(*result);
}

TEST(Form, DecodesAndKeepsTheOrder) {
  const Form form = form_of("query=%7Bapp%3D%22a+b%22%7D&match=x&match=y%26z&empty&&last=1");
  EXPECT_EQ(form.get("query"), R"({app="a b"})");
  EXPECT_EQ(form.all("match"), (std::vector<std::string>{"x", "y&z"}));
  EXPECT_EQ(form.get("empty"), "");
  EXPECT_EQ(form.get("last"), "1");
  EXPECT_EQ(form.get("absent"), "");
}

TEST(Form, TheBodyGoesFirst) {
  EXPECT_EQ(form_of("limit=1&a=u", "limit=3").get("limit"), "3");
  EXPECT_EQ(form_of("limit=1&a=u", "limit=3").get("a"), "u");
  EXPECT_EQ(form_of("limit=1", "limit=3", "application/json").get("limit"), "1");
}

TEST(Form, RefusesWhatGoRefuses) {
  const auto why = [](std::string query) {
    httpd::Request request;
    request.method = "GET";
    request.query = std::move(query);
    const auto form = Form::of(request);
    return form ? std::string("accepted") : form.error().message;
  };
  EXPECT_EQ(why("query=%zz"), R"(invalid URL escape "%zz")");
  EXPECT_EQ(why("query=a%2"), R"(invalid URL escape "%2")");
  EXPECT_EQ(why("a;b=1"), "invalid semicolon separator in query");
  EXPECT_EQ(why("a=%3B"), "accepted");
}

TEST(Parameters, Times) {
  const auto f = [](std::string_view text, const std::string& expected) {
    EXPECT_EQ(text_of(parse_time(text, 7)), expected) << text;
  };
  f("", "7");
  f("1700000000", "1700000000000000000");
  f("-5", "-5000000000");
  f("9999999999", "9223372036854775807");  // Loki's clock goes farther
  f("17000000001", "17000000001");         // more than ten characters: nanoseconds
  f("1700000000123456789", "1700000000123456789");
  f("1700000000.5", "1700000000500000000");
  f("1700000000.1239", "1700000000124000000");
  f("2023-11-14T22:13:20Z", "1700000000000000000");
  f("2023-11-14T23:13:20.000000001+01:00", "1700000000000000001");
  f("2023-11-14T22:13:20", R"(strconv.ParseInt: parsing "2023-11-14T22:13:20": invalid syntax)");
  f("2023-11-14 22:13:20Z", R"(strconv.ParseInt: parsing "2023-11-14 22:13:20Z": invalid syntax)");
  f("abc", R"(strconv.ParseInt: parsing "abc": invalid syntax)");
  f("99999999999999999999", R"(strconv.ParseInt: parsing "99999999999999999999": value out of range)");
}

TEST(Parameters, Steps) {
  const auto f = [](std::string_view text, const std::string& expected) { EXPECT_EQ(text_of(parse_step(text)), expected) << text; };
  f("60", "60000000000");
  f("0.5", "500000000");
  f("-1", "-1000000000");
  f("1m30s", "90000000000");
  f("15000ms", "15000000000");
  f("1.5s", R"(cannot parse "1.5s" to a valid duration)");
  f("x", R"(cannot parse "x" to a valid duration)");
  f("1e30", R"(cannot parse "1e30" to a valid duration. It overflows int64)");
}

TEST(Parameters, Numbers) {
  const auto f = [](std::string_view text, const std::string& expected) {
    EXPECT_EQ(text_of(parse_number(text)), expected) << text;
  };
  f("100", "100");
  f("+3", "3");
  f("-3", "-3");
  f("+-3", R"(strconv.Atoi: parsing "+-3": invalid syntax)");
  f("x", R"(strconv.Atoi: parsing "x": invalid syntax)");
  f("99999999999999999999", R"(strconv.Atoi: parsing "99999999999999999999": value out of range)");
}

TEST(Parameters, Bounds) {
  const auto f = [](const std::string& query, Timestamp from, Timestamp to) {
    const auto range = bounds_of(form_of(query), kNow);
    ASSERT_TRUE(range.ok()) << query << ": " << range.error().message;
    EXPECT_EQ(range->from, from) << query;
    EXPECT_EQ(range->to, to) << query;
  };
  f("", kNow - kHour, kNow);
  f("since=5m", kNow - 300 * kSecond, kNow);
  f("end=1700000000", 1'700'000'000 * kSecond - kHour, 1'700'000'000 * kSecond);
  // An end in the future does not move the start.
  f("end=2000000000", kNow - kHour, 2'000'000'000 * kSecond);
  f("start=1&end=2&since=1h", kSecond, 2 * kSecond);
  const auto wrong = [](const std::string& query) { return bounds_of(form_of(query), kNow).error().message; };
  EXPECT_EQ(wrong("start=x"), R"(could not parse 'start' parameter: strconv.ParseInt: parsing "x": invalid syntax)");
  EXPECT_EQ(wrong("end=x"), R"(could not parse 'end' parameter: strconv.ParseInt: parsing "x": invalid syntax)");
  EXPECT_EQ(wrong("since=x"), R"(could not parse 'since' parameter: not a valid duration string: "x")");
  EXPECT_EQ(wrong("since=1.5h"), R"(could not parse 'since' parameter: unknown unit "." in duration "1.5h")");
}

TEST(Parameters, Directions) {
  EXPECT_EQ(text_of(is_backward(form_of(""))), "1");
  EXPECT_EQ(text_of(is_backward(form_of("direction=BACKWARD"))), "1");
  EXPECT_EQ(text_of(is_backward(form_of("direction=foRward"))), "0");
  EXPECT_EQ(text_of(is_backward(form_of("direction=x"))), "invalid direction 'x'");
}

TEST(Parameters, ARangeRequest) {
  const auto whole = range_request(form_of("query=x&start=1000&end=2000&limit=7&direction=forward&step=30&interval=5s"), kNow);
  ASSERT_TRUE(whole.ok());
  EXPECT_EQ(whole->query, "x");
  EXPECT_EQ(whole->limit, 7U);
  EXPECT_FALSE(whole->backward);
  EXPECT_EQ(whole->step, 30 * kSecond);
  EXPECT_EQ(whole->interval, 5 * kSecond);
  const auto plain = range_request(form_of("query=x&start=1000&end=2000"), kNow);
  ASSERT_TRUE(plain.ok());
  EXPECT_EQ(plain->limit, 100U);
  EXPECT_EQ(plain->step, 4 * kSecond);
  EXPECT_EQ(plain->interval, 0);

  const auto f = [](const std::string& query, std::string_view expected) {
    const auto request = range_request(form_of(query), kNow);
    EXPECT_EQ(request ? "accepted" : request.error().message, expected) << query;
  };
  f("start=2&end=1", "end timestamp must not be before or equal to start time");
  f("start=2&end=2", "accepted");
  f("limit=0", "limit must be a positive value");
  f("limit=-1", "limit must be a positive value");
  f("step=0", "zero or negative query resolution step widths are not accepted. Try a positive integer");
  f("start=1000&end=12001&step=1",
    "exceeded maximum resolution of 11,000 points per time series. Try increasing the value of the "
    "step parameter");
  f("start=1000&end=12000&step=1", "accepted");
  f("interval=-1", "interval must be >= 0");
  f("interval=x", R"(cannot parse "x" to a valid duration)");
}

TEST(Parameters, ARangeMayBeAsLongAsTimeItself) {
  EXPECT_EQ(length_of({std::numeric_limits<Timestamp>::min(), std::numeric_limits<Timestamp>::max()}),
            std::numeric_limits<base::Duration>::max());
  EXPECT_EQ(length_of({kMillisecond, 3 * kMillisecond}), 2 * kMillisecond);
}

}  // namespace
}  // namespace weir::serve
