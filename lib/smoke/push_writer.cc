#include "smoke/push_writer.h"

#include "loki/push_body.h"
#include "record/record.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

namespace weir::smoke {

using base::Code;
using base::Duration;
using base::Monotonic;
using base::Result;
using loki::Meaning;

namespace {

constexpr std::string_view kPushPath = "/loki/api/v1/push";
constexpr std::string_view kNobody = "is a Loki there? --addr, --push-url or LOKI_ADDR names another one";

}  // namespace

Result<std::unique_ptr<PushWriter>> PushWriter::create(PushWriterConfig config, const Plan& plan, base::Clock& clock) {
  std::string& path = config.http.base.path;
  if (path.ends_with(kPushPath)) path.resize(path.size() - kPushPath.size());
  http::ClientConfig http = config.http;
  std::unique_ptr<PushWriter> writer(new PushWriter(std::move(config), plan, clock));
  http::AsyncClient::Options options;
  options.max_connections = static_cast<int>(std::clamp<std::size_t>(writer->streams_.size(), 1, 16));
  options.timer = [self = writer.get()](Monotonic now) { return self->on_timer(now); };
  auto client = http::AsyncClient::create(std::move(http), clock, std::move(options));
  if (!client) return std::move(client).error();
  const std::lock_guard lock(writer->mutex_);
  writer->client_ = std::move(*client);
  return writer;
}

PushWriter::PushWriter(PushWriterConfig config, const Plan& plan, base::Clock& clock)
    : config_(std::move(config)), plan_(plan), clock_(clock), streams_(plan.streams()) {
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    std::vector<record::Label> labels;
    for (const auto& [name, value] : config_.labels[i]) labels.push_back({name, value});
    std::sort(labels.begin(), labels.end(), [](const record::Label& a, const record::Label& b) { return a.name < b.name; });
    streams_[i].labels = loki::label_string(labels);
    streams_[i].backoff.emplace(config_.backoff, static_cast<std::uint64_t>(clock.wall()) + i);
  }
}

PushWriter::~PushWriter() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  client_.reset();  // without the lock: its thread may be in a completion or the timer
}

std::string PushWriter::encode(const PlannedBatch& batch, const std::string& labels, std::uint64_t& bytes) {
  loki::PageBuffer entries(pages_);
  for (std::uint32_t number = batch.first; number < batch.first + batch.size; ++number) {
    const PlannedRecord planned = plan_.record(number);
    std::vector<record::Label> metadata;
    for (const auto& [name, value] : planned.metadata) metadata.push_back({name, value});
    record::Record record;
    record.timestamp = planned.time;
    record.line = record::Text::bytes(planned.line);
    record.metadata = metadata;
    bytes += planned.line.size();
    static_cast<void>(encoder_.prepare(record, labels, std::nullopt));  // it has no limits, so it refuses nothing
    encoder_.append(entries);
  }
  const std::array<loki::BodyStream, 1> streams = {{{labels, &entries}}};
  return loki::encode_body(streams);
}

Result<void> PushWriter::write(const PlannedBatch& batch) {
  const std::size_t index = batch.stream - 1;
  std::uint64_t bytes = 0;
  std::string body = encode(batch, streams_[index].labels, bytes);
  const std::lock_guard lock(mutex_);
  if (fatal_) return base::Error(*fatal_);
  report_.bytes += bytes;
  Stream& stream = streams_[index];
  stream.pending.push_back({batch, std::move(body), base::after(clock_.monotonic(), config_.give_up)});
  if (stream.pending.size() == 1) submit(index);
  return {};
}

void PushWriter::submit(std::size_t index) {
  if (closing_) return;
  Stream& stream = streams_[index];
  http::Request request;
  request.method = "POST";
  request.path = kPushPath;
  request.headers = {{"Content-Type", "application/x-protobuf"}};
  if (!config_.tenant.empty()) request.headers.push_back({"X-Scope-OrgID", config_.tenant});
  request.body_view = stream.pending.front().body;  // stays in place until it is answered
  stream.in_flight = true;
  ++report_.requests;
  client_->submit(std::move(request), [this, index](Result<http::Response> answer) { answered(index, answer); });
}

