// What becomes of the entries of a push request: the checks that Loki makes of each, and the labels and metadata that it adds.
#pragma once

#include "loki/push_reader.h"
#include "record/label_set.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace weir::loki {

// Thrown by whoever reads a request: it is refused whole. The text has no newline.
struct PushRefused {
  int status = 400;
  std::string text;
};

struct PushedEntry {
  // Nanoseconds since 1970.
  base::Timestamp time = 0;
  bool has_time = true;                     // false: an entry without anything, which Loki takes for one of the year 1
  std::optional<std::int64_t> beyond = {};  // seconds since 1970, for a time that nanoseconds cannot tell; refused
  std::string_view line;
  std::span<const record::Label> metadata;
};

// Not thread safe. Keeps the streams that it has seen from one request to the next.
class PushTaker {
 public:
  explicit PushTaker(const PushReaderOptions& options) : options_(options) {}

  void begin(std::string_view tenant, base::Timestamp now, record::Batch& out);
  // Throws PushRefused where the labels cannot be read. Whatever comes until the next call belongs to this stream.
  void stream(std::string_view labels);
  // `entry` consists of views that stay valid as long as the records do. Throws PushRefused where Loki fails on the whole request.
  void entry(const PushedEntry& entry);
  // No request without streams is one. What became of the entries.
  PushVerdict end();
  // Gives back what a large request took; true when one did. No record of it is used any more.
  bool trim();
  // Takes everything back that came since begin().
  void undo();

 private:
  struct Stream {
    record::LabelSetRef set;
    std::string name;        // the label string as Loki prints it
    std::string_view level;  // by the labels; "" where they give none
    std::optional<Refusal> refusal = {};
    base::Timestamp newest = std::numeric_limits<base::Timestamp>::min();
  };
  Stream& read_stream(std::string_view labels);
  void forget_streams();
  std::optional<Refusal> check(const PushedEntry& entry);
  void advise_on_time(base::Timestamp time);
  bool is_behind(const PushedEntry& entry);
  void read_metadata(std::span<const record::Label> metadata);
  std::string_view valid(std::string_view text);
  std::string_view normalised_name(std::string_view name);
  std::span<const record::Label> with_level(std::string_view line);
  void refuse(Refusal refusal, std::uint64_t entries = 1);
  void end_stream();
  // Throws PushRefused where the request takes more memory than one may.
  void charge(std::size_t bytes);

  const PushReaderOptions options_;
  std::unordered_map<std::string, Stream> streams_;  // by tenant and label string
  std::size_t long_labels_ = 0;                      // bytes of memory that their longer labels take, about
  std::string key_;

  // Of the request at hand.
  base::Timestamp now_ = 0;
  std::string_view tenant_;
  record::Batch* out_ = nullptr;
  std::size_t first_ = 0;  // of out_->records
  bool has_streams_ = false;
  std::size_t cost_ = 0;  // bytes of memory that the request takes, about
  std::size_t new_streams_ = 0;
  PushVerdict verdict_;
  std::vector<std::pair<std::string, std::uint64_t>> complaints_;  // and how many entries they are about
  std::uint64_t more_complaints_ = 0;                              // beyond those that are listed

  std::vector<std::pair<Stream*, base::Timestamp>> newest_before_;  // of its streams

  // Of the stream at hand.
  Stream* stream_ = nullptr;
  const record::LabelSet* labels_ = nullptr;
  std::uint64_t entries_ = 0;
  std::vector<base::Timestamp> behind_;  // of entries too far behind, the first few
  std::uint64_t behind_count_ = 0;

  // Neighbouring entries mostly share their metadata, so what became of the latest is kept.
  std::vector<record::Label> metadata_in_, metadata_;
  std::size_t metadata_bytes_ = 0, metadata_count_ = 0;  // as Loki counts them
  std::string_view metadata_level_;
  bool has_own_level_ = false;  // it came with detected_level
  std::string_view latest_level_;
  std::span<const record::Label> latest_;  // with the level; empty where it has to be made
};

}  // namespace weir::loki
