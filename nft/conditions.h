// SPDX-License-Identifier: Apache-2.0
// Rules as conditions and what follows from them, read from the kernel for judging, not for writing them again.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "netlink/socket.h"
#include "nft/elements.h"
#include "nft/packets.h"

namespace onlink::nft {

// That a field of a packet, after the mask, is among these values. Values may be shorter than the field: then its first
// bytes count.
struct Condition {
  Field field = Field::other;
  bool by_index = false;  // interfaces
  std::vector<Values> values = {};
  std::string set = {};   // its elements are the values
  std::string mask = {};  // empty: all bits
  bool is_negated = false;
};

struct JudgedRule {
  std::vector<Condition> conditions = {};
  Verdict verdict = {};
  // A lookup whose elements have the verdicts.
  std::vector<Condition> map = {};  // one, or none
};

// One table. Each chain and set is read once.
class TableContent {
 public:
  TableContent(netlink::Socket& socket, std::uint8_t family, std::string table)
      : socket_(socket), family_(family), table_(std::move(table)) {}

  const std::vector<JudgedRule>& rules(const std::string& chain);
  const std::list<Element>& elements(const std::string& set);

 private:
  netlink::Socket& socket_;
  std::uint8_t family_;
  std::string table_;
  std::map<std::string, std::vector<JudgedRule>> rules_;
  std::map<std::string, std::list<Element>> elements_;
};

}  // namespace onlink::nft
