// SPDX-License-Identifier: Apache-2.0
// "ipMasq": true: what pods send to elsewhere than the network's own subnets leaves with the host's address.
// One nftables table for each network, inet onlink-<network>, with one rule for each family; nothing for each
// pod, so only the first attachment pays for it.
#pragma once

#include "plugin/config.h"

namespace onlink::plugin {

// Makes the table where it is missing. Needs the program nft. Throws Failure.
void ensure_masquerade(const cni::Request& request, const NetConf& config, const cni::Result& lease);
bool has_masquerade(const cni::Request& request);
// Takes it away where it is there: when GC finds that the network has no attachment left.
void remove_masquerade(const cni::Request& request);

}  // namespace onlink::plugin
