#include "serve/endpoints.h"

#include "record/json.h"
#include "scan/detected_fields.h"
#include "serve/answers.h"
#include "serve/log_pages.h"

#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

namespace weir::serve {
namespace {

using base::Code;
using base::fail;
using base::Result;
using record::Batch;
using record::json_string;
using record::Record;

struct FieldsRequest {
  LogPage page;
  std::uint64_t limit = 0;
};

Result<FieldsRequest> fields_request(const Call& call) {
  FieldsRequest request;
  auto range = bounds_of(call.form(), call.now());
  if (!range) return std::move(range).error();
  if (range->to < range->from) return fail(Code::usage, "end timestamp must not be before or equal to start time");
  request.page.range = *range;
  const char* limit_name = call.form().get("limit").empty() ? "field_limit" : "limit";
  auto limit = limit_of(call.form(), limit_name, 1000);
  if (!limit) return std::move(limit).error();
  request.limit = *limit;
  auto lines = limit_of(call.form(), "line_limit", 100);
  if (!lines) return std::move(lines).error();
  request.page.limit = *lines;
  auto query = parse_log_query(std::string(call.form().get("query")));
  if (!query) return std::move(query).error();
  request.page.query = std::move(*query);
  if (auto ok = check_length(call, *range); !ok) return std::move(ok).error();
  const std::uint64_t most = call.limits().entries;
  if (most > 0 && *lines > most) {
    return fail(Code::usage, "max entries limit per query exceeded, limit > max_entries_limit_per_query ({} > {})", *lines, most);
  }
  return request;
}

Result<void> find(Call& call, const FieldsRequest& request, scan::DetectedFields& fields) {
  auto more = read_page(call, request.page, [&](Record& record, Batch& batch) {
    fields.add(record, batch);
    return true;
  });
  if (!more) return std::move(more).error();
  return {};
}

std::string field_object(const scan::DetectedField& field) {
  std::string object = fmt::format(R"({{"label":{},"type":"{}","cardinality":{},"parsers":{})", json_string(field.name), field.type,
                                   field.cardinality, field.parsers.empty() ? "null" : string_array(field.parsers));
  if (!field.json_path.empty()) object += fmt::format(R"(,"jsonPath":{})", string_array(field.json_path));
  return object + '}';
}

}  // namespace

Answer detected_fields(Call& call) {
  auto request = fields_request(call);
  if (!request) return std::move(request).error();
  scan::DetectedFields found(request->limit);
  if (auto ok = find(call, *request, found); !ok) return std::move(ok).error();
  const auto fields = found.fields();
  if (fields.empty()) return json_answer("{}\n");
  std::string body = R"({"fields":[)";
  for (const scan::DetectedField& field : fields) {
    if (body.back() != '[') body += ',';
    body += field_object(field);
  }
  return json_answer(body + fmt::format("],\"limit\":{}}}\n", request->limit));
}

Answer detected_field_values(Call& call) {
  auto request = fields_request(call);
  if (!request) return std::move(request).error();
  scan::DetectedFields found(0);
  if (auto ok = find(call, *request, found); !ok) return std::move(ok).error();
  auto values = found.values(call.request().segments.front());
  if (values.size() > request->limit) values.resize(request->limit);
  if (values.empty()) return json_answer("{}\n");
  return json_answer(fmt::format("{{\"limit\":{},\"values\":{}}}\n", request->limit, string_array(values)));
}

Answer patterns(Call& call) {
  auto query = parse_selector(std::string(call.form().get("query")), false);
  if (!query) return std::move(query).error();
  return httpd::Response{.status = 404};
}

}  // namespace weir::serve
