// SPDX-License-Identifier: Apache-2.0
#include "netlink/nftables.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <cerrno>

#include "netlink/socket.h"

namespace onlink::netlink {

bool has_nft_table(const std::string& name) {
  Message request(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETTABLE, 0, "look up nftables table " + name);
  request.header<nfgenmsg>().nfgen_family = NFPROTO_INET;
  request.put(Attribute<std::string>{NFTA_TABLE_NAME}, name);
  try {
    Socket::open(NETLINK_NETFILTER).execute(std::move(request));
    return true;
  } catch (const Failure& failure) {
    // EINVAL: the module that would answer is not loaded; EPROTONOSUPPORT: not even the socket's.
    const int error = failure.error();
    if (error == ENOENT || error == EINVAL || error == EPROTONOSUPPORT) return false;
    throw;
  }
}

}  // namespace onlink::netlink
