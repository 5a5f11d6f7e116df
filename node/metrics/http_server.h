// SPDX-License-Identifier: Apache-2.0
// Answers GET requests, beside the other work of a process: no thread, and nothing waits for a client that is slow. For
// a network that is trusted: no TLS, nobody is asked who he is. libmicrohttpd has the protocol.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/unique_fd.h"

struct MHD_Daemon;

namespace onlink::node {

struct HttpAnswer {
  unsigned status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

class HttpServer {
 public:
  using Handler = std::function<HttpAnswer(std::string_view path)>;

  // Where it listens, in the caller's network namespace: "ADDRESS:PORT" ("127.0.0.1:9469", "[::1]:9469"), or the path of
  // a unix socket, which begins with "/". A socket that nobody listens on any more is replaced; its mode is 0660.
  // Throws Failure naming what is wrong with it, or why the kernel refuses it.
  HttpServer(const std::string& where, Handler handler);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Readable when serve() has something to do.
  int descriptor() const;
  // When it has something to do all the same: in so many milliseconds; -1: no such time.
  int timeout_ms() const;
  // Does what can be done at once. Calls the handler, which must not throw.
  void serve();

 private:
  std::string socket_path_;
  Handler handler_;
  MHD_Daemon* daemon_ = nullptr;
};

}  // namespace onlink::node
