// The file that keeps the pods of a node across restarts, also those that are gone for up to an hour.
//
// JSON lines: what it is and for whom, one line a pod, and an end with the number and the hash of the lines before.
//   {"weir_pods":1,"node":"node-1","labels":["app"],"annotations":[]}
//   {"uid":"6f1c…","namespace":"shop","name":"web-0","labels":{"app":"web"},"owner":["StatefulSet","web"],"gone":1760000000…}
//   {"pods":1,"hash":"…"}
// It is replaced by a rename, 0600, so that a reader sees the old or the new one.
#pragma once

#include "base/result.h"
#include "kube/pod_directory.h"

#include <string>
#include <vector>

namespace weir::kube {

class PodCache {
 public:
  static constexpr std::size_t kMostBytes = 16 << 20;

  // A cache of the pods of `node`, with the labels and annotations `wanted`.
  PodCache(std::string path, std::string node, WantedNames wanted)
      : path_(std::move(path)), node_(std::move(node)), wanted_(std::move(wanted)) {}

  // What the file holds; nothing where it does not exist, or holds other pods, or lacks a label or annotation that is wanted now.
  // Errors: corrupt (one of ours that is damaged), version (of another release), config (no cache, or no regular file: whoever
  // wants to write must not), io.
  [[nodiscard]] base::Result<std::vector<PodDirectory::Entry>> read() const;
  // Errors: io, full.
  [[nodiscard]] base::Result<void> write(const std::vector<PodDirectory::Entry>& pods) const;

  // The text of such a file, and what read() makes of it.
  [[nodiscard]] std::string text_of(const std::vector<PodDirectory::Entry>& pods) const;
  [[nodiscard]] base::Result<std::vector<PodDirectory::Entry>> parse(std::string_view text) const;

 private:
  [[nodiscard]] base::Error foreign() const;
  const std::string path_, node_;
  const WantedNames wanted_;
};

}  // namespace weir::kube
