// podgen: writes a /var/log/pods tree as containerd and the kubelet do, for the demo, the tests and the benchmarks.
//
//   podgen OUT --mb 64 --pods 20 --seed 1 --partial          at once: a finished tree, the same for the same seed and --end
//   podgen OUT --rate 2000 --seconds 10 --rotate-bytes 1000000 --gzip --late-pods 1     live: one write(2) a line
//
// Prints what it wrote as one line of JSON. All log lines are made up here.
#include <zlib.h>

#include <fcntl.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <deque>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace {

struct Options {
  std::string out;
  std::string truth;  // where to write each record as weir's JSON line
  double mb = 16;
  double json_share = 0.5;
  double end = 0;     // unix seconds of the last timestamp; 0: now
  double span = 600;  // seconds the timestamps of a finished tree cover
  double rate = 0;    // lines a second over all pods; 0: a finished tree
  double seconds = 10;
  std::uint64_t seed = 1;
  std::uint64_t rotate_bytes = 0;
  std::uint64_t lines = 0;  // instead of --mb: lines over all pods
  int keep = 5;             // files a container keeps, the live one included
  int pods = 20;
  int late_pods = 0;  // appear after half of the time
  int idle = 0;       // further pods that write one line and no more
  bool partial = false;
  bool gzip = false;
};

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "podgen: %s\n", what.c_str());
  std::exit(4);
}

// splitmix64: small, fast and the same everywhere, which the distributions of <random> are not.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
  }
  std::uint64_t below(std::uint64_t bound) { return next() % bound; }
  bool chance(double probability) { return static_cast<double>(next() >> 11) * 0x1p-53 < probability; }
  template <std::size_t N>
  const char* pick(const char* const (&list)[N]) {
    return list[below(N)];
  }

 private:
  std::uint64_t state_;
};

template <typename... Args>
void append(std::string& out, const char* format, Args... args) {
  char buffer[1024];
  const int n = std::snprintf(buffer, sizeof buffer, format, args...);
  out.append(buffer, static_cast<std::size_t>(std::clamp(n, 0, static_cast<int>(sizeof buffer) - 1)));
}

constexpr const char* kSpaces[] = {"payments", "checkout", "kube-system", "monitoring", "default"};
constexpr const char* kPaths[] = {"/api/v1/orders", "/api/v1/users", "/healthz", "/metrics", "/checkout", "/cart/items"};
constexpr const char* kAgents[] = {"Mozilla/5.0 (X11; Linux x86_64)", "curl/7.88.1", "kube-probe/1.30", "Grüße/1.0 (日本語)"};
constexpr const char* kClasses[] = {"c.example.shop.OrderService", "c.example.shop.CartCache", "c.example.pay.Ledger",
                                    "c.example.Main"};
constexpr const char* kNouns[] = {"connection", "lease", "segment", "replica", "session", "snapshot", "partition", "upload"};
constexpr const char* kVerbs[] = {"opened", "closed", "renewed", "evicted", "rebalanced", "flushed to disk", "rejected by peer"};

const char* level(Random& random) {
  const auto n = random.below(100);
  return n < 50 ? "debug" : n < 90 ? "info" : n < 97 ? "warn" : "error";
}

