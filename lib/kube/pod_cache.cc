#include "kube/pod_cache.h"

#include "base/path.h"
#include "base/private_file.h"
#include "base/stable_hash.h"
#include "base/unique_fd.h"
#include "record/json.h"

#include <fcntl.h>
#include <simdjson.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <optional>
#include <utility>

namespace weir::kube {

namespace dom = simdjson::dom;
using Entries = std::vector<PodDirectory::Entry>;

namespace {

constexpr std::int64_t kVersion = 1;

std::string hash_text(std::string_view lines) {
  const base::Hash128 hash = base::stable_hash(lines);
  return fmt::format("{:016x}{:016x}", hash.high, hash.low);
}

void append_names(std::string& out, const std::set<std::string, std::less<>>& names) {
  out += '[';
  for (const std::string& name : names) {
    if (out.back() != '[') out += ',';
    record::append_json_string(out, name);
  }
  out += ']';
}

void append_values(std::string& out, std::string_view member, const Pod::Values& values) {
  if (values.empty()) return;
  out += fmt::format(",\"{}\":{{", member);
  for (const auto& [name, value] : values) {
    if (out.back() != '{') out += ',';
    record::append_json_string(out, name);
    out += ':';
    record::append_json_string(out, value);
  }
  out += '}';
}

void append_pod(std::string& out, const PodDirectory::Entry& entry) {
  const Pod& pod = *entry.pod;
  const auto text = [&](std::string_view key, std::string_view value) {
    out += key;
    record::append_json_string(out, value);
  };
  text("{\"uid\":", pod.uid);
  text(",\"namespace\":", pod.namespace_name);
  text(",\"name\":", pod.name);
  append_values(out, "labels", pod.labels);
  append_values(out, "annotations", pod.annotations);
  if (!pod.owner_kind.empty() || !pod.owner_name.empty()) {
    text(",\"owner\":[", pod.owner_kind);
    text(",", pod.owner_name);
    out += ']';
  }
  if (pod.excluded) out += ",\"excluded\":true";
  if (entry.gone_since) out += fmt::format(",\"gone\":{}", *entry.gone_since);
  out += "}\n";
}

// Strict: what does not read as it was written is damaged.
bool read_text(const dom::object& object, std::string_view name, std::string& text) {
  std::string_view view;
  if (object[name].get(view) != simdjson::SUCCESS) return false;
  text = view;
  return true;
}

bool read_names(const dom::object& object, std::string_view name, std::set<std::string, std::less<>>& names) {
  dom::array array;
  if (object[name].get(array) != simdjson::SUCCESS) return false;
  for (const dom::element one : array) {
    std::string_view text;
    if (one.get(text) != simdjson::SUCCESS) return false;
    names.emplace(text);
  }
  return true;
}

bool read_values(const dom::object& object, std::string_view name, const std::set<std::string, std::less<>>& wanted,
                 Pod::Values& values) {
  dom::element found;
  if (object[name].get(found) != simdjson::SUCCESS) return true;
  dom::object all;
  if (found.get(all) != simdjson::SUCCESS) return false;
  for (const auto [key, value] : all) {
    std::string_view text;
    if (value.get(text) != simdjson::SUCCESS) return false;
    if (wanted.find(key) != wanted.end()) values.emplace_back(std::string(key), std::string(text));
  }
  return std::ranges::is_sorted(values);
}

std::optional<PodDirectory::Entry> read_pod(const dom::object& object, const WantedNames& wanted) {
  Pod pod;
  PodDirectory::Entry entry;
  if (!read_text(object, "uid", pod.uid) || !read_text(object, "namespace", pod.namespace_name) ||
      !read_text(object, "name", pod.name) || !read_values(object, "labels", wanted.labels, pod.labels) ||
      !read_values(object, "annotations", wanted.annotations, pod.annotations)) {
    return std::nullopt;
  }
  if (dom::array owner; object["owner"].get(owner) == simdjson::SUCCESS) {
    std::string_view kind, name;
    if (owner.at(0).get(kind) != simdjson::SUCCESS || owner.at(1).get(name) != simdjson::SUCCESS) return std::nullopt;
    pod.owner_kind = kind;
    pod.owner_name = name;
  }
  bool excluded = false;
  pod.excluded = object["excluded"].get(excluded) == simdjson::SUCCESS && excluded;
  if (std::int64_t gone = 0; object["gone"].get(gone) == simdjson::SUCCESS) entry.gone_since = gone;
  entry.pod = std::make_shared<const Pod>(std::move(pod));
  return entry;
}

// An empty file, or one that was cut within these words, may be ours.
bool is_ours(std::string_view text) {
  constexpr std::string_view kBegin = "{\"weir_pods\":";
  return text.substr(0, kBegin.size()) == kBegin.substr(0, text.size());
}

}  // namespace

std::string PodCache::text_of(const Entries& pods) const {
  std::string text = fmt::format("{{\"weir_pods\":{},\"node\":", kVersion);
  record::append_json_string(text, node_);
  text += ",\"labels\":";
  append_names(text, wanted_.labels);
  text += ",\"annotations\":";
  append_names(text, wanted_.annotations);
  text += "}\n";
  for (const PodDirectory::Entry& entry : pods) append_pod(text, entry);
  const std::string hash = hash_text(text);
  return text + fmt::format("{{\"pods\":{},\"hash\":\"{}\"}}\n", pods.size(), hash);
}

base::Result<Entries> PodCache::parse(std::string_view text) const {
  const auto wrong = [&](base::Code code, std::string_view cause) {
    return base::fail(code, "cannot use the cache of pods in '{}': {}", path_, cause);
  };
  const auto damaged = [&] { return wrong(base::Code::corrupt, "it is damaged"); };
  dom::parser parser;
  dom::object line;
  std::size_t at = 0;
  const auto next = [&] {
    const std::size_t end = text.find('\n', at);
    if (end == std::string_view::npos) return false;
    const std::string_view one = text.substr(at, end - at);
    at = end + 1;
    return parser.parse(one.data(), one.size()).get(line) == simdjson::SUCCESS;
  };
  if (!is_ours(text)) return foreign();
  std::int64_t version = 0;
  if (!next() || line["weir_pods"].get(version) != simdjson::SUCCESS) return damaged();
  if (version != kVersion) return wrong(base::Code::version, "another release of weir wrote it");
  std::string node;
  WantedNames had;
  if (!read_text(line, "node", node) || !read_names(line, "labels", had.labels) ||
      !read_names(line, "annotations", had.annotations)) {
    return damaged();
  }
  Entries pods;
  while (true) {
    const std::size_t begin = at;
    if (!next()) return damaged();
    if (std::uint64_t count = 0; line["pods"].get(count) == simdjson::SUCCESS) {
      std::string hash;
      if (count != pods.size() || at != text.size() || !read_text(line, "hash", hash) || hash != hash_text(text.substr(0, begin))) {
        return damaged();
      }
      break;
    }
    auto entry = read_pod(line, wanted_);
    if (!entry) return damaged();
    pods.push_back(*std::move(entry));
  }
  // A pod without a label that it has would be another stream.
  const bool complete =
      std::ranges::includes(had.labels, wanted_.labels) && std::ranges::includes(had.annotations, wanted_.annotations);
  if (node != node_ || !complete) pods.clear();
  return pods;
}

base::Error PodCache::foreign() const { return base::fail(base::Code::config, "'{}' is no cache of pods", path_); }

base::Result<Entries> PodCache::read() const {
  const std::string what = fmt::format("read the cache of pods in '{}'", path_);
  const base::UniqueFd file(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file && errno == ENOENT) return Entries();
  if (!file && errno == ENXIO) return foreign();  // a socket
  if (!file) return base::io_error(errno, what);
  struct ::stat status {};
  if (::fstat(file.get(), &status) != 0) return base::io_error(errno, what);
  if (S_ISDIR(status.st_mode)) return base::io_error(EISDIR, what);
  if (!S_ISREG(status.st_mode)) return foreign();
  std::string text;
  while (true) {
    constexpr std::size_t kBlock = 64 << 10;
    const std::size_t size = text.size();
    text.resize(size + kBlock);
    const ssize_t got = ::read(file.get(), text.data() + size, kBlock);
    const int cause = errno;
    text.resize(size + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got < 0 && cause == EINTR) continue;
    if (got < 0) return base::io_error(cause, what);
    if (got == 0) return parse(text);
    if (!is_ours(text)) return foreign();
    if (text.size() > kMostBytes) return base::cannot(base::Code::corrupt, what, "it is larger than 16 MiB");
  }
}

base::Result<void> PodCache::write(const Entries& pods) const {
  const std::string what = fmt::format("write the cache of pods to '{}'", path_);
  const std::string fresh = path_ + ".new";
  const std::string text = text_of(pods);
  if (text.size() > kMostBytes) return base::cannot(base::Code::full, what, "it would be larger than 16 MiB");
  const base::UniqueFd file = base::open_private(fresh);
  if (!file) return base::io_error(errno, what);
  // A file that another process left half written.
  if (::ftruncate(file.get(), 0) != 0) return base::io_error(errno, what);
  const auto give_up = [&](int cause) {
    ::unlink(fresh.c_str());
    return base::io_error(cause, what);
  };
  std::string_view rest = text;
  while (!rest.empty()) {
    const ssize_t wrote = ::write(file.get(), rest.data(), rest.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return give_up(errno);
    rest.remove_prefix(static_cast<std::size_t>(wrote));
  }
  if (::fdatasync(file.get()) != 0) return give_up(errno);
  if (::rename(fresh.c_str(), path_.c_str()) != 0) return give_up(errno);
  return {};
}

}  // namespace weir::kube
