#include "spool/reader.h"

#include "spool/block_checksum.h"
#include "spool/spool_file.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace weir::spool {
namespace {

std::int64_t as_key(std::uint64_t number) { return static_cast<std::int64_t>(std::min<std::uint64_t>(number, INT64_MAX)); }

}  // namespace

struct Reader::Impl {
  std::string path;
  SpoolFile file;
  sqlite::Statement list, row, streams_of, body, consumers, consumer, names, rejected_of, ranges_of, next_ranges, released_of, rejected, version;
  bool has_ranges = false;  // the file knows them
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
  BlockInfo info;
  std::uint64_t checksum = 0;
  std::string packed_streams, positions, packed_body;
  std::vector<PlaceSet> acknowledged;
  std::vector<std::uint32_t> rejected_ordinals;
  OrdinalSet rejected_in_place;
  PlaceSet released;
  std::vector<std::uint32_t> ordinals;

  base::Result<void> prepare() {
    const std::pair<sqlite::Statement*, std::string_view> statements[] = {
        {&list,
         "SELECT id, stored, min_time, max_time, records, held, line_bytes, body_bytes FROM blocks "
         "WHERE id > ? AND records > 0 AND min_time < ? AND max_time >= ? ORDER BY id LIMIT ?"},
        {&row,
         "SELECT id, stored, min_time, max_time, records, held, line_bytes, body_bytes, checksum, streams, positions FROM blocks "
         "WHERE id = ?"},
        {&streams_of, "SELECT streams FROM blocks WHERE id = ?"},
        {&body, "SELECT body FROM bodies WHERE block = ?"},
        {&consumers, "SELECT block, ordinal, partial FROM consumers"},
        {&names, "SELECT name FROM consumers ORDER BY name"},
        {&consumer, "SELECT block, ordinal, partial FROM consumers WHERE name = ?"},
        {&rejected_of, "SELECT ordinal FROM rejected WHERE block = ? ORDER BY ordinal"},
        {&released_of, "SELECT ordinals FROM released WHERE block = ?"},
        {&rejected,
         "SELECT id, time, status, consumer, tenant, reason, url, record, block, ordinal FROM rejected WHERE id > ? ORDER BY id LIMIT ?"},
        {&version, "PRAGMA data_version"},
    };
    for (const auto& [statement, sql] : statements) {
      auto prepared = file.database.prepare(sql);
      if (!prepared) return std::move(prepared).error();
      *statement = std::move(*prepared);
    }
    auto ranges = file.database.integer("SELECT count(*) FROM sqlite_schema WHERE name = 'rejected_ranges'");
    if (!ranges) return std::move(ranges).error();
    has_ranges = *ranges > 0;
    if (!has_ranges) return {};
    auto of = file.database.prepare("SELECT ordinals FROM rejected_ranges WHERE block = ?");
    if (!of) return std::move(of).error();
    ranges_of = std::move(*of);
    auto next = file.database.prepare(
        "SELECT block, time, status, consumer, tenant, kind, reason, url, ordinals FROM rejected_ranges WHERE block = "
        "(SELECT min(r.block) FROM rejected_ranges r JOIN blocks ON blocks.id = r.block WHERE r.block > ?)");
    if (!next) return std::move(next).error();
    next_ranges = std::move(*next);
    return {};
  }

  base::Result<void> open() {
    auto opened = open_for_reading(path, wait);
    if (!opened) return std::move(opened).error();
    if (!opened->has_value()) return nothing_to_read(path);
    file = std::move(**opened);
    return prepare();
  }

