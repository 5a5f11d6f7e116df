// SPDX-License-Identifier: Apache-2.0
// Figures of a running service: over HTTP (/metrics, /healthz, /readyz), or as a file for node_exporter (textfile).
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "node/directories.h"
#include "node/metrics/http_server.h"
#include "node/metrics/metrics.h"
#include "node/metrics/plugin_log.h"
#include "node/reconcile.h"
#include "node/service_state.h"

namespace onlink::node {

struct TelemetrySettings {
  std::string listen;  // see HttpServer; empty: no HTTP
  std::string file;    // empty: none
  std::string cni_conf_dir = "/etc/cni/net.d";
};

class Telemetry {
 public:
  // service: must outlive it. Throws Failure if it cannot listen, or write the file.
  Telemetry(TelemetrySettings settings, const ServiceState& service);

  // repair: the time since the kernel reported what had to be mended, if it did.
  void passed(const Pass& pass, std::chrono::duration<double> took,
              std::optional<std::chrono::duration<double>> repair);

  int descriptor() const { return server_ ? server_->descriptor() : -1; }
  // When serve() is needed even if descriptor() is not readable: CLOCK_MONOTONIC, milliseconds; largest value: never.
  std::int64_t due() const;
  // Does not wait or throw. Returns what is wrong with the file, once; else nothing.
  std::string serve();

 private:
  HttpResponse answer(std::string_view path);
  HttpResponse ready() const;
  std::string metrics();
  void look_at_networks();
  void write_file();

  TelemetrySettings settings_;
  const ServiceState& service_;
  Figures figures_;
  ProblemList problems_;
  std::map<std::string, PluginLog> logs_;  // by network
  std::optional<HttpServer> server_;
  std::int64_t next_look_ = 0;
  std::int64_t next_file_ = 0;
  std::string file_problem_;
};

}  // namespace onlink::node
