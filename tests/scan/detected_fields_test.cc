#include "scan/detected_fields.h"

#include <gtest/gtest.h>

namespace weir::scan {
namespace {

using Values = std::vector<std::string>;

class DetectedFieldsTest : public ::testing::Test {
 protected:
  void add(DetectedFields& fields, std::string_view line, std::initializer_list<record::Label> metadata = {},
           std::initializer_list<record::Label> labels = {{"app", "x"}}) {
    record::Record record;
    record.timestamp = ++time_;
    record.labels = batch_.hold(record::LabelSet::intern(labels));
    record.line = record::Text::bytes(batch_.copy(line));
    for (const auto& label : metadata) record::set_metadata(batch_, record, label.name, label.value);
    fields.add(record, batch_);
  }
  static std::string text(const DetectedFields& fields) {
    std::string out;
    for (const auto& field : fields.fields()) {
      out += field.name + ":" + field.type + ":" + std::to_string(field.cardinality);
      for (const auto& parser : field.parsers) out += ":" + parser;
      out += ' ';
    }
    return out;
  }
  record::Batch batch_;
  base::Timestamp time_ = 0;
};

TEST(DetectedType, AsGoReadsIt) {
  const auto f = [](std::string_view value, std::string_view type) { EXPECT_EQ(detected_type(value), type) << value; };
  f("200", "int");
  f("-7", "int");
  f("+7", "int");
  f("+-7", "string");
  f("++7", "string");
  f("+", "string");
  f("1", "int");
  f("9223372036854775808", "float");
  f("1.5", "float");
  f("1e3", "float");
  f("true", "boolean");
  f("T", "boolean");
  f("1m30s", "duration");
  f("12KB", "bytes");
  f("1.5 MiB", "bytes");
  f("error", "string");
  f("", "string");
}

TEST_F(DetectedFieldsTest, JsonElseLogfmtAndMetadata) {
  DetectedFields fields(0);
  add(fields, R"({"status":200,"user":{"id":"a"}})", {{"trace_id", "t1"}});
  add(fields, R"(status=500 took=3ms)", {{"trace_id", "t2"}});
  add(fields, "plain text");
  EXPECT_EQ(text(fields), "status:int:2:json:logfmt took:duration:1:logfmt trace_id:string:2 user_id:string:1:json ");
  EXPECT_EQ(fields.values("status"), (Values{"200", "500"}));
  EXPECT_EQ(fields.values("trace_id"), (Values{"t1", "t2"}));
  EXPECT_EQ(fields.values("none"), Values());
}

TEST_F(DetectedFieldsTest, TheTypeIsThatOfTheOldestRecordOfTheLastStream) {
  DetectedFields fields(0);
  add(fields, "n=1", {}, {{"app", "b"}});
  add(fields, "n=x", {}, {{"app", "b"}});
  add(fields, "n=2s", {}, {{"app", "a"}});
  EXPECT_EQ(text(fields), "n:int:3:logfmt ");
}

TEST_F(DetectedFieldsTest, SizesAreGivenAsLokiDoes) {
  DetectedFields fields(0);
  add(fields, R"(size="1536 B" n=7)");
  EXPECT_EQ(fields.values("size"), Values{"1.5kB"});
  EXPECT_EQ(fields.values("n"), Values{"7"});
}

TEST_F(DetectedFieldsTest, NoMoreThanAreWanted) {
  DetectedFields fields(1);
  add(fields, "a=1");
  add(fields, "b=1 a=2");
  EXPECT_EQ(text(fields), "a:int:2:logfmt ");
}

TEST_F(DetectedFieldsTest, TheKeysThatLeadToAField) {
  DetectedFields fields(0);
  add(fields, R"({"user":{"id":"a","na-me":{"first":"b"}},"status":1,"app":"y","user_x":2})");
  add(fields, "status=3 took=1s");
  std::string paths;
  for (const auto& field : fields.fields()) {
    paths += field.name + ":";
    for (const auto& key : field.json_path) paths += key + "/";
    paths += ' ';
  }
  EXPECT_EQ(paths, "app_extracted:app/ status:status/ took: user_id:user/id/ user_na_me_first:user/na-me/first/ user_x:user_x/ ");
}

}  // namespace
}  // namespace weir::scan
