// Processes that are killed at random moments: what was committed stays, and positions never run ahead of records.
#include "spool_fixture.h"

#include "spool/inspection.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <functional>

namespace weir::spool {
namespace {

// Runs `body` in a process of its own; it reports numbers through the pipe.
class Child {
 public:
  explicit Child(const std::function<void(int fd)>& body) {
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::close(ends[0]);
      body(ends[1]);
      ::_exit(0);
    }
    ::close(ends[1]);
    read_ = base::UniqueFd(ends[0]);
  }
  ~Child() {
    if (pid_ > 0) kill_now();
  }

  // The next number, -1 at the end.
  std::int64_t next() {
    std::int64_t number = 0;
    return ::read(read_.get(), &number, sizeof number) == sizeof number ? number : -1;
  }
  void kill_now() {
    ::kill(pid_, SIGKILL);
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = 0;
  }
  int wait() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  pid_t pid_ = 0;
  base::UniqueFd read_;
};

void tell(int fd, std::int64_t number) { static_cast<void>(!::write(fd, &number, sizeof number)); }

constexpr const char* kLog = "/pods/a/0.log";

void announce(Keeper& keeper) {
  record::Marker marker;
  marker.type = record::Marker::Type::generation;
  marker.log_key = marker.file.path = kLog;
  marker.file.inode = 5;
  marker.file.head_size = 1024;
  marker.file.head_hash = 99;
  record::Record record;
  record.marker = &marker;
  record.source = record::Source::in_file(1, 1, 0, 0);
  static_cast<void>(keeper.track(record));
}

class CrashTest : public SpoolTest {
 protected:
  // Reads a "log" whose record n ends at offset n, from the stored position on, as tail and buffer do. Tells each number that
  // is safe. Never returns.
  void write_for_ever(int fd) {
    WriterOptions options = this->options();
    options.wait = 30 * base::kSecond;
    auto writer = Writer::open(options, base::Clock::system(), nullptr);
    if (!writer) ::_exit(9);
    auto keeper = (*writer)->load_keeper();
    if (!keeper) ::_exit(8);
    announce(*keeper);
    const auto positions = keeper->positions();
    const auto stored = positions.find(kLog);
    // Some are read once more than needed, as a reader does that starts from older positions.
    std::uint64_t n = stored == positions.end() ? 0 : stored->second.resume.offset;
    n -= std::min<std::uint64_t>(n, 7);
    BlockBuilder builder;
    std::mt19937 random(static_cast<unsigned>(::getpid()));
    while (true) {
      for (unsigned i = 1 + random() % 40; i > 0; --i) {
        record::Record record;
        record.labels = record::LabelSet::empty().get();
        record.source = record::Source::in_file(1, 1, 0, ++n);
        record.timestamp = static_cast<base::Timestamp>(n);
        const std::string text = std::to_string(n);
        record.line = record::Text::bytes(text);
        auto verdict = keeper->track(record);
        if (!verdict) ::_exit(7);
        if (*verdict == Verdict::repeat) continue;
        builder.add(record);
        keeper->advance(record.source);
      }
      auto appended = (*writer)->append(builder, &*keeper);
      if (!appended) ::_exit(6);
      builder.take();
      tell(fd, static_cast<std::int64_t>(n));
    }
  }

