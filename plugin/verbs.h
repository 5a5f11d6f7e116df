// SPDX-License-Identifier: Apache-2.0
// What the plugin does for each command of the protocol. Each runs in the host's network namespace and throws
// Failure.
#pragma once

#include <string>

#include "cni/request.h"

namespace onlink::plugin {

// Complete, or it leaves nothing: no address, no interface.
cni::Result add(const cni::Request& request);
// What does not exist is done. Where the interface cannot be removed, its addresses stay. Needs neither the namespace
// nor prevResult.
void del(const cni::Request& request);
// One Failure (not_as_attached) that names every difference; try_again where the state cannot be read.
void check(const cni::Request& request);
// Failure with what would make every ADD fail now.
void status(const cni::Request& request);
// Removes this network's interfaces and addresses whose attachment is not among the request's valid ones.
void gc(const cni::Request& request);
// The commands that do what ADD would do; nothing is changed.
std::string explain_add(const cni::Request& request);

}  // namespace onlink::plugin
