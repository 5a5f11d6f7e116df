// SPDX-License-Identifier: Apache-2.0
#include "node/sources/kubernetes/access.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <initializer_list>
#include <set>
#include <vector>

#include "base/failure.h"
#include "base/file.h"

namespace onlink::node {
namespace {

// Where the kubelet puts a pod's token and the API server's authority.
const std::string account = "/var/run/secrets/kubernetes.io/serviceaccount/";

// An empty file would mean the default: for authorities, that anybody whom the system trusts may be the API.
std::string read_needed(const std::string& path) {
  std::string text = read_existing_file(path);
  if (text.empty()) throw Failure(FailureKind::configuration, path + " is empty");
  return text;
}

// A password in it would get into messages, and be sent along.
bool is_server(const std::string& url, std::initializer_list<const char*> schemes) {
  return url.find('@') == std::string::npos &&
         std::any_of(schemes.begin(), schemes.end(),
                     [&](const char* scheme) { return url.starts_with(scheme); });
}
constexpr const char* not_a_server = "must be a URL like https://192.0.2.1:6443, without a user";

std::string trimmed(std::string text) {
  while (!text.empty() && static_cast<unsigned char>(text.back()) <= ' ') text.pop_back();
  return text;
}

void set_token(HttpRequest& request, const std::string& token, const std::string& where) {
  const bool plain = std::all_of(token.begin(), token.end(), [](char c) { return c > ' ' && c < 0x7f; });
  if (token.empty() || !plain)
    throw Failure(FailureKind::configuration, fmt::format("{}: this is not a token", where));
  request.headers.push_back("Authorization: Bearer " + token);
}

HttpRequest pod_request() {
  const char* host = std::getenv("KUBERNETES_SERVICE_HOST");
  const char* port = std::getenv("KUBERNETES_SERVICE_PORT");
  if (host == nullptr || port == nullptr)
    throw Failure(
        FailureKind::configuration,
        "source kubernetes: no kubeconfig is named, and this is not a pod: KUBERNETES_SERVICE_HOST and "
        "KUBERNETES_SERVICE_PORT are not set");
  HttpRequest request;
  const bool v6 = std::string_view(host).find(':') != std::string_view::npos;
  request.url = fmt::format("https://{}{}{}:{}", v6 ? "[" : "", host, v6 ? "]" : "", port);
  request.authorities = read_needed(account + "ca.crt");
  set_token(request, trimmed(read_needed(account + "token")), account + "token");
  return request;
}

// Nothing, if it is absent. What is no text must not count as absent: without "certificate-authority" anybody whom the system
// trusts may be the API.
std::string value_of(const YAML::Node& map, const std::string& key, const std::string& file) {
  const YAML::Node value = map[key];
  if (!value || value.IsNull()) return "";
  if (!value.IsScalar())
    throw Failure(FailureKind::configuration, fmt::format("{}: {} must be a text", file, key));
  return value.Scalar();
}

// Two values under one key are ambiguous. The library gives the first.
void refuse_doubles(const YAML::Node& map, const std::string& where) {
  std::set<std::string> keys;
  for (const auto& pair : map)
    if (!keys.insert(pair.first.Scalar()).second)
      throw Failure(FailureKind::configuration,
                    fmt::format("{}: key \"{}\" occurs twice", where, pair.first.Scalar()));
}

// One entry of a kubeconfig's list of named things.
YAML::Node entry(const YAML::Node& document, const char* list, const char* kind,
                 const std::string& entry_name, const std::string& file) {
  std::vector<YAML::Node> found;
  for (const YAML::Node& each : document[list])
    if (each["name"].as<std::string>("") == entry_name && each[kind].IsMap()) found.push_back(each[kind]);
  if (found.size() != 1)
    throw Failure(FailureKind::configuration,
                  fmt::format("{}: {}: there {} \"{}\"", file, list,
                              found.empty() ? "is no" : "is more than one", entry_name));
  refuse_doubles(found.front(), fmt::format("{}: {}", file, kind));
  return found.front();
}

// "key" is a path, "key-data" the same content in base64; if both are there, the latter counts.
std::string content(const YAML::Node& map, const std::string& key, const std::string& folder,
                    const std::string& file) {
  const auto data = value_of(map, key + "-data", file);
  if (!data.empty()) {
    const std::string what = fmt::format("{}: {}-data", file, key);
    std::string bytes = decode_base64(data, what);
    if (bytes.empty()) throw Failure(FailureKind::configuration, what + " is empty");
    return bytes;
  }
  const auto path = value_of(map, key, file);
  if (path.empty()) return "";
  return read_needed(path[0] == '/' ? path : folder + path);
}

void set_user(HttpRequest& request, const YAML::Node& user, const std::string& folder,
              const std::string& file) {
  for (const char* key : {"exec", "auth-provider", "username", "as", "as-uid", "as-groups", "as-user-extra"})
    if (user[key])
      throw Failure(
          FailureKind::configuration,
          fmt::format("{}: user.{} is not supported: a token, a token file or a client certificate is", file,
                      key));
  request.certificate = content(user, "client-certificate", folder, file);
  request.key = content(user, "client-key", folder, file);
  const auto path = value_of(user, "tokenFile", file);
  const auto token = value_of(user, "token", file);
  if (!path.empty()) {
    const std::string full = path[0] == '/' ? path : folder + path;
    set_token(request, trimmed(read_needed(full)), full);
  } else if (!token.empty()) {
    set_token(request, token, file + ": user.token");
  }
}

}  // namespace

std::string decode_base64(std::string_view text, std::string_view what) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  std::uint32_t value = 0;
  unsigned bits = 0;
  std::size_t count = 0;
  bool padded = false;
  for (const char c : text) {
    if (c == '\n' || c == '\r' || c == ' ') continue;
    ++count;
    padded = padded || c == '=';
    if (c == '=') continue;
    const auto digit = digits.find(c);
    if (digit == std::string_view::npos || padded)
      throw Failure(FailureKind::configuration, fmt::format("{} is not base64", what));
    value = (value << 6) | static_cast<std::uint32_t>(digit);
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push_back(static_cast<char>((value >> bits) & 0xff));
  }
  if (count % 4 != 0) throw Failure(FailureKind::configuration, fmt::format("{} is not base64", what));
  return bytes;
}

