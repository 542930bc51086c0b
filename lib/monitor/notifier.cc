#include "monitor/notifier.h"

#include "base/thread.h"

#include <fmt/format.h>

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

namespace weir::monitor {
namespace {

using base::Result;

constexpr base::Duration kStatusEvery = 30 * base::kSecond;
constexpr base::Duration kMicrosecond = 1000;

std::optional<std::int64_t> number_of(const char* text) {
  if (text == nullptr) return std::nullopt;
  const std::string_view digits = text;
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size() || number <= 0) return std::nullopt;
  return number;
}

}  // namespace

Notifier::Config Notifier::config_of(const char* (*environment)(const char* name)) {
  Config config;
  if (const char* socket = environment("NOTIFY_SOCKET"); socket != nullptr) config.socket = socket;
  const char* pid = environment("WATCHDOG_PID");
  const auto period = number_of(environment("WATCHDOG_USEC"));
  if (period && *period < base::kHour && (pid == nullptr || number_of(pid) == ::getpid())) config.watchdog = *period * kMicrosecond;
  return config;
}

Notifier::Notifier(Config config, ServiceSocket socket, const pipeline::Context& context)
    : config_(std::move(config)), socket_(std::move(socket)), context_(context), reloads_(context.stop->reloads()) {}

Result<std::unique_ptr<Notifier>> Notifier::start(Config config, const pipeline::Context& context) {
  auto socket = ServiceSocket::open(config.socket);
  if (!socket) return std::move(socket).error();
  std::unique_ptr<Notifier> notifier(new Notifier(std::move(config), *std::move(socket), context));
  for (const int event : {context.stop->fd(), context.stop->reload_fd()})
    if (auto watched = notifier->wake_.watch_event(event); !watched) return std::move(watched).error();
  auto thread = base::start_thread("tell systemd", [one = notifier.get()] { one->run(); });
  if (!thread) return std::move(thread).error();
  notifier->thread_ = *std::move(thread);
  return notifier;
}

Notifier::~Notifier() {
  ends_.store(true, std::memory_order_release);
  wake_.ring();
  if (thread_.joinable()) thread_.join();
}

void Notifier::begun() {
  begun_.store(true, std::memory_order_release);
  wake_.ring();
}

void Notifier::run() {
  while (!ends_.load(std::memory_order_acquire)) {
    hear_news();
    base::Monotonic now = context_.clock->monotonic();
    if (now >= ping_at_) ping();
    if (now >= status_at_) say_status();
    now = context_.clock->monotonic();
    pollfd woken = {wake_.fd(), POLLIN, 0};
    ::poll(&woken, 1, base::poll_timeout(now, std::min(ping_at_, status_at_)));
    wake_.hear();
  }
  if (!std::exchange(stopping_said_, true)) send("STOPPING=1");
}

void Notifier::hear_news() {
  if (begun_.load(std::memory_order_acquire) && !std::exchange(ready_said_, true)) {
    send("READY=1");
    ping_at_ = config_.watchdog > 0 ? 0 : base::kNever;
    send("STATUS=starting");
    status_at_ = base::after(context_.clock->monotonic(), config_.starting);
  }
  if (context_.stop->stopped() && !std::exchange(stopping_said_, true)) send("STOPPING=1");
  if (const int reloads = context_.stop->reloads(); std::exchange(reloads_, reloads) != reloads && ready_said_) {
    // What is read again is not waited for: whether it was taken is told by messages and metrics.
    send(fmt::format("RELOADING=1\nMONOTONIC_USEC={}", context_.clock->monotonic() / kMicrosecond));
    send("READY=1");
  }
}

void Notifier::ping() {
  ping_at_ = base::after(context_.clock->monotonic(), config_.watchdog / 2);
  const Verdict health = config_.health();
  if (health.good) return send("WATCHDOG=1");
  context_.diagnostics->warn("watchdog", fmt::format("systemd's watchdog gets no answer: {}",
                                                     std::string_view(health.text).substr(0, health.text.find('\n'))));
}

void Notifier::say_status() {
  status_at_ = base::after(context_.clock->monotonic(), kStatusEvery);
  std::string status = config_.status();
  std::ranges::replace(status, '\n', ' ');
  if (status == status_) return;
  status_ = std::move(status);
  send("STATUS=" + status_);
}

void Notifier::send(std::string_view text) {
  if (auto sent = socket_.send(text); !sent) context_.diagnostics->warn("notify", sent.error().message);
}

}  // namespace weir::monitor
