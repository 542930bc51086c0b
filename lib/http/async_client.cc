#include "base/thread.h"
#include "http/client.h"
#include "http/exchange.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <limits>
#include <map>
#include <mutex>
#include <thread>

namespace weir::http {
namespace {

class CurlAsyncClient : public AsyncClient {
 public:
  CurlAsyncClient(const CurlLibrary& curl, CURLM* multi, ClientConfig config, base::Clock& clock, Options options)
      : curl_(curl), multi_(multi), config_(std::move(config)), identity_(config_), clock_(clock), options_(std::move(options)) {
    curl_.multi_setopt(multi_, CURLMOPT_MAX_TOTAL_CONNECTIONS, static_cast<long>(options_.max_connections));
    curl_.multi_setopt(multi_, CURLMOPT_MAXCONNECTS, static_cast<long>(options_.max_connections));
  }

  base::Result<void> start() {
    // Signals belong to the thread that polls the stop descriptor. A new thread inherits the mask.
    sigset_t all;
    sigset_t before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    auto worker = base::start_thread("speak HTTP", [this] { work(); });
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (!worker) return std::move(worker).error();
    worker_ = *std::move(worker);
    return {};
  }

  ~CurlAsyncClient() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    curl_.multi_wakeup(multi_);
    if (worker_.joinable()) worker_.join();
    for (auto& [handle, running] : running_) curl_.multi_remove_handle(multi_, handle);
    running_.clear();
    idle_.clear();
    curl_.multi_cleanup(multi_);
  }

  void submit(Request request, Completion completion) override { submit(std::move(request), OnBody(), std::move(completion)); }

  void submit(Request request, OnBody on_body, Completion completion) override {
    {
      const std::lock_guard lock(mutex_);
      submitted_.push_back({std::move(request), std::move(on_body), std::move(completion)});
    }
    wake_worker();
  }

  void abandon() override {
    {
      const std::lock_guard lock(mutex_);
      abandoned_ = true;
    }
    wake_worker();
  }

  void wake() override {
    {
      const std::lock_guard lock(mutex_);
      woken_ = true;
    }
    wake_worker();
  }

 private:
  struct Job {
    Request request;
    OnBody on_body;
    Completion completion;
  };
  struct Running {
    std::unique_ptr<Exchange> exchange;
    std::unique_ptr<OnBody> on_body;  // the exchange points to it; null where nothing is streamed
    Completion completion;
  };

  void wake_worker() {
    if (std::this_thread::get_id() != worker_.get_id()) curl_.multi_wakeup(multi_);
  }

  void work() {
    base::Monotonic deadline = base::kNever;
    for (;;) {
      bool due = false, give_up = false;
      std::vector<Job> jobs;
      {
        const std::lock_guard lock(mutex_);
        if (stopping_) return;
        jobs.swap(submitted_);
        due = std::exchange(woken_, false);
        give_up = std::exchange(abandoned_, false);
      }
      if (give_up) due = end_all() || due;
      for (Job& job : jobs) due = start(std::move(job)) || due;
      int still_running = 0;
      curl_.multi_perform(multi_, &still_running);
      due = complete() || due;
      const base::Monotonic now = clock_.monotonic();
      if (options_.timer && (due || now >= deadline)) deadline = options_.timer(now);
      {
        const std::lock_guard lock(mutex_);
        if (stopping_) return;
        if (!submitted_.empty() || woken_ || abandoned_) continue;
      }
      // libcurl shortens the wait by its own timeouts, and takes no negative one. 24 days stand for 'until something happens'.
      constexpr int kLongest = std::numeric_limits<int>::max();
      const int wait = deadline == base::kNever ? kLongest : base::poll_timeout(clock_.monotonic(), deadline);
      curl_.multi_poll(multi_, nullptr, 0, wait, nullptr);
    }
  }

  // True when the job ended at once.
  bool start(Job job) {
    std::unique_ptr<Exchange> exchange;
    if (!idle_.empty()) {
      exchange = std::move(idle_.back());
      idle_.pop_back();
    } else {
      auto created = Exchange::create(curl_);
      if (!created) {
        job.completion(std::move(created).error());
        return true;
      }
      exchange = std::move(*created);
    }
    auto on_body = job.on_body ? std::make_unique<OnBody>(std::move(job.on_body)) : nullptr;
    if (auto begun = exchange->begin(config_, identity_, std::move(job.request), on_body.get()); !begun) {
      job.completion(std::move(begun).error());
      return true;
    }
    CURL* handle = exchange->handle();
    if (const CURLMcode code = curl_.multi_add_handle(multi_, handle); code != CURLM_OK) {
      job.completion(
          base::fail(base::Code::network, "cannot start a request to {}: {}", config_.base.display(), curl_.multi_strerror(code)));
      return true;
    }
    running_[handle] = {std::move(exchange), std::move(on_body), std::move(job.completion)};
    return false;
  }

  bool end_all() {
    const auto ended = std::exchange(running_, {});
    for (const auto& [handle, running] : ended) {
      curl_.multi_remove_handle(multi_, handle);
      running.completion(
          base::fail(base::Code::interrupted, "cannot finish the request to {}: it was stopped", config_.base.display()));
    }
    return !ended.empty();
  }

  bool complete() {
    struct Done {
      Completion completion;
      base::Result<Response> result;
    };
    std::vector<Done> done;
    int left = 0;
    while (const CURLMsg* message = curl_.multi_info_read(multi_, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      CURL* handle = message->easy_handle;
      const CURLcode code = message->data.result;
      const auto found = running_.find(handle);
      curl_.multi_remove_handle(multi_, handle);
      if (found == running_.end()) continue;
      Running running = std::move(found->second);
      running_.erase(found);
      done.push_back({std::move(running.completion), running.exchange->end(code)});
      idle_.push_back(std::move(running.exchange));
    }
    for (Done& one : done) one.completion(std::move(one.result));
    return !done.empty();
  }

  const CurlLibrary& curl_;
  CURLM* const multi_;
  const ClientConfig config_;
  Identity identity_;  // worker only
  base::Clock& clock_;
  const Options options_;

  std::mutex mutex_;
  std::vector<Job> submitted_;
  bool woken_ = false;
  bool abandoned_ = false;
  bool stopping_ = false;

  std::map<CURL*, Running> running_;             // worker only
  std::vector<std::unique_ptr<Exchange>> idle_;  // worker only
  std::thread worker_;
};

}  // namespace

base::Result<std::unique_ptr<AsyncClient>> AsyncClient::create(ClientConfig config, base::Clock& clock, Options options) {
  const auto curl = CurlLibrary::load();
  if (!curl) return base::Error(curl.error());
  CURLM* multi = (*curl)->multi_init();
  if (multi == nullptr) return base::fail(base::Code::config, "cannot start HTTP: libcurl gave no handle");
  auto client = std::make_unique<CurlAsyncClient>(**curl, multi, std::move(config), clock, std::move(options));
  if (auto started = client->start(); !started) return std::move(started).error();
  return std::unique_ptr<AsyncClient>(std::move(client));
}

}  // namespace weir::http
