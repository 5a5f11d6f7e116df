// SPDX-License-Identifier: Apache-2.0
#include "node/verbs/events.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>

#include <array>
#include <cstddef>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/failure.h"
#include "base/file.h"
#include "base/unique_fd.h"
#include "node/journal.h"

namespace onlink::node {
namespace {

constexpr int look_again_ms = 1000;

// One file of the journal, as far as it was printed.
class Printed {
 public:
  explicit Printed(UniqueFd file) : file_(std::move(file)) {}

  void print_rest(const std::string& path) {
    std::array<std::byte, 16 << 10> content;
    for (;;) {
      const std::size_t size = read_at(file_.get(), content, at_, path);
      at_ += static_cast<off_t>(size);
      fmt::print("{}", std::string_view(reinterpret_cast<const char*>(content.data()), size));
      if (size < content.size()) break;
    }
    if (std::fflush(stdout) != 0) throw system_failure("print");
  }
  // Whether the path now leads to another file.
  bool is_replaced(const std::string& path) const {
    struct stat held {
    }, named{};
    return ::fstat(file_.get(), &held) == 0 && ::stat(path.c_str(), &named) == 0 &&
           held.st_ino != named.st_ino;
  }

 private:
  UniqueFd file_;
  off_t at_ = 0;
};

}  // namespace

void print_events(const Directories& directories, bool follow) {
  const auto files = journal_files(directories);
  const std::string& path = files.back();
  bool any = false;
  if (auto older = open_if_exists(AT_FDCWD, files.front(), O_RDONLY)) {
    Printed(std::move(*older)).print_rest(files.front());
    any = true;
  }
  std::optional<Printed> current;
  const auto look = [&] {
    if (current) current->print_rest(path);
    if (current && !current->is_replaced(path)) return;
    auto file = open_if_exists(AT_FDCWD, path, O_RDONLY);
    if (!file) return;
    current.emplace(std::move(*file));
    current->print_rest(path);
  };
  look();
  if (!follow && !current && !any)
    throw Failure(
        fmt::format("{}: no such file: onlink-node run has not been here since the last boot", path));
  // Polls instead of watching: the folder may not be there yet.
  if (!follow) return;
  for (;;) {
    (void)::poll(nullptr, 0, look_again_ms);
    look();
  }
}

}  // namespace onlink::node
