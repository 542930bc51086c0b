// Two ways to hear of pods, behind one contract: ApiPods is a handler of a ResourceWatch, KubeletPods drives an AskPlan. Both put
// what they hear into one directory and let one Keeper write it to disk.
//
// Threads: the constructor and destructor run on the owner's; everything else but status() and ask() on that of the HTTP client.
#include "kube/pods.h"

#include "base/backoff.h"
#include "base/resident_code.h"
#include "http/url.h"
#include "kube/ask_plan.h"
#include "kube/file_mark.h"
#include "kube/json_splitter.h"
#include "kube/object_name.h"
#include "kube/pod_cache.h"
#include "kube/pod_parser.h"
#include "kube/resource_watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <mutex>
#include <optional>
#include <random>
#include <utility>

namespace weir::kube {
namespace {

constexpr std::size_t kMostObject = 4 << 20;
constexpr std::string_view kTemplateHash = "pod-template-hash";
constexpr int kUnauthorized = 401;

// Brings the directory from and to the cache file. Without a file it only forgets what was gone long ago.
class Keeper {
 public:
  Keeper(const PodsSpec& spec, PodDirectory& directory, base::Clock& clock, base::Diagnostics& diagnostics)
      : cache_(spec.cache_file, spec.node, spec.wanted),
        on_(!spec.cache_file.empty()),
        directory_(directory),
        clock_(clock),
        diagnostics_(diagnostics),
        written_at_(clock.monotonic() + Pods::kFirstWrite - Pods::kBetweenWrites) {}

  void load() {
    if (!on_) return;
    auto pods = cache_.read();
    if (!pods && pods.error().code == base::Code::config) {
      diagnostics_.warn("kube cache", pods.error().message + "; it is left as it is, and the pods are not kept");
      on_ = false;
      return;
    }
    if (!pods) {
      diagnostics_.warn("kube cache", pods.error().message + "; it is ignored");
      return;
    }
    const base::Timestamp now = clock_.wall();
    for (PodDirectory::Entry& entry : *pods) {
      // A clock that was set back must not keep it for longer than the hour.
      if (entry.gone_since) entry.gone_since = std::min(*entry.gone_since, now);
      directory_.remember(*entry.pod, entry.gone_since);
    }
    directory_.forget(now);
    written_ = directory_.version();
  }

  // Returns when there is something to do.
  base::Monotonic due(base::Monotonic now) {
    if (!on_ || directory_.version() == written_) return base::kNever;
    const base::Monotonic at = written_at_ + Pods::kBetweenWrites;
    if (now < at) return at;
    write(now);
    return base::kNever;
  }

  void finish() {
    if (on_ && directory_.version() != written_) write(clock_.monotonic());
  }

 private:
  void write(base::Monotonic now) {
    directory_.forget(clock_.wall());
    written_at_ = now;
    const std::uint64_t version = directory_.version();
    if (auto wrote = cache_.write(directory_.entries()); !wrote) diagnostics_.warn("kube cache", wrote.error().message);
    written_ = version;  // also after a failure: it is tried again with the next change
  }

  const PodCache cache_;
  bool on_;
  PodDirectory& directory_;
  base::Clock& clock_;
  base::Diagnostics& diagnostics_;
  base::Monotonic written_at_;  // or what stands for it before the first time
  std::uint64_t written_ = 1;   // the version of the directory that the file has; an empty one needs none
};

class ApiPods : public Pods, public ResourceHandler {
 public:
  ApiPods(const PodsSpec& spec, base::Clock& clock, base::Diagnostics& diagnostics)
      : node_(spec.node),
        parser_(spec.wanted),
        clock_(clock),
        diagnostics_(diagnostics),
        keeper_(spec, directory_, clock, diagnostics) {}
  ~ApiPods() override {
    watch_.reset();
    keeper_.finish();
  }

