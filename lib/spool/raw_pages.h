// The pages of a SQLite file together with its write-ahead log, and walks over its b-trees that skip damaged pages.
//
// For saving rows that SQLite refuses to read (https://www.sqlite.org/fileformat.html). It trusts nothing that it reads. The caller
// must check the rows.
#pragma once

#include "base/result.h"
#include "sqlite/raw_file.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace weir::spool {

// One column: nothing, a number, or bytes (text or blob).
struct RawValue {
  enum class Kind : std::uint8_t { null, integer, bytes } kind = Kind::null;
  std::int64_t integer = 0;
  std::string_view bytes;
};

struct RawRow {
  std::int64_t rowid = 0;  // 0 in a table without
  std::vector<RawValue> values;
  // The row has exactly these columns.
  [[nodiscard]] bool is_of(std::initializer_list<RawValue::Kind> kinds) const {
    return std::ranges::equal(values, kinds, {}, &RawValue::kind);
  }
};

// Not thread safe.
class RawPages {
 public:
  static constexpr std::size_t kPageSize = 4096;

  static base::Result<RawPages> open(const std::string& path);

  [[nodiscard]] std::uint32_t pages() const { return pages_; }
  // The page as of the last complete commit; false when there is no such page.
  bool page(std::uint32_t number, std::string& out) const;

  // Calls `each` for every row that can be reached from the root page, in order of their keys. The views are valid during the call.
  using Each = std::function<void(const RawRow&)>;
  void walk(std::uint32_t root, const Each& each);
  // Calls `each` for every row on leaf pages of tables that no walk has visited.
  void scan_rest(const Each& each);

  // Whether a walk has found a damaged page.
  [[nodiscard]] bool damaged() const { return damaged_; }

 private:
  RawPages() = default;
  void read_log(const std::string& path);
  void walk(std::uint32_t number, int depth, const Each& each);
  void give(std::string_view page, std::size_t at, bool table, const Each& each);
  bool payload(std::string_view page, std::size_t at, std::uint64_t size, bool table, std::string& out) const;
  static bool decode(std::string_view payload, RawRow& row);

  std::optional<sqlite::RawFile> file_, log_;
  std::unordered_map<std::uint32_t, std::uint64_t> in_log_;  // by page number: the offset of its latest copy in the log
  std::uint32_t pages_ = 0;
  std::vector<char> visited_;
  bool damaged_ = false;
};

}  // namespace weir::spool
