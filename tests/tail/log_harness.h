// Reads a log through a LogReader, as the source does, into text.
#pragma once

#include "record/jsonl_writer.h"
#include "record/timestamp.h"
#include "support/fake_clock.h"
#include "support/temp_dir.h"
#include "tail/log_reader.h"

#include <fmt/format.h>
#include <zlib.h>

#include <stdexcept>
#include <string>
#include <vector>

namespace weir::tail {

using Lines = std::vector<std::string>;

inline std::string cri(std::string_view text, std::string_view stream = "stdout", char tag = 'F') {
  return fmt::format("2024-05-01T10:00:00Z {} {} {}\n", stream, tag, text);
}

inline void write_gzip(const std::string& path, std::string_view bytes) {
  gzFile file = ::gzopen(path.c_str(), "wb");
  if (file == nullptr || ::gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size())) != static_cast<int>(bytes.size()) ||
      ::gzclose(file) != Z_OK) {
    throw std::runtime_error("cannot write " + path);
  }
}

// Records as their line; with a source "line @1.o40<20"; markers as "<done 1.o40>".
struct LogHarness {
  test::FakeClock clock;
  ReadOptions options;
  ReadStats stats;
  record::Batch batch;
  Lines lines;
  std::size_t block = 0;  // bytes of memory a read gets; 0: what it asks for

  static std::string place(const record::Source& source) {
    std::string text = fmt::format("{}.{}{}", source.generation, source.substream == 1 ? "e" : "o", source.end);
    if (source.resume != source.end || source.resume_generation != source.generation) {
      text += fmt::format("<{}.{}", source.resume_generation, source.resume);
    }
    return text;
  }

  void collect() {
    for (const record::Record& record : batch.records) {
      if (record.is_marker()) {
        std::string text = fmt::format("<{} {}", record::marker_name(record.marker->type), place(record.source));
        if (record.marker->gone) text += " gone";
        lines.push_back(text + ">");
        markers.push_back(*record.marker);
        continue;
      }
      std::string text(record.line.data);
      if (record.source) text += " @" + place(record.source);
      lines.push_back(std::move(text));
      std::string json;
      record::append_jsonl(json, record);
      jsons.push_back(json);
    }
    batch.clear();
  }

  // Reads until there is nothing more for now.
  LogReader::Outcome read(LogReader& reader) {
    while (true) {
      const std::size_t size = LogReader::space_needed(options);
      Space space{batch.allocate(size), size, true};
      const LogReader::Outcome outcome = reader.read(batch, space);
      collect();
      if (outcome == LogReader::Outcome::idle || outcome == LogReader::Outcome::finished) return outcome;
    }
  }
  Lines take() { return std::exchange(lines, {}); }
  // Without markers.
  Lines take_records() {
    Lines records = take();
    std::erase_if(records, [](const std::string& line) { return line.starts_with("<"); });
    return records;
  }

  std::vector<record::Marker> markers;  // their views are not to be used
  Lines jsons;
};

}  // namespace weir::tail
