// SPDX-License-Identifier: Apache-2.0
#include "node/sources/kubernetes/node.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/failure.h"
#include "base/text.h"

namespace onlink::node {
namespace {

using nlohmann::json;

constexpr const char* ipip_key = "onlink.io/ipip-mode";
constexpr const char* vxlan_key = "onlink.io/vxlan-mode";
constexpr const char* node_ip_key = "onlink.io/node-ip";
constexpr const char* tunnel_key = "onlink.io/tunnel-address";

// The parser keeps these keys, wherever they stand, and drops all others with everything below them. A Node has 10 to
// 50 KB; less than one of these is kept.
constexpr std::array kept_keys = {
    "type",       "object",      "items",    "metadata", "name",      "resourceVersion",
    "continue",   "annotations", ipip_key,   vxlan_key,  node_ip_key, tunnel_key,
    "spec",       "podCIDR",     "podCIDRs", "status",   "addresses", "address",
    "conditions", "reason",      "code",     "message",  "kind",      "creationTimestamp"};
static_assert(kept_keys.size() <= 32);

// A Node has ten levels. Each open one takes memory.
constexpr int deepest_nesting = 64;

// For messages: what the API says may be anything, and of any length.
std::string shown(std::string_view words) {
  constexpr std::size_t longest = 200;
  return printable(words.substr(0, longest));
}

// The parser's callback for a document.
class Sieve {
 public:
  // item: gets each object of the top array "items" as soon as it is read, which then is not kept: the library looks
  // through all of an array after each object in it.
  using Item = std::function<void(const json&)>;
  explicit Sieve(Item item = {}) : item_(std::move(item)) {}

  bool operator()(int depth, json::parse_event_t event, const json& value) {
    using Event = json::parse_event_t;
    if (depth > deepest_nesting)
      throw Failure(FailureKind::not_json,
                    fmt::format("the API's answer is nested deeper than {} levels", deepest_nesting));
    const auto at = static_cast<std::size_t>(depth);
    if (seen_.size() < at + 2) seen_.resize(at + 2);
    if (event == Event::object_start) seen_[at + 1] = 0;
    if (event == Event::key && depth == 1) in_items_ = value == "items";
    if (event == Event::object_end && depth == 2 && in_items_ && item_) {
      item_(value);
      return false;
    }
    return event != Event::key || keep(seen_[at], value.get_ref<const std::string&>());
  }

 private:
  // Two values under one key are ambiguous.
  static bool keep(std::uint32_t& seen, const std::string& key) {
    const auto kept = std::find(kept_keys.begin(), kept_keys.end(), key);
    if (kept == kept_keys.end()) return false;
    const std::uint32_t bit = std::uint32_t{1} << (kept - kept_keys.begin());
    if ((seen & bit) != 0)
      throw Failure(FailureKind::not_json,
                    fmt::format("the API's answer has the key \"{}\" twice in one object", key));
    seen |= bit;
    return true;
  }

