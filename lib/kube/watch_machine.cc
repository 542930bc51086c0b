#include "kube/watch_machine.h"

#include "base/resident_code.h"
#include "http/url.h"
#include "kube/config_map.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace weir::kube {

namespace dom = simdjson::dom;
using End = WatchPace::End;
using Step = WatchPace::Step;

namespace {

constexpr int kUnauthorized = 401, kForbidden = 403;
constexpr std::size_t kMostComplaint = 4 << 10;  // of the body of a refusal
constexpr std::size_t kMostShown = 400;          // of its text
// An object beyond this leaves no buffers of its size behind.
constexpr std::size_t kUsualObject = 64 << 10;
constexpr std::size_t kMostReports = 8;  // that are remembered

// The last word of a path: "pods".
std::string resource_of(std::string_view path) { return std::string(path.substr(path.rfind('/') + 1)); }

// Parses one object at a time. Texts are valid until the next one.
class ObjectReader {
 public:
  // False: not an object.
  bool read(std::string_view text) {
    if (!parser_) parser_ = std::make_unique<dom::parser>();
    const bool good = parser_->parse(text.data(), text.size()).get(object_) == simdjson::SUCCESS;
    return good;
  }
  // "" where it is absent or no text.
  [[nodiscard]] std::string_view text(std::string_view name) const { return text_in(object_, name); }
  [[nodiscard]] std::string_view version() const {
    dom::object metadata;
    return object_["metadata"].get(metadata) == simdjson::SUCCESS ? text_in(metadata, "resourceVersion") : std::string_view();
  }
  [[nodiscard]] std::int64_t number(std::string_view name) const {
    std::int64_t number = 0;
    return object_[name].get(number) == simdjson::SUCCESS ? number : 0;
  }
  void forget(std::size_t size) {
    if (size > kUsualObject) parser_.reset();
  }

 private:
  static std::string_view text_in(const dom::object& object, std::string_view name) {
    std::string_view text;
    return object[name].get(text) == simdjson::SUCCESS ? text : std::string_view();
  }
  std::unique_ptr<dom::parser> parser_;
  dom::object object_;
};

// What a refusal says: the message of a Status, or the first line of any other text.
std::string complaint_of(std::string_view body) {
  ObjectReader reader;
  std::string text;
  if (reader.read(body)) text = reader.text("message");
  if (text.empty()) text = body.substr(0, body.find_first_of("\r\n"));
  if (text.size() > kMostShown) text.resize(kMostShown);
  return text;
}

// What a server in Go answers to a request in clear.
bool asks_for_tls(std::string_view said) { return said.find("HTTP request to an HTTPS server") != std::string_view::npos; }

}  // namespace

// What has come of the answer to one request.
struct WatchMachine::Answer : JsonParts {
  Answer(WatchMachine& machine, Step step, base::Duration length)
      : owner(machine),
        asked_for(step),
        asked_length(length),
        splitter(step == Step::list ? JsonSplitter::Form::list : JsonSplitter::Form::events, machine.spec_.max_object, *this) {}

  void item(std::string_view text) override {
    if (!owner.handler_.item(text)) skip("is not what was expected");
  }

  void member(std::string_view name, std::string_view text) override {
    if (asked_for == Step::list) {
      if (name == "kind" && text == "\"Status\"") is_status = true;
      if (name == "metadata" && reader.read(text)) version = reader.text("resourceVersion");
      return;
    }
    if (name == "type") {
      type = text;
      if (!waiting.empty()) event(std::exchange(waiting, {}));
    } else if (name == "object") {
      if (type.empty()) {
        waiting = text;
      } else {
        event(text);
      }
    }
  }

  void object_ends() override {
    type.clear();
    waiting.clear();
  }

  void skipped(std::string_view, std::size_t bytes) override {
    skip(fmt::format("has {} bytes, and more than {} are not read", bytes, owner.spec_.max_object));
  }

  void skip(std::string_view why) {
    owner.diagnostics_.warn("kube object " + owner.spec_.path,
                            fmt::format("skips an object of {} from {}: it {}", owner.resource_, owner.server_, why));
    const std::lock_guard lock(owner.mutex_);
    ++owner.status_.unreadable;
  }

