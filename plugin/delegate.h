// SPDX-License-Identifier: Apache-2.0
// Runs another plugin on behalf of this one (CNI specification 1.1.0, section 4 "Plugin Delegation"): found
// in CNI_PATH, with this process's environment, the command set, and the request's unchanged standard input;
// its stderr passes through. It runs in the network namespace of the calling thread.
//
// Every failure starts with "IPAM plugin <type>: ". An error that the plugin itself reports keeps its code
// and words (cni::PluginFailure); a plugin that cannot be found is a problem of the configuration; one that
// is just being replaced on disk (ETXTBSY) is try_again.
#pragma once

#include <functional>
#include <string>

#include "cni/request.h"

namespace onlink::plugin {

// In the environment of every plugin that is run. A call of this one that has it was made by itself, in whatever name:
// it would go on without end.
inline constexpr const char* delegated_by = "ONLINK_DELEGATED";

// ADD. When it fails, or answers with something that is no result, `withdraw` runs before the failure is
// thrown: the specification asks for the plugin's DEL. If that fails too, the details say so.
cni::Result delegate_add(const cni::Request& request, const std::string& type,
                         const std::function<void()>& withdraw);

// DEL, CHECK, STATUS or GC, whatever the request's command: what a failed ADD has to undo is a DEL.
void delegate(const cni::Request& request, const std::string& type, cni::Command command);

}  // namespace onlink::plugin
