// SPDX-License-Identifier: Apache-2.0
// Answers GET and HEAD requests beside the other work of a process: without a thread, and without waiting for slow
// clients, of which the oldest makes room for one more. For a trusted network: no TLS, no authentication. libmicrohttpd
// has the protocol.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"

struct MHD_Daemon;

namespace onlink::node {

struct HttpResponse {
  unsigned status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

struct HttpClients {
  std::vector<int> sockets;  // the oldest first
  bool have_changed = false;
};

class HttpServer {
 public:
  using Handler = std::function<HttpResponse(std::string_view path)>;

  // Where it listens, in the caller's network namespace: "ADDRESS:PORT" ("127.0.0.1:9469", "[::1]:9469"), or the path
  // of a unix socket, which begins with "/". A socket that nobody listens on any more is replaced; the mode is 0660.
  // Throws Failure that says what is wrong with `where`, or why the kernel refuses it.
  HttpServer(const std::string& where, Handler handler);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Readable when serve() has something to do.
  int descriptor() const;
  // In how many milliseconds serve() is needed even if descriptor() is not readable; -1: never.
  int timeout_ms() const;
  // Does what can be done without waiting. Calls the handler, which must not throw.
  void serve();

 private:
  std::string socket_path_;
  Handler handler_;
  HttpClients clients_;
  MHD_Daemon* daemon_ = nullptr;
};

}  // namespace onlink::node
