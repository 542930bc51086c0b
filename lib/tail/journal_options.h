// What is read of the systemd journal, and what of an entry becomes part of its record.
//
// A record of an entry: the line is MESSAGE (empty where there is none), the time is __REALTIME_TIMESTAMP. Labels: `job` =
// systemd-journal, `unit` = _SYSTEMD_UNIT, `node_name` = _HOSTNAME. A field that an entry lacks makes no label: what the kernel
// says has no `unit`, as with Promtail and Alloy. Metadata: `detected_level` from PRIORITY, then what JournalField asks for. Of a
// field that an entry has several times, the first counts.
//
// Fields: https://www.freedesktop.org/software/systemd/man/systemd.journal-fields.html
#pragma once

#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::tail {

// A field that becomes metadata.
struct JournalField {
  std::string name;  // _TRANSPORT
  std::string key;   // of the metadata
};

inline const std::vector<JournalField> kNoJournalFields;

// "NAME" or "NAME=KEY". Without KEY it is the name in small letters, without the underscores in front: _TRANSPORT is transport.
// Error: usage.
base::Result<JournalField> parse_journal_field(std::string_view text);

// The least important priority, or a range of them: `err`, `3`, `warning..err`. A bit for each priority from 0 (emerg) to 7
// (debug). One alone means it and all that are more important. Error: usage.
base::Result<std::uint8_t> parse_priorities(std::string_view text);
inline constexpr std::uint8_t kAllPriorities = 0xff;

// The name of a unit as the journal has it: `.service` is added where no type of unit stands at its end.
[[nodiscard]] std::string unit_name(std::string_view unit);

// A place in a journal, as its writers print it: "s=ID;i=SEQ;b=BOOT;m=MONOTONIC;t=REALTIME;x=HASH", numbers in hexadecimal.
struct JournalCursor {
  std::string id;              // 32 digits; "" when it is missing
  std::uint64_t sequence = 0;  // 0 when it is missing
  std::uint64_t realtime = 0;  // microseconds; 0 when it is missing
};
// Nothing usable in it (neither `s` with `i`, nor `t`): Code::parse.
base::Result<JournalCursor> parse_cursor(std::string_view text);

// Positions name a journal by this in front of its id.
inline constexpr std::string_view kJournalKey = "journal:";
[[nodiscard]] inline bool is_journal_key(std::string_view log) { return log.starts_with(kJournalKey); }

// What selects an entry: of each list, one of its terms, all of whose matches (NAME=value) the entry has. This is what `journalctl
// -u` and `-p` ask libsystemd for.
using JournalTerms = std::vector<std::vector<std::string>>;

struct JournalOptions {
  bool on = false;
  std::string folder;                        // with the journal files, or with the folders of machines; "": this machine's journal
  std::vector<std::string> units;            // as unit_name() gives them; none: all
  std::uint8_t priorities = kAllPriorities;  // bits; all of them: entries without a priority, too
  // Where reading begins of what has no position: behind the entry of this cursor. Where the journal of its id is not there, and in
  // journals of other ids, behind its time. This is what another agent leaves in its file of positions (Promtail: the value of the
  // key `cursor-…`). "" for none: where tail::Start says.
  std::string cursor;

  [[nodiscard]] bool filters() const { return !units.empty() || priorities != kAllPriorities; }
  // Those of the units and of the priorities; empty ones select all.
  [[nodiscard]] std::vector<JournalTerms> terms() const;
};

// Whether an entry with these fields (NAME=value) is selected.
[[nodiscard]] bool selects(const std::vector<JournalTerms>& terms, const std::vector<std::string>& fields);

}  // namespace weir::tail