  void event(std::string_view object) {
    if (ended_by) return;
    if (!reader.read(object)) return skip("is not valid JSON");
    if (type == "\"ERROR\"") {
      const std::int64_t code = reader.number("code");
      ended_by = Failure{code == 410 ? End::gone : End::refused, std::string(reader.text("message")), {}};
      if (ended_by->cause.empty()) ended_by->cause = fmt::format("the watch ended with error {}", code);
      return;
    }
    // Copied: the handler may well parse, but not with this reader.
    std::string next(reader.version());
    reader.forget(object.size());
    if (type == "\"ADDED\"" || type == "\"MODIFIED\"" || type == "\"DELETED\"") {
      {
        const std::lock_guard lock(owner.mutex_);
        ++owner.status_.events;
      }
      const bool good = type == "\"DELETED\"" ? owner.handler_.deleted(object) : owner.handler_.item(object);
      if (!good) skip("is not what was expected");
    } else if (type == "\"BOOKMARK\"") {
      has_bookmarks = true;
    } else {
      return skip("came with an event of a kind that is not known");
    }
    if (!next.empty()) owner.version_ = std::move(next);
  }

  WatchMachine& owner;
  const Step asked_for;
  const base::Duration asked_length;  // of a watch
  JsonSplitter splitter;
  ObjectReader reader;
  base::Monotonic began = 0;
  base::Monotonic heard = 0;   // when a piece came last
  bool has_bookmarks = false;  // so more will come
  std::string given_up = {};   // why, when it was
  FileMark token{{}};          // of the token's file, before it was read for this request
  int status = 0;              // 0 before the header has come
  std::string complaint;       // the body of what is no success
  // list
  std::string version;
  bool is_status = false;  // an error in place of the list
  // watch
  std::string type;     // of the event that comes, with its quotes
  std::string waiting;  // the object of an event whose type comes later
  std::optional<Failure> ended_by;
  bool broken = false;  // no JSON, or not of this form
};

WatchMachine::WatchMachine(ResourceWatchSpec spec, const http::ClientConfig& config, ResourceHandler& handler, base::Clock& clock,
                           base::Diagnostics& diagnostics, std::uint64_t seed)
    : spec_(std::move(spec)),
      resource_(resource_of(spec_.path)),
      server_(config.base.display()),
      token_file_(config.bearer_token_file),
      has_token_(!config.bearer_token_file.empty() || !config.bearer_token.empty()),
      handler_(handler),
      clock_(clock),
      diagnostics_(diagnostics),
      pace_(seed) {}

WatchMachine::~WatchMachine() = default;

ResourceWatchStatus WatchMachine::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

base::Monotonic WatchMachine::timer(base::Monotonic now) {
  base::Monotonic due = handler_.timer(now);
  if (answer_) return std::min(due, watch_over(now));
  if (token_refused_ && FileMark(token_file_) != *token_refused_) {
    token_refused_.reset();
    pace_.token_changed(now);
  }
  if (now >= pace_.at()) {
    send(now);
    return due;
  }
  due = std::min(due, pace_.at());
  return token_refused_ ? std::min(due, base::after(now, kTokenLook)) : due;
}

// What is due while a request is on its way. Returns when something is.
base::Monotonic WatchMachine::watch_over(base::Monotonic now) {
  Answer& answer = *answer_;
  if (answer.asked_for != Step::watch || !answer.given_up.empty()) return base::kNever;
  const bool open = answer.status != 0;
  const base::Monotonic ends = !open                  ? base::after(answer.began, kAnswerTime)
                               : answer.has_bookmarks ? base::after(answer.heard, kSilence)
                                                      : base::kNever;
  if (now >= ends) {
    answer.given_up = open ? fmt::format("nothing has come for {} s", (now - answer.heard) / base::kSecond)
                           : fmt::format("no answer in time ({} s)", kAnswerTime / base::kSecond);
    client_->abandon();
    return base::kNever;
  }
  if (short_watches_ == 0 || answer.status != 200) return ends;
  const base::Monotonic lives = base::after(answer.began, WatchPace::kLived);
  if (now < lives) return std::min(ends, lives);
  lived_well(now);
  return ends;
}

void WatchMachine::send(base::Monotonic now) {
  const bool list = pace_.next() == Step::list;
  const base::Duration length = list ? 0 : pace_.watch_length();
  pace_.began(now);
  answer_ = std::make_unique<Answer>(*this, pace_.next(), length);
  answer_->began = now;
  answer_->token = FileMark(token_file_);
  {
    const std::lock_guard lock(mutex_);
    ++(list ? status_.lists : status_.watches);
  }
  std::vector<std::pair<std::string, std::string>> parameters;
  if (!spec_.field_selector.empty()) parameters.emplace_back("fieldSelector", spec_.field_selector);
  http::Request request;
  request.path = spec_.path;
  if (list) {
    // Any version: the server answers out of its memory, and etcd is not asked.
    parameters.emplace_back("resourceVersion", "0");
    request.timeout = kAnswerTime;
    request.compressed = true;
  } else {
    parameters.emplace_back("watch", "1");
    parameters.emplace_back("allowWatchBookmarks", "true");
    parameters.emplace_back("resourceVersion", version_);
    parameters.emplace_back("timeoutSeconds", std::to_string(length / base::kSecond));
    request.timeout = length + kMargin;
  }
  request.query = http::query_string(parameters);
  const std::string_view kind = list ? "PartialObjectMetadataList" : "PartialObjectMetadata";
  request.headers.push_back({"Accept", spec_.metadata_only
                                           ? fmt::format("application/json;as={};g=meta.k8s.io;v=v1,application/json", kind)
                                           : std::string("application/json")});
  client_->submit(
      std::move(request), [this](int status, std::string_view bytes) { return piece(status, bytes); },
      [this](base::Result<http::Response> result) { ended(std::move(result)); });
}

