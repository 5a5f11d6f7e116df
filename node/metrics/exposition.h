// SPDX-License-Identifier: Apache-2.0
// Prometheus' text format, version 0.0.4 (prometheus.io, "Exposition formats").
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace onlink::node {

// How often something took at most so many seconds.
class Histogram {
 public:
  static constexpr std::array bounds{0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0};

  void observe(double seconds);
  // How many took bounds[i] or less.
  std::uint64_t at_most(std::size_t i) const { return at_most_[i]; }
  std::uint64_t count() const { return count_; }
  double sum() const { return sum_; }

 private:
  std::array<std::uint64_t, bounds.size()> at_most_{};
  std::uint64_t count_ = 0;
  double sum_ = 0;
};

class Exposition {
 public:
  using Labels = std::vector<std::pair<std::string_view, std::string>>;
  enum class Type : std::uint8_t { counter, gauge, histogram };

  // Begins the family of the samples that follow. help: one sentence.
  void family(std::string_view name, Type type, std::string_view help);
  // Values of labels may be any text.
  void sample(const Labels& labels, double value);
  void sample(double value) { sample({}, value); }
  // A family with one sample.
  void single(std::string_view name, Type type, std::string_view help, double value);
  void histogram(std::string_view name, std::string_view help, const Histogram& histogram);

  const std::string& text() const { return text_; }

 private:
  void line(std::string_view name, const Labels& labels, double value);

  std::string name_;
  std::string text_;
};

}  // namespace onlink::node