  base::Result<void> start(const PodsSpec& spec, http::ClientConfig config, base::Diagnostics& diagnostics) {
    keeper_.load();
    ResourceWatchSpec watch{.path = "/api/v1/pods",
                            .field_selector = "spec.nodeName=" + field_value(spec.node),
                            .metadata_only = true,
                            .max_object = kMostObject};
    auto started = ResourceWatch::start(std::move(watch), std::move(config), *this, clock_, diagnostics);
    if (!started) return std::move(started).error();
    watch_ = *std::move(started);
    return {};
  }

  // -- Pods --
  PodDirectory& directory() override { return directory_; }
  void ask(const PodId&) override {
    if (!has_no_pods_.load(std::memory_order_relaxed) || !has_no_pods_.exchange(false)) return;
    diagnostics_.say(
        fmt::format("the API server has no pods on node {} (--node-name gives the name by which Kubernetes knows this "
                    "node: kubectl get nodes)",
                    node_));
  }
  [[nodiscard]] PodsStatus status() const override {
    const ResourceWatchStatus watch = watch_->status();
    return {.pods = directory_.size(),
            .lists = watch.lists,
            .watches = watch.watches,
            .events = watch.events,
            .failures = watch.failures,
            .unreadable = watch.unreadable,
            .fresh = watch.fresh,
            .fresh_at = watch.heard_at,
            .trouble = watch.trouble};
  }

  // -- ResourceHandler --
  void list_begins() override {
    directory_.mark();
    items_ = 0;
  }
  bool item(std::string_view object) override {
    auto pod = parser_.parse(object);
    ++items_;
    if (has_no_pods_.load(std::memory_order_relaxed)) has_no_pods_ = false;
    if (!pod) return false;
    directory_.put(*std::move(pod));
    return true;
  }
  bool deleted(std::string_view object) override {
    auto pod = parser_.parse(object);
    if (!pod) return false;
    directory_.put(*pod);  // its lines may come later, also when it was never heard of
    directory_.gone(id_of(*pod), clock_.wall());
    return true;
  }
  void list_ends() override {
    directory_.sweep(clock_.wall());
    if (items_ == 0 && !std::exchange(looked_for_pods_, true)) has_no_pods_ = true;
  }
  void tick(base::Timestamp now) override { directory_.forget(now); }
  base::Monotonic timer(base::Monotonic now) override { return keeper_.due(now); }

 private:
  const std::string node_;
  PodDirectory directory_;
  PodParser parser_;
  base::Clock& clock_;
  base::Diagnostics& diagnostics_;
  Keeper keeper_;
  std::uint64_t items_ = 0;               // of this list, and of the watch after it
  bool looked_for_pods_ = false;          // it was or will be said
  std::atomic<bool> has_no_pods_{false};  // the first empty list, until a pod comes or it was said
  std::unique_ptr<ResourceWatch> watch_;  // last: its thread uses the rest
};

// States: at rest (nothing to ask, or not yet), asking. The waits are AskPlan's, those after failures Backoff's. A token that was
// refused ends the wait when its file has changed; the file is looked at only while a request is due later. A list sweeps the
// directory when it was whole.
class KubeletPods : public Pods, public JsonParts {
 public:
  KubeletPods(const PodsSpec& spec, const http::ClientConfig& config, base::Clock& clock, base::Diagnostics& diagnostics)
      : server_(config.base.display()),
        token_file_(config.bearer_token_file),
        parser_(spec.wanted),
        clock_(clock),
        diagnostics_(diagnostics),
        keeper_(spec, directory_, clock, diagnostics),
        backoff_({AskPlan::kBetween, 2 * base::kMinute}, std::random_device()()) {}
  ~KubeletPods() override {
    client_.reset();
    keeper_.finish();
  }

  base::Result<void> start(http::ClientConfig config) {
    keeper_.load();
    http::AsyncClient::Options options;
    options.max_connections = 1;
    options.timer = [this](base::Monotonic now) { return timer(now); };
    auto client = http::AsyncClient::create(std::move(config), clock_, std::move(options));
    if (!client) return std::move(client).error();
    client_ = *std::move(client);
    return {};
  }

