// SPDX-License-Identifier: Apache-2.0
// Putting the two plugins where the container runtime looks for them.
#pragma once

#include <string>
#include <vector>

namespace onlink::node {

// The plugins that lie in `from` become those of `to`, which is made where it is missing. Whoever executes
// one meanwhile runs the old one or the new one, whole; one that is running runs on, undisturbed. What is the
// same already is not touched. Installers of the same folder wait for each other, from whatever container.
// One line for each plugin, for people. Throws Failure; each plugin is then the old or the new one.
std::vector<std::string> install_plugins(const std::string& from, const std::string& to);

// The folder that the running program lies in.
std::string own_folder();

}  // namespace onlink::node
