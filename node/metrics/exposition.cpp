// SPDX-License-Identifier: Apache-2.0
#include "node/metrics/exposition.h"

#include <fmt/format.h>

namespace onlink::node {
namespace {

const char* to_string(Exposition::Type type) {
  switch (type) {
    case Exposition::Type::counter:
      return "counter";
    case Exposition::Type::gauge:
      return "gauge";
    default:
      return "histogram";
  }
}

// The format escapes three characters. It allows only UTF-8, and so do the sources of node names.
std::string escaped(std::string_view value) {
  std::string text;
  for (const char character : value) switch (character) {
      case '\\':
        text += "\\\\";
        break;
      case '"':
        text += "\\\"";
        break;
      case '\n':
        text += "\\n";
        break;
      default:
        text += character;
    }
  return text;
}

}  // namespace

void Histogram::observe(double seconds) {
  for (std::size_t i = 0; i < bounds.size(); ++i)
    if (seconds <= bounds[i]) ++at_most_[i];
  ++count_;
  sum_ += seconds;
}

void Exposition::family(std::string_view name, Type type, std::string_view help) {
  name_ = name;
  text_ += fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n", name, help, to_string(type));
}

void Exposition::sample(const Labels& labels, double value) { line(name_, labels, value); }

void Exposition::single(std::string_view name, Type type, std::string_view help, double value) {
  family(name, type, help);
  sample(value);
}

void Exposition::histogram(std::string_view name, std::string_view help, const Histogram& histogram) {
  family(name, Type::histogram, help);
  const std::string bucket = name_ + "_bucket";
  for (std::size_t i = 0; i < Histogram::bounds.size(); ++i)
    line(bucket, {{"le", fmt::format("{}", Histogram::bounds[i])}},
         static_cast<double>(histogram.at_most(i)));
  line(bucket, {{"le", "+Inf"}}, static_cast<double>(histogram.count()));
  line(name_ + "_sum", {}, histogram.sum());
  line(name_ + "_count", {}, static_cast<double>(histogram.count()));
}

void Exposition::line(std::string_view name, const Labels& labels, double value) {
  text_ += name;
  const char* separator = "{";
  for (const auto& [label, words] : labels) {
    text_ += fmt::format("{}{}=\"{}\"", separator, label, escaped(words));
    separator = ",";
  }
  if (!labels.empty()) text_ += "}";
  text_ += fmt::format(" {}\n", value);
}

}  // namespace onlink::node