  // Each of 1 … n exactly once, in order; n.
  std::uint64_t expect_complete() {
    std::uint64_t n = 0;
    const auto from = reader();
    if (!from) return 0;
    const auto blocks = from->list({});
    for (const BlockInfo& block : *blocks) {
      record::Batch batch;
      const auto loaded = from->load(block.id, {}, batch);
      EXPECT_TRUE(loaded) << loaded.error().message;
      for (const record::Record& record : batch.records) {
        ++n;
        EXPECT_EQ(record.line.data, std::to_string(n));
        if (record.line.data != std::to_string(n)) return n;
      }
    }
    return n;
  }
};

TEST_F(CrashTest, AKilledWriterLosesNothingItHasCommitted) {
  std::mt19937 random(1);
  std::int64_t safe = 0;
  for (int round = 0; round < 25; ++round) {
    SCOPED_TRACE(round);
    {
      Child writer([this](int fd) { write_for_ever(fd); });
      for (unsigned commits = 1 + random() % 30; commits > 0; --commits) {
        const std::int64_t told = writer.next();
        ASSERT_GE(told, 0);
        safe = told;
      }
      writer.kill_now();
    }
    const std::uint64_t stored = expect_complete();
    EXPECT_GE(stored, static_cast<std::uint64_t>(safe));
    const auto positions = read_positions(path(), base::kSecond);
    ASSERT_TRUE(positions) << positions.error().message;
    EXPECT_EQ(positions->at(kLog).resume.offset, stored);
    if (HasFailure()) return;
  }
  EXPECT_TRUE(check_spool(path())->problems.empty());
}

// Takes what the spool holds, acknowledges it out of order, and tells each number whose acknowledgement is committed.
void consume_for_ever(const std::string& path, int fd) {
  auto consumer = Consumer::open({.path = path, .match = "", .wait = 30 * base::kSecond}, base::Clock::system());
  if (!consumer) ::_exit(9);
  auto from = Reader::open(path);
  if (!from) ::_exit(8);
  std::mt19937 random(static_cast<unsigned>(::getpid()));
  std::uint64_t last = (*consumer)->acknowledged().before().block - 1;
  while (true) {
    auto blocks = (*from)->list({.time = {}, .after = last, .limit = 1});
    if (!blocks) ::_exit(7);
    if (blocks->empty()) {
      ::usleep(1000);
      continue;
    }
    last = blocks->front().id;
    record::Batch batch;
    auto loaded = (*from)->load(last, {}, batch);
    if (!loaded || !*loaded) ::_exit(6);
    std::vector<std::pair<std::uint32_t, std::int64_t>> sent;
    for (const record::Record& record : batch.records) {
      auto verdict = (*consumer)->track(record);
      if (!verdict) ::_exit(5);
      if (*verdict == Verdict::take) sent.emplace_back(record.source.ordinal, record.timestamp);
    }
    std::shuffle(sent.begin(), sent.end(), random);
    for (std::size_t i = 0; i < sent.size(); ++i) {
      (*consumer)->acknowledge(last, sent[i].first, sent[i].first);
      if (random() % 4 != 0 && i + 1 < sent.size()) continue;
      if (!(*consumer)->commit()) ::_exit(4);
      tell(fd, sent[i].second);
    }
  }
}

TEST_F(CrashTest, WriterConsumerAndReaderAtOnceUnderKill) {
  {
    Child first([this](int fd) { write_for_ever(fd); });  // creates the file
    first.next();
  }
  std::mt19937 random(2);
  for (int round = 0; round < 12; ++round) {
    SCOPED_TRACE(round);
    Child writer([this](int fd) { write_for_ever(fd); });
    Child taker([this](int fd) { consume_for_ever(path(), fd); });
    ASSERT_GE(writer.next(), 0);
    std::uint64_t reported = 0;
    for (unsigned commits = 3 + random() % 20; commits > 0; --commits) {
      ASSERT_GE(taker.next(), 0);
      ++reported;
      if (commits % 5 == 0) {
        ASSERT_TRUE(read_status(path()));
      }
    }
    (random() % 2 == 0 ? writer : taker).kill_now();
    const std::uint64_t stored = expect_complete();
    EXPECT_GT(stored, 0U);
    EXPECT_GT(reported, 0U);
    if (HasFailure()) return;
  }
  // What is acknowledged is of what is stored, and what is missing is brought to the next consumer.
  const auto status = read_status(path());
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ(status->delivered + status->undelivered, status->records);
  EXPECT_GT(status->delivered, 0U);
  EXPECT_EQ(status->consumers.at(0).behind_records, status->undelivered);
  EXPECT_TRUE(check_spool(path())->problems.empty());
}

TEST_F(CrashTest, ALockIsFreeAsSoonAsItsHolderIsDead) {
  Child writer([this](int fd) { write_for_ever(fd); });
  ASSERT_GE(writer.next(), 0);
  EXPECT_EQ(Writer::open(options(), base::Clock::system(), nullptr).error().code, base::Code::busy);
  writer.kill_now();
  WriterOptions options = this->options();
  options.wait = 10 * base::kSecond;
  EXPECT_TRUE(Writer::open(options, base::Clock::system(), nullptr));
}

TEST_F(CrashTest, APausedReaderDoesNotGrowTheFile) {
  WriterOptions small = options();
  small.max_size = 8 << 20;
  const auto writer = open(small);
  append(*writer, {{noise(100'000, 1)}});
  const auto paused = reader();
  record::Batch batch;
  ASSERT_TRUE(*paused->load(1, {}, batch));  // and now it writes its output for an hour
  for (unsigned i = 0; i < 100; ++i) append(*writer, {{noise(200'000, i)}});
  const auto status = read_status(path());
  EXPECT_LT(status->file_bytes + status->log_bytes, (8U << 20) * 12 / 10);
}

}  // namespace
}  // namespace weir::spool