  // Of a file that is read without sharing its log's index: what was committed since.
  base::Result<void> renew() {
    if (!file.database.outdated()) return {};
    for (sqlite::Statement* statement :
         {&list, &row, &streams_of, &body, &consumers, &consumer, &names, &rejected_of, &released_of, &rejected, &version}) {
      *statement = sqlite::Statement();
    }
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
      if (tries == kTries || !file.database.torn()) return result;
    }
  }

  static BlockInfo info_of(const sqlite::Statement& from) {
    BlockInfo info;
    info.id = static_cast<std::uint64_t>(from.integer(0));
    info.stored = from.integer(1);
    info.min_timestamp = from.integer(2);
    info.max_timestamp = from.integer(3);
    info.records = static_cast<std::uint32_t>(from.integer(4));
    info.held = static_cast<std::uint32_t>(from.integer(5));
    info.line_bytes = static_cast<std::uint64_t>(from.integer(6));
    info.body_bytes = static_cast<std::uint64_t>(from.integer(7));
    return info;
  }

  static base::Result<PlaceSet> places_of(const sqlite::Statement& from) {
    const BlockPlace before{static_cast<std::uint64_t>(from.integer(0)), static_cast<std::uint32_t>(from.integer(1))};
    return PlaceSet::decode(before, from.blob(2));
  }

  base::Result<void> fetch_states(std::uint64_t block) {
    acknowledged.clear();
    rejected_ordinals.clear();
    while (true) {
      auto next = consumers.step();
      if (!next) return std::move(next).error();
      if (!*next) break;
      auto places = places_of(consumers);
      if (!places) return std::move(places).error();
      acknowledged.push_back(std::move(*places));
    }
    rejected_of.bind(1, as_key(block));
    while (true) {
      auto next = rejected_of.step();
      if (!next) return std::move(next).error();
      if (!*next) break;
      rejected_ordinals.push_back(static_cast<std::uint32_t>(rejected_of.integer(0)));
    }
    rejected_in_place = {};
    if (!has_ranges) return {};
    ranges_of.bind(1, as_key(block));
    while (true) {
      auto next = ranges_of.step();
      if (!next) return std::move(next).error();
      if (!*next) return {};
      auto some = OrdinalSet::decode(ranges_of.blob(0));
      if (some) rejected_in_place.add_all(*some);  // of one that is damaged the records count as delivered
    }
  }

  // Everything of one block, in one transaction. False: it is gone.
  base::Result<bool> fetch(std::uint64_t block, bool states) {
    auto transaction = sqlite::Transaction::begin(file.database, sqlite::Transaction::Kind::read);
    if (!transaction) return std::move(transaction).error();
    row.bind(1, as_key(block));
    auto found = row.step();
    if (!found || !*found) return found;
    info = info_of(row);
    checksum = static_cast<std::uint64_t>(row.integer(8));
    packed_streams = row.blob(9);
    positions = row.blob(10);
    row.reset();
    packed_body.clear();
    body.bind(1, as_key(block));
    auto has_body = body.step();
    if (!has_body) return has_body;
    if (*has_body) packed_body = body.blob(0);
    body.reset();
    released = PlaceSet({block, 0});
    if (info.held > 0) {
      released_of.bind(1, as_key(block));
      auto some = released_of.step();
      if (!some) return some;
      if (*some) {
        auto places = PlaceSet::decode({block, 0}, released_of.blob(0));
        released_of.reset();
        if (!places) return std::move(places).error();
        released = std::move(*places);
      }
    }
    if (states) {
      if (auto fetched = fetch_states(block); !fetched) return std::move(fetched).error();
    }
    return true;
  }

  [[nodiscard]] State state_of(BlockPlace place, const record::Record& record) const {
    if (std::ranges::binary_search(rejected_ordinals, place.ordinal) || rejected_in_place.contains(place.ordinal)) return State::rejected;
    if (record.held) return State::held;
    const bool delivered =
        !acknowledged.empty() && std::ranges::all_of(acknowledged, [&](const PlaceSet& set) { return set.has(place, record); });
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
  return fmt::format("spool '{}' is not whole: {}", impl_->path, tell(impl_->path, *impl_->missing));
}

base::Result<std::vector<BlockInfo>> Reader::list(const Range& range) {
  return impl_->at_one_time([&]() -> base::Result<std::vector<BlockInfo>> {
    sqlite::Statement& statement = impl_->list;
    statement.bind(1, as_key(range.after)).bind(2, range.time.to).bind(3, range.time.from).bind(4, as_key(range.limit));
    std::vector<BlockInfo> blocks;
    while (true) {
      auto row = statement.step();
      if (!row) return std::move(row).error();
      if (!*row) return blocks;
      blocks.push_back(Impl::info_of(statement));
    }
  });
}

base::Result<std::vector<StreamInfo>> Reader::streams(std::uint64_t block) {
  Impl& impl = *impl_;
  if (impl.cached_block == block && block != 0) return impl.cached_streams;
  auto found = impl.at_one_time([&]() -> base::Result<bool> {
    impl.streams_of.bind(1, as_key(block));
    auto row = impl.streams_of.step();
    if (!row || !*row) return row;
    impl.packed_streams = impl.streams_of.blob(0);
    impl.streams_of.reset();
    return true;
  });
  if (!found) return std::move(found).error();
  if (!*found) return std::vector<StreamInfo>{};
  auto streams = impl.decoder.streams(impl.packed_streams);
  if (!streams) return impl.of_block(std::move(streams).error(), block);
  impl.cached_block = block;
  impl.cached_streams = std::move(*streams);
  return impl.cached_streams;
}

