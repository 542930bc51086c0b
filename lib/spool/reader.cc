#include "spool/reader.h"

#include "spool/spool_file.h"
#include "spool/tables/blocks.h"
#include "spool/tables/consumers.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace weir::spool {
struct Reader::Impl {
  std::string path;
  SpoolFile file;
  bool ranges_known = false;  // the file has a table for them
  BlockDecoder decoder;
  std::int64_t last_version = -1;
  base::Duration wait = 0;
  std::optional<MissingLog> missing;
  bool renewed = true;  // since changed() was asked
  std::uint64_t inode = 0;

  // The latest block whose stream list was unpacked.
  std::uint64_t cached_block = 0;
  std::vector<StreamInfo> cached_streams;

  // Copies, so that no transaction is open while they are unpacked.
  BlockRow row;
  std::vector<ConsumerRow> consumers;
  std::vector<std::uint32_t> rejected_whole;
  OrdinalSet rejected_in_place;
  PlaceSet released;
  std::vector<std::uint32_t> ordinals;

  base::Result<void> prepare() {
    auto known = has_ranges(file.database);
    if (!known) return std::move(known).error();
    ranges_known = *known;
    return {};
  }

  base::Result<void> open() {
    auto opened = open_for_reading(path, wait);
    if (!opened) return std::move(opened).error();
    if (!opened->has_value()) return nothing_to_read(path);
    file = std::move(**opened);
    return prepare();
  }

  // Of a file that is read without sharing its log's index: what was committed since. Where another file stands in its place, what
  // was read of it is all there is.
  base::Result<void> renew() {
    if (!file.database.outdated() || inode_of(path) != inode) return {};
    renewed = true;
    return open();
  }

  // Reads by `read`, and again when somebody wrote beneath it.
  template <typename Read>
  auto at_one_time(const Read& read) -> decltype(read()) {
    constexpr int kTries = 5;
    for (int tries = 1;; ++tries) {
      if (auto fresh = renew(); !fresh) return std::move(fresh).error();
      auto result = read();
      if (!file.database.torn()) return result;
      cached_block = 0;  // its list of streams may be torn, too
      if (tries == kTries) return result;
    }
  }

  base::Result<void> fetch_states(std::uint64_t block) {
    auto all = read_consumers(file.database);
    if (!all) return std::move(all).error();
    consumers = std::move(*all);
    if (auto done = rejected_ordinals(file.database, block, rejected_whole); !done) return done;
    rejected_in_place = {};
    if (!ranges_known) return {};
    auto in_place = ordinals_in_ranges(file.database, block);
    if (!in_place) return std::move(in_place).error();
    rejected_in_place = std::move(*in_place);
    return {};
  }

  // Unpacks the list of streams in `row`.
  base::Result<void> note_streams(std::uint64_t block) {
    auto streams = decoder.streams(row.streams);
    if (!streams) return of_block(std::move(streams).error(), block);
    cached_block = block;
    cached_streams = std::move(*streams);
    return {};
  }

  // True: the list of streams alone shows that nothing in the block is wanted. What is damaged is left to who reads the block.
  base::Result<bool> nothing_wanted(std::uint64_t block, const LoadOptions& options) {
    if (!options.stream) return false;
    if (cached_block != block || block == 0) {
      auto found = read_streams(file.database, block, row.streams);
      if (!found) return std::move(found).error();
      if (!*found || !note_streams(block)) return false;
    }
    return !cached_streams.empty() && std::ranges::none_of(cached_streams, options.stream);
  }

  enum class Fetched : std::uint8_t { gone, unwanted, all };
  // Everything of one block, in one transaction.
  base::Result<Fetched> fetch(std::uint64_t block, const LoadOptions& options, bool states) {
    auto transaction = sqlite::Transaction::begin(file.database, sqlite::Transaction::Kind::read);
    if (!transaction) return std::move(transaction).error();
    auto unwanted = nothing_wanted(block, options);
    if (!unwanted) return std::move(unwanted).error();
    if (*unwanted) return Fetched::unwanted;
    auto found = read_block(file.database, block, row);
    if (!found) return std::move(found).error();
    if (!*found) return Fetched::gone;
    released = PlaceSet({block, 0});
    if (row.info.held > 0) {
      auto some = read_released(file.database, block);
      if (!some) return std::move(some).error();
      released = std::move(*some);
    }
    if (states) {
      if (auto fetched = fetch_states(block); !fetched) return std::move(fetched).error();
    }
    return Fetched::all;
  }

  [[nodiscard]] State state_of(BlockPlace place, const record::Record& record) const {
    if (std::ranges::binary_search(rejected_whole, place.ordinal) || rejected_in_place.contains(place.ordinal))
      return State::rejected;
    if (record.held) return State::held;
    const bool delivered =
        !consumers.empty() && std::ranges::all_of(consumers, [&](const ConsumerRow& one) { return one.places.has(place, record); });
    return delivered ? State::delivered : State::undelivered;
  }

  base::Error of_block(base::Error error, std::uint64_t block) const {
    if (error.code != base::Code::corrupt) return error;
    return std::move(error).within(fmt::format("cannot read block {} of spool '{}'", block, path));
  }
};

Reader::Reader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Reader::~Reader() = default;

base::Result<std::unique_ptr<Reader>> Reader::open(const std::string& path, base::Duration wait) {
  auto reader = open_if_there(path, wait);
  if (reader && *reader == nullptr) return nothing_to_read(real_path(path));
  return reader;
}

