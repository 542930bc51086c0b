// A record costs no allocation, once label sets are known and buffers have grown.
#include "logql/parser.h"
#include "rules/rule_set.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <new>
#include <string>
#include <vector>

namespace {
std::size_t allocations = 0;  // of the only thread there is
}

void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size != 0 ? size : 1)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace weir::rules {
namespace {

constexpr base::Timestamp kNow = 1'760'000'000 * base::kSecond;

Rule rule(Action action, const char* match) {
  auto parsed = logql::parse(match, {.selector_optional = true});
  EXPECT_TRUE(parsed.ok()) << match;
  return {"", std::move(action), std::get<logql::LogExpr>(parsed->node), {}};
}

// Allocations in which batches of these rules end up.
std::size_t allocations_in_a_batch(std::vector<Rule> rules) {
  auto set = RuleSet::compile(std::move(rules));
  EXPECT_TRUE(set.ok());
  record::Batch batch;
  std::size_t counted = 0;
  for (int round = 0; round < 3; ++round) {
    batch.clear();
    for (int i = 0; i < 200; ++i) {
      record::Record& record = batch.records.emplace_back();
      record.timestamp = kNow + i * base::kMillisecond;
      const std::string pod = "pod-" + std::to_string(i % 20);
      record.labels = batch.hold(record::LabelSet::intern({{"namespace", i % 2 == 0 ? "shop" : "pay"}, {"pod", pod}}));
      record.line = {batch.copy(R"(level=debug msg=\"request served\" card=4111111111111111 n=)" + std::to_string(i)),
                     record::Text::Form::json};
      const auto metadata = batch.allocate_labels(2);
      metadata[0] = {"detected_level", i % 5 == 0 ? "debug" : "info"};
      metadata[1] = {"trace", batch.copy("trace-of-more-than-a-few-bytes-" + std::to_string(i))};
      record.metadata = metadata;
    }
    const std::size_t before = allocations;
    set->begin(kNow);
    for (record::Record& record : batch.records) set->judge(record, batch);
    counted = allocations - before;
  }
  return counted;
}

TEST(RuleSetAllocation, ARecordCostsNone) {
  EXPECT_EQ(allocations_in_a_batch({}), 0U);
  EXPECT_EQ(allocations_in_a_batch({rule(Drop{}, R"({namespace="shop"})")}), 0U);
  EXPECT_EQ(allocations_in_a_batch({rule(Hold{}, R"(| detected_level="debug")")}), 0U);
  EXPECT_EQ(allocations_in_a_batch({rule(Drop{}, R"({namespace="shop"} |= "served" | logfmt | level="debug")")}), 0U);
  EXPECT_EQ(allocations_in_a_batch({rule(Redact{R"(\b\d{13,16}\b)", "****"}, "")}), 0U);
  EXPECT_EQ(allocations_in_a_batch({rule(Redact{"pod-", "p"}, "")}), 0U);
  EXPECT_EQ(allocations_in_a_batch({rule(Sample{500'000}, "")}), 0U);
  EXPECT_EQ(allocations_in_a_batch({rule(Limit{5, Limit::Unit::bytes, base::kSecond, 5, {"pod", "trace"}}, "")}), 0U);
  EXPECT_EQ(allocations_in_a_batch({rule(Dedup{base::kSecond, {"pod"}}, "")}), 0U);
  EXPECT_EQ(allocations_in_a_batch({rule(Tenant{"a-tenant-of-more-than-a-few-bytes"}, "")}), 0U);
}

}  // namespace
}  // namespace weir::rules
