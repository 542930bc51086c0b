#include "serve/store_status.h"

#include "record/json.h"
#include "record/timestamp.h"
#include "serve/answers.h"
#include "serve/view.h"
#include "spool/inspection.h"
#include "spool/reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <set>
#include <string>
#include <utility>

namespace weir::serve {
namespace {

using base::Result;
using base::Timestamp;
using record::json_string;

constexpr base::Duration kWait = 5 * base::kSecond;  // for a busy spool

struct Stock {
  std::set<std::string> tenants;
  std::set<std::string> streams;  // their labels; of the request's tenant, as is the rest
  std::uint64_t records = 0, line_bytes = 0;
  Timestamp oldest = std::numeric_limits<Timestamp>::max(), newest = std::numeric_limits<Timestamp>::min();
};

Result<Stock> stock_of(Call& call, const std::string& path) {
  Stock stock;
  auto reader = spool::Reader::open(path, kWait);
  if (!reader) return std::move(reader).error();
  auto blocks = (*reader)->list({});
  if (!blocks) return std::move(blocks).error();
  for (const spool::BlockInfo& block : *blocks) {
    if (call.over()) break;
    const auto streams = (*reader)->streams(block.id);
    if (!streams) continue;  // damaged: it has nothing that a query would find
    for (const spool::StreamInfo& stream : *streams) {
      stock.tenants.insert(stream.tenant);
      if (stream.tenant != call.tenant()) continue;
      stock.streams.emplace(stream.labels->json());
      stock.records += stream.records;
      stock.line_bytes += stream.line_bytes;
      stock.oldest = std::min(stock.oldest, stream.min_timestamp);
      stock.newest = std::max(stock.newest, stream.max_timestamp);
    }
  }
  return stock;
}

std::string writer_object(const spool::SpoolStatus& status) {
  if (!status.writing) return "null";
  const bool known = status.writer.has_value();
  return fmt::format(R"({{"pid":{},"command":{},"blocked":{}}})", status.writer_pid,
                     json_string(known ? status.writer->command : std::string()),
                     known && !status.writer->blocked.empty() ? json_string(status.writer->blocked) : "null");
}

std::string consumer_objects(const spool::SpoolStatus& status) {
  std::string out = "[";
  for (const spool::ConsumerStatus& consumer : status.consumers) {
    if (out.size() > 1) out += ',';
    out += fmt::format(R"({{"name":{},"behind":{},"connected":{}}})", json_string(consumer.name), consumer.behind_records,
                       consumer.connected);
  }
  return out + ']';
}

Answer answer_status(Call& call) {
  const Store& store = call.shared().store;
  spool::SpoolStatus status;
  Stock stock;
  for (const std::string& path : call.spools()) {
    auto read = spool::read_status(path, kWait, call.shared().clock);
    if (!read) return of_store(std::move(read).error());
    status = std::move(*read);
    auto found = stock_of(call, path);
    if (!found) return of_store(std::move(found).error());
    stock = std::move(*found);
  }
  const auto time = [&](Timestamp at) { return stock.records == 0 ? "null" : json_string(record::to_rfc3339(at)); };
  std::string body = fmt::format(
      R"({{"spool":{},"version":{},"read_only":{},"exists":{},"bytes":{},"blocks":{},"records":{},"line_bytes":{},"streams":{},)",
      json_string(store.spool), json_string(store.version), store.read_only, !call.spools().empty(),
      status.file_bytes + status.log_bytes, status.blocks, stock.records, stock.line_bytes, stock.streams.size());
  body +=
      fmt::format(R"("tenants":{},"oldest":{},"newest":{},"undelivered":{},"held":{},"rejected":{},"max_size":{},)",
                  string_array({stock.tenants.begin(), stock.tenants.end()}), time(stock.oldest), time(stock.newest),
                  status.undelivered, status.held, status.rejected, status.max_size > 0 ? fmt::to_string(status.max_size) : "null");
  body += fmt::format("\"writer\":{},\"consumers\":{}}}\n", writer_object(status), consumer_objects(status));
  return json_answer(std::move(body));
}

}  // namespace

Answer store_status(Call& call) {
  auto answer = answer_status(call);
  if (!answer) return json_refusal(answer.error());
  return answer;
}

}  // namespace weir::serve
