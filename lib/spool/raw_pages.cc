#include "spool/raw_pages.h"

#include <algorithm>
#include <filesystem>

namespace weir::spool {
namespace {

constexpr std::size_t kFrameHead = 24;
constexpr std::size_t kLogHead = 32;
constexpr int kDeepest = 24;
constexpr std::uint64_t kMaxPayload = 128 << 20;

std::uint8_t byte_at(std::string_view bytes, std::size_t at) {
  return at < bytes.size() ? static_cast<std::uint8_t>(bytes[at]) : 0;
}
std::uint32_t big16(std::string_view bytes, std::size_t at) {
  return std::uint32_t{byte_at(bytes, at)} << 8 | byte_at(bytes, at + 1);
}
std::uint32_t big32(std::string_view bytes, std::size_t at) { return big16(bytes, at) << 16 | big16(bytes, at + 2); }
std::uint32_t word_of(std::string_view bytes, std::size_t at, bool big) {
  const std::uint32_t value = big32(bytes, at);
  return big ? value : __builtin_bswap32(value);
}

// SQLite's varint: seven bits a byte, high ones first, all eight of a ninth byte. Moves `at` behind it.
std::uint64_t varint(std::string_view bytes, std::size_t& at) {
  std::uint64_t value = 0;
  for (int i = 0; i < 8; ++i) {
    const std::uint8_t byte = byte_at(bytes, at++);
    value = value << 7 | (byte & 0x7f);
    if (byte < 0x80) return value;
  }
  return value << 8 | byte_at(bytes, at++);
}

struct LogSum {
  bool big = false;
  std::uint32_t a = 0, b = 0;
  void add(std::string_view bytes) {
    for (std::size_t at = 0; at + 8 <= bytes.size(); at += 8) {
      a += word_of(bytes, at, big) + b;
      b += word_of(bytes, at + 4, big) + a;
    }
  }
};

}  // namespace

base::Result<RawPages> RawPages::open(const std::string& path) {
  RawPages pages;
  auto file = sqlite::RawFile::open(path);
  if (!file) return std::move(file).error();
  pages.file_.emplace(std::move(*file));
  pages.pages_ =
      static_cast<std::uint32_t>(std::min<std::uint64_t>((pages.file_->size() + kPageSize - 1) / kPageSize, UINT32_MAX / 2));
  pages.read_log(path + "-wal");
  pages.visited_.assign(std::size_t{pages.pages_} + 1, 0);
  return pages;
}

void RawPages::read_log(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return;
  auto log = sqlite::RawFile::open(path);
  std::string head(kLogHead, '\0');
  if (!log || !log->read(0, head.data(), head.size()) || (big32(head, 0) & ~1U) != 0x377f0682U) return;
  log_.emplace(std::move(*log));
  LogSum sum{.big = (big32(head, 0) & 1) != 0, .a = 0, .b = 0};
  sum.add(std::string_view(head).substr(0, 24));
  if (sum.a != big32(head, 24) || sum.b != big32(head, 28)) return;
  std::string frame(kFrameHead + kPageSize, '\0');
  std::unordered_map<std::uint32_t, std::uint64_t> open;  // of the transaction that has not been committed yet
  for (std::uint64_t at = kLogHead; log_->read(at, frame.data(), frame.size()); at += frame.size()) {
    if (frame.compare(8, 8, head, 16, 8) != 0) return;
    sum.add(std::string_view(frame).substr(0, 8));
    sum.add(std::string_view(frame).substr(kFrameHead));
    if (sum.a != big32(frame, 16) || sum.b != big32(frame, 20)) return;
    open[big32(frame, 0)] = at + kFrameHead;
    const std::uint32_t size = big32(frame, 4);
    if (size == 0) continue;
    for (const auto& [number, place] : open) in_log_[number] = place;
    open.clear();
    pages_ = size;
  }
}

bool RawPages::page(std::uint32_t number, std::string& out) const {
  out.assign(kPageSize, '\0');
  if (number == 0) return false;
  if (const auto found = in_log_.find(number); found != in_log_.end()) return log_->read(found->second, out.data(), kPageSize);
  return number <= pages_ && file_->read(std::uint64_t{number - 1} * kPageSize, out.data(), kPageSize);
}

// What lies in the page at `at`, and then in a chain of overflow pages.
bool RawPages::payload(std::string_view page, std::size_t at, std::uint64_t size, bool table, std::string& out) const {
  const std::uint64_t most = table ? kPageSize - 35 : (kPageSize - 12) * 64 / 255 - 23;
  const std::uint64_t least = (kPageSize - 12) * 32 / 255 - 23;
  std::uint64_t local = size;
  if (size > most) {
    const std::uint64_t fitting = least + (size - least) % (kPageSize - 4);
    local = fitting <= most ? fitting : least;
  }
  if (size > kMaxPayload || at + local + (local < size ? 4 : 0) > page.size()) return false;
  out.assign(page.substr(at, local));
  std::uint32_t next = local < size ? big32(page, at + local) : 0;
  std::string overflow;
  while (out.size() < size) {
    if (!this->page(next, overflow)) return false;
    next = big32(overflow, 0);
    out.append(overflow, 4, std::min<std::uint64_t>(kPageSize - 4, size - out.size()));
  }
  return true;
}

bool RawPages::decode(std::string_view payload, RawRow& row) {
  row.values.clear();
  std::size_t at = 0;
  const std::uint64_t head = varint(payload, at);
  if (head > payload.size()) return false;
  std::size_t body = head;
  while (at < head) {
    const std::uint64_t type = varint(payload, at);
    RawValue value;
    std::uint64_t size = 0;
    if (type >= 12) {
      size = (type - 12) / 2;
      if (size > payload.size() - body) return false;
      value = {RawValue::Kind::bytes, 0, payload.substr(body, size)};
    } else if (type == 8 || type == 9) {
      value = {RawValue::Kind::integer, static_cast<std::int64_t>(type - 8), {}};
    } else if (type >= 1 && type <= 6) {
      constexpr std::size_t kSizes[] = {0, 1, 2, 3, 4, 6, 8};
      size = kSizes[type];
      if (size > payload.size() - body) return false;
      std::uint64_t number = (byte_at(payload, body) & 0x80) != 0 ? ~0ULL : 0;
      for (std::size_t i = 0; i < size; ++i) number = number << 8 | byte_at(payload, body + i);
      value = {RawValue::Kind::integer, static_cast<std::int64_t>(number), {}};
    } else if (type != 0) {
      return false;
    }
    body += size;
    row.values.push_back(value);
  }
  return at == head && body == payload.size();
}

void RawPages::give(std::string_view page, std::size_t at, bool table, const Each& each) {
  const std::uint64_t size = varint(page, at);
  RawRow row;
  if (table) row.rowid = static_cast<std::int64_t>(varint(page, at));
  std::string bytes;
  if (!payload(page, at, size, table, bytes) || !decode(bytes, row)) {
    damaged_ = true;
    return;
  }
  each(row);
}

void RawPages::walk(std::uint32_t root, const Each& each) { walk(root, 0, each); }

void RawPages::walk(std::uint32_t number, int depth, const Each& each) {
  std::string page;
  if (depth > kDeepest || number >= visited_.size() || visited_[number] != 0 || !this->page(number, page)) {
    damaged_ = true;
    return;
  }
  visited_[number] = 1;
  const std::size_t head = number == 1 ? 100 : 0;
  const std::uint8_t type = byte_at(page, head);
  const bool inner = type == 0x05 || type == 0x02;
  const bool table = type == 0x05 || type == 0x0d;
  if (!inner && type != 0x0d && type != 0x0a) {
    damaged_ = true;
    return;
  }
  const std::uint32_t cells = big16(page, head + 3);
  const std::size_t pointers = head + (inner ? 12 : 8);
  if (pointers + 2 * std::size_t{cells} > kPageSize) {
    damaged_ = true;
    return;
  }
  for (std::uint32_t i = 0; i < cells; ++i) {
    std::size_t at = big16(page, pointers + 2 * std::size_t{i});
    if (at < pointers || at >= kPageSize) {
      damaged_ = true;
      continue;
    }
    if (inner) {
      walk(big32(page, at), depth + 1, each);
      at += 4;
    }
    if (!inner || !table) give(page, at, table, each);
  }
  if (inner) walk(big32(page, head + 8), depth + 1, each);
}

void RawPages::scan_rest(const Each& each) {
  const std::vector<char> walked = visited_;
  for (std::uint32_t number = 2; number < visited_.size(); ++number) {
    std::string page;
    if (visited_[number] == 0 && this->page(number, page) && byte_at(page, 0) == 0x0d) walk(number, 0, each);
  }
  visited_ = walked;
}

}  // namespace weir::spool
