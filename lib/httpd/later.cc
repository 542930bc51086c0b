#include "httpd/later.h"

#include "httpd/gzip.h"
#include "httpd/routes.h"

#include <utility>

namespace weir::httpd {
namespace {

constexpr std::size_t kLeastCompressed = 1 << 10;  // bytes; less fits into one packet as it is

class LaterExchange : public Exchange {
 public:
  LaterExchange(Request request, Budget::Share share, std::weak_ptr<Answering> connection, std::shared_ptr<Loop> loop,
                std::shared_ptr<Flow> flow)
      : request_(std::move(request)),
        share_(std::move(share)),
        connection_(std::move(connection)),
        loop_(std::move(loop)),
        flow_(std::move(flow)) {}

  ~LaterExchange() override {
    if (state_ == State::open) answer(refusal(500));
    if (state_ == State::begun) tell([](Answering& connection) { connection.answer_broken(); });
  }
  LaterExchange(const LaterExchange&) = delete;
  LaterExchange& operator=(const LaterExchange&) = delete;

  [[nodiscard]] const Request& request() const override { return request_; }
  [[nodiscard]] std::string take_body() override { return std::exchange(request_.body, {}); }

  void answer(Response response) override {
    if (state_ != State::open) return;
    state_ = State::ended;
    if (response.body.size() >= kLeastCompressed && compress(response)) response.body = gzip_->end(response.body);
    gzip_.reset();
    tell([response = std::move(response)](Answering& connection) mutable { connection.answer_whole(std::move(response)); });
  }

  void begin(Response head) override {
    if (state_ != State::open) return;
    state_ = State::begun;
    std::string first = std::exchange(head.body, {});
    static_cast<void>(compress(head));
    tell([head = std::move(head)](Answering& connection) mutable { connection.answer_begin(std::move(head)); });
    if (!first.empty()) static_cast<void>(write(std::move(first)));
  }

  bool write(std::string piece) override {
    if (state_ != State::begun) return false;
    if (piece.empty()) return !flow_->gone();  // an empty chunk would be the last one
    if (gzip_) piece = gzip_->add(piece);
    return send(std::move(piece));
  }

  void end() override {
    if (state_ != State::begun) return;
    if (gzip_) static_cast<void>(send(gzip_->end({})));
    gzip_.reset();
    state_ = State::ended;
    tell([](Answering& connection) { connection.answer_end(); });
  }

  [[nodiscard]] bool gone() const override { return flow_->gone(); }

 private:
  enum class State : std::uint8_t { open, begun, ended };

  // On the thread of whoever answers, and not on the server's.
  bool compress(Response& response) {
    if (!wants_gzip(request_, response)) return false;
    gzip_ = Gzip::create();
    if (!gzip_) return false;
    response.headers.emplace_back("Content-Encoding", "gzip");
    response.headers.emplace_back("Vary", "Accept-Encoding");
    return true;
  }

  bool send(std::string piece) {
    if (!flow_->add(piece.size())) return false;
    tell([piece = std::move(piece)](Answering& connection) mutable { connection.answer_piece(std::move(piece)); });
    return true;
  }

  // The connection is looked up on its own thread, so that it never ends on another one.
  template <typename Step>
  void tell(Step step) {
    loop_->post([connection = connection_, step = std::move(step)]() mutable {
      if (const auto here = connection.lock()) step(*here);
    });
  }

  Request request_;
  const Budget::Share share_;
  const std::weak_ptr<Answering> connection_;
  const std::shared_ptr<Loop> loop_;
  const std::shared_ptr<Flow> flow_;
  std::unique_ptr<Gzip> gzip_;  // while an answer is compressed
  State state_ = State::open;
};

}  // namespace

bool Flow::add(std::size_t bytes) {
  std::unique_lock lock(mutex_);
  moved_.wait(lock, [&] { return unsent_ <= most_ || gone(); });
  if (gone()) return false;
  unsent_ += bytes;
  return true;
}

void Flow::sent(std::size_t bytes) {
  {
    const std::lock_guard lock(mutex_);
    unsent_ -= bytes;
  }
  moved_.notify_all();
}

void Flow::leave() {
  {
    const std::lock_guard lock(mutex_);
    gone_.store(true, std::memory_order_release);
  }
  moved_.notify_all();
}

std::shared_ptr<Exchange> make_exchange(Request request, Budget::Share share, std::weak_ptr<Answering> connection,
                                        std::shared_ptr<Loop> loop, std::shared_ptr<Flow> flow) {
  return std::make_shared<LaterExchange>(std::move(request), std::move(share), std::move(connection), std::move(loop),
                                         std::move(flow));
}

}  // namespace weir::httpd
