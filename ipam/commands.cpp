// SPDX-License-Identifier: Apache-2.0
#include "ipam/commands.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <exception>
#include <functional>
#include <map>
#include <optional>
#include <utility>

#include "base/failure.h"
#include "base/json_reader.h"
#include "base/text.h"
#include "cni/names.h"
#include "ipam/ledger.h"
#include "ipam/survey.h"

namespace onlink::ipam {
namespace {

using nlohmann::json;

struct Options {
  std::string command;
  std::optional<std::string> operand;
  std::optional<std::string> network;
  Config config;
  bool json = false;
  bool watch = false;
  bool help = false;
};

// A command line that cannot be understood.
class UsageError : public Failure {
 public:
  using Failure::Failure;
};

Options parse_options(const std::vector<std::string_view>& arguments) {
  Options options;
  options.command = arguments.empty() ? "" : arguments[0];
  std::map<std::string_view, bool*> flags{
      {"--help", &options.help}, {"-h", &options.help}, {"--json", &options.json}};
  if (options.command == "list") flags["--watch"] = &options.watch;
  const std::map<std::string_view, std::function<void(std::string)>> values{
      {"--network", [&](std::string value) { options.network = std::move(value); }},
      {"--data-dir", [&](std::string value) { options.config.data_dir = std::move(value); }},
      {"--run-dir", [&](std::string value) { options.config.run_dir = std::move(value); }}};
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    const std::string_view argument = arguments[i];
    if (const auto flag = flags.find(argument); flag != flags.end()) {
      *flag->second = true;
    } else if (const auto value = values.find(argument); value != values.end()) {
      if (i + 1 == arguments.size()) throw UsageError(fmt::format("{} needs a value", argument));
      value->second(std::string(arguments[++i]));
    } else if (argument.starts_with('-')) {
      throw UsageError(fmt::format("unknown option {}", argument));
    } else if (options.operand) {
      throw UsageError(fmt::format("one argument too many: {}", argument));
    } else {
      options.operand = argument;
    }
  }
  if (options.command != "release" && options.operand) {
    if (options.network) throw UsageError("the network is named twice");
    options.network = options.operand;
  }
  if (const auto problem = options.network ? cni::problem_of_name(*options.network) : std::nullopt)
    throw UsageError(fmt::format("network \"{}\": {}", *options.network, *problem));
  return options;
}

Config config_of(const Options& options, const std::string& network) {
  static NamedHostEnds host_ends;
  Config config = options.config;
  config.network = network;
  config.host_ends = &host_ends;
  return config;
}

Failure no_network(const Config& config) {
  return Failure(fmt::format("there is no network {} in {}", config.network, config.data_dir), ENOENT);
}

std::string to_string(Verdict::State state) {
  if (state == Verdict::State::alive) return "alive";
  return state == Verdict::State::stale ? "stale" : "unknown";
}

json to_json(const Judged& item, const std::string& network) {
  const Reservation& reservation = item.reservation;
  json row{{"network", network},
           {"address", reservation.address.to_string()},
           {"containerID", reservation.owner.container_id},
           {"ifname", reservation.owner.ifname},
           {"state", to_string(item.verdict.state)},
           {"why", item.verdict.why}};
  if (!reservation.pod.empty()) row["pod"] = reservation.pod;
  if (reservation.obstacle.empty()) row["since"] = modified_in_utc(reservation.file);
  return row;
}

std::string to_table(const json& rows) {
  constexpr std::array<std::array<const char*, 2>, 8> columns{{{"network", "NETWORK"},
                                                               {"address", "ADDRESS"},
                                                               {"containerID", "CONTAINER"},
                                                               {"ifname", "INTERFACE"},
                                                               {"pod", "POD"},
                                                               {"since", "SINCE"},
                                                               {"state", "STATE"},
                                                               {"why", "WHY"}}};
  std::vector<std::string> lines(rows.size() + 1);
  for (const auto& [key, title] : columns) {
    std::vector<std::string> cells{title};
    for (const json& row : rows) {
      const std::string text = printable(row.value(key, ""));
      cells.push_back(text.empty() ? "-" : text);
    }
    const bool told =
        std::any_of(cells.begin() + 1, cells.end(), [](const std::string& cell) { return cell != "-"; });
    if (key == std::string_view("pod") && !told) continue;  // not Kubernetes: no pod names
    std::size_t width = 0;
    for (const std::string& cell : cells) width = std::max(width, cell.size());
    for (std::size_t i = 0; i < lines.size(); ++i)
      lines[i] += key == columns.back()[0] ? cells[i] : fmt::format("{:<{}}  ", cells[i], width);
  }
  return fmt::format("{}\n", fmt::join(lines, "\n"));
}

// "network net1: 4 reserved, 1 of them stale"
std::string sum_up(const Survey& survey) {
  return fmt::format("network {}: {} reserved, {} of them stale", survey.network, survey.items.size(),
                     survey.count(Verdict::State::stale));
}

Answer list(const Options& options) {
  json rows = json::array();
  std::string sums;
  for (const std::string& network :
       options.network ? std::vector{*options.network} : list_networks(options.config.data_dir)) {
    const Config config = config_of(options, network);
    const auto survey = Survey::make(config);
    if (!survey) throw no_network(config);
    for (const Judged& item : survey->items) rows.push_back(to_json(item, network));
    sums += sum_up(*survey) + "\n";
  }
  return {options.json ? dump_json(rows, 2) + "\n" : to_table(rows) + sums, "", 0, options.watch};
}

// The network in which the address is reserved, where none was named.
std::string find_network(const Config& config, const IpAddress& address) {
  std::vector<std::string> found;
  for (const std::string& network : list_networks(config.data_dir)) {
    const auto folder = Folder::peek(config.data_dir, network);
    if (folder && folder->exists(address)) found.push_back(network);
  }
  if (found.empty())
    throw Failure(
        fmt::format("{} is not reserved in any network of {}", address.to_string(), config.data_dir), ENOENT);
  if (found.size() > 1)
    throw Failure(fmt::format("{} is reserved in more than one network: name one of {} with --network",
                              address.to_string(), fmt::join(found, ", ")));
  return found.front();
}

Answer release(const Options& options) {
  const auto address = options.operand ? IpAddress::parse(*options.operand) : std::nullopt;
  if (!address)
    throw UsageError(options.operand ? fmt::format("\"{}\" is not an IP address", *options.operand)
                                     : "release needs an address");
  const Config config =
      config_of(options, options.network ? *options.network : find_network(options.config, *address));
  Answer answer;
  // Looked at first: a folder that is not ours gets no lock file.
  const auto folder = Folder::peek(config.data_dir, config.network);
  const auto ledger = folder && folder->exists(*address)
                          ? Ledger::open(config, Folder::IfMissing::nothing,
                                         [&](const std::string& note) { answer.error += note + "\n"; })
                          : nullptr;
  const auto reservation = ledger ? ledger->folder().read(*address) : std::nullopt;
  if (!reservation)
    throw Failure(fmt::format("{} is not reserved in network {}", address->to_string(), config.network),
                  ENOENT);
  if (!reservation->obstacle.empty())
    throw Failure(fmt::format("{}/{} is {}: remove it yourself", ledger->folder().path(),
                              address->to_string(), reservation->obstacle));
  const Verdict verdict = ledger->evidence().judge({*reservation}).front().verdict;
  ledger->give_back(*reservation);
  answer.output = fmt::format("released {} of network {}: it was held by {} since {} ({}: {})\n",
                              address->to_string(), config.network, printable(describe(reservation->owner)),
                              modified_in_utc(reservation->file), to_string(verdict.state), verdict.why);
  return answer;
}

// The host has one route to an address: of two `onlink` networks that reserve it, one cannot use it.
void find_overlaps(std::vector<Survey>& surveys) {
  std::map<IpAddress, std::vector<Survey*>> holders;
  for (Survey& survey : surveys)
    for (const Judged& item : survey.items)
      if (item.record && !item.record->home.empty()) holders[item.reservation.address].push_back(&survey);
  for (const auto& [address, networks] : holders)
    for (Survey* one : networks)
      for (const Survey* other : networks)
        if (one != other)
          one->faults.push_back(fmt::format("{} is reserved in network {} too: the two networks overlap",
                                            address.to_string(), other->network));
}

Answer check(const Options& options) {
  std::vector<Survey> surveys;
  for (const std::string& network : list_networks(options.config.data_dir))
    if (auto survey = Survey::consistent(config_of(options, network))) surveys.push_back(std::move(*survey));
  find_overlaps(surveys);
  if (options.network)
    std::erase_if(surveys, [&](const Survey& survey) { return survey.network != *options.network; });
  if (options.network && surveys.empty()) throw no_network(config_of(options, *options.network));
  Answer answer;
  json rows = json::array();
  for (const Survey& survey : surveys)
    rows.push_back({{"network", survey.network},
                    {"reserved", survey.items.size()},
                    {"stale", survey.count(Verdict::State::stale)},
                    {"faults", survey.faults},
                    {"remarks", survey.remarks}});
  if (options.json) answer.output = dump_json(rows, 2) + "\n";
  for (const Survey& survey : surveys) {
    if (!survey.faults.empty()) answer.status = 1;
    if (options.json) continue;
    answer.output += fmt::format("{}; {} faults\n", sum_up(survey), survey.faults.size());
    for (const std::string& remark : survey.remarks) answer.output += "  " + printable(remark) + "\n";
    for (const std::string& fault : survey.faults) answer.output += "  fault: " + printable(fault) + "\n";
  }
  return answer;
}

}  // namespace

