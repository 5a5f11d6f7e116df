// SPDX-License-Identifier: Apache-2.0
// Puts the two plugins where the container runtime looks for them.
#pragma once

#include <string>
#include <vector>

namespace onlink::node {

// Copies the plugins from `from` to `to`, which is created if it is missing. A program that executes one meanwhile gets
// either the old or the new one, whole; a running plugin goes on undisturbed. An identical plugin is not touched.
// Installers of one folder wait for each other, even in different containers. Returns one line for each plugin, for
// people. Throws Failure; then, too, each plugin is the old or the new one.
std::vector<std::string> install_plugins(const std::string& from, const std::string& to);

// The folder of the running program.
std::string own_folder();

}  // namespace onlink::node