// Keeps the text of the latest second, so that few timestamps cost a library call.
class Stamp {
 public:
  // RFC 3339 with nine digits, UTC. The view lives until the next call.
  std::string_view text(std::int64_t nanoseconds) {
    const std::int64_t seconds = nanoseconds / 1'000'000'000;
    if (seconds != seconds_) {
      const std::time_t t = seconds;
      std::tm tm{};
      ::gmtime_r(&t, &tm);
      std::strftime(text_, sizeof text_, "%Y-%m-%dT%H:%M:%S", &tm);
      seconds_ = seconds;
    }
    std::snprintf(text_ + 19, sizeof text_ - 19, ".%09dZ", static_cast<int>(nanoseconds % 1'000'000'000));
    return {text_, 30};
  }

 private:
  std::int64_t seconds_ = -1;
  char text_[40] = {};
};

// What an application of today writes: JSON or logfmt.
void structured_line(Random& random, std::string_view ts, std::uint64_t sequence, std::string& out) {
  const char* lvl = level(random);
  const char* path = random.pick(kPaths);
  const double ms = -40.0 * std::log(1.0 - static_cast<double>(random.next() >> 11) * 0x1p-53);
  const auto r = random.below(23);
  const int status = r < 20 ? 200 : r == 20 ? 404 : r == 21 ? 500 : 503;
  const std::uint64_t high = random.next(), low = random.next();
  const int user = static_cast<int>(random.below(10000));
  if (random.chance(0.5)) {
    append(out, R"({"time": "%.*s", "level": "%s", "msg": "request served", "path": "%s", "status": %d, "duration_ms": %.3f, )",
           static_cast<int>(ts.size()), ts.data(), lvl, path, status, ms);
    append(out, R"("trace_id": "%016llx%016llx", "user": "u%d", "seq": %llu})", static_cast<unsigned long long>(high),
           static_cast<unsigned long long>(low), user, static_cast<unsigned long long>(sequence));
  } else {
    append(out,
           R"(time=%.*s level=%s msg="request served" path=%s status=%d duration=%.3fms trace_id=%016llx%016llx user=u%d seq=%llu)",
           static_cast<int>(ts.size()), ts.data(), lvl, path, status, ms, static_cast<unsigned long long>(high),
           static_cast<unsigned long long>(low), user, static_cast<unsigned long long>(sequence));
  }
}

// What the rest writes: five kinds of text, by pod.
void text_line(Random& random, int kind, std::string_view ts, std::string& out) {
  const auto a = static_cast<unsigned>(random.below(256)), b = static_cast<unsigned>(random.below(65536));
  const int size = static_cast<int>(ts.size());
  switch (kind % 5) {
    case 0:
      append(out, R"(10.%u.%u.%u - - [%.*s] "GET %s?page=%u HTTP/1.1" %d %u "-" "%s")", a, b & 255, b >> 8, size, ts.data(),
             random.pick(kPaths), a, random.chance(0.9) ? 200 : 404, b, random.pick(kAgents));
      break;
    case 1:
      append(out, "I%.2s%.2s %.15s %7u controller.go:%u] \"%s %s\" object=\"ns-%u/item-%04x\" retries=%u", ts.data() + 5,
             ts.data() + 8, ts.data() + 11, b, a, random.pick(kNouns), random.pick(kVerbs), a % 7, b, a % 3);
      break;
    case 2:
      if (random.chance(0.03)) {
        append(out, "\tat %s.handle(%s.java:%u) [\"worker-%u\"]", random.pick(kClasses), random.pick(kNouns), a, b % 64);
      } else {
        append(out, "%.*s  %-5s [worker-%u] %s - %s %s after %u ms (%u in queue)", size, ts.data(),
               random.chance(0.9) ? "INFO" : "WARN", b % 64, random.pick(kClasses), random.pick(kNouns), random.pick(kVerbs),
               b % 5000, a);
      }
      break;
    case 3:
      append(out, "sshd[%u]: %s for user%u from 203.0.113.%u port %u ssh2: C:\\temp\\%x", b,
             random.chance(0.2) ? "Failed password" : "Accepted key", a % 40, a, 1024 + b % 60000, b);
      break;
    default:
      append(out, "%.*s UTC [%u] LOG:  checkpoint complete: wrote %u buffers (%.1f%%); sync=%.3f s, total=%.3f s; \"%s\" %s", size,
             ts.data(), b % 4096, b, a / 25.6, a / 256.0, b / 6553.6, random.pick(kNouns), random.pick(kVerbs));
  }
}

void json_string(std::string_view text, std::string& out) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      append(out, "\\u%04x", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  out += '"';
}

void write_all(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) die("cannot write " + path + ": " + std::strerror(errno));
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

void gzip_file(const std::string& path) {
  const std::string target = path + ".gz", temporary = path + ".tmp";
  const int in = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  gzFile out = ::gzopen(temporary.c_str(), "wb1");
  if (in < 0 || out == nullptr) die("cannot compress " + path);
  char buffer[65536];
  for (ssize_t n = 0; (n = ::read(in, buffer, sizeof buffer)) > 0;) ::gzwrite(out, buffer, static_cast<unsigned>(n));
  ::close(in);
  if (::gzclose(out) != Z_OK) die("cannot compress " + path);
  std::filesystem::rename(temporary, target);
  std::filesystem::remove(path);
}

struct Totals {
  std::uint64_t bytes = 0, lines = 0, rotations = 0;  // lines: records, a joined line counts once
};

// One container's log: the live file, its rotated siblings, and what it writes next.
class Container {
 public:
  Container(const Options& options, int index, Random& random) : options_(options), index_(index) {
    namespace_ = kSpaces[static_cast<std::size_t>(index) % std::size(kSpaces)];
    char text[96];
    const std::uint64_t a = random.next(), b = random.next(), c = random.next();
    std::snprintf(text, sizeof text, "app%02d-%010llx-%05llx", index, static_cast<unsigned long long>(a >> 24),
                  static_cast<unsigned long long>(b >> 44));
    pod_ = text;
    std::snprintf(text, sizeof text, "%08llx-%04llx-4%03llx-a%03llx-%012llx", static_cast<unsigned long long>(b & 0xffffffff),
                  static_cast<unsigned long long>(a & 0xffff), static_cast<unsigned long long>(c >> 52),
                  static_cast<unsigned long long>(c & 0xfff), static_cast<unsigned long long>((c >> 4) & 0xffffffffffff));
    folder_ = options.out + "/" + namespace_ + "_" + pod_ + "_" + text + "/main";
    path_ = folder_ + "/0.log";
  }
  ~Container() {
    if (fd_ >= 0) ::close(fd_);
  }
  Container(const Container&) = delete;
  Container& operator=(const Container&) = delete;

  // Creates the live file; the folder appears with it.
  void create() {
    std::filesystem::create_directories(folder_);
    fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (fd_ < 0) die("cannot create " + path_ + ": " + std::strerror(errno));
    size_ = 0;
  }

  // One record with this time, appended to `out` as CRI lines and to `truth` as JSON.
  void format(std::int64_t time, Random& random, std::string& out, std::string* truth) {
    const std::string_view ts = stamp_.text(time);
    line_.clear();
    if (random.chance(options_.json_share)) {
      structured_line(random, ts, sequence_, line_);
    } else {
      text_line(random, index_, ts, line_);
      append(line_, " #%llu", static_cast<unsigned long long>(sequence_));
    }
    ++sequence_;
    const char* stream = random.chance(0.1) ? "stderr" : "stdout";
    std::string_view rest = line_;
    if (options_.partial && random.chance(0.01)) {
      const int parts = 1 + static_cast<int>(random.below(3));
      for (int i = 0; i < parts; ++i) {
        const std::size_t cut = rest.size() / 2;
        cri(out, ts, stream, "P", rest.substr(0, cut));
        rest.remove_prefix(cut);
      }
    }
    cri(out, ts, stream, "F", rest);
    if (truth != nullptr) {
      append(*truth, R"({"timestamp":"%.*s","line":)", static_cast<int>(ts.size()), ts.data());
      json_string(line_, *truth);
      append(*truth, R"(,"labels":{"container":"main","namespace":"%s","pod":"%s","stream":"%s"}})", namespace_, pod_.c_str(),
             stream);
      *truth += '\n';
    }
  }

  void write(std::string_view bytes) {
    write_all(fd_, bytes, path_);
    size_ += bytes.size();
  }

  // As the kubelet does: rename, a new live file, the older rotated file compressed, the oldest removed.
  bool rotate_when_due() {
    if (options_.rotate_bytes == 0 || size_ < options_.rotate_bytes) return false;
    std::time_t now = std::max(std::time(nullptr), last_rotation_ + 1);
    last_rotation_ = now;
    std::tm tm{};
    ::localtime_r(&now, &tm);
    char suffix[32];
    std::strftime(suffix, sizeof suffix, ".%Y%m%d-%H%M%S", &tm);
    if (options_.gzip && !rotated_.empty()) {
      gzip_file(rotated_.back());
      rotated_.back() += ".gz";
    }
    const std::string target = path_ + suffix;
    std::filesystem::rename(path_, target);
    rotated_.push_back(target);
    ::close(fd_);
    create();
    while (static_cast<int>(rotated_.size()) > options_.keep - 1) {
      std::filesystem::remove(rotated_.front());
      rotated_.pop_front();
    }
    return true;
  }

 private:
  static void cri(std::string& out, std::string_view ts, const char* stream, const char* tag, std::string_view line) {
    out += ts;
    append(out, " %s %s ", stream, tag);
    out += line;
    out += '\n';
  }

  const Options& options_;
  int index_;
  int fd_ = -1;
  const char* namespace_;
  std::string pod_, folder_, path_, line_;
  std::deque<std::string> rotated_;
  std::uint64_t size_ = 0, sequence_ = 0;
  std::time_t last_rotation_ = 0;
  Stamp stamp_;
};

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// Where the truth goes, in large writes; nothing when not asked for.
class Truth {
 public:
  explicit Truth(const std::string& path) : path_(path) {
    if (path.empty()) return;
    fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (fd_ < 0) die("cannot create " + path + ": " + std::strerror(errno));
  }
  ~Truth() {
    if (fd_ < 0) return;
    write_all(fd_, buffer_, path_);
    ::close(fd_);
  }
  Truth(const Truth&) = delete;
  Truth& operator=(const Truth&) = delete;
  std::string* buffer() {
    if (fd_ < 0) return nullptr;
    if (buffer_.size() > (1 << 20)) {
      write_all(fd_, buffer_, path_);
      buffer_.clear();
    }
    return &buffer_;
  }

 private:
  std::string path_, buffer_;
  int fd_ = -1;
};

Totals write_tree(const Options& options, std::deque<Container>& pods, Random& random, Truth& truth) {
  Totals totals;
  const auto count = static_cast<std::uint64_t>(options.pods);
  const auto budget = static_cast<std::uint64_t>(options.mb * 1e6) / count;
  const double end = options.end > 0 ? options.end : static_cast<double>(now_ns()) * 1e-9;
  const auto wanted = std::max<std::uint64_t>(1, options.lines / count);
  const auto first = static_cast<std::int64_t>((end - options.span) * 1e9);
  std::string out;
  for (Container& pod : pods) {
    pod.create();
    std::uint64_t written = 0, lines = 0;
    // Time goes as far as the work: the last line comes close to the end, never after it.
    for (double done = 0; done < 1;) {
      const std::size_t before = out.size();
      pod.format(first + static_cast<std::int64_t>(done * options.span * 1e9), random, out, truth.buffer());
      written += out.size() - before;
      ++lines;
      done = options.lines > 0 ? static_cast<double>(lines) / static_cast<double>(wanted)
                               : static_cast<double>(written) / static_cast<double>(budget);
      if (out.size() > (256 << 10)) {
        pod.write(out);
        out.clear();
        totals.rotations += pod.rotate_when_due() ? 1 : 0;
      }
    }
    pod.write(out);
    out.clear();
    totals.bytes += written;
    totals.lines += lines;
  }
  return totals;
}

Totals write_live(const Options& options, std::deque<Container>& pods, Random& random, Truth& truth) {
  Totals totals;
  const auto early = static_cast<std::size_t>(std::max(1, options.pods - options.late_pods));
  for (std::size_t i = 0; i < early; ++i) pods[i].create();
  std::size_t active = early;
  const auto total = static_cast<std::uint64_t>(options.rate * options.seconds);
  timespec start{};
  ::clock_gettime(CLOCK_MONOTONIC, &start);
  std::string out;
  for (std::uint64_t i = 0; i < total; ++i) {
    if (active < pods.size() && i >= total / 2) {
      for (; active < pods.size(); ++active) pods[active].create();
    }
    const double due = static_cast<double>(i) / options.rate;
    timespec at = start;
    at.tv_sec += static_cast<std::time_t>(due);
    at.tv_nsec += static_cast<long>((due - std::floor(due)) * 1e9);
    if (at.tv_nsec >= 1'000'000'000) {
      at.tv_nsec -= 1'000'000'000;
      ++at.tv_sec;
    }
    while (::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr) == EINTR) {
    }
    Container& pod = pods[i % active];
    out.clear();
    pod.format(now_ns(), random, out, truth.buffer());
    pod.write(out);
    totals.bytes += out.size();
    ++totals.lines;
    totals.rotations += pod.rotate_when_due() ? 1 : 0;
  }
  return totals;
}

void write_idle(const Options& options, Random& random, Totals& totals, Truth& truth) {
  std::string out;
  for (int i = 0; i < options.idle; ++i) {
    Container pod(options, options.pods + i, random);
    pod.create();
    out.clear();
    pod.format(now_ns(), random, out, truth.buffer());
    pod.write(out);
    totals.bytes += out.size();
    ++totals.lines;
  }
}

Options parse(int argc, char** argv) {
  Options o;
  const auto number = [](const std::string& name, const char* text) {
    char* end = nullptr;
    const double value = text == nullptr ? -1 : std::strtod(text, &end);
    if (text == nullptr || *text == 0 || *end != 0 || value < 0) die(name + " needs a number");
    return value;
  };
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : nullptr;
    const auto take = [&] { return ++i, number(name, value); };
    if (name == "--mb")
      o.mb = take();
    else if (name == "--lines")
      o.lines = static_cast<std::uint64_t>(take());
    else if (name == "--pods")
      o.pods = static_cast<int>(take());
    else if (name == "--late-pods")
      o.late_pods = static_cast<int>(take());
    else if (name == "--idle")
      o.idle = static_cast<int>(take());
    else if (name == "--seed")
      o.seed = static_cast<std::uint64_t>(take());
    else if (name == "--json-share")
      o.json_share = take();
    else if (name == "--end")
      o.end = take();
    else if (name == "--span")
      o.span = take();
    else if (name == "--rate")
      o.rate = take();
    else if (name == "--seconds")
      o.seconds = take();
    else if (name == "--rotate-bytes")
      o.rotate_bytes = static_cast<std::uint64_t>(take());
    else if (name == "--keep")
      o.keep = static_cast<int>(take());
    else if (name == "--partial")
      o.partial = true;
    else if (name == "--gzip")
      o.gzip = true;
    else if (name == "--truth") {
      if (value == nullptr) die("--truth needs a file");
      o.truth = value;
      ++i;
    } else if (name.rfind("--", 0) == 0 || !o.out.empty()) {
      std::fprintf(
          stderr,
          "usage: podgen OUT [--mb N | --lines N] [--pods N] [--seed N] [--json-share 0..1] [--partial] [--end UNIX] [--span S]\n"
          "       [--rate LINES/S --seconds S [--late-pods N]] [--rotate-bytes N [--keep N] [--gzip]] [--idle N] [--truth FILE]\n");
      std::exit(2);
    } else {
      o.out = name;
    }
  }
  if (o.out.empty() || o.pods < 1 || o.keep < 2) die("OUT is missing, or --pods is 0, or --keep is below 2");
  return o;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  Random random(options.seed);
  Truth truth(options.truth);
  std::deque<Container> pods;
  for (int i = 0; i < options.pods; ++i) pods.emplace_back(options, i, random);
  Totals idle;
  write_idle(options, random, idle, truth);
  Totals totals = options.rate > 0 ? write_live(options, pods, random, truth) : write_tree(options, pods, random, truth);
  std::printf("{\"bytes\": %llu, \"lines\": %llu, \"pods\": %d, \"rotations\": %llu}\n",
              static_cast<unsigned long long>(totals.bytes + idle.bytes),
              static_cast<unsigned long long>(totals.lines + idle.lines), options.pods + options.idle,
              static_cast<unsigned long long>(totals.rotations));
  return 0;
}
