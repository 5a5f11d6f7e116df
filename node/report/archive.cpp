// SPDX-License-Identifier: Apache-2.0
#include "node/report/archive.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cstddef>

#include "base/failure.h"

namespace onlink::node {
namespace {

constexpr std::size_t block = 512;

// Numbers are octal; the checksum counts its own field as blanks.
std::string header_of(const std::string& path, std::size_t size, std::int64_t time) {
  std::string header(block, '\0');
  const auto put = [&](std::size_t at, std::string_view text) {
    std::copy(text.begin(), text.end(), header.begin() + static_cast<std::ptrdiff_t>(at));
  };
  put(0, path);
  put(100, "0000600");
  put(108, "0000000");  // owner, group: root
  put(116, "0000000");
  put(124, fmt::format("{:011o}", size));
  put(136, fmt::format("{:011o}", time));
  put(148, "        ");
  put(156, "0");  // a file
  put(257, "ustar");
  put(263, "00");
  unsigned sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  put(148, fmt::format("{:06o}", sum));
  header[154] = '\0';
  return header;
}

}  // namespace

void Archive::add(std::string_view name, std::string_view content) {
  constexpr std::size_t longest = 100;
  const std::string path = fmt::format("{}/{}", folder_, name);
  if (path.size() > longest) throw Failure(fmt::format("the name {} is too long for an archive", path));
  tar_ += header_of(path, content.size(), time_);
  tar_ += content;
  tar_.append((block - content.size() % block) % block, '\0');
}

std::string Archive::finish() const {
  const std::string tar = tar_ + std::string(2 * block, '\0');
  z_stream stream{};
  constexpr int with_gzip_header = 15 + 16;
  if (::deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, with_gzip_header, 9, Z_DEFAULT_STRATEGY) !=
      Z_OK)
    throw Failure("compress: no memory");
  std::string packed(::deflateBound(&stream, tar.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(tar.data()));
  stream.avail_in = static_cast<uInt>(tar.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  const int result = ::deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  (void)::deflateEnd(&stream);
  if (result != Z_STREAM_END) throw Failure("compress: it does not end");
  return packed;
}

}  // namespace onlink::node
