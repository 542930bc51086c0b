#include "support/fake_query_loki.h"

#include <fmt/format.h>
#include <httplib.h>
#include <re2/re2.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <atomic>
#include <deque>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <thread>

namespace weir::test {
namespace {

using nlohmann::json;

struct Filter {
  std::string name;  // "" for the line
  std::string op;
  std::string value;
  std::shared_ptr<RE2> regex;
};

// Reads a string quoted as Go does at text[at] and moves behind it; of characters in hexadecimal only bytes.
std::string quoted(const std::string& text, std::size_t& at) {
  std::string value;
  for (++at; at < text.size() && text[at] != '"'; ++at) {
    if (text[at] == '\\' && text[at + 1] == 'x') {
      value += static_cast<char>(std::stoi(text.substr(at + 2, 2), nullptr, 16));
      at += 3;
    } else if (text[at] == '\\') {
      constexpr std::string_view kNames = "abfnrtv", kBytes = "\a\b\f\n\r\t\v";
      const std::size_t known = kNames.find(text[++at]);
      value += known == std::string_view::npos ? text[at] : kBytes[known];
    } else {
      value += text[at];
    }
  }
  ++at;
  return value;
}

// Everything behind the selector. nullopt: not understood.
std::optional<std::vector<Filter>> filters_of(const std::string& query) {
  std::vector<Filter> filters;
  std::size_t at = query.find('}');
  if (at == std::string::npos) return std::nullopt;
  ++at;
  static const RE2 label(R"(\s*\| \(([a-z_]+)(=|!=)(?s:.*))");
  while (query.find_first_not_of(" \n", at) != std::string::npos) {
    at = query.find_first_not_of(" \n", at);
    Filter filter;
    if (query[at] == '#') {
      at = std::min(query.find('\n', at), query.size());
      continue;
    }
    if (RE2::FullMatch(query.substr(at), label, &filter.name, &filter.op)) {
      at = query.find('"', at);
      filter.value = quoted(query, at);
      at = query.find('"', at);
      quoted(query, at);
      ++at;
    } else {
      filter.op = query.substr(at, 2);
      if (filter.op != "|=" && filter.op != "|~" && filter.op != "!~") return std::nullopt;
      at = query.find('"', at);
      if (at == std::string::npos) return std::nullopt;
      filter.value = quoted(query, at);
      if (filter.op != "|=") filter.regex = std::make_shared<RE2>(filter.value);
    }
    filters.push_back(std::move(filter));
  }
  return filters;
}

bool passes(const FakeEntry& entry, const std::vector<Filter>& filters) {
  return std::all_of(filters.begin(), filters.end(), [&](const Filter& filter) {
    if (filter.name.empty()) {
      if (filter.op == "|=") return entry.line.find(filter.value) != std::string::npos;
      return RE2::PartialMatch(entry.line, *filter.regex) == (filter.op == "|~");
    }
    std::string value;
    if (const auto found = entry.labels.find(filter.name); found != entry.labels.end()) value = found->second;
    if (const auto found = entry.metadata.find(filter.name); found != entry.metadata.end()) value = found->second;
    return (value == filter.value) == (filter.op == "=");
  });
}

}  // namespace

struct FakeQueryLoki::Server {
  httplib::Server http;
  std::thread thread;
  int port = 0;
  mutable std::mutex mutex;
  std::deque<FakeReply> replies;
  std::optional<std::string> fixed;
  int requests = 0;
  std::atomic<int> range_requests = 0;
  std::map<std::string, std::string> parameters;
  httplib::Headers headers;
  std::mt19937 random{42};