void PushWriter::answered(std::size_t index, const Result<http::Response>& answer) {
  const std::lock_guard lock(mutex_);
  Stream& stream = streams_[index];
  stream.in_flight = false;
  if (!answer) {
    const base::Error& error = answer.error();
    const bool hopeless = error.code != Code::network && error.code != Code::unreachable;
    if (hopeless || (!taken_ && error.code == Code::unreachable)) {
      if (!fatal_) fatal_ = error;
      if (fatal_->hint.empty() && !hopeless) fatal_->hint = kNobody;
    } else {
      repeat_or_give_up(stream, error.message, 0);
    }
  } else {
    const std::string words = loki::describe(answer->status, answer->body);
    switch (loki::meaning(answer->status, answer->body)) {
      case Meaning::delivered:
        taken_ = true;
        stream.pending.pop_front();
        stream.backoff->reset();
        break;
      case Meaning::stored_but_for:
        // The rest of the batch is stored: what is not there when it is read back was refused.
        taken_ = true;
        drop(stream, words);
        break;
      case Meaning::no_metadata:
        no_metadata_ = true;
        drop(stream, words);
        break;
      case Meaning::refused:
      case Meaning::unknown_400:
      case Meaning::too_large:
        drop(stream, words);
        break;
      case Meaning::trouble:
        if (!taken_) {
          const std::string where = config_.http.base.display();
          if (!fatal_) {
            fatal_ = base::fail(Code::network, "cannot push to {}: {}", where, words)
                         .with_hint(std::string(loki::trouble_hint(answer->status, where)));
          }
          break;
        }
        [[fallthrough]];
      case Meaning::stream_limited:
      case Meaning::limited:
      case Meaning::unavailable:
      case Meaning::failed:
        repeat_or_give_up(stream, words, answer->retry_after(clock_.wall()));
        break;
    }
  }
  if (!fatal_ && !stream.in_flight && !stream.pending.empty() && stream.repeat_at == 0) submit(index);
  changed_.notify_all();
}

void PushWriter::repeat_or_give_up(Stream& stream, std::string words, Duration floor) {
  const Monotonic now = clock_.monotonic();
  const Monotonic at = base::after(now, stream.backoff->next(floor));
  if (at >= stream.pending.front().give_up) return drop(stream, std::move(words));
  report_.trouble = std::move(words);
  stream.repeat_at = at;  // the timer is asked again after every answer
}

void PushWriter::drop(Stream& stream, std::string words) {
  const PlannedBatch& batch = stream.pending.front().batch;
  report_.refused.push_back({batch.first, batch.size, std::move(words)});
  stream.pending.pop_front();
}

Monotonic PushWriter::on_timer(Monotonic now) {
  const std::lock_guard lock(mutex_);
  Monotonic next = base::kNever;
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    Stream& stream = streams_[i];
    if (stream.repeat_at == 0 || fatal_) continue;
    if (stream.repeat_at > now) {
      next = std::min(next, stream.repeat_at);
      continue;
    }
    stream.repeat_at = 0;
    ++report_.repeats;
    submit(i);
  }
  return next;
}

bool PushWriter::idle() const {
  return std::all_of(streams_.begin(), streams_.end(), [](const Stream& stream) { return stream.pending.empty(); });
}

Result<void> PushWriter::finish(Monotonic deadline) {
  std::unique_lock lock(mutex_);
  const Duration left = std::max<Duration>(0, deadline - clock_.monotonic());
  changed_.wait_for(lock, std::chrono::nanoseconds(left), [this] { return given_up_ || fatal_ || idle(); });
  if (fatal_) return base::Error(*fatal_);
  for (Stream& stream : streams_) {
    if (stream.in_flight) continue;  // its body may still be read; what is not there later counts as missing
    for (; !stream.pending.empty(); stream.pending.pop_front()) {
      report_.refused.push_back({stream.pending.front().batch.first, stream.pending.front().batch.size,
                                 report_.trouble.empty() ? "not answered in time" : report_.trouble});
    }
  }
  return {};
}

void PushWriter::give_up() {
  {
    const std::lock_guard lock(mutex_);
    given_up_ = true;
  }
  changed_.notify_all();
}

WriteReport PushWriter::report() const {
  const std::lock_guard lock(mutex_);
  return report_;
}

bool PushWriter::wants_no_metadata() const {
  const std::lock_guard lock(mutex_);
  return no_metadata_;
}

}  // namespace weir::smoke
