#include "serve/tail_hub.h"

#include "base/thread.h"
#include "logql/log_query.h"
#include "logql/parser.h"
#include "scan/new_blocks.h"
#include "scan/spool_scan.h"
#include "serve/level_of.h"
#include "serve/tail_request.h"
#include "serve/tenant.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <utility>
#include <variant>

namespace weir::serve {
namespace {

using base::Monotonic;
using base::Result;
using httpd::Request;
using httpd::Response;
using httpd::Route;
using httpd::WebSocket;

constexpr std::uint16_t kGoingAway = 1001, kError = 1011;
constexpr std::size_t kLongestReason = 123;
constexpr std::size_t kMostHistory = 1 << 20;    // bytes of records of before, in the memory of one tail
constexpr std::chrono::milliseconds kBreath{2};  // between two looks whether a client has read

constexpr auto kTails =
    metrics::gauge("weir_serve_open_tails", "tails", "Clients that listen to new records over a WebSocket now.");
constexpr auto kDropped = metrics::counter("weir_serve_tail_dropped_records_total", "records",
                                           "Records that tails left out because their clients read too slowly.");

struct Tail {
  Tail(std::shared_ptr<WebSocket> socket_, TailRequest request_, logql::LogQuery query_, const TailLimits& limits)
      : socket(std::move(socket_)),
        request(std::move(request_)),
        expr(query_.expr()),
        query(std::move(query_)),
        frames(request.form, limits.frames) {}

  const std::shared_ptr<WebSocket> socket;
  const TailRequest request;
  const logql::LogExpr expr;  // of the query, for another thread
  logql::LogQuery query;
  TailFrames frames;
  Monotonic closes_at = base::kNever;
  std::size_t most_unsent = 0;
  bool joined = false;
  bool slow = false;               // it is not waited for
  std::deque<record::Batch> held;  // new records while its history is looked for
  std::size_t held_bytes = 0;
  // Written by the thread that looks for its history, before `has_history`.
  std::deque<record::Batch> history;
  std::atomic<bool> has_history{false};

  // Sends what is due. False while the client reads too slowly.
  bool send(Monotonic now) {
    while (true) {
      if (socket->unsent() > most_unsent) return false;
      auto frame = frames.next(now - request.delay + 1);
      if (!frame) return true;
      std::string copy = *frame;
      if (socket->send(std::move(copy))) continue;
      frames.put_back(*std::move(frame));
      return false;
    }
  }
};

std::string_view shortened(std::string_view reason) { return reason.substr(0, kLongestReason); }

class Hub : public TailHub {
 public:
  Hub(std::string spool, const TailLimits& limits, const base::Clock& clock, base::Diagnostics& diagnostics,
      metrics::Registry* registry)
      : spool_(std::move(spool)),
        limits_(limits),
        clock_(clock),
        diagnostics_(diagnostics),
        metrics_(registry),
        open_tails_(metrics_.gauge(kTails)),
        dropped_(metrics_.counter(kDropped)) {}

  ~Hub() override {
    stop();
    // In this order: the thread of all tails may only now start the one that looks back.
    end(follower_);
    end(historian_);
  }

  std::vector<Route> routes() override {
    std::vector<Route> routes;
    for (const char* const path : {"/loki/api/v1/tail", "/api/prom/tail", "/weir/api/v1/tail"}) {
      Route route{.method = "GET", .path = path};
      route.admit = [this](const Request& request) { return refusal(request); };
      route.socket = [this](std::shared_ptr<WebSocket> socket) { open(std::move(socket)); };
      routes.push_back(std::move(route));
    }
    return routes;
  }

  void stop() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    bell_.notify_all();
  }

  [[nodiscard]] std::size_t count() const override {
    const std::lock_guard lock(mutex_);
    return tails_.size();
  }

 private:
  void end(std::thread& member) {
    std::thread thread;
    {
      const std::lock_guard lock(mutex_);
      thread = std::move(member);
    }
    if (thread.joinable()) thread.join();
  }

  // ---- on the server's thread

  [[nodiscard]] std::optional<Response> refusal(const Request& request) const {
    if (auto tenant = tenant_of(request); tenant.refused) return *std::move(tenant.refused);
    const auto wanted = tail_request(request, clock_.wall());
    if (wanted) return std::nullopt;
    return Response{.status = 400, .body = wanted.error().message};
  }