bool WatchMachine::piece(int status, std::string_view bytes) {
  Answer& answer = *answer_;
  const bool first = answer.status == 0;
  answer.status = status;
  answer.heard = clock_.monotonic();
  if (status != 200) {
    answer.complaint.append(bytes.substr(0, kMostComplaint - std::min(kMostComplaint, answer.complaint.size())));
    return true;
  }
  const base::Monotonic now = answer.heard;
  if (answer.asked_for == Step::list) {
    if (first) handler_.list_begins();
    answer.broken = answer.broken || !answer.splitter.feed(bytes);
  } else {
    if (first) healthy(now);
    answer.broken = answer.broken || !answer.splitter.feed(bytes);
    if (!bytes.empty()) tick();
  }
  const std::lock_guard lock(mutex_);
  status_.heard_at = now;
  return !answer.broken && !answer.ended_by;
}

void WatchMachine::tick() {
  handler_.tick(clock_.wall());
  client_->wake();  // the timer asks the handler when it wants to be called
}

void WatchMachine::ended(base::Result<http::Response> result) {
  const base::Monotonic now = clock_.monotonic();
  auto failure = judge(result, now);
  const std::unique_ptr<Answer> answer = std::move(answer_);
  token_refused_ = answer->status == kUnauthorized && !token_file_.empty() ? std::optional(answer->token) : std::nullopt;
  const bool watched = answer->asked_for == Step::watch && answer->status == 200;
  if (failure) return failed(*std::move(failure), watched && now - answer->began >= WatchPace::kLived, now);
  pace_.ended(End::whole, now);
  if (watched) return lived_well(now);
  version_ = std::move(answer->version);
  handler_.list_ends();
  handler_.tick(clock_.wall());
}

// Nothing where the answer was good to its end.
std::optional<WatchMachine::Failure> WatchMachine::judge(const base::Result<http::Response>& result, base::Monotonic now) {
  const Answer& answer = *answer_;
  const bool list = answer.asked_for == Step::list;
  if (answer.status != 0 && answer.status != 200) {
    Failure failure = refusal(answer.status, result ? *result : http::Response());
    failure.status = answer.status;
    return failure;
  }
  if (answer.ended_by) return answer.ended_by;
  if (answer.broken) return Failure{list ? End::failed : End::cut, "the answer is not what a Kubernetes API server gives", {}};
  if (!answer.given_up.empty()) return Failure{answer.status == 200 ? End::cut : End::failed, answer.given_up, {}};
  if (!result) {
    const base::Error& error = result.error();
    const bool opened = !list && answer.status == 200;
    // The server did not keep to the time, but it has not hung: nothing is wrong.
    if (opened && error.system == ETIMEDOUT && answer.splitter.objects() > 0) return Failure{End::cut, {}, {}};
    const End end = opened ? End::cut : error.code == base::Code::unreachable ? End::unreachable : End::failed;
    // Of a token's file that cannot be read, the whole message names the file.
    const bool remote = error.code == base::Code::network || error.code == base::Code::unreachable;
    return Failure{end, remote ? std::string(error.cause()) : error.message, error.hint};
  }
  if (list) {
    if (!answer.splitter.complete() || answer.is_status) return Failure{End::failed, "the list is not whole", {}};
    if (answer.version.empty()) return Failure{End::failed, "the list has no resourceVersion", {}};
    return std::nullopt;
  }
  // A second less: the server's clock is another one.
  if (now - answer.began >= answer.asked_length - base::kSecond) return std::nullopt;
  return Failure{End::cut, "the server ended the watch before its time", {}};
}

