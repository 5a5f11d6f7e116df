// SPDX-License-Identifier: Apache-2.0
// A .tar.gz in memory. The tar is POSIX.1-1988's ustar, a header of 512 bytes before each file: less code than a
// library, and the container image has no tar(1). zlib makes the gzip.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace onlink::node {

class Archive {
 public:
  // folder: with the longest name at most 100 bytes. time: of all files, seconds since 1970.
  Archive(std::string folder, std::int64_t time) : folder_(std::move(folder)), time_(time) {}

  // A plain file, for its owner only. Throws Failure where the name is too long.
  void add(std::string_view name, std::string_view content);
  // The whole file. Throws Failure.
  std::string finish() const;

 private:
  std::string folder_;
  std::int64_t time_;
  std::string tar_;
};

}  // namespace onlink::node
