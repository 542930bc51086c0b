#include "pipeline/output_count.h"

namespace weir::pipeline {
namespace {

using metrics::Account;

constexpr auto kRecordsIn =
    metrics::counter("weir_output_input_records_total", "records", "Records that came to the end of the chain.", Account::in);
constexpr auto kBytesIn = metrics::counter("weir_output_input_bytes_total", "bytes",
                                           "Bytes of the lines that came to the end of the chain.", Account::in);
constexpr auto kRecordsOut =
    metrics::counter("weir_output_written_records_total", "records", "Records that were written.", Account::out);
constexpr auto kBytesOut =
    metrics::counter("weir_output_written_bytes_total", "bytes", "Bytes of the lines that were written.", Account::out);
constexpr auto kUnwritten = metrics::gauge("weir_output_unwritten_records", "records",
                                           "Records that the reader of the output has not taken.", Account::in_flight);

}  // namespace

OutputCount::OutputCount(const Context& context)
    : block_(context.metrics, context.driver),
      records_in_(block_.counter(kRecordsIn)),
      bytes_in_(block_.counter(kBytesIn)),
      records_out_(block_.counter(kRecordsOut)),
      bytes_out_(block_.counter(kBytesOut)),
      unwritten_(block_.gauge(kUnwritten)) {}

void OutputCount::written(const record::Record* but_for) {
  records_out_.reach(before_.records + batch_.records - (but_for != nullptr ? 1 : 0));
  bytes_out_.reach(before_.bytes + batch_.bytes - (but_for != nullptr ? but_for->line.data.size() : 0));
}

void OutputCount::end_of_batch(const record::Batch& batch, bool all) {
  if (!all) batch_ = tally_of(batch);
  before_.records += batch_.records;
  before_.bytes += batch_.bytes;
  batch_ = {};
  records_in_.reach(before_.records);
  bytes_in_.reach(before_.bytes);
  unwritten_.set(before_.records - records_out_.value());
}

}  // namespace weir::pipeline