  // -- Pods --
  PodDirectory& directory() override { return directory_; }
  void ask(const PodId& id) override {
    std::string key;
    // No pod has longer names, or a slash in them.
    if (id.key(key).size() > kMostKey || std::ranges::count(key, '/') != 2) return;
    {
      const std::lock_guard lock(mutex_);
      if (!plan_.ask(key, clock_.monotonic())) return;
    }
    client_->wake();
  }
  void used() override {
    if (used_.load(std::memory_order_relaxed)) return;
    {
      const std::lock_guard lock(mutex_);
      used_.store(true, std::memory_order_relaxed);
      plan_.used();
    }
    client_->wake();
  }
  [[nodiscard]] PodsStatus status() const override {
    const std::lock_guard lock(mutex_);
    PodsStatus status = status_;
    status.pods = directory_.size();
    return status;
  }

  // -- JsonParts --
  void item(std::string_view text) override {
    if (auto pod = parser_.parse(text)) return directory_.put(*std::move(pod));
    skip("is not what was expected");
  }
  void member(std::string_view name, std::string_view text) override {
    if (name == "kind" && text == "\"Status\"") answer_->is_status = true;
  }
  void object_ends() override {}
  void skipped(std::string_view name, std::size_t bytes) override {
    if (name == "items") skip(fmt::format("has {} bytes, and more than {} are not read", bytes, kMostObject));
  }

 private:
  static constexpr std::size_t kMostKey = 3 * 256;
  static constexpr base::Duration kTokenLook = 5 * base::kSecond;

  struct Answer {
    int status = 0;
    FileMark token{{}};  // of the token's file, before it was read for this request
    std::string complaint;
    bool is_status = false, broken = false;
    std::unique_ptr<JsonSplitter> splitter;
  };

  base::Monotonic timer(base::Monotonic now) {
    const base::Monotonic due = keeper_.due(now);
    if (answer_) return due;
    {
      const std::lock_guard lock(mutex_);
      if (token_refused_ && plan_.due() != base::kNever && FileMark(token_file_) != *token_refused_) {
        token_refused_.reset();
        backoff_.reset();
        plan_.retry(now);
      }
      const base::Monotonic next = plan_.due();
      if (now < next) {
        // While somebody waits, and only then.
        const bool looks = token_refused_ && next != base::kNever;
        return std::min({due, next, looks ? base::after(now, kTokenLook) : base::kNever});
      }
      plan_.began(now);
      used_.store(false, std::memory_order_relaxed);
      ++status_.lists;
    }
    answer_.emplace();
    answer_->token = FileMark(token_file_);
    answer_->splitter = std::make_unique<JsonSplitter>(JsonSplitter::Form::list, kMostObject, *this);
    http::Request request;
    request.path = "/pods";
    request.headers.push_back({"Accept", "application/json"});
    client_->submit(
        std::move(request), [this](int status, std::string_view bytes) { return piece(status, bytes); },
        [this](const base::Result<http::Response>& result) { ended(result); });
    return due;
  }

  bool piece(int status, std::string_view bytes) {
    constexpr std::size_t kMostComplaint = 400;
    const bool first = answer_->status == 0;
    answer_->status = status;
    if (status != 200) {
      answer_->complaint.append(bytes.substr(0, kMostComplaint - std::min(kMostComplaint, answer_->complaint.size())));
      return true;
    }
    if (first) directory_.mark();
    answer_->broken = answer_->broken || !answer_->splitter->feed(bytes);
    return !answer_->broken;
  }

  void skip(std::string_view why) {
    diagnostics_.warn("kubelet object", fmt::format("skips a pod from {}: it {}", server_, why));
    const std::lock_guard lock(mutex_);
    ++status_.unreadable;
  }

