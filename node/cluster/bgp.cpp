// SPDX-License-Identifier: Apache-2.0
#include "node/cluster/bgp.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/failure.h"
#include "node/cluster/cluster.h"

namespace onlink::node {
namespace {

// TCP_MD5SIG_MAXKEYLEN of linux/tcp.h.
constexpr std::size_t longest_password = 80;

std::string password_problem(const std::string& password) {
  if (password.empty()) return "is empty";
  if (password.size() > longest_password)
    return fmt::format("is {} bytes long; the kernel takes {}", password.size(), longest_password);
  const bool strange = std::any_of(password.begin(), password.end(), [](char c) {
    return c == '"' || static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
  return strange ? "has a quote or a control character in it, which BIRD's file cannot hold" : "";
}

void read_reflectors(const JsonReader& reader, const std::vector<std::string>& names, Bgp& bgp) {
  bgp.reflectors = reader.texts("routeReflectors");
  for (std::size_t i = 0; i < bgp.reflectors.size(); ++i) {
    if (std::find(names.begin(), names.end(), bgp.reflectors[i]) == names.end())
      reader.problem(fmt::format("routeReflectors[{}]", i),
                     fmt::format("\"{}\" is none of the nodes", bgp.reflectors[i]));
  }
  bgp.cluster_id = reader.address("clusterId", IpFamily::v4);
}

// A problem with it does not show it.
std::string read_password(const JsonReader& reader) {
  const nlohmann::json* value = reader.find("password");
  if (value == nullptr) return "";
  std::string password = value->is_string() ? value->get<std::string>() : "";
  const std::string problem = value->is_string() ? password_problem(password) : "must be a string";
  if (!problem.empty()) reader.problem("password", problem);
  return password;
}

}  // namespace

Bgp read_bgp(const JsonReader& reader, const std::vector<std::string>& names) {
  reader.allow_only({"asNumber", "routeReflectors", "clusterId", "password", "passwordFile",
                     "gracefulRestartSeconds", "prefixes"});
  Bgp bgp;
  if (!reader.has("asNumber")) reader.problem("asNumber", "is missing");
  // 0, 65535 and 4294967295 are reserved (RFC 7607, RFC 7300).
  bgp.as_number = static_cast<std::uint32_t>(reader.integer("asNumber", 1, 4294967294).value_or(0));
  if (bgp.as_number == 65535) reader.problem("asNumber", "65535 is reserved");
  read_reflectors(reader, names, bgp);
  bgp.password = read_password(reader);
  bgp.password_file = reader.text("passwordFile").value_or("");
  if (reader.has("password") && reader.has("passwordFile"))
    reader.problem("passwordFile", "cannot be given together with \"password\"");
  // 12 bits in the capability (RFC 4724, section 3).
  bgp.restart_seconds = static_cast<std::uint32_t>(
      reader.integer("gracefulRestartSeconds", 0, 4095).value_or(bgp.restart_seconds));
  bgp.prefixes = read_prefixes(reader, "prefixes");
  for (std::size_t i = 0; i < bgp.prefixes.size(); ++i)
    if (const std::string why = no_pod_subnet(bgp.prefixes[i]); !why.empty())
      reader.problem(fmt::format("prefixes[{}]", i),
                     fmt::format("{} cannot be the pods': it {}", bgp.prefixes[i].to_string(), why));
  return bgp;
}

void check_password(const std::string& password, const std::string& where) {
  if (const std::string problem = password_problem(password); !problem.empty())
    throw Failure(FailureKind::configuration, fmt::format("{}: the password {}", where, problem));
}

}  // namespace onlink::node
