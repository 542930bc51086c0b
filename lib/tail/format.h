// The three forms of a log line, taken apart.
//
//   CRI     2024-05-01T10:00:00.123456789+02:00 stdout F content      one space between the fields; an empty content may lack its
//   own docker  {"log":"content\n","stream":"stdout","time":"2024-05-01T10:00:00.123456789Z","attrs":{…}} raw     content
//
// CRI: https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md
// docker: https://docs.docker.com/engine/logging/drivers/json-file/
#pragma once

#include "base/clock.h"

#include <cstdint>
#include <optional>
#include <string_view>

namespace weir::tail {

enum class Format : std::uint8_t {
  automatic,
  cri,
  docker,
  raw,
  journal,  // journalctl -o json (journal_json.h)
  rfc3339,  // a time in front of each line (rfc3339.h)
};

// Which of the two outputs a line was written to; `none` where the form does not say.
enum class Stream : std::uint8_t { standard_output = 0, standard_error = 1, none = 2 };

struct CriHeader {
  base::Timestamp timestamp = 0;
  std::uint32_t size = 0;  // bytes before the content
  Stream stream = Stream::none;
  bool partial = false;  // the first of its colon-separated tags, which is F or P, is P: the line goes on
};

// The second that was parsed last: most lines of a log share it with the line before. One a log; starts empty.
struct SecondCache {
  char text[19] = {};          // 2024-05-01T10:00:00
  base::Timestamp second = 0;  // 0: nothing is known
};

// A time in UTC whose second is cached costs the digits of its fraction; any other is parsed in full.
[[nodiscard]] std::optional<base::Timestamp> parse_cached_time(std::string_view text, SecondCache& cache);

// `line` without its newline; of a longer one the first 128 bytes will do. Nothing when it is not of this form.
[[nodiscard]] std::optional<CriHeader> parse_cri(std::string_view line, SecondCache& cache);
[[nodiscard]] inline std::optional<CriHeader> parse_cri(std::string_view line) {
  SecondCache none;
  return parse_cri(line, none);
}

struct DockerLine {
  std::string_view log;  // as it stands between its quotes, escaped
  base::Timestamp timestamp = 0;
  Stream stream = Stream::none;
};

[[nodiscard]] std::optional<DockerLine> parse_docker(std::string_view line);

// The form of a file by the first lines of it: that of the first line that is CRI or docker, raw when none of the first
// `lines` is. `text` begins at a line, or at the file's byte order mark; the last line may be cut short. Zero bytes in front of a
// line do not count.
[[nodiscard]] Format detect_format(std::string_view text, int lines = 8);

// What a UTF-8 file may begin with: no part of its first line.
inline constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

// Whether a file that begins with `text` is UTF-16, by its byte order mark. Such files are not read.
[[nodiscard]] inline bool is_utf16(std::string_view text) { return text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff"); }
inline constexpr std::string_view kUtf16Cause =
    "it is UTF-16 text, which weir does not read (`iconv -f UTF-16 -t UTF-8` converts it)";

}  // namespace weir::tail
