// https://grafana.com/docs/loki/latest/reference/loki-http-api/
#include "loki/query_client.h"

#include "base/count.h"
#include "base/percent.h"
#include "base/secrets.h"
#include "loki/push_reply.h"
#include "record/json.h"
#include "record/timestamp.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <charconv>

namespace weir::loki {

using base::Code;
using base::fail;
using base::Result;

namespace {

constexpr std::string_view kPushPath = "/loki/api/v1/push";
constexpr std::uint32_t kFewest = 2;      // the smallest limit of a page
constexpr std::size_t kLongQuery = 4000;  // longer parameters, in bytes, go into the body of a POST
constexpr std::size_t kWords = 1000;      // bytes of a server's text that are shown; some servers repeat the whole query

bool may_pass(int status) { return status == 408 || status == 429 || status >= 500; }

// "max entries limit per query exceeded, limit > max_entries_limit_per_query (5001 > 5000)"
std::uint32_t allowed_limit(std::string_view body) {
  constexpr std::string_view name = "max_entries_limit_per_query (";
  const std::size_t at = body.find(name);
  if (at == std::string_view::npos) return 0;
  const std::size_t sign = body.find("> ", at + name.size());
  if (sign == std::string_view::npos) return 0;
  std::uint32_t limit = 0;
  std::from_chars(body.data() + sign + 2, body.data() + body.size(), limit);
  return limit;
}

bool exceeds_time(std::string_view body) { return body.find("the query time range exceeds the limit") != std::string_view::npos; }

// "the query time range exceeds the limit (query length: 1440h0m0s, limit: 30d1h)", of max_query_length: how long a window may be.
// What Loki has added to the length of `window`, such as the range of a metric query, takes its part. 0: the text says something
// else, or no shorter window helps.
base::Duration longest_window(std::string_view body, const base::TimeRange& window) {
  const auto duration_behind = [&](std::string_view name) -> base::Duration {
    const std::size_t at = body.find(name);
    if (at == std::string_view::npos) return 0;
    const std::string_view rest = body.substr(at + name.size());
    const auto duration = record::parse_duration(rest.substr(0, rest.find_first_of(",)")));
    return duration ? *duration : 0;
  };
  if (!exceeds_time(body)) return 0;
  const base::Duration length = duration_behind("(query length: "), limit = duration_behind(", limit: "),
                       asked = window.to - window.from;
  const base::Duration longest = limit - std::max<base::Duration>(0, length - asked);
  return length > 0 && limit > 0 && longest > 0 && longest < asked ? longest : 0;
}

// Where `auth_enabled` is set and `multi_tenant_queries_enabled` is not, Loki answers with this 500 to several tenants at once.
bool refuses_several_tenants(std::string_view body) { return body.find("multiple org IDs present") != std::string_view::npos; }

// Loki's frontend answers with this 500 when it cannot take the message of a querier. A retry does not help.
bool message_too_large(std::string_view body) { return body.find("message larger than max") != std::string_view::npos; }

// A server's text, for a message.
std::string words(std::string_view body) {
  std::string line = first_line(body, kWords);
  if (line.empty()) return "(with an empty answer)";
  return line[0] == '<' ? "(with an HTML page)" : line;
}

// Removes the entries outside the window from the end of `out`, which is sorted from `first` on. Returns how many.
std::size_t drop_outside(record::Batch& out, std::size_t first, const base::TimeRange& window) {
  auto& records = out.records;
  const std::size_t before = records.size();
  const auto earlier = [](const record::Record& record, base::Timestamp time) { return record.timestamp < time; };
  records.erase(std::lower_bound(records.begin() + static_cast<std::ptrdiff_t>(first), records.end(), window.to, earlier),
                records.end());
  const auto begin = records.begin() + static_cast<std::ptrdiff_t>(first);
  records.erase(begin, std::lower_bound(begin, records.end(), window.from, earlier));
  return before - records.size();
}

}  // namespace

Result<std::unique_ptr<QueryClient>> QueryClient::create(QueryClientConfig config, base::Clock& clock,
                                                         base::Diagnostics& diagnostics, const base::Stop* stop) {
  std::string& path = config.http.base.path;
  if (path.ends_with(kPushPath)) path.resize(path.size() - kPushPath.size());
  if (!config.tenant.empty()) config.http.headers.push_back({"X-Scope-OrgID", config.tenant});
  auto http = http::Client::create(config.http);
  if (!http) return std::move(http).error();
  return std::unique_ptr<QueryClient>(new QueryClient(std::move(config), std::move(http).value(), clock, diagnostics, stop));
}

QueryClient::QueryClient(QueryClientConfig config, std::unique_ptr<http::Client> http, base::Clock& clock,
                         base::Diagnostics& diagnostics, const base::Stop* stop)
    : config_(std::move(config)), http_(std::move(http)), clock_(clock), diagnostics_(diagnostics), stop_(stop) {}

Result<void> QueryClient::wait(base::Duration duration) const {
  const base::Monotonic until = base::after(clock_.monotonic(), duration);
  pollfd poll_fd = {stop_ != nullptr ? stop_->fd() : -1, POLLIN, 0};
  for (;;) {
    if (stop_ != nullptr && stop_->stopped()) return fail(Code::interrupted, "interrupted while waiting for Loki");
    const int timeout = base::poll_timeout(clock_.monotonic(), until);
    if (timeout == 0) return {};
    ::poll(&poll_fd, 1, timeout);
  }
}

base::Error QueryClient::refusal(int status) const {
  const std::string where = config_.http.base.display();
  base::Error error = fail(status == 400 ? Code::config : Code::network, "cannot query {}: {} {}", where, status, words(body_));
  if (status == 401) error.hint = "Loki wants a tenant (--tenant), or a proxy wants credentials (--username, --bearer-token-file)";
  if (refuses_several_tenants(body_)) {
    error.hint =
        "this Loki answers for one tenant at a time: ask for each of them alone, or set multi_tenant_queries_enabled in it";
  }
  if (status == 400 && exceeds_time(body_)) {
    error.hint = "ask for less time, or raise max_query_length in Loki; only records are put together from several requests";
  }
  if (status == 404) error.hint = "is this the address of a Loki, without a path of its API?";
  if (status >= 300 && status < 400) error.hint = "the server redirects: give the address it redirects to";
  return error;
}

Result<QueryClient::Got> QueryClient::get(std::string_view path, const Parameters& parameters, std::size_t max_body) {
  http::Request request;
  request.path = path;
  request.query = http::query_string(parameters);
  request.headers = {{"X-Loki-Response-Encoding-Flags", "categorize-labels"}, {"Accept", "application/json"}};
  if (request.query.size() > kLongQuery) {
    request.method = "POST";
    request.body = std::move(request.query);
    request.query.clear();
    request.headers.push_back({"Content-Type", "application/x-www-form-urlencoded"});
  }
  base::Backoff backoff(config_.backoff, static_cast<std::uint64_t>(clock_.wall()) ^ requests_);
  for (int attempt = 1;; ++attempt) {
    body_.clear();
    bool too_large = false;
    ++requests_;
    const auto response = http_->perform(request, [&](int status, std::string_view piece) {
      if (stop_ != nullptr && stop_->stopped()) return false;
      if (body_.size() + piece.size() > max_body) {
        too_large = status == 200;
        return false;
      }
      body_.append(piece);
      return true;
    });
    if (stop_ != nullptr && stop_->stopped()) return fail(Code::interrupted, "interrupted while reading from Loki");
    if (too_large) return Got{200, true};
    base::Duration floor = 0;
    std::string trouble;
    if (!response) {
      if (response.error().code != Code::network && response.error().code != Code::unreachable) return response.error();
      if (!answered_ || attempt >= config_.attempts) {
        base::Error error = base::Error(response.error()).within(fmt::format("cannot query {}", config_.http.base.display()));
        if (!answered_ && error.hint.empty()) error.hint = "is a Loki there? --addr or LOKI_ADDR names another one";
        return error;
      }
      trouble = response.error().message;
    } else {
      answered_ = true;
      if (response->ok()) return Got{response->status, false};
      if (base::Secrets* secrets = diagnostics_.secrets(); secrets != nullptr) body_ = secrets->redact(body_);
      if (!may_pass(response->status)) return Got{response->status, false};
      if (response->status == 500 && message_too_large(body_)) return Got{200, true};
      if (refuses_several_tenants(body_)) return Got{response->status, false};
      if (attempt >= config_.attempts) return Got{response->status, false};
      floor = response->retry_after(clock_.wall());
      trouble = fmt::format("{} {}", response->status, words(body_));
    }
    const base::Duration pause = backoff.next(floor);
    diagnostics_.warn("query-retry", fmt::format("{}: asking again ({} of {})", trouble, attempt + 1, config_.attempts));
    if (auto waited = wait(pause); !waited) return std::move(waited).error();
  }
}

// Whether `page`, which is empty, stands for an answer that Loki could not send. When a repeat of the request gives entries, they
// are in `page` and `out`.
Result<bool> QueryClient::hides_entries(const PageRequest& request, Page& page, record::Batch& out) {
  if (hides_ && request.at_least > 0) return true;
  PageRequest single = request;
  single.limit = 1;
  record::Batch found;
  const auto one = page_once(single, found);
  if (!one) return one.error();
  if (found.records.empty()) return false;
  if (hides_) return true;
  auto again = page_once(request, out);  // the entry may have come, or come back, in between
  if (!again) return std::move(again).error();
  page = std::move(again).value();
  if (page.too_large || page.allowed > 0 || page.answer.entries > 0) return false;
  hides_ = true;
  diagnostics_.warn("query-hidden",
                    fmt::format("Loki gave no entries when it was asked for up to {}, but one when it was asked for one: its "
                                "answer may be over grpc_server_max_send_msg_size (4 MiB by default); asking for fewer at a time",
                                request.limit));
  return true;
}

// Loki may answer 200 with less than it has, while a chunk moves from an ingester to the store or when an ingester is lost.
Result<QueryClient::Page> QueryClient::page(const PageRequest& request, record::Batch& out) {
  const std::size_t first = out.records.size();
  base::Backoff backoff(config_.backoff, static_cast<std::uint64_t>(clock_.wall()) ^ requests_);
  for (int attempt = 1;; ++attempt) {
    auto page = page_once(request, out);
    if (page && request.check_empty && attempt == 1 && request.limit > kFewest && !page->too_large && page->allowed == 0 &&
        page->longest == 0 && page->answer.entries == 0 && !page->answer.samples) {
      const auto hidden = hides_entries(request, *page, out);
      if (!hidden) return hidden.error();
      if (*hidden) {
        page->too_large = true;
        page->seen = std::max<std::size_t>(request.at_least, 1);
      }
    }
    if (!page || page->too_large || page->allowed > 0 || page->longest > 0 || page->answer.samples) return page;
    const std::size_t entries = out.records.size() - first;
    if (entries >= request.at_least || page->answer.entries >= request.limit) return page;
    if (attempt >= config_.attempts) {
      page->short_of = true;
      return page;
    }
    diagnostics_.warn("query-short",
                      fmt::format("Loki gave {} where it had given {} before: asking again ({} of {})",
                                  base::count_of(entries, "entry", "entries"), request.at_least, attempt + 1, config_.attempts));
    out.records.resize(first);
    if (auto waited = wait(backoff.next(0)); !waited) return std::move(waited).error();
  }
}

Result<QueryClient::Page> QueryClient::page_once(const PageRequest& request, record::Batch& out) {
  Parameters parameters = {{"query", std::string(request.query)},
                           {"start", fmt::to_string(request.window.from)},
                           {"end", fmt::to_string(request.window.to)},
                           {"limit", fmt::to_string(request.limit)},
                           {"direction", request.direction == Direction::forward ? "forward" : "backward"}};
  if (request.step > 0) parameters.emplace_back("step", fmt::format("{}", static_cast<double>(request.step) / base::kSecond));
  const auto got =
      get("/loki/api/v1/query_range", parameters, request.limit <= kFewest ? config_.max_body_of_few : config_.max_body);
  if (!got) return got.error();
  Page page;
  page.bytes = body_.size();
  if (got->too_large) {
    if (request.limit <= kFewest) return fail(Code::network, "cannot query {}: an entry is too large", config_.http.base.display());
    page.too_large = true;
    return page;
  }
  if (got->status == 400) {
    page.allowed = allowed_limit(body_);
    if (page.allowed > 0 && page.allowed < request.limit) return page;
    page.allowed = 0;
    page.longest = longest_window(body_, request.window);
    if (page.longest > 0) {
      page.refusal = refusal(got->status);
      return page;
    }
  }
  if (got->status != 200) {
    base::Error error = refusal(got->status);
    const std::size_t first = request.query.find_first_not_of(" \t\r\n(");
    if (got->status == 400 && (first == std::string_view::npos || request.query[first] == '|' || request.query[first] == '!' ||
                               request.query.substr(first).starts_with("{}"))) {
      error.hint = kNeedsSelector;
    }
    return error;
  }
  const std::size_t first = out.records.size();
  auto answer = parser_.parse_entries(body_, request.direction == Direction::backward, out);
  if (!answer) return std::move(answer).error();
  for (const std::string& warning : answer->warnings)
    diagnostics_.warn("query-warning", fmt::format("Loki warns: {}", first_line(warning, kWords)));
  // The points of a metric query lie at multiples of its step, so the first may lie before the window.
  if (!answer->samples) page.outside = drop_outside(out, first, request.window);
  if (page.outside > 0) {
    diagnostics_.warn("query-outside",
                      fmt::format("{} gave {} left out", config_.http.base.display(),
                                  base::count_of(page.outside, "entry that lies outside the time it was asked for; it is",
                                                 "entries that lie outside the time they were asked for; they are")));
  }
  page.answer = std::move(answer).value();
  return page;
}

Result<void> QueryClient::get_all(std::string_view path, const Parameters& parameters) {
  const auto got = get(path, parameters, config_.max_body_of_few);
  if (!got) return got.error();
  if (got->too_large) return fail(Code::network, "cannot query {}: the answer is too large", config_.http.base.display());
  if (got->status != 200) return refusal(got->status);
  return {};
}

Result<void> QueryClient::instant(std::string_view query, base::Timestamp time, record::Batch& out) {
  if (auto got = get_all("/loki/api/v1/query", {{"query", std::string(query)}, {"time", fmt::to_string(time)}}); !got) return got;
  const auto answer = parser_.parse_entries(body_, false, out);
  if (!answer) return answer.error();
  for (const std::string& warning : answer->warnings)
    diagnostics_.warn("query-warning", fmt::format("Loki warns: {}", first_line(warning, kWords)));
  return {};
}

namespace {

std::vector<std::pair<std::string, std::string>> window_parameters(const base::TimeRange& window) {
  return {{"start", fmt::to_string(window.from)}, {"end", fmt::to_string(window.to)}};
}

}  // namespace

Result<std::vector<std::string>> QueryClient::labels(const base::TimeRange& window, std::string_view selector) {
  auto parameters = window_parameters(window);
  if (!selector.empty()) parameters.emplace_back("query", selector);
  if (auto got = get_all("/loki/api/v1/labels", parameters); !got) return std::move(got).error();
  auto names = parser_.parse_strings(body_);
  if (names) std::erase_if(*names, is_shard_label);
  return names;
}

Result<std::vector<std::string>> QueryClient::label_values(std::string_view name, const base::TimeRange& window,
                                                           std::string_view selector) {
  auto parameters = window_parameters(window);
  if (!selector.empty()) parameters.emplace_back("query", selector);
  if (auto got = get_all(fmt::format("/loki/api/v1/label/{}/values", base::percent_encode(name)), parameters); !got) {
    return std::move(got).error();
  }
  return parser_.parse_strings(body_);
}

Result<std::vector<record::LabelSetRef>> QueryClient::series(const base::TimeRange& window, std::string_view selector) {
  auto parameters = window_parameters(window);
  if (!selector.empty()) parameters.emplace_back("match[]", selector);
  if (auto got = get_all("/loki/api/v1/series", parameters); !got) return std::move(got).error();
  return parser_.parse_series(body_);
}

Result<IndexStats> QueryClient::stats(const base::TimeRange& window, std::string_view selector) {
  auto parameters = window_parameters(window);
  parameters.emplace_back("query", selector);
  if (auto got = get_all("/loki/api/v1/index/stats", parameters); !got) return std::move(got).error();
  return parser_.parse_stats(body_);
}

Result<std::vector<LabelVolume>> QueryClient::volume(const VolumeRequest& request) {
  auto parameters = window_parameters(request.window);
  parameters.emplace_back("query", request.selector);
  parameters.emplace_back("limit", fmt::to_string(request.limit));
  if (!request.labels.empty()) parameters.emplace_back("targetLabels", fmt::format("{}", fmt::join(request.labels, ",")));
  if (request.by_name) parameters.emplace_back("aggregateBy", "labels");
  if (auto got = get_all("/loki/api/v1/index/volume", parameters); !got) return std::move(got).error();
  return parser_.parse_volume(body_, request.by_name);
}

namespace {

std::vector<std::pair<std::string, std::string>> fields_parameters(const QueryClient::FieldsRequest& request) {
  auto parameters = window_parameters(request.window);
  parameters.emplace_back("query", request.query);
  parameters.emplace_back("limit", fmt::to_string(request.limit));
  parameters.emplace_back("line_limit", fmt::to_string(request.lines));
  return parameters;
}

}  // namespace

Result<std::vector<DetectedField>> QueryClient::fields(const FieldsRequest& request) {
  if (auto got = get_all("/loki/api/v1/detected_fields", fields_parameters(request)); !got) return std::move(got).error();
  return parser_.parse_fields(body_);
}

Result<std::vector<std::string>> QueryClient::field_values(std::string_view name, const FieldsRequest& request) {
  const std::string path = fmt::format("/loki/api/v1/detected_field/{}/values", base::percent_encode(name));
  if (auto got = get_all(path, fields_parameters(request)); !got) return std::move(got).error();
  return parser_.parse_field_values(body_);
}

}  // namespace weir::loki
