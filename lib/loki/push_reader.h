// What clients send to Loki's push endpoints, as records: the side of Loki that PushEncoder talks to.
//
// Bodies are protobuf in a snappy block, JSON, or the JSON of the old endpoint, each of them perhaps in gzip or deflate. What is
// taken, what is refused and in which words is as a Loki of version 3.7 does it with its defaults; tests/loki/real compares the
// two. Only what is wrong with JSON is said in other words.
// https://grafana.com/docs/loki/latest/reference/loki-http-api/#ingest-logs
//
// A request that cannot be read is refused whole. Of one that can be read, entries beyond the limits are refused, and all others
// are taken: the answer is 400 then, and who sends the request again stores the others twice.
#pragma once

#include "base/clock.h"
#include "loki/limits.h"
#include "record/record.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace weir::loki {

struct PushReaderOptions {
  // Unlike a Loki, a spool takes records of any age: max_age and max_ahead are off unless somebody sets them.
  PushLimits limits = {.max_age = 0, .max_ahead = 0};
  base::Duration max_behind = 0;         // how far an entry may be behind the newest of its stream; 0: as far as it likes
  bool discover_service_name = true;     // adds the label service_name (names/service_name.h)
  bool discover_levels = true;           // adds the metadata detected_level (names/level.h)
  std::size_t most_unpacked = 64 << 20;  // bytes of a body once it is unpacked, and of the memory that its entries and
                                         // streams take; beyond: refused, before memory is taken for it
};

struct PushRequest {
  std::string_view content_type, content_encoding;  // of the headers
  bool old_endpoint = false;                        // its JSON is that of /api/prom/push
  std::string_view tenant;
  std::string_view body;
};

// What to answer, and what became of the request. `text` ends with a newline, and is empty with 204.
struct PushVerdict {
  int status = 204;
  std::string text = {};
  std::uint64_t records = 0, bytes = 0;  // that were taken; bytes of lines
  // Entries that were refused, by the short names of Refusal. Of a request that cannot be read nobody knows how many there were.
  std::map<std::string_view, std::uint64_t> refused = {};
  // What the client seems to do wrong, for a log: times in another unit than nanoseconds, JSON that is not named as such. "" for
  // nothing. Loki has no words for these.
  std::string advice = {};
};

// Not thread safe. Keeps its memory and the streams that it has seen.
class PushReader {
 public:
  explicit PushReader(const PushReaderOptions& options);
  ~PushReader();
  PushReader(const PushReader&) = delete;  // large buffers
  PushReader& operator=(const PushReader&) = delete;

  // Appends what is taken to `out`, in the order of the request. The records are views into the request, into this reader and into
  // `out`: valid until the next read().
  PushVerdict read(const PushRequest& request, base::Timestamp now, record::Batch& out);
  // Gives back the memory that a large request took; true when one did. Its records are not valid any more.
  bool trim();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace weir::loki
