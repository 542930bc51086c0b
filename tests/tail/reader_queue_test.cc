#include "tail/reader_queue.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace weir::tail {
namespace {

using Outcome = Reader::Outcome;

// Reads what its script says, and notes that it was its turn.
class Scripted final : public Reader {
 public:
  Scripted(char name, std::vector<Outcome> script, std::string& turns) : name_(name), script_(std::move(script)), turns_(&turns) {}
  Outcome read(record::Batch&, Space&) override {
    *turns_ += name_;
    return at_ < script_.size() ? script_[at_++] : Outcome::idle;
  }
  [[nodiscard]] std::string_view name() const override { return {&name_, 1}; }
  [[nodiscard]] std::optional<Cause> take_trouble() override { return std::nullopt; }
  [[nodiscard]] base::Monotonic due() const override { return when; }

  base::Monotonic when = base::kNever;

 private:
  char name_;
  std::vector<Outcome> script_;
  std::size_t at_ = 0;
  std::string* turns_;
};

class Queue : public testing::Test {
 protected:
  // Until nobody has anything to read; the turns it took.
  std::string drain() {
    turns.clear();
    while (!queue.empty()) last = queue.read(batch, space);
    return turns;
  }
  ReaderQueue queue;
  ReaderQueue::Turn last;
  record::Batch batch;
  Space space;
  std::string turns;
};

TEST_F(Queue, OneMayBeFirst) {
  Scripted a('a', {Outcome::more}, turns), b('b', {}, turns), c('c', {}, turns);
  c.when = 100;
  queue.add(c);
  EXPECT_EQ(drain(), "c");
  queue.add(a);
  queue.add(b);
  queue.add_first(b);  // it was in the queue
  queue.add_first(c);  // it waited for its time
  EXPECT_EQ(queue.due(), base::kNever);
  EXPECT_EQ(drain(), "cbaa");
}

TEST_F(Queue, ReadersTakeTurns) {
  Scripted a('a', {Outcome::more, Outcome::full, Outcome::more}, turns), b('b', {Outcome::more}, turns);
  Scripted c('c', {Outcome::finished}, turns);
  queue.add(a);
  queue.add(b);
  queue.add(a);  // it is there
  queue.add(c);
  EXPECT_EQ(drain(), "abcabaa");
  EXPECT_EQ(last.reader, &a);
  EXPECT_EQ(last.outcome, Outcome::idle);
  EXPECT_EQ(queue.due(), base::kNever);
}

TEST_F(Queue, WhoIsIdleWaitsForItsTime) {
  Scripted a('a', {}, turns), b('b', {}, turns), c('c', {}, turns);
  a.when = 30;
  b.when = 20;
  for (Reader* reader : {static_cast<Reader*>(&a), static_cast<Reader*>(&b), static_cast<Reader*>(&c)}) queue.add(*reader);
  EXPECT_EQ(drain(), "abc");
  EXPECT_EQ(queue.due(), 20);
  queue.add_due(19);
  EXPECT_TRUE(queue.empty());
  b.when = base::kNever;
  queue.add_due(20);
  EXPECT_EQ(drain(), "b");
  EXPECT_EQ(queue.due(), 30);
  a.when = base::kNever;
  queue.add(a);  // something came before
  EXPECT_EQ(queue.due(), base::kNever);
  EXPECT_EQ(drain(), "a");
}

TEST_F(Queue, WhoIsRemovedIsUnknown) {
  Scripted a('a', {}, turns), b('b', {Outcome::finished}, turns);
  a.when = 10;
  queue.add(a);
  EXPECT_EQ(drain(), "a");
  queue.remove(a);
  EXPECT_EQ(queue.due(), base::kNever);
  queue.add(a);
  queue.add(b);
  queue.remove(a);
  EXPECT_EQ(drain(), "b");
  EXPECT_EQ(last.outcome, Outcome::finished);
  queue.add(a);  // and comes again
  EXPECT_EQ(drain(), "a");
}

}  // namespace
}  // namespace weir::tail
