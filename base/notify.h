// SPDX-License-Identifier: Apache-2.0
// Telling the service manager how we are (sd_notify(3), its protocol, without its library).
#pragma once

#include <string>

namespace onlink {

// "READY=1", "STOPPING=1", "STATUS=...". Does nothing where nobody listens (NOTIFY_SOCKET is not set); a
// message that cannot be delivered is dropped: the service manager has its own timeouts.
void notify_manager(const std::string& state);
// RELOADING=1 with the time that systemd wants beside it.
void notify_reloading();

}  // namespace onlink
