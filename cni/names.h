// SPDX-License-Identifier: Apache-2.0
// The names of the protocol. They become file names, interface names and parts of log lines, so they are
// checked before anything else is done with them. Each function says what is wrong with a name; nothing when
// it is good.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace onlink::cni {

// A container ID or a network name: a letter or digit, then letters, digits, '_', '.' and '-' (so "." and
// ".." and anything with a '/' are out). At most 255 bytes (NAME_MAX): a network names a folder, a container
// a line in files.
std::optional<std::string> problem_of_name(std::string_view name);

// The rules of the kernel (dev_valid_name in net/core/dev.c), and no '%': RTM_NEWLINK takes it for a pattern
// and would make an interface of another name.
std::optional<std::string> problem_of_ifname(std::string_view name);

// The type of a plugin is the name of a program in a folder of CNI_PATH: no path may hide in it
// (CVE-2021-20206).
std::optional<std::string> problem_of_plugin_type(std::string_view type);

}  // namespace onlink::cni