  void ended(const base::Result<http::Response>& result) {
    const base::Monotonic now = clock_.monotonic();
    const Answer answer = *std::move(answer_);
    answer_.reset();
    token_refused_ = answer.status == kUnauthorized && !token_file_.empty() ? std::optional(answer.token) : std::nullopt;
    std::string hint;
    const std::string cause = cause_of(answer, result, hint);
    if (cause.empty()) {
      directory_.sweep(clock_.wall());
      directory_.forget(clock_.wall());
      backoff_.reset();
    }
    std::string trouble;
    bool rests = false;
    {
      const std::lock_guard lock(mutex_);
      status_.fresh = cause.empty();
      if (answer.status != 0) status_.fresh_at = now;
      status_.trouble = trouble = cause.empty() ? std::string() : fmt::format("cannot list the pods at {}: {}", server_, cause);
      if (cause.empty()) {
        plan_.answered(now, [this](const std::string& key) { return directory_.find(id_in(key)) != nullptr; });
      } else {
        ++status_.failures;
        plan_.failed(now, backoff_.next(result ? result->retry_after(clock_.wall()) : 0));
      }
      rests = plan_.due() == base::kNever;
    }
    if (cause.empty() && rests) base::forget_code_of_loading();  // of a connection with TLS and of a list
    if (cause.empty()) {
      if (!reported_.empty()) diagnostics_.say(fmt::format("lists the pods at {} again", server_));
    } else if (trouble != reported_) {
      diagnostics_.warn("kubelet", hint.empty() ? trouble : fmt::format("{} ({})", trouble, hint));
    }
    reported_ = std::move(trouble);
  }

  static PodId id_in(std::string_view key) {
    const std::size_t first = key.find('/'), last = key.rfind('/');
    return {key.substr(0, first), key.substr(first + 1, last - first - 1), key.substr(last + 1)};
  }

  // "" for a list that is whole.
  static std::string cause_of(const Answer& answer, const base::Result<http::Response>& result, std::string& hint) {
    if (answer.status != 0 && answer.status != 200) {
      const std::string said = answer.complaint.substr(0, answer.complaint.find_first_of("\r\n"));
      const auto with = [&](std::string_view text) { return said.empty() ? std::string(text) : fmt::format("{}: {}", text, said); };
      switch (answer.status) {
        case kUnauthorized:
          hint = "the kubelet asks the API server about the token: is it valid, and is authentication by webhook on?";
          return with("the kubelet does not accept the token (401)");
        case 403:
          hint = "the service account needs the right get of nodes/pods, and Kubernetes 1.33; nodes/proxy would allow far more";
          return with("the right is missing (403)");
        default:
          return with(fmt::format("the kubelet answered {}", answer.status));
      }
    }
    if (answer.broken) return "the answer is not what a kubelet gives";
    if (!result) {
      const base::Error& error = result.error();
      const bool remote = error.code == base::Code::network || error.code == base::Code::unreachable;
      hint = error.hint;
      return remote ? std::string(error.cause()) : error.message;
    }
    return answer.splitter->complete() && !answer.is_status ? std::string() : std::string("the list is not whole");
  }