  Item item_;
  bool in_items_ = false;
  std::vector<std::uint32_t> seen_;  // by depth: the kept keys of the open object so far, a bit for each
};

json parse_kept(std::string_view text, Sieve::Item item = {}) {
  Sieve sieve(std::move(item));
  try {
    return json::parse(text, std::ref(sieve));
  } catch (const json::exception& error) {
    throw Failure(FailureKind::not_json,
                  fmt::format("the API's answer is not JSON: {}", shown(error.what())));
  }
}

const json& at(const json& object, const char* key) {
  static const json absent;
  if (!object.is_object()) return absent;
  const auto found = object.find(key);
  return found == object.end() ? absent : *found;
}

std::string text(const json& object, const char* key) {
  const json& value = at(object, key);
  return value.is_string() ? value.get<std::string>() : "";
}

// What is no text is not what it should be: in words, for the Node's problem.
std::string words_of(const json& value) {
  if (value.is_string()) return value.get<std::string>();
  return value.is_structured() ? fmt::format("an {}", value.type_name()) : value.dump();
}

std::optional<std::string> optional_words(const json& object, const char* key) {
  const json& value = at(object, key);
  return value.is_null() ? std::nullopt : std::optional(words_of(value));
}

std::string version_of(const json& object) { return text(at(object, "metadata"), "resourceVersion"); }

// Takes the one or two addresses of an annotation.
void override_addresses(const std::string& words, KubernetesNode& read) {
  Node& node = read.placed.node;
  std::optional<IpAddress> v4, v6;
  std::string_view rest = words;
  while (!rest.empty()) {
    const auto comma = rest.find(',');
    std::string_view word = rest.substr(0, comma);
    rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
    while (word.starts_with(' ')) word.remove_prefix(1);
    const auto address = IpAddress::parse(word);
    auto* place = address ? &(address->is_v4() ? v4 : v6) : nullptr;
    if (place == nullptr || *place) {
      read.problems.push_back(
          fmt::format("{}: annotation {}: must be an IPv4 address, an IPv6 address, or both with a comma "
                      "between, not \"{}\"",
                      read.placed.path, node_ip_key, shown(words)));
      node.ipv4 = node.ipv6 = std::nullopt;  // unknown: the earlier ones stay
      return;
    }
    *place = address;
  }
  if (v4) node.ipv4 = v4;
  if (v6) node.ipv6 = v6;
}

// Those of type InternalIP: of each family the first.
void read_addresses(const json& object, KubernetesNode& read) {
  Node& node = read.placed.node;
  for (const json& entry : at(at(object, "status"), "addresses")) {
    if (text(entry, "type") != "InternalIP") continue;
    const std::string word = words_of(at(entry, "address"));
    const auto address = IpAddress::parse(word);
    if (!address) {
      read.problems.push_back(
          fmt::format("{}: InternalIP \"{}\" is not an IP address", read.placed.path, shown(word)));
      continue;
    }
    auto& place = address->is_v4() ? node.ipv4 : node.ipv6;
    if (!place) place = address;
  }
  read.placed.unknown.addresses = true;  // for a family without one
}

void read_cidr(const std::string& word, KubernetesNode& read) {
  const auto cidr = IpPrefix::parse(word);
  if (cidr && !cidr->has_host_bits()) {
    read.placed.node.pod_cidrs.push_back(*cidr);
    return;
  }
  read.problems.push_back(fmt::format("{}: podCIDR \"{}\" is not a subnet", read.placed.path, shown(word)));
  read.placed.unknown.pod_cidrs = true;
}

void read_cidrs(const json& spec, KubernetesNode& read) {
  const json& cidrs = at(spec, "podCIDRs");
  for (const json& cidr : cidrs) read_cidr(words_of(cidr), read);
  if (const auto cidr = optional_words(spec, "podCIDR"); cidrs.empty() && cidr.value_or("") != "")
    read_cidr(*cidr, read);
}

// Of the two modes the one that is not Never, as in the file.
void read_modes(const json& annotations, KubernetesNode& read) {
  PlacedNode& placed = read.placed;
  const auto refuse = [&](const char* key, const std::string& words) {
    placed.unknown.mode = true;
    read.problems.push_back(fmt::format("{}: annotation {}: {}", placed.path, key, words));
  };
  const auto take = [&](const char* key, Encapsulation encapsulation) {
    const auto words = optional_words(annotations, key);
    if (!words) return;
    const auto mode = parse_mode(*words);
    if (!mode)
      return refuse(key, fmt::format("must be Always, CrossSubnet or Never, not \"{}\"", shown(*words)));
    if (placed.node.mode.value_or(IpipMode::never) != IpipMode::never) {
      if (*mode != IpipMode::never)
        refuse(key, fmt::format("is \"{}\", and {} \"{}\": one of the two must be Never", *words, ipip_key,
                                to_string(*placed.node.mode)));
      return;
    }
    if (placed.node.mode && *mode == IpipMode::never) return;
    placed.node.mode = mode;
    placed.node.encapsulation = encapsulation;
  };
  take(ipip_key, Encapsulation::ipip);
  take(vxlan_key, Encapsulation::vxlan);
  if (placed.unknown.mode) placed.node.mode.reset();
}

void read_tunnel_address(const json& annotations, KubernetesNode& read) {
  const auto words = optional_words(annotations, tunnel_key);
  if (!words) return;
  const auto address = IpAddress::parse(*words);
  if (address && address->is_v4()) {
    read.placed.node.tunnel_address = address;
    return;
  }
  read.placed.unknown.tunnel_address = true;
  read.problems.push_back(fmt::format("{}: annotation {}: must be an IPv4 address, not \"{}\"",
                                      read.placed.path, tunnel_key, shown(*words)));
}

// "2026-11-22T09:01:22Z" as 20261122090122: the API knows no other form (metav1.Time). 0 for anything else.
std::uint64_t number_of_time(std::string_view text) {
  constexpr std::string_view form = "0000-00-00T00:00:00Z";
  if (text.size() != form.size()) return 0;
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < form.size(); ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    if (form[i] == '0' ? !digit : text[i] != form[i]) return 0;
    if (digit) number = 10 * number + static_cast<unsigned char>(text[i] - '0');
  }
  return number;
}

KubernetesNode parse_node(const json& object, std::string_view self) {
  KubernetesNode read;
  const json& metadata = at(object, "metadata");
  const json& annotations = at(metadata, "annotations");
  std::string& name = read.placed.node.name;
  name = text(metadata, "name");
  if (name.empty()) throw Failure(FailureKind::not_json, "the API's answer has a Node without a name");
  read.placed.path = "Node " + shown(name);
  read.placed.created = number_of_time(text(metadata, "creationTimestamp"));
  read_addresses(object, read);
  if (const auto words = optional_words(annotations, node_ip_key)) override_addresses(*words, read);
  read_cidrs(at(object, "spec"), read);
  read_modes(annotations, read);
  read_tunnel_address(annotations, read);
  if (name != self) return read;
  for (const json& condition : at(at(object, "status"), "conditions"))
    if (text(condition, "type") == "NetworkUnavailable")
      read.network = text(condition, "status") + " " + text(condition, "reason");
  return read;
}

}  // namespace

