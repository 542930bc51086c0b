#include "stages/format_answer.h"

#include "support/collect.h"
#include "support/run_stage.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <array>
#include <thread>

namespace weir::stages {
namespace {

using test::Lines;

class FormatTest : public ::testing::Test {
 protected:
  void SetUp() override { spec.what = QuerySpec::What::format; }
  // The lines of the records.
  Lines lines() {
    test::LinesOutlet out;
    auto source = make_query(spec, context.context);
    if (!source) return {"made: " + source.error().message, source.error().hint};
    const auto result = (*source)->run(out, *context.stop);
    if (!result) return {"ran: " + result.error().message, result.error().hint};
    test::expect_balance((*source)->counters());
    Lines found;
    for (const std::string& line : out.lines) {
      const std::size_t at = line.find("\"line\":\"") + 8;
      found.push_back(line.substr(at, line.size() - at - 2));
    }
    return found;
  }
  // Through a pipe, in pieces.
  Lines of_input(const std::string& text, std::size_t piece) {
    std::array<int, 2> ends = {};
    EXPECT_EQ(::pipe(ends.data()), 0);
    std::thread writer([&] {
      for (std::size_t at = 0; at < text.size(); at += piece) {
        if (::write(ends[1], text.data() + at, std::min(piece, text.size() - at)) < 0) break;
      }
      ::close(ends[1]);
    });
    spec.input = ends[0];
    const Lines found = lines();
    ::close(ends[0]);
    writer.join();
    return found;
  }

  test::TestContext context;
  QuerySpec spec;
};

const std::string kLong =
    R"(sum by(app)(rate({namespace="checkout",app=~"web|api"}|="timeout"|json|status>=500|method="POST"|path=~"/api/.*"[5m])))";

TEST_F(FormatTest, OfAWord) {
  spec.logql = R"({app="x"}|="a"|json)";
  EXPECT_EQ(lines(), Lines{R"({app=\"x\"} |= \"a\" | json)"});
  spec.logql = kLong;
  EXPECT_EQ(lines(), (Lines{"sum by (app)(", "  rate(", R"(    {namespace=\"checkout\", app=~\"web|api\"})",
                            R"(      |= \"timeout\")", "      | json", "      | status>=500", R"(      | method=\"POST\")",
                            R"(      | path=~\"/api/.*\" [5m])", "  )", ")"}));
}

TEST_F(FormatTest, AsJson) {
  spec.logql = kLong;
  spec.json = true;
  const Lines found = lines();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found.front().find(R"(\"sum by (app)(\\n  rate(\\n)"), 0U) << found.front();
}

TEST_F(FormatTest, OfAnInput) {
  spec.logql = kLong;
  const Lines wanted = lines();
  for (const std::size_t piece : {1, 7, 1000}) EXPECT_EQ(of_input(kLong + "\n", piece), wanted) << piece;
}

TEST_F(FormatTest, Mistakes) {
  spec.logql = R"({app="x"} | jsn)";
  const Lines made = lines();
  EXPECT_EQ(made.front().find("made: parse error"), 0U) << made.front();
  EXPECT_NE(made.back().find('^'), std::string::npos) << made.back();
  EXPECT_EQ(of_input("{app=\"x\"\n", 100).front().find("ran: parse error at line 1, col 9"), 0U);
  EXPECT_EQ(of_input(" \n", 100).front(), "ran: cannot format a query: there is none");
  EXPECT_EQ(of_input(std::string(130 << 10, 'x'), 4096).front(),
            "ran: cannot format the query on standard input: it is longer than 128 KiB");
}

TEST_F(FormatTest, ASignalEndsTheReading) {
  std::array<int, 2> ends = {};
  ASSERT_EQ(::pipe(ends.data()), 0);
  spec.input = ends[0];
  context.stop->request();
  EXPECT_EQ(lines().front(), "ran: interrupted while reading standard input");
  ::close(ends[0]);
  ::close(ends[1]);
}

}  // namespace
}  // namespace weir::stages
