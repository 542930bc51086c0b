#include "httpd/peer.h"

#include <iterator>
#include <utility>
#include <vector>

namespace weir::httpd {

void Peers::add(std::shared_ptr<Peer> peer) {
  all_.push_back(std::move(peer));
  all_.back()->place_ = std::prev(all_.end());
}

bool Peers::make_room() {
  std::shared_ptr<Peer> least;
  for (const auto& one : all_) {
    if (least == nullptr || one->worth() < least->worth()) least = one;
    if (least->worth() == Peer::Worth::ending) break;
  }
  if (least == nullptr || least->worth() == Peer::Worth::busy) return false;
  least->close();
  return true;
}

void Peers::drain() {
  for (const auto& one : std::vector(all_.begin(), all_.end())) one->drain();
}

void Peers::close() {
  for (const auto& one : std::vector(all_.begin(), all_.end())) one->close();
}

}  // namespace weir::httpd
