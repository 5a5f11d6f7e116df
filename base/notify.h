// SPDX-License-Identifier: Apache-2.0
// Reports our state to the service manager (the protocol of sd_notify(3), without its library).
#pragma once

#include <string>

namespace onlink {

// "READY=1", "STOPPING=1", "STATUS=...". Does nothing where nobody listens (NOTIFY_SOCKET is not set); a
// message that cannot be delivered is dropped: the service manager has its own timeouts.
void notify_manager(const std::string& state);
// RELOADING=1, with the MONOTONIC_USEC that systemd requires.
void notify_reloading();

}  // namespace onlink
