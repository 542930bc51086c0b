// What of a record's labels says where it comes from, and how labels are written for people.
#pragma once

#include "record/label_set.h"

#include <string>
#include <string_view>

namespace weir::show {

// "cart-1/app" of a pod's log, with its namespace in front where asked; a file's path; or the value of the label that names the
// source best. "" where none does.
[[nodiscard]] std::string source_of(const record::LabelSet& set, bool with_namespace);

// Whether source_of() says what this label says, the namespace aside.
[[nodiscard]] bool names_the_source(const record::LabelSet& set, std::string_view name);

// Whether Loki or a tool added the label for itself, such as `__stream_shard__` of a busy stream. `__name__` is what people gave.
[[nodiscard]] bool is_internal(std::string_view name);

// Whether the label adds nothing to the pod's name. Loki makes service_name from another label, and the file of a pod's log belongs
// to the pod.
[[nodiscard]] bool goes_without_saying(const record::LabelSet& set, const record::Label& label);

// `value`, in quotes where it could be taken for more than one word; and in any case.
void append_value(std::string& out, std::string_view value);
void append_quoted_value(std::string& out, std::string_view value);

// `{app="cart", zone="a"}` as LogQL writes it; "" of none.
[[nodiscard]] std::string selector_of(const record::LabelSet& set);

}  // namespace weir::show