base::Result<std::unique_ptr<Reader>> Reader::open_if_there(const std::string& wanted, base::Duration wait) {
  const std::string path = real_path(wanted);
  const std::uint64_t inode = inode_of(path);
  if (inode == 0 && errno == ENOENT) return std::unique_ptr<Reader>();  // one that appears now would not be the one of this inode
  auto file = open_for_reading(path, wait);
  if (!file) return std::move(file).error();
  if (!file->has_value()) return std::unique_ptr<Reader>();
  auto impl = std::make_unique<Impl>();
  impl->path = path;
  impl->inode = inode;
  impl->wait = wait;
  impl->file = std::move(**file);
  if (auto prepared = impl->prepare(); !prepared) return std::move(prepared).error();
  auto missing = find_missing(impl->file.database, impl->file.note);
  if (!missing) return std::move(missing).error();
  impl->missing = *missing;
  return std::unique_ptr<Reader>(new Reader(std::move(impl)));
}

std::uint64_t Reader::spool() const { return impl_->file.id; }
const std::string& Reader::path() const { return impl_->path; }

std::optional<std::string> Reader::missing() const {
  if (!impl_->missing) return std::nullopt;
  return fmt::format("spool '{}' is not complete: {}", impl_->path, describe(impl_->path, *impl_->missing));
}

base::Result<std::vector<BlockInfo>> Reader::list(const Range& range) {
  return impl_->at_one_time([&]() -> base::Result<std::vector<BlockInfo>> {
    std::vector<BlockInfo> blocks;
    auto done = for_each_block(impl_->file.database, range, [&](const BlockInfo& block) { blocks.push_back(block); });
    if (!done) return std::move(done).error();
    return blocks;
  });
}

base::Result<std::vector<StreamInfo>> Reader::streams(std::uint64_t block) {
  Impl& impl = *impl_;
  if (impl.cached_block == block && block != 0) return impl.cached_streams;
  auto found = impl.at_one_time([&] { return read_streams(impl.file.database, block, impl.row.streams); });
  if (!found) return std::move(found).error();
  if (!*found) return std::vector<StreamInfo>{};
  if (auto noted = impl.note_streams(block); !noted) return std::move(noted).error();
  return impl.cached_streams;
}

base::Result<bool> Reader::load(std::uint64_t block, const LoadOptions& options, record::Batch& batch, std::vector<State>* states) {
  Impl& impl = *impl_;
  auto fetched = impl.at_one_time([&] { return impl.fetch(block, options, states != nullptr); });
  if (!fetched) return std::move(fetched).error();
  if (*fetched != Impl::Fetched::all) return *fetched == Impl::Fetched::unwanted;
  if (!impl.row.sound()) {
    return base::fail(base::Code::corrupt, "cannot read block {} of spool '{}': its checksum is wrong", block, impl.path);
  }
  if (impl.cached_block != block) {
    if (auto noted = impl.note_streams(block); !noted) return std::move(noted).error();
  }
  const std::size_t start = batch.records.size();
  impl.ordinals.clear();
  auto decoded = impl.decoder.records(impl.row.body, impl.cached_streams, impl.row.info.records, options, batch, impl.ordinals);
  if (!decoded) return impl.of_block(std::move(decoded).error(), block);
  std::size_t to = start;
  for (std::size_t i = 0; i < impl.ordinals.size(); ++i) {
    record::Record& record = batch.records[start + i];
    const BlockPlace place{block, impl.ordinals[i]};
    if (record.held && impl.released.contains(place)) continue;
    record.source = record::Source::in_spool(impl.file.id, block, place.ordinal);
    if (states != nullptr) states->push_back(impl.state_of(place, record));
    if (to != start + i) batch.records[to] = record;
    ++to;
  }
  batch.records.resize(to);
  return true;
}

base::Result<std::optional<PlaceSet>> Reader::acknowledged(std::string_view consumer) {
  return impl_->at_one_time([&]() -> base::Result<std::optional<PlaceSet>> {
    auto row = read_consumer(impl_->file.database, consumer);
    if (!row) return std::move(row).error();
    return *row ? std::optional(std::move((*row)->places)) : std::nullopt;
  });
}

base::Result<std::vector<std::string>> Reader::consumers() {
  return impl_->at_one_time([&] { return consumer_names(impl_->file.database); });
}

bool Reader::replaced() const { return inode_of(impl_->path) != impl_->inode; }

base::Result<bool> Reader::changed() {
  if (impl_->file.database.still()) {
    if (auto fresh = impl_->renew(); !fresh) return std::move(fresh).error();
    return std::exchange(impl_->renewed, false);
  }
  auto version = impl_->file.database.query("PRAGMA data_version");
  if (!version) return std::move(version).error();
  auto row = (*version)->step();
  if (!row) return row;
  const std::int64_t now = (*version)->integer(0);
  const bool changed = now != impl_->last_version;
  impl_->last_version = now;
  return changed;
}

base::Result<std::uint64_t> Reader::rejected(std::uint64_t after, std::size_t limit,
                                             const std::function<void(const RejectedEntry&)>& each) {
  std::uint64_t highest = 0;
  auto done = for_each_rejected(impl_->file.database, after, limit, [&](const RejectedEntry& entry) {
    highest = entry.number;
    each(entry);
  });
  if (!done) return std::move(done).error();
  return highest;
}

base::Result<std::vector<Reader::RejectedRange>> Reader::rejected_ranges(std::uint64_t after) {
  if (!impl_->ranges_known) return std::vector<RejectedRange>();
  auto ranges = next_ranges(impl_->file.database, after);
  if (!ranges && ranges.error().code == base::Code::corrupt) {
    return std::move(ranges).error().within(fmt::format("cannot read spool '{}'", impl_->path));
  }
  return ranges;
}

}  // namespace weir::spool