base::Result<bool> Reader::load(std::uint64_t block, const LoadOptions& options, record::Batch& batch, std::vector<State>* states) {
  Impl& impl = *impl_;
  auto found = impl.at_one_time([&] { return impl.fetch(block, states != nullptr); });
  if (!found || !*found) return found;
  if (block_checksum(impl.info, impl.packed_streams, impl.positions, impl.packed_body) != impl.checksum) {
    return base::fail(base::Code::corrupt, "cannot read block {} of spool '{}': its checksum is wrong", block, impl.path);
  }
  if (impl.cached_block != block) {
    auto streams = impl.decoder.streams(impl.packed_streams);
    if (!streams) return impl.of_block(std::move(streams).error(), block);
    impl.cached_block = block;
    impl.cached_streams = std::move(*streams);
  }
  const std::size_t start = batch.records.size();
  impl.ordinals.clear();
  auto decoded = impl.decoder.records(impl.packed_body, impl.cached_streams, impl.info.records, options, batch, impl.ordinals);
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
    impl_->consumer.bind_text(1, consumer);
    auto row = impl_->consumer.step();
    if (!row) return std::move(row).error();
    if (!*row) return std::optional<PlaceSet>();
    auto places = Impl::places_of(impl_->consumer);
    impl_->consumer.reset();
    if (!places) return std::move(places).error();
    return std::optional<PlaceSet>(std::move(*places));
  });
}

base::Result<std::vector<std::string>> Reader::consumers() {
  return impl_->at_one_time([&]() -> base::Result<std::vector<std::string>> {
    std::vector<std::string> names;
    while (true) {
      auto row = impl_->names.step();
      if (!row) return std::move(row).error();
      if (!*row) return names;
      names.emplace_back(impl_->names.text(0));
    }
  });
}

bool Reader::replaced() const { return inode_of(impl_->path) != impl_->inode; }

base::Result<bool> Reader::changed() {
  if (impl_->file.database.still()) {
    if (auto fresh = impl_->renew(); !fresh) return std::move(fresh).error();
    return std::exchange(impl_->renewed, false);
  }
  auto row = impl_->version.step();
  if (!row) return row;
  const std::int64_t now = impl_->version.integer(0);
  impl_->version.reset();
  const bool changed = now != impl_->last_version;
  impl_->last_version = now;
  return changed;
}

base::Result<std::uint64_t> Reader::rejected(std::uint64_t after, std::size_t limit, const std::function<void(const RejectedEntry&)>& each) {
  sqlite::Statement& statement = impl_->rejected;
  statement.bind(1, as_key(after)).bind(2, as_key(limit));
  std::uint64_t highest = 0;
  while (true) {
    auto row = statement.step();
    if (!row) return std::move(row).error();
    if (!*row) return highest;
    RejectedEntry entry;
    entry.number = highest = static_cast<std::uint64_t>(statement.integer(0));
    entry.time = statement.integer(1);
    entry.status = static_cast<int>(statement.integer(2));
    entry.consumer = statement.text(3);
    entry.tenant = statement.text(4);
    entry.reason = statement.text(5);
    entry.url = statement.text(6);
    entry.record = statement.text(7);
    entry.place = {static_cast<std::uint64_t>(statement.integer(8)), static_cast<std::uint32_t>(statement.integer(9))};
    each(entry);
  }
}

base::Result<std::vector<Reader::RejectedRange>> Reader::rejected_ranges(std::uint64_t after) {
  std::vector<RejectedRange> ranges;
  if (!impl_->has_ranges) return ranges;
  sqlite::Statement& statement = impl_->next_ranges;
  statement.bind(1, as_key(after));
  while (true) {
    auto row = statement.step();
    if (!row) return std::move(row).error();
    if (!*row) return ranges;
    auto ordinals = OrdinalSet::decode(statement.blob(8));
    if (!ordinals) {
      statement.reset();
      return std::move(ordinals).error().within(fmt::format("cannot read spool '{}'", impl_->path));
    }
    ranges.push_back({static_cast<std::uint64_t>(statement.integer(0)), statement.integer(1), static_cast<int>(statement.integer(2)),
                      std::string(statement.text(3)), std::string(statement.text(4)), std::string(statement.text(5)), std::string(statement.text(6)),
                      std::string(statement.text(7)), std::move(*ordinals)});
  }
}

}  // namespace weir::spool
