#include "httpd/gzip.h"

#include "httpd/exchange.h"
#include "httpd/later.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <array>

namespace weir::httpd {
namespace {

using testing::Contains;
using testing::IsEmpty;
using testing::Pair;

// What stands in `bytes`; `whole` says whether the end of it does, too.
std::string unpack(const std::string& bytes, bool& whole) {
  z_stream stream{};
  ::inflateInit2(&stream, 15 + 16);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::string text;
  int result = Z_OK;
  while (result == Z_OK && stream.avail_in > 0) {
    std::array<char, 1000> piece{};
    stream.next_out = reinterpret_cast<Bytef*>(piece.data());
    stream.avail_out = piece.size();
    result = ::inflate(&stream, Z_SYNC_FLUSH);
    text.append(piece.data(), piece.size() - stream.avail_out);
  }
  whole = result == Z_STREAM_END;
  ::inflateEnd(&stream);
  return text;
}

// A connection that remembers what it is to send.
class Remembering : public Answering {
 public:
  void answer_whole(Response response) override { head = response, body = std::move(response.body); }
  void answer_begin(Response response) override { head = std::move(response); }
  void answer_piece(std::string piece) override { body += piece; }
  void answer_end() override { is_ended = true; }
  void answer_broken() override {}
  Response head;
  std::string body;
  bool is_ended = false;
};

class GzipTest : public testing::Test {
 protected:
  std::shared_ptr<Exchange> exchange(std::string accepts, bool from_here = false) {
    connection_ = std::make_shared<Remembering>();
    Request request{.method = "GET", .headers = {{"accept-encoding", std::move(accepts)}}, .from_here = from_here};
    return make_exchange(std::move(request), {}, connection_,
                         std::make_shared<Loop>([](const std::function<void()>& work) { work(); }),
                         std::make_shared<Flow>(1 << 30));
  }
  std::shared_ptr<Remembering> connection_;
};

TEST_F(GzipTest, IsForClientsElsewhereThatTakeIt) {
  const auto wants = [](const std::string& accepted, bool from_here = false, Fields headers = {}) {
    const Request request{.headers = {{"Accept-Encoding", accepted}}, .from_here = from_here};
    return wants_gzip(request, {.headers = std::move(headers)});
  };
  for (const char* accepted : {"gzip", "GZIP", "deflate, gzip, br", "br,gzip;q=0.1", "gzip ; q=1"})
    EXPECT_TRUE(wants(accepted)) << accepted;
  for (const char* accepted : {"", "identity", "xgzip", "gzip;q=0", "deflate, gzip; q=0.000"})
    EXPECT_FALSE(wants(accepted)) << accepted;
  EXPECT_FALSE(wants("gzip", true));
  EXPECT_FALSE(wants("gzip", false, {{"content-encoding", "br"}}));
  EXPECT_FALSE(wants_gzip({}, {}));
}

TEST_F(GzipTest, CompressesAWholeAnswer) {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += std::to_string(i * 7919) + ' ';
  exchange("gzip")->answer({.body = text});
  EXPECT_LT(connection_->body.size(), text.size() / 2);
  EXPECT_THAT(connection_->head.headers, Contains(Pair("Content-Encoding", "gzip")));
  EXPECT_THAT(connection_->head.headers, Contains(Pair("Vary", "Accept-Encoding")));
  bool whole = false;
  EXPECT_EQ(unpack(connection_->body, whole), text);
  EXPECT_TRUE(whole);
}

TEST_F(GzipTest, LeavesAloneWhatIsSmallOrForHere) {
  exchange("gzip")->answer({.body = std::string(100, 'x')});
  EXPECT_EQ(connection_->body, std::string(100, 'x'));
  exchange("gzip", true)->answer({.body = std::string(10'000, 'x')});
  EXPECT_EQ(connection_->body, std::string(10'000, 'x'));
  EXPECT_THAT(connection_->head.headers, IsEmpty());
}

TEST_F(GzipTest, APieceIsThereBeforeTheNextOne) {
  const auto writing = exchange("gzip");
  writing->begin({.body = "first,"});
  bool whole = true;
  EXPECT_EQ(unpack(connection_->body, whole), "first,");
  EXPECT_TRUE(writing->write("second"));
  EXPECT_EQ(unpack(connection_->body, whole), "first,second");
  EXPECT_FALSE(whole);
  EXPECT_FALSE(connection_->is_ended);
  writing->end();
  EXPECT_EQ(unpack(connection_->body, whole), "first,second");
  EXPECT_TRUE(whole);
  EXPECT_TRUE(connection_->is_ended);
}

}  // namespace
}  // namespace weir::httpd
