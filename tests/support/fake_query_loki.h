// The query side of a Loki, in memory: limits, directions and windows as Loki has them, and among entries of one timestamp at
// the cut an arbitrary choice, another one for each request. Understands selectors only as "all", and the filters
// `|= "…"`, `|~ "…"`, `!~ "…"` and `| (name="v" or name="v")` (also with !=) behind them.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace weir::test {

struct FakeEntry {
  std::map<std::string, std::string> labels;
  std::int64_t timestamp = 0;
  std::string line;
  std::map<std::string, std::string> metadata = {};
};

struct FakeReply {
  int status = 200;  // 0 drops the connection
  std::string body;
};

// Methods may be called from any thread, but entries must stand before the first request.
class FakeQueryLoki {
 public:
  FakeQueryLoki();
  ~FakeQueryLoki();
  FakeQueryLoki(const FakeQueryLoki&) = delete;
  FakeQueryLoki& operator=(const FakeQueryLoki&) = delete;

  [[nodiscard]] std::string url() const;

  std::vector<FakeEntry> entries;
  std::uint32_t max_entries = 5000;
  std::int64_t max_query_length = 0;  // not 0: the longest window that it takes, in whole seconds
  bool takes_any_query = false;       // one with other stages passes all entries

  // Servers that are not quite a Loki.
  bool ignores_window = false;  // the same entries whatever time is asked for
  std::int64_t slack = 0;       // the window is this much wider at both ends, as where one rounds its ends
  bool ignores_limit = false;
  bool ignores_direction = false;  // the newest always
  std::size_t most_bytes = 0;      // not 0: no entries in place of those with more bytes of lines, as a Loki that cannot send them
  // The first and the last request, counted from 1, that see nothing, as while Loki hands a chunk over; 0 for none.
  int blind_from = 0, blind_to = 0;

  // Called with the number of each query_range request, counted from 1, before it is answered: it may change `entries`.
  std::function<void(int request)> before_answer;

  // For the next requests, before any real answer; the only answers to instant queries, index/… and detected_….
  void reply_first(std::vector<FakeReply> replies);
  void answer_always(std::string body);  // 200 with this body to every query_range
  [[nodiscard]] int requests() const;
  [[nodiscard]] std::map<std::string, std::string> last_parameters() const;
  [[nodiscard]] std::string last_header(const std::string& name) const;

 private:
  struct Server;
  std::unique_ptr<Server> server_;
};

}  // namespace weir::test
