#include "delivery/spool_stream.h"

#include "base/count.h"
#include "record/json.h"
#include "record/timestamp.h"
#include "spool/damage.h"

#include <fmt/format.h>

#include <algorithm>

namespace weir::delivery {
void append_begin(record::Batch& batch, const std::string& spool_path, std::uint64_t spool, spool::BlockPlace start) {
  auto& marker = batch.append_marker(record::Marker::Type::begin, record::Source::in_spool(spool, start.block, start.ordinal));
  marker.checkpoint = batch.copy(spool_path);
  marker.spool = spool;
}

void append_rejected(record::Batch& batch, const std::string& spool_path, std::uint64_t spool) {
  auto& marker = batch.append_marker(record::Marker::Type::rejected, {});
  marker.checkpoint = batch.copy(spool_path);
  marker.spool = spool;
}

std::string rejected_object(const spool::Rejection& rejection, base::Timestamp time) {
  std::string out = "{\"reason\":";
  record::append_json_string(out, rejection.reason);
  out += fmt::format(",\"status\":{},\"url\":", rejection.status);
  record::append_json_string(out, rejection.url);
  out += ",\"tenant\":";
  record::append_json_string(out, rejection.tenant);
  out += fmt::format(",\"time\":\"{}\"}}", record::to_rfc3339(time));
  return out;
}

std::uint64_t finish_block(record::Batch& batch, std::uint64_t spool, std::uint64_t block, const spool::PlaceSet* skip) {
  const std::size_t records = batch.records.size();
  std::uint32_t end = 0;
  std::uint64_t bytes = 0;
  std::size_t to = 0;
  for (std::size_t i = 0; i < records; ++i) {
    record::Record& record = batch.records[i];
    // Out of the file they know their places, of which some may be left out.
    const bool placed = record.source.kind == record::Source::Kind::block && record.source.block == block;
    const std::uint32_t ordinal = placed ? record.source.ordinal : static_cast<std::uint32_t>(i);
    end = ordinal + 1;
    if (record.held || (skip != nullptr && skip->has({block, ordinal}, record))) continue;
    record.source = record::Source::in_spool(spool, block, ordinal);
    bytes += record.line.data.size();
    if (to != i) batch.records[to] = record;
    ++to;
  }
  batch.records.resize(to);
  // Room for the marker; growing by itself would double the vector.
  if (to == batch.records.capacity()) batch.records.reserve(to + 1);
  batch.append_marker(record::Marker::Type::block, record::Source::in_spool(spool, block, end));
  return bytes;
}

std::uint64_t leave_out_block(const std::string& spool_path, const spool::BlockInfo& block, const base::Error& error,
                              base::Clock& clock, base::Diagnostics& diagnostics) {
  diagnostics.say(fmt::format("{}; {} of it {} lost, the others go on", error.message, base::count_of(block.records, "record"),
                              block.records == 1 ? "is" : "are"));
  if (auto asked = spool::report_damaged_block(spool_path, block.id, clock); !asked) {
    diagnostics.warn("damaged-block", fmt::format("cannot ask for block {} to be set aside: {}", block.id, asked.error().message));
  }
  return block.records - std::min(block.records, block.held);
}

void append_end(record::Batch& batch) { batch.append_marker(record::Marker::Type::end, {}); }

}  // namespace weir::delivery