WatchMachine::Failure WatchMachine::refusal(int status, const http::Response& response) const {
  const std::string said = complaint_of(answer_->complaint);
  const auto with = [&](std::string text) { return said.empty() ? text : fmt::format("{}: {}", text, said); };
  const base::Duration retry_after = response.retry_after(clock_.wall());
  switch (status) {
    case kUnauthorized:
      return {End::failed, with("the API server does not accept the token (401)"),
              has_token_
                  ? (token_file_.empty() ? std::string()
                                         : fmt::format("does {} hold a valid token? It is read again when it changes", token_file_))
                  : std::string("--kube-token-file FILE gives a token")};
    case kForbidden:
      return {End::failed, with("the right is missing (403)"), rights_for(said)};
    case 410:
      return {End::gone, with("the version is too old (410)"), {}};
    case 429:
      return {End::failed, with("the API server has too much to do (429)"), {}, retry_after};
    default:
      return {status >= 500 ? End::failed : End::refused, with(fmt::format("the API server answered {}", status)),
              asks_for_tls(said) ? "https:// instead of http://?" : "", retry_after};
  }
}

// A way to the rights, in one line.
std::string WatchMachine::rights_for(std::string_view said) const {
  // Of all namespaces, or of one: /api/v1/namespaces/NAME/configmaps
  constexpr std::string_view kOfOne = "/api/v1/namespaces/";
  const bool all = !spec_.path.starts_with(kOfOne);
  const std::string_view rest = all ? std::string_view() : std::string_view(spec_.path).substr(kOfOne.size());
  const std::string name = "weir-" + resource_, scope = all ? "" : fmt::format(" -n {}", rest.substr(0, rest.find('/')));
  const std::string_view role = all ? "clusterrole" : "role";
  return fmt::format(
      "ask an administrator for this right: kubectl create {1} {0}{2} --verb=get,list,watch --resource={3} && kubectl create "
      "{1}binding {0}{2} --{1}={0} {4}",
      name, role, scope, resource_, subject_of(said));
}

// `lived`: it was a watch that has done well for a while.
void WatchMachine::failed(Failure failure, bool lived, base::Monotonic now) {
  const bool list = pace_.next() == Step::list;
  if (lived) lived_well(now);
  const bool usual = failure.end == End::gone || failure.end == End::cut;
  if (!usual) cuts_in_a_row_ = 0;
  if (failure.end == End::cut && !lived) ++short_watches_, ++cuts_in_a_row_;
  pace_.ended(failure.end, now, failure.retry_after);
  if (troubled_since_ == base::kNever) troubled_since_ = now;
  const std::string trouble = fmt::format("cannot {} {} at {}: {}", list ? "list" : "watch", resource_, server_, failure.cause);
  {
    const std::lock_guard lock(mutex_);
    ++status_.failures;
    status_.fresh = false;
    status_.trouble = trouble;
  }
  connects_ = true;
  // Servers stop and forget in the best of clusters. It is worth a word when going on did not help.
  if (usual && cuts_in_a_row_ < WatchPace::kMostFailures) return;
  report(failure, trouble, now);
}

// Diagnostics::warn would hold back the second of two outages that are close to each other. How often this can be is bounded by
// WatchPace, which rules how often a request can fail.
void WatchMachine::report(const Failure& failure, const std::string& trouble, base::Monotonic now) {
  std::string cause = failure.status != 0 ? std::to_string(failure.status) : failure.cause;
  if (!reports_.empty() && reports_.back().cause == cause) return;
  const auto before = std::ranges::find(reports_, cause, &Report::cause);
  const bool lately = before != reports_.end() && now - before->at < kSayAgain;
  if (lately) return;
  if (before != reports_.end()) reports_.erase(before);
  if (reports_.size() == kMostReports) reports_.erase(reports_.begin());
  reports_.push_back({std::move(cause), now});
  if (spec_.starter_tells && version_.empty() && failure.status == kForbidden) return;
  diagnostics_.say(failure.hint.empty() ? trouble : fmt::format("{} ({})", trouble, failure.hint));
}

// The watch is open.
void WatchMachine::healthy(base::Monotonic now) {
  // 4 MB of code of a connection with TLS and of a list, which now rest.
  if (std::exchange(connects_, false)) base::forget_code_of_loading();
  // Of watches that die soon one after the other, none says that all is well.
  if (short_watches_ < WatchPace::kMostFailures) recovered(now);
  client_->wake();  // watch_over() has another answer now
  const std::lock_guard lock(mutex_);
  status_.fresh = true;
  status_.trouble.clear();
}

void WatchMachine::lived_well(base::Monotonic now) {
  short_watches_ = cuts_in_a_row_ = 0;
  recovered(now);
}

// All is well.
void WatchMachine::recovered(base::Monotonic now) {
  if (!reports_.empty()) {
    diagnostics_.say(
        fmt::format("watches {} at {} again, after {} s", resource_, server_, (now - troubled_since_) / base::kSecond));
  }
  reports_.clear();
  troubled_since_ = base::kNever;
}

}  // namespace weir::kube
