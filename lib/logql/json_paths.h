// The paths of `json a="x.y[0]", b="z"`, and the search for all of them in one pass over a line.
//
// The search is as loose as that of Loki's reader, so that it finds the same in a line that is broken or cut off: it follows quotes
// and brackets, counts how deep it is, and takes no notice of what stands between. It ends once every path was found, at a quote or
// array that is not closed, and at a key outside of any object.
#pragma once

#include "base/result.h"
#include "gotext/json_reader.h"
#include "gotext/scratch.h"
#include "logql/ast.h"

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::logql {

class JsonPaths {
 public:
  // The expressions of `extractions`. The error is Loki's, `cannot parse expression [x-y]: unexpected char -`, with Code::parse.
  static base::Result<JsonPaths> compile(const std::vector<Extraction>& extractions);

  class Sink {
   public:
    virtual ~Sink() = default;
    virtual void found(std::size_t path, const gotext::JsonValue& value) = 0;  // `path`: its place in the list
    virtual void broken(std::string_view why) = 0;
  };
  // Not thread safe, though const: it remembers names of the line at hand.
  void search(std::string_view line, gotext::Scratch& scratch, Sink& sink) const;

 private:
  // Keys, and indexes as `[0]`: a key of this text is one to Loki.
  using Path = std::vector<std::string>;
  struct Search;

  static base::Result<Path> parse(std::string_view text);

  std::vector<Path> paths_;
  std::size_t longest_ = 0;
  mutable std::vector<bool> done_;
  mutable std::vector<bool> in_array_;
  mutable std::vector<std::string_view> names_;  // the keys that lead to where the search is
};

}  // namespace weir::logql
