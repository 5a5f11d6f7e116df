// SPDX-License-Identifier: Apache-2.0
#include "node/metrics/http_server.h"

#include <fmt/format.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <limits>
#include <optional>
#include <system_error>
#include <utility>

#include "base/failure.h"
#include "base/ip.h"
#include "base/socket_address.h"
#include "base/text.h"

namespace onlink::node {
namespace {

// One or two monitors ask, every few seconds.
constexpr unsigned most_clients = 32;
constexpr unsigned idle_seconds = 10;

struct Endpoint {
  IpAddress address;
  std::uint16_t port = 0;
};

std::optional<Endpoint> parse_endpoint(std::string_view where) {
  const auto colon = where.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = where.substr(0, colon);
  const std::string_view port = where.substr(colon + 1);
  const bool brackets = host.starts_with('[') && host.ends_with(']');
  if (brackets) host = host.substr(1, host.size() - 2);
  const auto address = IpAddress::parse(host);
  if (!address || address->is_v4() == brackets) return std::nullopt;
  const auto number = to_number<std::uint16_t>(port);
  if (!number || *number == 0) return std::nullopt;
  return Endpoint{*address, *number};
}

UniqueFd open_socket(int family) {
  UniqueFd fd(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) throw system_failure("open a socket");
  return fd;
}

void bind_and_listen(int fd, const sockaddr* address, socklen_t size) {
  if (::bind(fd, address, size) != 0 || ::listen(fd, most_clients) != 0) throw system_failure("bind");
}

UniqueFd listen_on(const Endpoint& endpoint) {
  UniqueFd fd = open_socket(endpoint.address.is_v4() ? AF_INET : AF_INET6);
  const int on = 1;
  (void)::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on,
                     sizeof on);  // a service may restart immediately
  SocketAddress address(endpoint.address, endpoint.port);
  bind_and_listen(fd.get(), address.get(), address.length);
  return fd;
}

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    throw Failure(FailureKind::configuration,
                  fmt::format("the path is longer than {} bytes", sizeof address.sun_path - 1));
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

// A killed service leaves its socket, on which nobody answers. Nothing else is removed.
void remove_dead_socket(const std::string& path, const sockaddr_un& address) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0 || !S_ISSOCK(status.st_mode)) return;
  const UniqueFd probe = open_socket(AF_UNIX);
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 &&
      errno == ECONNREFUSED)
    (void)::unlink(path.c_str());
}

UniqueFd listen_on(const std::string& path) {
  const sockaddr_un address = address_of(path);
  remove_dead_socket(path, address);
  UniqueFd fd = open_socket(AF_UNIX);
  const mode_t before = ::umask(0117);
  const int result = ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const int error = errno;
  (void)::umask(before);
  if (result != 0) throw system_failure("bind", error);
  if (::listen(fd.get(), most_clients) != 0) throw system_failure("listen");
  return fd;
}

UniqueFd open_listener(const std::string& where) {
  return with_context(fmt::format("listen on {}", where), [&] {
    if (where.starts_with('/')) return listen_on(where);
    const auto endpoint = parse_endpoint(where);
    if (!endpoint)
      throw Failure(FailureKind::configuration,
                    "neither ADDRESS:PORT (127.0.0.1:9469, [::1]:9469) nor the path of a unix socket");
    return listen_on(*endpoint);
  });
}

MHD_Result send(MHD_Connection* connection, HttpResponse answer) {
  MHD_Response* response =
      MHD_create_response_from_buffer(answer.body.size(), answer.body.data(), MHD_RESPMEM_MUST_COPY);
  if (response == nullptr) return MHD_NO;
  (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer.content_type.c_str());
  const MHD_Result queued = MHD_queue_response(connection, answer.status, response);
  MHD_destroy_response(response);
  return queued;
}

// Called more than once for a request that has a body; the body is ignored.
MHD_Result handle(void* handler, MHD_Connection* connection, const char* path, const char* method,
                  const char* /*version*/, const char* /*body*/, std::size_t* body_size, void** /*state*/) {
  *body_size = 0;
  if (std::strcmp(method, MHD_HTTP_METHOD_GET) != 0 && std::strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
    return send(connection, {MHD_HTTP_METHOD_NOT_ALLOWED, "text/plain", "only GET\n"});
  return send(connection, (*static_cast<HttpServer::Handler*>(handler))(path));
}

// The last place is for whoever comes next: a client that does nothing would keep it for idle_seconds.
void note_client(void* clients, MHD_Connection* connection, void** /*state*/,
                 MHD_ConnectionNotificationCode what) {
  auto& [sockets, have_changed] = *static_cast<HttpClients*>(clients);
  have_changed = true;
  const int socket = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
  if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
    std::erase_if(sockets, [&](int each) { return each == socket; });
    return;
  }
  sockets.push_back(socket);
  if (sockets.size() < most_clients) return;
  (void)::shutdown(sockets.front(), SHUT_RDWR);  // the library notices, and closes it
  sockets.erase(sockets.begin());
}

}  // namespace

HttpServer::HttpServer(const std::string& where, Handler handler) : handler_(std::move(handler)) {
  UniqueFd listener = open_listener(where);
  if (where.starts_with('/')) socket_path_ = where;
  daemon_ = MHD_start_daemon(MHD_USE_EPOLL, 0, nullptr, nullptr, &handle, &handler_, MHD_OPTION_LISTEN_SOCKET,
                             listener.get(), MHD_OPTION_CONNECTION_LIMIT, most_clients,
                             MHD_OPTION_CONNECTION_TIMEOUT, idle_seconds, MHD_OPTION_NOTIFY_CONNECTION,
                             &note_client, &clients_, MHD_OPTION_END);
  if (daemon_ == nullptr) throw system_failure(fmt::format("serve HTTP on {}", where));
  (void)listener.release();  // the library closes it
}

HttpServer::~HttpServer() {
  MHD_stop_daemon(daemon_);
  if (!socket_path_.empty()) (void)::unlink(socket_path_.c_str());
}

int HttpServer::descriptor() const {
  return MHD_get_daemon_info(daemon_, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
}

// Where it was at its limit, the library listens again only with the run after the one in which a client has gone.
int HttpServer::timeout_ms() const {
  if (clients_.have_changed) return 0;
  MHD_UNSIGNED_LONG_LONG milliseconds = 0;
  if (MHD_get_timeout(daemon_, &milliseconds) != MHD_YES) return -1;
  return static_cast<int>(std::min<MHD_UNSIGNED_LONG_LONG>(milliseconds, std::numeric_limits<int>::max()));
}

void HttpServer::serve() {
  clients_.have_changed = false;
  (void)MHD_run(daemon_);
}

}  // namespace onlink::node