KubernetesNode parse_node_object(std::string_view body, std::string_view self) {
  return parse_node(parse_kept(body), self);
}

NodePage parse_node_page(std::string_view body, std::string_view self) {
  NodePage page;
  const json document = parse_kept(body, [&](const json& item) {
    if (page.nodes.size() == most_nodes)
      throw Failure(FailureKind::not_json,
                    fmt::format("the API's list has more than {} Nodes in one page", most_nodes));
    page.nodes.push_back(parse_node(item, self));
  });
  const json& items = at(document, "items");
  const json& metadata = at(document, "metadata");
  // Go writes an empty list as null.
  if (text(document, "kind") != "NodeList" || !(items.is_array() || items.is_null()))
    throw Failure(FailureKind::not_json, "the API's answer is not a NodeList");
  page.version = version_of(document);
  page.continued = text(metadata, "continue");
  if (page.version.empty()) throw Failure(FailureKind::not_json, "the API's list has no resourceVersion");
  if (!items.empty())  // objects have been taken out
    throw Failure(FailureKind::not_json, "the API's answer has a Node that is no object");
  return page;
}

NodeEvent parse_node_event(std::string_view line, std::string_view self) {
  const json document = parse_kept(line);
  const std::string type = text(document, "type");
  const json& object = at(document, "object");
  NodeEvent event;
  if (type == "ERROR") {
    const json& code = at(object, "code");
    event.code = code.is_number_integer() ? code.get<int>() : 0;
    event.message = shown(text(object, "message"));
    return event;
  }
  if (const std::string kind = text(object, "kind"); kind != "Node")
    throw Failure(FailureKind::not_json,
                  fmt::format("a watch event \"{}\" is about an object of kind \"{}\", not \"Node\"",
                              shown(type), shown(kind)));
  event.version = version_of(object);
  if (event.version.empty())
    throw Failure(FailureKind::not_json,
                  fmt::format("a watch event \"{}\" has no resourceVersion", shown(type)));
  if (type == "BOOKMARK") {
    event.kind = NodeEvent::Kind::bookmark;
    return event;
  }
  if (type != "ADDED" && type != "MODIFIED" && type != "DELETED")
    throw Failure(FailureKind::not_json, fmt::format("a watch event of type \"{}\"", shown(type)));
  event.kind = type == "DELETED" ? NodeEvent::Kind::deleted : NodeEvent::Kind::changed;
  event.node = parse_node(object, self);
  return event;
}

std::string refusal_message(std::string_view body) {
  try {
    const std::string message = text(parse_kept(body), "message");
    if (!message.empty()) return shown(message);
  } catch (const Failure&) {  // from something between us and the API
    (void)0;
  }
  return shown(body);
}

}  // namespace onlink::node
