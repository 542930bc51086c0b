#include "spool/copy.h"

#include "spool/new_spool.h"
#include "spool/reader.h"
#include "spool/recent_state.h"
#include "spool/spool_file.h"
#include "spool/tables/blocks.h"
#include "spool/tables/consumers.h"
#include "spool/tables/positions.h"
#include "spool/tables/transfer.h"

#include <sys/stat.h>

#include <vector>

namespace weir::spool {
namespace {

using base::Code;
using base::Result;

constexpr int kTries = 5;                // to read a spool at one time that somebody writes whose log's index we cannot share
constexpr std::uint64_t kPerCommit = 8;  // blocks: the log of the copy stays small

class Copy {
 public:
  // `made` outlives it.
  Copy(std::string from, const NewSpool& made, base::Duration wait)
      : from_(std::move(from)), made_(made), partial_(made.partial()), wait_(wait) {}

  // The small tables and the rows of the blocks, of one moment.
  Result<void> begin() {
    for (int tries = 1;; ++tries) {
      auto done = begin_once();
      if (tries == kTries || !source_.database.torn()) return done;
    }
  }

  struct Listed {
    std::uint64_t id = 0, records = 0, bytes = 0;
  };
  [[nodiscard]] const std::vector<Listed>& blocks() const { return blocks_; }
  [[nodiscard]] std::optional<std::string> missing() const { return missing_; }

  // Row and body of one block. False: it was evicted meanwhile.
  Result<bool> copy_block(std::uint64_t block) {
    for (int tries = 1;; ++tries) {
      auto done = spool::copy_block(source_.database, target_.database, block);
      if (!done || tries == kTries || !source_.database.torn()) return done;
      if (auto opened = open_source(); !opened) return std::move(opened).error();
    }
  }

  Result<void> commit(bool more) {
    if (auto done = transaction_->commit(); !done) return done;
    transaction_.reset();
    if (auto copied = target_.database.checkpoint(false); !copied) return std::move(copied).error();
    return more ? transact() : Result<void>();
  }

  // Everything in the one file.
  Result<void> end() {
    if (auto done = commit(false); !done) return done;
    auto copied = target_.database.checkpoint(true);
    if (!copied) return std::move(copied).error();
    if (!*copied) return base::fail(Code::busy, "cannot complete '{}': another process uses it", partial_);
    close();
    return {};
  }

  void close() {
    transaction_.reset();
    target_ = SpoolFile();
  }

 private:
  Result<void> open_source() {
    auto opened = open_for_reading(from_, wait_);
    if (!opened) return std::move(opened).error();
    if (!opened->has_value()) return nothing_to_read(from_);
    source_ = std::move(**opened);
    return {};
  }

  Result<void> transact() {
    auto transaction = sqlite::Transaction::begin(target_.database, sqlite::Transaction::Kind::write);
    if (!transaction) return std::move(transaction).error();
    transaction_.emplace(std::move(*transaction));
    return {};
  }

  Result<void> begin_once() {
    close();
    made_.discard();
    if (auto opened = open_source(); !opened) return opened;
    auto target = open_for_writing(partial_, Sync::off, base::kSecond);
    if (!target) return std::move(target).error();
    target_ = std::move(*target);
    const auto format = source_.database.integer("PRAGMA user_version"), known = target_.database.integer("PRAGMA user_version");
    if (!format || !known) return format ? known.error() : format.error();
    if (*format != *known) {
      return base::fail(Code::version, "cannot copy '{}': its format is {}, an older one than {}", from_, *format, *known)
          .with_hint("start the `weir buffer` that fills it first; only the writer migrates");
    }
    if (auto begun = transact(); !begun) return begun;
    auto reading = sqlite::Transaction::begin(source_.database, sqlite::Transaction::Kind::read);
    if (!reading) return std::move(reading).error();
    auto missing = find_missing(source_.database, source_.note);
    if (!missing) return std::move(missing).error();
    if (*missing) missing_ = fmt::format("spool '{}' is not complete: {}", from_, describe(from_, **missing));
    if (auto done = copy_small_tables(source_.database, target_.database); !done) return done;
    for (const auto& step : {&Copy::note_recent, &Copy::copy_positions, &Copy::list_blocks}) {
      if (auto done = (this->*step)(); !done) return done;
    }
    return reading->commit();
  }

  // What each consumer noted since its last commit: the recent files stay behind.
  Result<void> note_recent() {
    auto consumers = read_consumers(source_.database);
    if (!consumers) return std::move(consumers).error();
    for (const ConsumerRow& row : *consumers) {
      const auto recently = read_recent_places(from_, source_.id, row.name);
      if (!recently || recently->updated != row.updated) continue;
      auto done = update_consumer(target_.database, row.name, row.match, recently->places, row.updated);
      if (!done) return done;
    }
    return {};
  }

  // One snapshot, with what the writer noted.
  Result<void> copy_positions() {
    // No number of the spool is given out again by who writes the copy.
    auto next = next_number(source_.database, from_, source_.id);
    if (!next) return std::move(next).error();
    const std::uint64_t through = *next - 1;
    if (through == 0) return {};
    Keeper keeper(from_);
    if (auto loaded = load_recent_positions(source_.database, from_, source_.id, keeper); !loaded) return loaded;
    return write_snapshot(target_.database, through, keeper.snapshot());
  }

  Result<void> list_blocks() {
    blocks_.clear();
    return for_each_block(source_.database, {}, [&](const BlockInfo& block) {
      blocks_.push_back({block.id, block.records, block.body_bytes});
    });
  }

  const std::string from_;
  const NewSpool& made_;
  const std::string& partial_;
  const base::Duration wait_;
  SpoolFile source_, target_;
  std::optional<sqlite::Transaction> transaction_;
  std::vector<Listed> blocks_;
  std::optional<std::string> missing_;
};

}  // namespace

Result<Copied> copy_spool(const std::string& wanted, const std::string& to, base::Duration wait, const base::Clock& clock,
                          const base::Stop* stop, const Watch& watch) {
  const std::string from = real_path(wanted);
  // The spool first: a wrong name leaves nothing behind.
  auto source = Reader::open(from, wait);
  if (!source) return std::move(source).error();
  auto made = NewSpool::begin(to, "copy to", clock);
  if (!made) return std::move(made).error();
  Copy copy(from, *made, wait);
  Copied copied;
  const auto work = [&]() -> Result<void> {
    if (auto begun = copy.begin(); !begun) return begun;
    copied.missing = copy.missing();
    std::uint64_t done = 0, bytes = 0, all = 0;
    for (const Copy::Listed& block : copy.blocks()) all += block.bytes;
    for (const Copy::Listed& block : copy.blocks()) {
      const bool stopped = (stop != nullptr && stop->stopped()) || (watch && !watch(bytes, all));
      if (stopped) return base::fail(Code::interrupted, "cannot copy '{}': stopped", from);
      auto there = copy.copy_block(block.id);
      if (!there) return std::move(there).error();
      if (*there) ++copied.blocks;
      (*there ? copied.records : copied.evicted) += block.records;
      if (++done % kPerCommit == 0) {
        if (auto stored = copy.commit(true); !stored) return stored;
      }
      bytes += block.bytes;
    }
    return copy.end();
  };
  auto done = work();
  copy.close();
  if (done) done = made->finish();
  if (!done) return std::move(done).error();
  struct stat status = {};
  if (::stat(to.c_str(), &status) == 0) copied.bytes = static_cast<std::uint64_t>(status.st_size);
  return copied;
}

}  // namespace weir::spool