  void open(std::shared_ptr<WebSocket> socket) {
    auto request = tail_request(socket->request(), clock_.wall());
    if (!request) return socket->close(kError, shortened(request.error().message));  // admit() has refused it
    auto query = logql::LogQuery::compile(request->query, tail_syntax(request->form));
    if (!query) return socket->close(kError, "only log selector is supported");
    auto tail = std::make_shared<Tail>(std::move(socket), *std::move(request), *std::move(query), limits_);
    tail->closes_at = base::after(clock_.monotonic(), limits_.longest);
    tail->most_unsent = limits_.unsent;
    std::string refused;
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) {
        refused = "the server ends";
      } else if (tails_.size() >= limits_.tails) {
        refused =
            fmt::format("max concurrent tail requests limit exceeded, count > limit ({} > {})", tails_.size() + 1, limits_.tails);
      } else if (auto started = start_follower(); !started) {
        refused = started.error().message;
      } else {
        tails_.push_back(tail);
        open_tails_.set(tails_.size());
      }
    }
    if (!refused.empty()) return tail->socket->close(kError, shortened(refused));
    tail->socket->when_gone([this] { bell_.notify_all(); });
    bell_.notify_all();
  }

  // With the lock.
  Result<void> start_follower() {
    if (follows_) return {};
    if (follower_.joinable()) follower_.join();  // it has ended
    auto thread = base::start_thread("serve tails", [this] { follow(); });
    if (!thread) return std::move(thread).error();
    follower_ = *std::move(thread);
    follows_ = true;
    return {};
  }

  // ---- on the thread of all tails

  void follow() {
    std::optional<scan::NewBlocks> blocks;
    bool is_new = true;  // what the spool has now is history
    while (true) {
      const auto tails = sweep();
      if (tails.empty()) return;
      if (!blocks) blocks = open_spool(is_new);
      is_new = false;
      if (blocks) look(blocks, tails);
      for (const auto& tail : tails) {
        join(*tail, blocks, tail);
        deliver(*tail);
      }
      wait(tails);
    }
  }

  // Closes tails whose time is up, and forgets those that are gone. The thread ends with the last.
  std::vector<std::shared_ptr<Tail>> sweep() {
    std::vector<std::shared_ptr<Tail>> closing, open;
    bool stopping = false;
    {
      const std::lock_guard lock(mutex_);
      stopping = stopping_;
      const Monotonic now = clock_.monotonic();
      std::erase_if(tails_, [&](const std::shared_ptr<Tail>& tail) {
        if (tail->socket->gone()) return true;
        if (!stopping_ && now < tail->closes_at) return false;
        closing.push_back(tail);
        return true;
      });
      open_tails_.set(tails_.size());
      open = tails_;
      if (open.empty()) follows_ = false;
    }
    for (const auto& tail : closing) {
      if (stopping) {
        tail->socket->close(kGoingAway, "the server ends");
      } else {
        tail->socket->close(kError, "reached tail max duration limit");
      }
    }
    return open;
  }

  std::optional<scan::NewBlocks> open_spool(bool is_new) {
    auto blocks = scan::NewBlocks::open_if_there(spool_);
    if (!blocks) {
      diagnostics_.warn("tail-open", fmt::format("tails wait for the spool: {}", blocks.error().message));
      return std::nullopt;
    }
    if (!*blocks) return std::nullopt;
    if (is_new) {
      if (auto known = (*blocks)->take(); !known) return std::nullopt;
    } else {
      behind_ = true;  // all that it has is new
    }
    return std::move(**blocks);
  }

  void look(std::optional<scan::NewBlocks>& blocks, const std::vector<std::shared_ptr<Tail>>& tails) {
    using Change = scan::NewBlocks::Change;
    auto change = blocks->look();
    if (!change) return warn(change.error());
    // All that another spool has in this one's place is new.
    if (*change != Change::committed && *change != Change::replaced && !behind_) return;
    behind_ = false;
    auto added = blocks->take();
    if (!added) {
      behind_ = true;
      return warn(added.error());
    }
    for (const spool::BlockInfo& block : *added) read(blocks->reader(), block, tails);
  }

  void warn(const base::Error& error) { diagnostics_.warn("tail-read", fmt::format("tails wait: {}", error.message)); }

  void read(spool::Reader& reader, const spool::BlockInfo& block, const std::vector<std::shared_ptr<Tail>>& tails) {
    record::Batch batch;
    std::vector<spool::State> states;
    spool::LoadOptions wanted;
    wanted.stream = [&](const spool::StreamInfo& stream) {
      return std::ranges::any_of(tails, [&](const auto& tail) {
        return tail->joined && tail->request.tenant == stream.tenant && tail->query.selects(*stream.labels);
      });
    };
    auto loaded = reader.load(block.id, wanted, batch, &states);
    if (!loaded) return warn(loaded.error());
    const Monotonic now = clock_.monotonic();
    for (const auto& tail : tails) {
      if (!tail->joined) continue;
      if (!tail->has_history.load(std::memory_order_acquire)) {
        hold(*tail, batch);
      } else {
        take(*tail, batch, now);
      }
    }
  }

  // Copies what the tail wants of the batch, to be shown behind its history.
  void hold(Tail& tail, record::Batch& batch) {
    if (tail.held_bytes > limits_.frames.bytes) return take(tail, batch, clock_.monotonic());  // order is worth less than memory
    record::Batch& kept = tail.held.emplace_back();
    for (record::Record& record : batch.records) {
      if (!wants(tail, record) || !tail.query.matches(record, batch)) continue;
      kept.add_copy(record);
    }
    tail.held_bytes += kept.bytes();
  }

  [[nodiscard]] static bool wants(const Tail& tail, const record::Record& record) {
    return !record.is_marker() && record.tenant == tail.request.tenant && tail.query.selects(*record.labels);
  }

  void take(Tail& tail, record::Batch& batch, Monotonic now) {
    logql::LogQuery::Entry entry;
    std::uint64_t dropped = 0;
    for (record::Record& record : batch.records) {
      if (!wants(tail, record) || !tail.query.run(record, batch, entry)) continue;
      const std::string_view level = tail.request.form == TailForm::page ? level_of(entry) : std::string_view();
      if (tail.frames.add(entry, record.timestamp, now, level)) continue;
      if (make_room(tail) && tail.frames.add(entry, record.timestamp, now, level)) continue;
      tail.frames.drop(entry, record.timestamp);
      ++dropped;
    }
    if (dropped > 0) dropped_.add(dropped);
  }

  // A block may have more than fits, also for a client that reads as fast as it can: that one is waited for.
  bool make_room(Tail& tail) {
    // Those that wait for their delay go out earlier than asked for, because there is no room for them.
    const auto send = [&tail] { return tail.send(base::kNever - base::kHour); };
    if (send()) return true;
    if (tail.slow) return false;
    const Monotonic until = clock_.monotonic() + limits_.patience;
    while (clock_.monotonic() < until && !tail.socket->gone()) {
      std::this_thread::sleep_for(kBreath);
      if (send()) return true;
    }
    tail.slow = true;
    return false;
  }

  void join(Tail& tail, const std::optional<scan::NewBlocks>& blocks, const std::shared_ptr<Tail>& shared) {
    if (!tail.joined) {
      tail.joined = true;
      if (!blocks) {
        tail.has_history.store(true, std::memory_order_release);
      } else {
        ask_for_history(shared, *blocks);
      }
      return;
    }
    if (!tail.has_history.load(std::memory_order_acquire)) return;
    if (tail.history.empty() && tail.held.empty()) return;
    const Monotonic now = clock_.monotonic();
    for (record::Batch& before : std::exchange(tail.history, {})) take(tail, before, now);
    for (record::Batch& held : std::exchange(tail.held, {})) take(tail, held, now);
    tail.held_bytes = 0;
  }

  void deliver(Tail& tail) {
    if (tail.send(clock_.monotonic())) tail.slow = false;
  }

  void wait(const std::vector<std::shared_ptr<Tail>>& tails) {
    base::Duration pause = limits_.poll;
    const Monotonic now = clock_.monotonic();
    for (const auto& tail : tails) {
      if (const Monotonic oldest = tail->frames.oldest(); oldest != base::kNever)
        pause = std::min(pause, std::max<base::Duration>(oldest + tail->request.delay - now + 1, base::kMillisecond));
    }
    std::unique_lock lock(mutex_);
    const bool has_news = stopping_ || std::ranges::any_of(tails_, [](const auto& tail) { return !tail->joined; });
    if (!has_news) bell_.wait_for(lock, std::chrono::nanoseconds(pause));
  }

  // ---- history

  // Blocks that are known now, and none that come while it is looked for.
  void ask_for_history(const std::shared_ptr<Tail>& tail, const scan::NewBlocks& blocks) {
    const std::lock_guard lock(mutex_);
    wanted_.push_back({tail, blocks.known()});
    if (looks_back_) return;
    if (historian_.joinable()) historian_.join();
    auto thread = base::start_thread("look for what tails begin with", [this] { look_back(); });
    if (!thread) {
      diagnostics_.warn("tail-history", thread.error().message);
      for (const Wanted& one : wanted_) one.tail->has_history.store(true, std::memory_order_release);
      wanted_.clear();
      return;
    }
    historian_ = *std::move(thread);
    looks_back_ = true;
  }

  void look_back() {
    while (true) {
      std::optional<Wanted> next;
      {
        const std::lock_guard lock(mutex_);
        if (stopping_ || wanted_.empty()) {
          looks_back_ = false;
          return;
        }
        next = std::move(wanted_.front());
        wanted_.pop_front();
      }
      Tail& tail = *next->tail;
      if (auto found = find_history(tail, next->known); !found) warn(found.error());
      tail.has_history.store(true, std::memory_order_release);
      bell_.notify_all();
    }
  }

  Result<void> find_history(Tail& tail, const scan::KnownBlocks& known) {
    base::TimeRange range;
    range.from = tail.request.start;
    range.to = clock_.wall();
    if (range.from >= range.to) return {};
    const std::string paths[] = {spool_};
    auto scan = scan::SpoolScan::open(paths, tail.expr, range, diagnostics_);
    if (!scan) return std::move(scan).error();
    (*scan)->take_tenant(tail.request.tenant);
    (*scan)->take_blocks([&](const spool::BlockInfo& block) { return known.has(block.id); });
    (*scan)->keep_as_stored();
    (*scan)->watch([&](const scan::SpoolScan::Work&) { return !tail.socket->gone() && !is_stopping(); });
    if (auto older = (*scan)->keep_newest(std::min(tail.request.limit, limits_.history)); !older) return std::move(older).error();
    std::size_t bytes = 0;
    return (*scan)->run([&](record::Batch& batch) -> Result<bool> {
      record::Batch& kept = tail.history.emplace_back();
      for (const record::Record& record : batch.records) kept.add_copy(record);
      bytes += kept.bytes();
      // The newest stay, so that nothing is missing between them and what comes.
      for (; bytes > kMostHistory && tail.history.size() > 1; tail.history.pop_front()) bytes -= tail.history.front().bytes();
      return true;
    });
  }

  [[nodiscard]] bool is_stopping() const {
    const std::lock_guard lock(mutex_);
    return stopping_;
  }

  struct Wanted {
    std::shared_ptr<Tail> tail;
    scan::KnownBlocks known;
  };

  const std::string spool_;
  const TailLimits limits_;
  const base::Clock& clock_;
  base::Diagnostics& diagnostics_;
  bool behind_ = false;  // a look failed; for the thread of all tails

  metrics::Block metrics_;
  metrics::Gauge open_tails_;  // guarded by mutex_
  metrics::Counter dropped_;   // for the thread of all tails

  mutable std::mutex mutex_;
  std::condition_variable bell_;
  bool stopping_ = false;  // guarded by mutex_, as is what follows
  bool follows_ = false, looks_back_ = false;
  std::vector<std::shared_ptr<Tail>> tails_;
  std::deque<Wanted> wanted_;
  std::thread follower_, historian_;
};

}  // namespace

std::unique_ptr<TailHub> TailHub::create(std::string spool, const TailLimits& limits, const base::Clock& clock,
                                         base::Diagnostics& diagnostics, metrics::Registry* registry) {
  return std::make_unique<Hub>(std::move(spool), limits, clock, diagnostics, registry);
}

}  // namespace weir::serve
