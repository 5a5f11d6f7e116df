// SPDX-License-Identifier: Apache-2.0
#include "cni/configuration_files.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>

#include "base/file.h"
#include "base/unique_fd.h"

namespace onlink::cni {

std::vector<std::string> configuration_files(const std::string& folder) {
  const UniqueFd directory = open_file(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY);
  std::vector<std::string> paths;
  for (const std::string& name : names_in(directory.get(), folder))
    if (name.ends_with(".conflist") || name.ends_with(".conf") || name.ends_with(".json"))
      paths.push_back(fmt::format("{}/{}", folder, name));
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace onlink::cni