  // True when a scripted reply was given.
  bool scripted(const httplib::Request& request, httplib::Response& response) {
    const std::scoped_lock lock(mutex);
    ++requests;
    parameters.clear();
    for (const auto& [name, value] : request.params) parameters[name] = value;
    headers = request.headers;
    if (replies.empty()) return false;
    const FakeReply reply = replies.front();
    replies.pop_front();
    response.status = reply.status;
    response.set_content(reply.body, "text/plain");
    return true;
  }
  static void refuse(httplib::Response& response, const std::string& text) {
    response.status = 400;
    response.set_content(text, "text/plain; charset=utf-8");
  }
  void query_range(const FakeQueryLoki& loki, const httplib::Request& request, httplib::Response& response);
};

void FakeQueryLoki::Server::query_range(const FakeQueryLoki& loki, const httplib::Request& request, httplib::Response& response) {
  if (loki.before_answer) loki.before_answer(++range_requests);
  if (scripted(request, response)) return;
  const std::int64_t length = std::stoll(request.get_param_value("end")) - std::stoll(request.get_param_value("start"));
  if (loki.max_query_length > 0 && length > loki.max_query_length) {
    constexpr std::int64_t kSecond = 1'000'000'000;
    return refuse(response, fmt::format("the query time range exceeds the limit (query length: {}s, limit: {}s)", length / kSecond,
                                        loki.max_query_length / kSecond));
  }
  if (fixed) return response.set_content(*fixed, "application/json");
  const std::uint64_t limit = std::stoull(request.get_param_value("limit"));
  const std::int64_t start = std::stoll(request.get_param_value("start")) - loki.slack;
  const std::int64_t end = std::stoll(request.get_param_value("end")) + loki.slack;
  const bool forward = request.get_param_value("direction") == "forward" && !loki.ignores_direction;
  if (limit > loki.max_entries) {
    return refuse(response, fmt::format("max entries limit per query exceeded, limit > max_entries_limit_per_query ({} > {})",
                                        limit, loki.max_entries));
  }
  auto filters = filters_of(request.get_param_value("query"));
  if (!filters && loki.takes_any_query) filters.emplace();
  if (!filters) return refuse(response, "parse error at line 1, col 1: syntax error: unexpected |");
  bool blind = false;
  {
    const std::scoped_lock lock(mutex);
    blind = requests >= loki.blind_from && requests <= loki.blind_to;
  }
  std::vector<const FakeEntry*> found;
  for (const FakeEntry& entry : loki.entries) {
    if (blind) break;
    const bool within = loki.ignores_window || (entry.timestamp >= start && entry.timestamp < end);
    if (within && passes(entry, *filters)) found.push_back(&entry);
  }
  {
    const std::scoped_lock lock(mutex);
    std::shuffle(found.begin(), found.end(), random);
  }
  std::stable_sort(found.begin(), found.end(), [&](const FakeEntry* a, const FakeEntry* b) {
    return forward ? a->timestamp < b->timestamp : a->timestamp > b->timestamp;
  });
  if (found.size() > limit && !loki.ignores_limit) found.resize(limit);
  std::size_t bytes = 0;
  for (const FakeEntry* entry : found) bytes += entry->line.size();
  if (loki.most_bytes > 0 && bytes > loki.most_bytes) found.clear();
  std::map<std::map<std::string, std::string>, json> streams;
  for (const FakeEntry* entry : found) {
    json categories = json::object();
    if (!entry->metadata.empty()) categories["structuredMetadata"] = entry->metadata;
    streams[entry->labels].push_back({fmt::to_string(entry->timestamp), entry->line, categories});
  }
  json result = json::array();
  for (auto& [labels, values] : streams) result.push_back({{"stream", labels}, {"values", std::move(values)}});
  const json answer = {
      {"status", "success"},
      {"data", {{"resultType", "streams"}, {"encodingFlags", {"categorize-labels"}}, {"result", std::move(result)}}}};
  response.set_content(answer.dump(), "application/json; charset=UTF-8");
}

FakeQueryLoki::FakeQueryLoki() : server_(std::make_unique<Server>()) {
  Server& server = *server_;
  const auto range = [this](const httplib::Request& request, httplib::Response& response) {
    server_->query_range(*this, request, response);
  };
  server.http.Get("/loki/api/v1/query_range", range);
  server.http.Post("/loki/api/v1/query_range", range);
  server.http.Get("/loki/api/v1/labels", [this](const httplib::Request& request, httplib::Response& response) {
    if (server_->scripted(request, response)) return;
    std::set<std::string> names;
    for (const FakeEntry& entry : entries) {
      for (const auto& [name, value] : entry.labels) names.insert(name);
    }
    json answer = {{"status", "success"}};
    if (!names.empty()) answer["data"] = names;
    response.set_content(answer.dump(), "application/json");
  });
  server.http.Get(R"(/loki/api/v1/label/(\w+)/values)", [this](const httplib::Request& request, httplib::Response& response) {
    if (server_->scripted(request, response)) return;
    std::set<std::string> values;
    for (const FakeEntry& entry : entries) {
      if (const auto found = entry.labels.find(request.matches[1]); found != entry.labels.end()) values.insert(found->second);
    }
    json answer = {{"status", "success"}};
    if (!values.empty()) answer["data"] = values;
    response.set_content(answer.dump(), "application/json");
  });
  server.http.Get("/loki/api/v1/series", [this](const httplib::Request& request, httplib::Response& response) {
    if (server_->scripted(request, response)) return;
    json answer = {{"status", "success"}, {"data", json::array()}};
    for (const FakeEntry& entry : entries) answer["data"].push_back(entry.labels);
    response.set_content(answer.dump(), "application/json");
  });
  server.http.Get("/loki/api/v1/query", [this](const httplib::Request& request, httplib::Response& response) {
    if (!server_->scripted(request, response)) Server::refuse(response, "this test has no answer to an instant query");
  });
  const auto only_scripted = [this](const httplib::Request& request, httplib::Response& response) {
    if (!server_->scripted(request, response)) Server::refuse(response, "this test has no answer to " + request.path);
  };
  server.http.Get(R"(/loki/api/v1/(index|detected_field)/.+)", only_scripted);
  server.http.Get("/loki/api/v1/detected_fields", only_scripted);
  server.http.set_tcp_nodelay(true);
  server.port = server.http.bind_to_any_port("127.0.0.1");
  server.thread = std::thread([this] { server_->http.listen_after_bind(); });
  while (!server.http.is_running()) std::this_thread::yield();  // stop() before that would be overheard
}

FakeQueryLoki::~FakeQueryLoki() {
  server_->http.stop();
  server_->thread.join();
}

std::string FakeQueryLoki::url() const { return fmt::format("http://127.0.0.1:{}", server_->port); }

void FakeQueryLoki::reply_first(std::vector<FakeReply> replies) {
  const std::scoped_lock lock(server_->mutex);
  server_->replies.assign(replies.begin(), replies.end());
}

void FakeQueryLoki::answer_always(std::string body) {
  const std::scoped_lock lock(server_->mutex);
  server_->fixed = std::move(body);
}

int FakeQueryLoki::requests() const {
  const std::scoped_lock lock(server_->mutex);
  return server_->requests;
}

std::map<std::string, std::string> FakeQueryLoki::last_parameters() const {
  const std::scoped_lock lock(server_->mutex);
  return server_->parameters;
}

std::string FakeQueryLoki::last_header(const std::string& name) const {
  const std::scoped_lock lock(server_->mutex);
  const auto found = server_->headers.find(name);
  return found == server_->headers.end() ? "" : found->second;
}

}  // namespace weir::test