std::string help_text() {
  return fmt::format(R"(onlink-ipam - address manager for containers: CNI IPAM plugin with host-local's files

Called by a CNI plugin with CNI_COMMAND and the other variables of the CNI specification, and the configuration
on standard input ("ipam": {{"type": "onlink-ipam", ...}}). For people:

  onlink-ipam list [NETWORK]      list the reserved addresses: container, interface, pod (if Kubernetes gave its
                                  name), since when, whether the attachment is alive, stale (proved dead) or
                                  unknown (treated as alive), and why; and how many there are
  onlink-ipam release ADDRESS     release an address, even that of a living pod
  onlink-ipam check [NETWORK]     check that files, index and records agree
  onlink-ipam --version, --help

  --json              list, check: print JSON
  --watch             list: repeat every two seconds, until Ctrl-C
  --network NETWORK   release: the network, where several have the address
  --data-dir FOLDER   dataDir of the configuration, default {}
  --run-dir FOLDER    runDir of the configuration, default {}

Exit status: 0 success; 1 failure, or check found faults; 2 wrong command line.
)",
                     default_data_dir, default_run_dir);
}

Answer run_command(const std::vector<std::string_view>& arguments) {
  try {
    const Options options = parse_options(arguments);
    if (options.help) return {help_text(), "", 0};
    if (options.command == "list") return list(options);
    if (options.command == "release") return release(options);
    if (options.command == "check") return check(options);
    throw UsageError(fmt::format("unknown command {}", options.command));
  } catch (const UsageError& error) {
    return {"", fmt::format("onlink-ipam: {} (see --help)\n", error.what()), 2};
  } catch (const std::exception& error) {
    return {"", fmt::format("onlink-ipam: {}\n", error.what()), 1};
  }
}

}  // namespace onlink::ipam
