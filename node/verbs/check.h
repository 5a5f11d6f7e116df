// SPDX-License-Identifier: Apache-2.0
// Whether it works, and if not, why: by what status knows without sending anything, and by the answers of the other
// nodes and of the pods of this one. Changes nothing.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "base/failure.h"
#include "netlink/socket.h"
#include "node/verbs/status.h"

namespace onlink::node {

struct CheckInput {
  netlink::Socket& socket;
  const StatusInput& status;
  std::string
      subject;  // a peer's name, an address, or a pod by name, container ID (its beginning), interface; empty: all
  std::string data_dir;  // where leases are
};
// There is no such peer or pod, or more than one: the command line is wrong.
class UnknownSubject : public Failure {
 public:
  using Failure::Failure;
};
// Throws Failure (UnknownSubject is one), also if it may not send (CAP_NET_RAW).
nlohmann::json check_document(const CheckInput& input);
// The same for people.
std::string print_check(const nlohmann::json& document);
// 0, 1 (this node) or 3 (only other nodes, or the list).
int check_exit_status(const nlohmann::json& document);

}  // namespace onlink::node