HttpRequest kubeconfig_request(const std::string& text, const std::string& name, const std::string& folder) {
  try {
    const YAML::Node document = YAML::Load(text);
    if (!document.IsMap()) throw Failure(FailureKind::configuration, name + " is not a kubeconfig");
    refuse_doubles(document, name);
    const auto context =
        entry(document, "contexts", "context", value_of(document, "current-context", name), name);
    const auto cluster = entry(document, "clusters", "cluster", value_of(context, "cluster", name), name);
    const auto user = entry(document, "users", "user", value_of(context, "user", name), name);
    HttpRequest request;
    request.url = value_of(cluster, "server", name);
    if (!is_server(request.url, {"https://", "http://"}))
      throw Failure(FailureKind::configuration, fmt::format("{}: cluster.server {}", name, not_a_server));
    while (request.url.ends_with('/')) request.url.pop_back();
    for (const char* key : {"tls-server-name", "proxy-url"})
      if (cluster[key])
        throw Failure(FailureKind::configuration, fmt::format("{}: cluster.{} is not supported", name, key));
    const std::string insecure = "insecure-skip-tls-verify";
    request.verify = value_of(cluster, insecure, name).empty() || !cluster[insecure].as<bool>();
    request.authorities = content(cluster, "certificate-authority", folder, name);
    if (!request.verify && !request.authorities.empty())
      throw Failure(
          FailureKind::configuration,
          fmt::format("{}: cluster.{} and certificate-authority contradict each other", name, insecure));
    set_user(request, user, folder, name);
    return request;
  } catch (const YAML::Exception& error) {
    throw Failure(FailureKind::configuration, fmt::format("{} is not a kubeconfig: {}", name, error.what()));
  }
}

KubernetesConfig read_kubernetes_config(const JsonReader& reader) {
  reader.allow_only({"type", "kubeconfig", "server", "conflist", "networkUnavailable"});
  KubernetesConfig config;
  config.kubeconfig = reader.text("kubeconfig").value_or("");
  config.server = reader.text("server").value_or("");
  if (reader.has("server") && !is_server(config.server, {"https://"})) reader.problem("server", not_a_server);
  while (config.server.ends_with('/')) config.server.pop_back();
  config.network_unavailable = reader.boolean("networkUnavailable").value_or(true);
  if (!reader.has("conflist")) return config;
  const JsonReader conflist = reader.child("conflist");
  conflist.allow_only({"template", "path"});
  config.conflist_template = conflist.text("template").value_or("");
  config.conflist_path = conflist.text("path").value_or("");
  if (config.conflist_template.empty()) conflist.problem("template", "is missing");
  if (!config.conflist_path.starts_with('/')) conflist.problem("path", "must be an absolute path");
  return config;
}

HttpRequest api_request(const KubernetesConfig& config) {
  HttpRequest request;
  if (config.kubeconfig.empty()) {
    request = pod_request();
  } else {
    const auto slash = config.kubeconfig.find_last_of('/');
    const std::string folder = slash == std::string::npos ? "" : config.kubeconfig.substr(0, slash + 1);
    request = kubeconfig_request(read_needed(config.kubeconfig), config.kubeconfig, folder);
  }
  if (!config.server.empty()) request.url = config.server;
  request.headers.emplace_back("Accept: application/json");
  request.headers.emplace_back("User-Agent: onlink-node/" ONLINK_VERSION);
  return request;
}

}  // namespace onlink::node
