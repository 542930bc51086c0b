// Pushes the records of a run to Loki as an agent does: protobuf in a snappy block, one request in flight for each stream.
//
// Each batch is one request of its own. A request is sent again, after growing waits, when there was no answer or one that may pass
// (408, 429, 5xx), until the batch is older than the time that its records may take. What Loki refuses is not sent again.
#pragma once

#include "base/backoff.h"
#include "http/client.h"
#include "loki/push_encoder.h"
#include "loki/push_pages.h"
#include "loki/push_reply.h"
#include "smoke/verdict.h"
#include "smoke/writer.h"

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace weir::smoke {

struct PushWriterConfig {
  http::ClientConfig http;  // a base that is a full push URL stands for the Loki of that URL
  std::string tenant;       // X-Scope-OrgID; "" sends no header
  base::Duration give_up = 30 * base::kSecond;
  base::Backoff::Limits backoff = {500 * base::kMillisecond, 5 * base::kSecond};
  std::vector<Labels> labels;  // of stream 1, 2, …
};

class PushWriter : public Writer {
 public:
  // `plan` and `clock` must outlive it.
  static base::Result<std::unique_ptr<PushWriter>> create(PushWriterConfig config, const Plan& plan, base::Clock& clock);
  ~PushWriter() override;
  PushWriter(const PushWriter&) = delete;  // a worker thread calls it
  PushWriter& operator=(const PushWriter&) = delete;

  // An error when nothing was ever taken and nothing can be: nobody listens, access is denied, this is no Loki.
  base::Result<void> write(const PlannedBatch& batch) override;
  base::Result<void> finish(base::Monotonic deadline) override;
  void give_up() override;
  [[nodiscard]] WriteReport report() const override;

  // This Loki takes no structured metadata.
  [[nodiscard]] bool wants_no_metadata() const;

 private:
  struct Pending {
    PlannedBatch batch;
    std::string body;
    base::Monotonic give_up = 0;
  };
  struct Stream {
    std::string labels;
    std::deque<Pending> pending;  // the first is in flight, or waits for its repeat
    bool in_flight = false;
    base::Monotonic repeat_at = 0;
    std::optional<base::Backoff> backoff;
  };

  PushWriter(PushWriterConfig config, const Plan& plan, base::Clock& clock);
  [[nodiscard]] std::string encode(const PlannedBatch& batch, const std::string& labels, std::uint64_t& bytes);
  void submit(std::size_t index);  // with mutex_ held
  void answered(std::size_t index, const base::Result<http::Response>& answer);
  void repeat_or_give_up(Stream& stream, std::string words, base::Duration floor);
  void drop(Stream& stream, std::string words);
  base::Monotonic on_timer(base::Monotonic now);
  [[nodiscard]] bool idle() const;

  const PushWriterConfig config_;
  const Plan& plan_;
  base::Clock& clock_;
  loki::PagePool pages_;
  loki::PushEncoder encoder_{{0, 0, 0, 0, 0, 0, 0, 0}};  // Loki itself judges

  mutable std::mutex mutex_;  // guards all below
  std::condition_variable changed_;
  std::vector<Stream> streams_;
  WriteReport report_;
  bool taken_ = false;  // a request was taken
  bool no_metadata_ = false;
  bool given_up_ = false, closing_ = false;
  std::optional<base::Error> fatal_;
  std::unique_ptr<http::AsyncClient> client_;  // last: its thread uses the rest
};

}  // namespace weir::smoke
