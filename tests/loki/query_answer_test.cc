#include "loki/query_answer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include <fmt/format.h>

namespace weir::loki {
namespace {

using base::Code;
using record::Batch;
using record::Record;

std::string show(const Batch& batch) {
  std::string text;
  for (const Record& record : batch.records) {
    text += fmt::format("{} {} {}", record.timestamp, record.labels->json(), record.line.data);
    for (const auto& [name, value] : record.metadata) text += fmt::format(" {}={}", name, value);
    if (record.extra != nullptr) text += fmt::format(" {}{}", record.extra->parsed, record.extra->value);
    if (record.sample) text += " sample";
    text += '\n';
  }
  return text;
}

std::string streams(std::string_view result) {
  return fmt::format(R"({{"status":"success","data":{{"resultType":"streams","result":{},"stats":{{}}}}}})", result);
}

TEST(QueryAnswer, Success) {
  QueryAnswerParser parser;
  const auto f = [&](std::string body, bool newest_first, std::string_view expected) {
    Batch batch;
    const auto answer = parser.parse_entries(body, newest_first, batch);
    ASSERT_TRUE(answer.ok()) << answer.error().message << "\n" << body;
    EXPECT_EQ(show(batch), expected) << body;
    EXPECT_EQ(answer->entries, batch.records.size());
  };
  f(streams("[]"), false, "");
  f(streams(R"([{"stream":{},"values":[]}])"), false, "");
  f(streams(R"([{"stream":{"b":"2","a":"1"},"values":[["5","x"]]}])"), false, "5 {\"a\":\"1\",\"b\":\"2\"} x\n");
  f(streams(R"([{"stream":{"a":"1"},"values":[["5","\u003ca\nb\ud83d\ude00\u0000"]]}])"), false,
    std::string_view("5 {\"a\":\"1\"} <a\nb😀\0\n", 22));
  f(streams(R"([{"stream":{"a":"1"},"values":[["1700000000000000001","x",{}]]}])"), false, "1700000000000000001 {\"a\":\"1\"} x\n");
  f(streams(R"([{"stream":{"a":"1"},"values":[["5","x",{"structuredMetadata":{"t":"1"},"parsed":{"k":"v\"","l":"w"}}]]}])"), false,
    "5 {\"a\":\"1\"} x t=1 {\"k\":\"v\\\"\",\"l\":\"w\"}\n");
  // Merged by time; equal times in the order of the streams, and as they stood within one.
  f(streams(
        R"([{"stream":{"a":"1"},"values":[["3","c"],["3","b"],["1","a"]]},{"stream":{"a":"2"},"values":[["3","z"],["2","y"]]}])"),
    true, "1 {\"a\":\"1\"} a\n2 {\"a\":\"2\"} y\n3 {\"a\":\"1\"} b\n3 {\"a\":\"1\"} c\n3 {\"a\":\"2\"} z\n");
  f(streams(
        R"([{"stream":{"a":"1"},"values":[["1","a"],["3","b"],["3","c"]]},{"stream":{"a":"2"},"values":[["2","y"],["3","z"]]}])"),
    false, "1 {\"a\":\"1\"} a\n2 {\"a\":\"2\"} y\n3 {\"a\":\"1\"} b\n3 {\"a\":\"1\"} c\n3 {\"a\":\"2\"} z\n");
  // The shards of one stream are one stream; a label of the same sort of name is a label.
  f(streams(
        R"([{"stream":{"__stream_shard__":"0","a":"1"},"values":[["1","x"]]},{"stream":{"__stream_shard__":"1",)"
        R"("a":"1"},"values":[["2","y"]]},)"
        R"({"stream":{"__time_shard__":"5_6","a":"1"},"values":[["3","z"]]},{"stream":{"__other__":"o"},"values":[["4","o"]]}])"),
    false, "1 {\"a\":\"1\"} x\n2 {\"a\":\"1\"} y\n3 {\"a\":\"1\"} z\n4 {\"__other__\":\"o\"} o\n");
  f(R"({"status":"success","data":{"resultType":"vector","result":[{"metric":{"__stream_shard__":"0"},"value":[1,"3"]}]}})", false,
    "1000000000 {\"__stream_shard__\":\"0\"}  \"3\" sample\n");
  // Bytes that are not UTF-8 cost themselves only.
  f(streams("[{\"stream\":{\"a\":\"1\"},\"values\":[[\"5\",\"x\xff\"],[\"6\",\"y\"]]}]"), false,
    "5 {\"a\":\"1\"} x\xef\xbf\xbd\n6 {\"a\":\"1\"} y\n");
  f(R"({"status":"success","data":{"resultType":"matrix","result":[{"metric":{"a":"1"},)"
    R"("values":[[1700000000,"3"],[1700000060.5,"2.25"]]},)"
    R"({"metric":{},"values":[[1700000000.123,"NaN"]]}]}})",
    false,
    "1700000000000000000 {\"a\":\"1\"}  \"3\" sample\n1700000000123000000 {}  \"NaN\" sample\n1700000060500000000 {\"a\":\"1\"}  "
    "\"2.25\" sample\n");
  f(R"({"data":{"resultType":"vector","result":[{"metric":{"a":"1"},"value":[1700000000,"3"]}]}})", false,
    "1700000000000000000 {\"a\":\"1\"}  \"3\" sample\n");
  f(R"({"data":{"resultType":"scalar","result":[1700000000000,"2"]}})", false, "1700000000000000000 {}  \"2\" sample\n");
}

TEST(QueryAnswer, Failure) {
  QueryAnswerParser parser;
  const auto f = [&](std::string body) {
    Batch batch;
    const auto answer = parser.parse_entries(body, false, batch);
    ASSERT_FALSE(answer.ok()) << body;
    EXPECT_EQ(answer.error().code, Code::network);
    EXPECT_TRUE(answer.error().message.starts_with("cannot read Loki's answer: ")) << answer.error().message;
    EXPECT_TRUE(batch.records.empty());
  };
  f("");
  f("no json");
  f("[]");
  f(R"({"status":"success"})");
  f(R"({"data":{"resultType":"cubes","result":[]}})");
  f(streams(R"([{"stream":{"a":"1"},"values":[["5","x"],["x","y"]]}])"));
  f(streams(R"([{"stream":{"a":"1"},"values":[["5"]]}])"));
  f(streams(R"([{"stream":{"a":1},"values":[]}])"));
  f(streams(R"([{"values":[]}])"));
  f(streams(R"([{"stream":{"a":"1"},"values":[["5","x")"));
  f(R"({"data":{"resultType":"matrix","result":[{"metric":{},"values":[[1e300,"3"]]}]}})");
}

TEST(QueryAnswer, Warnings) {
  QueryAnswerParser parser;
  Batch batch;
  std::string body = R"({"status":"success","warnings":["partial"],"data":{"resultType":"streams","result":[]}})";
  EXPECT_EQ(parser.parse_entries(body, false, batch)->warnings, std::vector<std::string>{"partial"});
}

}  // namespace
}  // namespace weir::loki