  const std::string server_;
  const std::string token_file_;
  PodDirectory directory_;
  PodParser parser_;
  base::Clock& clock_;
  base::Diagnostics& diagnostics_;
  Keeper keeper_;
  base::Backoff backoff_;
  std::optional<Answer> answer_;  // of the request that is on its way
  std::string reported_;          // the trouble that was warned about last
  std::optional<FileMark> token_refused_;
  std::atomic<bool> used_{false};  // written under mutex_: plan_.used() was called since the latest request began
  mutable std::mutex mutex_;
  AskPlan plan_;
  PodsStatus status_;
  std::unique_ptr<http::AsyncClient> client_;  // last: its thread uses the rest
};

// How to reach the kubelet. The token is the one for the API server: the kubelet asks that server about it.
base::Result<http::ClientConfig> kubelet_config(const PodsSpec& spec, const char* (*environment)(const char* name),
                                                base::Diagnostics& diagnostics) {
  constexpr http::Words kWords = {.server = "the kubelet",
                                  .ca_option = "--kubelet-ca FILE, or --kubelet-insecure",
                                  .certificate_options = "weir has none for the kubelet",
                                  .timeout_option = "",
                                  .proxy_option = ""};
  auto url = http::parse_url(spec.kubelet);
  if (!url) return std::move(url).error().with_hint("the address of a kubelet looks like https://10.0.0.7:10250");
  http::ClientConfig config;
  config.base = *std::move(url);
  config.words = kWords;
  config.diagnostics = &diagnostics;
  const bool tls = config.base.origin.starts_with("https:");
  if (tls && spec.kubelet_ca.empty() && !spec.kubelet_insecure) {
    return base::fail(base::Code::config, "cannot trust the kubelet at {}: no certificate authority is given", spec.kubelet)
        .with_hint("--kubelet-ca FILE names it; --kubelet-insecure does without, and gives the token to whoever answers there");
  }
  config.ca_file = spec.kubelet_ca;
  config.tls_skip_verify = spec.kubelet_insecure;
  config.bearer_token_file = spec.access.token_file;
  // The token of the pod goes nowhere in clear.
  const bool in_pod = environment != nullptr && environment("KUBERNETES_SERVICE_HOST") != nullptr;
  if (config.bearer_token_file.empty() && tls && in_pod) config.bearer_token_file = fmt::format("{}/token", kServiceAccount);
  return config;
}

// `elsewhere`: this may be another place than the pod that the pipeline is for, so a service account may be missing.
base::Result<http::ClientConfig> config_for(const PodsSpec& spec, const char* (*environment)(const char* name),
                                            base::Diagnostics& diagnostics, bool elsewhere = false) {
  const bool api = spec.from == PodsSpec::From::api;
  if (api && spec.node.empty()) {
    return base::fail(base::Code::config, "cannot ask for the pods of this node: its name is not known")
        .with_hint("--node-name NAME, or NODE_NAME in the environment (in a pod: fieldRef spec.nodeName)");
  }
  if (api && !is_dns_subdomain(spec.node)) {
    return base::fail(base::Code::usage, "cannot ask for the pods of this node: '{}' is no name of a node",
                      base::escape_control(spec.node))
        .with_hint("--node-name NAME; it has small letters, digits, - and . (kubectl get nodes)");
  }
  auto config = api ? client_config(spec.access, environment, &diagnostics) : kubelet_config(spec, environment, diagnostics);
  if (!config) return config;
  if (std::error_code ignored; elsewhere && !std::filesystem::exists(kServiceAccount, ignored)) {
    bool needed = false;
    for (std::string* const file : {&config->bearer_token_file, &config->ca_file}) {
      if (!file->starts_with(kServiceAccount)) continue;
      file->clear();
      needed = true;
    }
    if (needed) {
      diagnostics.warn("service_account",
                       fmt::format("a pod needs a service account for this; there is none here, in {}", kServiceAccount));
    }
  }
  if (auto good = http::check_files(*config); !good) return std::move(good).error();
  return config;
}

}  // namespace

base::Result<void> Pods::check(const PodsSpec& spec, const char* (*environment)(const char* name), base::Diagnostics& diagnostics) {
  auto config = config_for(spec, environment, diagnostics, true);
  if (!config) return std::move(config).error();
  return {};
}

base::Result<std::unique_ptr<Pods>> Pods::start(PodsSpec spec, const char* (*environment)(const char* name), base::Clock& clock,
                                                base::Diagnostics& diagnostics) {
  spec.wanted.labels.emplace(kTemplateHash);
  auto config = config_for(spec, environment, diagnostics);
  if (!config) return std::move(config).error();
  if (spec.from == PodsSpec::From::kubelet) {
    auto pods = std::make_unique<KubeletPods>(spec, *config, clock, diagnostics);
    if (auto started = pods->start(*std::move(config)); !started) return std::move(started).error();
    return std::unique_ptr<Pods>(std::move(pods));
  }
  auto pods = std::make_unique<ApiPods>(spec, clock, diagnostics);
  if (auto started = pods->start(spec, *std::move(config), diagnostics); !started) return std::move(started).error();
  return std::unique_ptr<Pods>(std::move(pods));
}

}  // namespace weir::kube
