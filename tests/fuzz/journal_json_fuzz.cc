// The output of journalctl -o json.
#include "fuzz/fuzz.h"
#include "record/record.h"
#include "tail/journal_json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace weir;
  const std::string_view input = fuzz::text_of(data, size);
  const std::vector<tail::JournalField> fields = {{"_PID", "pid"}, {"MESSAGE", "message"}};
  tail::JournalJson entry(fields);
  record::Batch batch;
  for (std::size_t at = 0; at < input.size();) {
    const std::size_t end = std::min(input.find('\n', at), input.size());
    const std::string_view line = input.substr(at, end - at);
    if (entry.read(line, batch) != tail::JournalJson::Outcome::malformed) {
      WEIR_HOLDS(line.find("__REALTIME_TIMESTAMP") != std::string_view::npos);
      WEIR_HOLDS(entry.time() >= 0);
      WEIR_HOLDS(!entry.records().message() || entry.records().message()->size() <= line.size());
      WEIR_HOLDS(entry.records().labels(nullptr, batch)->get("job") == "systemd-journal");
      for (const record::Label& pair : entry.records().metadata({}, 0, batch)) WEIR_HOLDS(!pair.name.empty());
    }
    at = end + 1;
  }
  return 0;
}
