#include "scan/missing_name.h"

#include "logql/log_query.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>

namespace weir::scan {
namespace {

struct Sample {
  std::initializer_list<std::string_view> lines;
  record::Batch batch = {};
  record::Batch& records() {
    for (const std::string_view line : lines) {
      record::Record record;
      record.timestamp = 1;
      record.labels = batch.hold(record::LabelSet::intern({{"app", "x"}}));
      record.line = record::Text::bytes(batch.copy(line));
      record::set_metadata(batch, record, "trace_id", "t");
      batch.records.push_back(record);
    }
    return batch;
  }
};

std::string explain(const std::string& query, std::initializer_list<std::string_view> lines, bool all = true) {
  const auto compiled = logql::LogQuery::compile(query, {.selector_optional = true});
  EXPECT_TRUE(compiled.ok()) << query;
  Sample sample = {lines};
  return explain_missing_name(compiled->expr(), sample.records(), all);
}

constexpr std::string_view kJson = R"({"status":404,"path":"/a"})", kLogfmt = "status=404 path=/a", kText = "GET /a 404";

TEST(MissingName, AParserThatFindsIt) {
  EXPECT_EQ(explain(R"({app="x"} | status >= 500)", {kJson, kJson, kText}),
            "no record has a label or metadata 'status'; the lines are JSON and have it: add `| json` before `| status>=500`");
  EXPECT_EQ(explain(R"({app="x"} |= "GET" | status >= 500)", {kLogfmt}),
            "no record has a label or metadata 'status'; the lines are logfmt and have it: add `| logfmt` before `| status>=500`");
  EXPECT_EQ(explain(R"({app="x"} | status >= 500)", {kText}), "no record has a label or metadata 'status'");
  EXPECT_EQ(explain(R"({app="x"} | status >= 500)", {kText, kText}, false), "none of 2 records has a label or metadata 'status'");
}

TEST(MissingName, NoParserFindsIt) {
  EXPECT_EQ(explain(R"({app="x"} | code >= 500)", {kJson}),
            "no record has a label or metadata 'code'; the lines are JSON (`| json`), but have no field 'code' either");
  EXPECT_EQ(explain(R"({app="x"} | statu >= 500)", {kJson}),
            "no record has a label or metadata 'statu'; the lines are JSON (`| json`), but have no field 'statu' either; did you "
            "mean 'status'?");
}

TEST(MissingName, AMisspeltOne) {
  EXPECT_EQ(explain(R"({app="x"} | trace_ids = "t")", {kText}),
            "no record has a label or metadata 'trace_ids'; did you mean 'trace_id'?");
  EXPECT_EQ(explain(R"({app="x"} | json | statuss >= 500)", {kJson}),
            "no record has a label or metadata 'statuss' at this stage of the query; did you mean 'status'?");
}

TEST(MissingName, NothingIsMissing) {
  for (const char* query :
       {R"({app="x"} |= "y")", R"({app="x"} | json | status >= 500)", R"({app="x"} | app = "y")", R"({app="x"} | trace_id = "u")",
        R"({app="x"} | __error__ = "")", R"({app="x"} | json | code = 1 or status = 1)",
        R"({app="x"} | label_format code="{{ .app }}" | code = 1)"}) {
    EXPECT_EQ(explain(query, {kJson}), "") << query;
  }
  EXPECT_EQ(explain(R"({app="x"} | status >= 500)", {}), "");
}

}  // namespace
}  // namespace weir::scan
