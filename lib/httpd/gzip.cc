#include "httpd/gzip.h"

#include <strings.h>
#include <zlib.h>

#include <algorithm>
#include <charconv>

namespace weir::httpd {
namespace {

constexpr int kFast = 1;  // level 6 takes three times as long for a fifth less
constexpr int kGzipWindow = 15 + 16;
constexpr std::size_t kRoom = 16 << 10;  // bytes by which the output grows

bool same_text(std::string_view one, std::string_view other) {
  return one.size() == other.size() && ::strncasecmp(one.data(), other.data(), one.size()) == 0;
}

std::string_view trim(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  return text.substr(0, text.find_last_not_of(" \t") + 1);
}

std::string_view cut(std::string_view& rest, char separator) {
  const std::size_t end = std::min(rest.find(separator), rest.size());
  const std::string_view part = trim(rest.substr(0, end));
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return part;
}

// "gzip, deflate;q=0.5": an entry with q=0 is refused.
bool takes_gzip(std::string_view accepted) {
  while (!accepted.empty()) {
    std::string_view entry = cut(accepted, ',');
    if (!same_text(cut(entry, ';'), "gzip")) continue;
    bool is_refused = false;
    while (!entry.empty()) {
      std::string_view parameter = cut(entry, ';');
      if (!same_text(cut(parameter, '='), "q")) continue;
      is_refused = parameter.find_first_not_of("0.") == std::string_view::npos;
    }
    return !is_refused;
  }
  return false;
}

class Deflate : public Gzip {
 public:
  ~Deflate() override {
    if (is_open_) ::deflateEnd(&stream_);
  }
  Deflate() = default;
  Deflate(const Deflate&) = delete;
  Deflate& operator=(const Deflate&) = delete;

  bool open() {
    is_open_ = ::deflateInit2(&stream_, kFast, Z_DEFLATED, kGzipWindow, MAX_MEM_LEVEL - 1, Z_DEFAULT_STRATEGY) == Z_OK;
    return is_open_;
  }
  std::string add(std::string_view piece) override { return run(piece, Z_SYNC_FLUSH); }
  std::string end(std::string_view piece) override { return run(piece, Z_FINISH); }

 private:
  // A body of more than 4 GiB does not come: the counts of zlib are 32 bits.
  std::string run(std::string_view piece, int flush) {
    std::string out;
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(piece.data()));  // zlib only reads it
    stream_.avail_in = static_cast<uInt>(piece.size());
    do {
      const std::size_t size = out.size();
      out.resize(size + kRoom);
      stream_.next_out = reinterpret_cast<Bytef*>(out.data() + size);
      stream_.avail_out = static_cast<uInt>(kRoom);
      static_cast<void>(::deflate(&stream_, flush));
      out.resize(size + kRoom - stream_.avail_out);
    } while (stream_.avail_out == 0);
    return out;
  }

  z_stream stream_{};
  bool is_open_ = false;
};

}  // namespace

bool wants_gzip(const Request& request, const Response& response) {
  if (request.from_here || !takes_gzip(request.header("Accept-Encoding"))) return false;
  return std::ranges::none_of(response.headers, [](const auto& header) { return same_text(header.first, "Content-Encoding"); });
}

std::unique_ptr<Gzip> Gzip::create() {
  auto gzip = std::make_unique<Deflate>();
  return gzip->open() ? std::move(gzip) : nullptr;
}

}  // namespace weir::httpd
