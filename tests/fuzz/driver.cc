// Runs a fuzz target where there is no libFuzzer: over its seeds, then over mutations of them, the same ones in every run.
//
// usage: fuzz_TARGET [--seconds N] [--seed N] FILE|FOLDER…
// The time is --seconds, else WEIR_FUZZ_SECONDS, else 15 where CI=true, else 2; --seconds 0 runs the inputs alone, as for a file
// that a run before has left behind. An input on which the target dies, or takes over 20 seconds, is kept as crash-TARGET in the
// current folder.
#include "fuzz/fuzz.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" void __sanitizer_set_death_callback(void (*callback)()) __attribute__((weak));  // NOLINT: its name

namespace {

constexpr std::size_t kLargest = 64 << 10;  // bytes of a mutation
constexpr unsigned kMostSeconds = 20;       // for one input, and for a number of quick ones

std::string input;  // of the call in progress
std::string crash_name;

void keep_input() {
  const int fd = ::open(crash_name.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return;
  const auto written = ::write(fd, input.data(), input.size());
  static_cast<void>(written);
  ::close(fd);
  constexpr std::string_view kNote = "the input is kept as ";
  for (const std::string_view part : {kNote, std::string_view(crash_name), std::string_view("\n")}) {
    const auto said = ::write(STDERR_FILENO, part.data(), part.size());
    static_cast<void>(said);
  }
}

void on_signal(int signal) {
  keep_input();
  std::signal(signal, SIG_DFL);
  ::raise(signal);
}

void run() {
  // Exactly as long as the input, so that a sanitizer sees a read behind its end.
  std::vector<std::uint8_t> bytes(input.begin(), input.end());
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

class Mutator {
 public:
  Mutator(const std::vector<std::string>& seeds, std::uint64_t seed) : seeds_(seeds), random_(seed) {}

  void next(std::string& out) {
    out = seeds_[below(seeds_.size())];
    for (std::size_t rounds = 1 + below(below(4) == 0 ? 16 : 4); rounds > 0; --rounds) change(out);
    if (out.size() > kLargest) out.resize(kLargest);
  }

 private:
  std::size_t below(std::size_t limit) { return limit == 0 ? 0 : static_cast<std::size_t>(random_() % limit); }

  void change(std::string& text) {
    using namespace std::string_view_literals;
    static constexpr std::string_view kTelling = "\0\x01\x7f\x80\xc0\xed\xf4\xff\"'\\`{}[]():,=|#/*+-.09eEuxn \t\r\n$<>!~%&;"sv;
    const std::size_t at = below(text.size() + 1);
    const std::size_t length = std::min(below(below(4) == 0 ? 64 : 8) + 1, text.size() - at);
    switch (below(9)) {
      case 0:
        if (at < text.size()) text[at] = static_cast<char>(text[at] ^ (1 << below(8)));
        break;
      case 1:
        if (at < text.size()) text[at] = kTelling[below(kTelling.size())];
        break;
      case 2:
        text.insert(at, 1, kTelling[below(kTelling.size())]);
        break;
      case 3:
        text.erase(at, length);
        break;
      case 4:
        text.insert(at, text.substr(at, length));
        break;
      case 5: {  // another place of this text
        const std::string piece = text.substr(at, length);
        text.insert(below(text.size() + 1), piece);
        break;
      }
      case 6: {  // a piece of another seed
        const std::string& other = seeds_[below(seeds_.size())];
        const std::size_t from = below(other.size() + 1);
        text.replace(at, below(2) == 0 ? 0 : length, other, from, below(40) + 1);
        break;
      }
      case 7: {  // much of the same: what grows with its square, or nests
        if (length == 0 || below(8) != 0) break;
        const std::string piece = text.substr(at, length);
        std::string many;
        for (std::size_t times = below(2000); times > 0 && many.size() < kLargest; --times) many += piece;
        text.insert(at, many);
        break;
      }
      default:
        text.resize(at);
        break;
    }
  }

  const std::vector<std::string>& seeds_;
  std::mt19937_64 random_;
};

double seconds_from_environment() {
  if (const char* seconds = std::getenv("WEIR_FUZZ_SECONDS"); seconds != nullptr && *seconds != '\0') return std::atof(seconds);
  const char* ci = std::getenv("CI");
  return ci != nullptr && std::string_view(ci) == "true" ? 15 : 2;
}

void add_seeds(const std::filesystem::path& path, std::vector<std::string>& seeds) {
  std::vector<std::filesystem::path> files = {path};
  if (std::filesystem::is_directory(path)) {
    files.clear();
    for (const auto& entry : std::filesystem::directory_iterator(path)) files.push_back(entry.path());
    std::sort(files.begin(), files.end());
  }
  for (const auto& file : files) {
    std::ifstream in(file, std::ios::binary);
    seeds.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
    if (!in) {
      std::fprintf(stderr, "cannot read %s\n", file.c_str());
      std::exit(2);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  double seconds = seconds_from_environment();
  std::uint64_t seed = 1;
  std::vector<std::string> seeds;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--seconds" && i + 1 < argc) {
      seconds = std::atof(argv[++i]);
    } else if (word == "--seed" && i + 1 < argc) {
      seed = std::strtoull(argv[++i], nullptr, 10);
    } else {
      add_seeds(argv[i], seeds);
    }
  }
  if (seeds.empty()) {
    std::fprintf(stderr, "usage: %s [--seconds N] [--seed N] FILE|FOLDER...\n", argv[0]);
    return 2;
  }
  crash_name = "crash-" + std::filesystem::path(argv[0]).filename().string();
  for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGALRM}) std::signal(signal, on_signal);
  if (__sanitizer_set_death_callback != nullptr) __sanitizer_set_death_callback(keep_input);

  std::uint64_t inputs = 0;
  ::alarm(kMostSeconds);
  for (const std::string& one : seeds) {
    input = one;
    run();
    ++inputs;
  }
  const auto begin = std::chrono::steady_clock::now();
  Mutator mutator(seeds, seed);
  for (auto passed = std::chrono::duration<double>(0); passed.count() < seconds; ++inputs) {
    ::alarm(kMostSeconds);
    mutator.next(input);
    run();
    passed = std::chrono::steady_clock::now() - begin;
  }
  std::printf("%llu inputs in %.1f s\n", static_cast<unsigned long long>(inputs), seconds);
  return 0;
}
