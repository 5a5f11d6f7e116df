# shellcheck shell=bash disable=SC2034,SC2154
# SPDX-License-Identifier: Apache-2.0
# Helpers of the cases. `run` exports PLUGIN, KIND, BASE (the configuration), VERSION and SUPPORTED (protocol versions), IFNAME,
# HOST_SETUP, CNI_DIRS, DELEGATES (ipam.type of a main plugin), WORK and STATE. Inside run's private namespaces the names
# "host" and "pod" belong to us. Variables a case may set before it calls: conf, id, netns, ifname, cni_path, args.

set +T  # bats traps every command of functions otherwise, which doubles the time of a case
SUITE=$BATS_TEST_DIRNAME
out=$WORK/out err=$WORK/err result=$WORK/result.json attached=$WORK/attached.json
recorder=$WORK/recorder
LIMIT=20  # seconds that one call may take

fail() { printf '%s\n' "$@"; return 1; }

setup() { fresh_world; }

# fresh_world: an empty host, an empty container, no state of any plugin.
fresh_world() {
  local place
  for place in /run/* /var/lib/cni/* "$STATE"/* "$recorder"/log/* "$recorder"/bin/fail.*; do
    case $place in /run/netns | /run/lock | "$WORK" | "$STATE" | *\*) ;; *) rm -rf "$place" ;; esac
  done
  { for place in /run/netns/*; do [[ ! -e $place ]] || echo "netns del ${place##*/}"; done
    printf 'netns add %s\n' host pod; } | ip -batch -
  ip netns exec host sh -c "$PLAIN; ip link set lo up; $HOST_SETUP"
  ip netns exec pod sh -c "$PLAIN"
  conf=$BASE id=case$RANDOM$RANDOM netns=/run/netns/pod ifname=$IFNAME cni_path=$CNI_DIRS args=''
}

# The settings of a new namespace: the kernel's own, whatever the machine's are. Without duplicate address detection no case
# waits for an IPv6 address. (A kernel without IPv6 has no such files.)
PLAIN="'$SUITE/../netns/namespace'"'; for all in /proc/sys/net/ipv6/conf/*/accept_dad; do echo 0 >"$all"; done 2>/dev/null'
new_netns() { ip netns add "$1" && ip netns exec "$1" sh -c "$PLAIN"; }

# cni VERB [-VARIABLE | VARIABLE=VALUE ...]: calls the plugin on the fake host; exit status in rc, streams in $out and $err.
# -VARIABLE leaves that variable out.
cni() {
  local -A env=([CNI_COMMAND]=$1 [CNI_CONTAINERID]=$id [CNI_NETNS]=$netns [CNI_IFNAME]=$ifname [CNI_PATH]=$cni_path [PATH]=$PATH)
  [[ ! $args ]] || env[CNI_ARGS]=$args
  shift
  local change name vars=()
  for change in "$@"; do
    if [[ $change == -* ]]; then unset "env[${change#-}]"; else env[${change%%=*}]=${change#*=}; fi
  done
  for name in "${!env[@]}"; do vars+=("$name=${env[$name]}"); done
  rc=0
  ip netns exec host timeout -k 1 "$LIMIT" env -i "${vars[@]}" "$PLUGIN" <"$conf" >"$out" 2>"$err" || rc=$?
}

said() { printf 'exit %s, stdout: %s stderr: %s' "$rc" "$(tr '\n' ' ' <"$out" | head -c 600)" "$(tr '\n' ' ' <"$err" | head -c 300)"; }
must_succeed() { cni "$@"; ((rc == 0)) || fail "$1 ${*:2} failed: $(said)"; }
must_fail() {
  cni "$@"
  ((rc != 124 && rc != 137)) || fail "$1 ${*:2} did not end within $LIMIT s"
  ((rc != 0)) || fail "$1 ${*:2} should have failed: $(said)"
}

# configure FILTER [FILE]: the case's configuration, changed.
configure() { jq "$1" "${2:-$conf}" >"$WORK/conf.tmp" && mv "$WORK/conf.tmp" "$WORK/conf.json" && conf=$WORK/conf.json; }

# attach: ADD that must work. Its result is $result; the configuration with it as prevResult is $attached.
attach() {
  must_succeed ADD "$@" || return
  remember
}
remember() {  # of the ADD just done
  cp "$out" "$result"
  local object
  object=$(<"$conf")
  printf '%s, "prevResult": %s}\n' "${object%\}*}" "$(<"$out")" >"$attached"  # by hand: jq takes longer than an ADD
}
detach() { conf=$attached must_succeed DEL "$@"; }

# judge FILTER [FILE]: FILTER yields a sentence for each thing that is wrong with FILE; none is a pass.
judge() {
  local wrong
  [[ -s ${2:-$out} ]] || fail "nothing was printed" || return
  wrong=$(jq -r -L "$SUITE" "include \"judge\"; $1" "${2:-$out}" 2>&1) || fail "cannot be judged: $wrong" || return
  [[ ! $wrong ]] || fail "$wrong"
}

code_is() {  # code_is CODE...: the error on $out has one of these codes
  judge "(.code // \"no code\") as \$c | select(\$c | IN($(IFS=,; echo "$*")) | not) | \"code is \(\$c), not $*: \(.msg)\""
}

# --- does not apply

version_number() { local IFS=.; set -- $1; echo $(($1 * 10000 + $2 * 100 + $3)); }
since() { (($(version_number "$VERSION") >= $(version_number "$1"))) || skip "$2 came with $1, the plugin supports up to $VERSION"; }
for_main() { [[ $KIND == main ]] || skip "an IPAM plugin ${1:-makes no interface}"; }
for_ipam() { [[ $KIND == ipam ]] || skip "a main plugin, not an IPAM plugin"; }
rich_result() { since 0.3.0 "interfaces in a result"; }

# --- the kernel

link_exists() { ip -n "$1" link show dev "$2" >/dev/null 2>&1; }
makes_interface() {
  for_main
  ! link_exists pod "$ifname" || skip "adjusts $ifname, which every container has"
}

snapshot() {
  { ip -n "$1" -j addr show; ip -n "$1" -j route show table all; ip -n "$1" -j rule show; ip -n "$1" -6 -j rule show
    ip -n "$1" -j neigh show nud permanent; } | jq -rs -L "$SUITE" 'include "judge"; snapshot' | sort
  ruleset || true
}
ruleset() { ip netns exec host nft -s list ruleset 2>/dev/null; }
same() { diff "$1" "$2" >"$WORK/diff" || fail "not as before ($3):" "$(grep '^[<>]' "$WORK/diff")"; }

# warm_up: one attachment comes and goes, so that what a network's attachments share (a bridge, chains) is there before.
warm_up() {
  new_netns warm
  id=warm-up netns=/run/netns/warm attach
  id=warm-up netns=/run/netns/warm detach
  ip netns del warm
  snapshot host >"$WORK/host.before"
}

# traces_of ID: where plugins have written ID: files under the state directories, firewall rules, link aliases.
traces_of() {
  local places=("$STATE" /var/lib/cni /run)
  { grep -rlF --exclude-dir="${WORK##*/}" --exclude-dir=netns -- "$1" "${places[@]}"
    find "${places[@]}" \( -path "$WORK" -o -path /run/netns \) -prune -o -name "*$1*" -print
    ruleset | grep -F -- "$1"
    ip -n host -d link show | grep -F -- "$1"; } 2>/dev/null | sort -u || true
}
no_traces_of() { local left; left=$(traces_of "$1"); [[ ! $left ]] || fail "still names $1: $left"; }

# observe FILE: the world after `attach`, for judge.jq; $WORK/host.links holds the host's links from before.
observe() {
  local gateway
  jq -r '[.ips[]?.gateway | strings | select(. != "")] | unique[]' "$result" | while read -r gateway; do
    { ip -n pod -j route get "$gateway" 2>/dev/null || echo '[{}]'; } | jq -c --arg g "$gateway" '{($g): .[0]}'
  done >"$WORK/gateways"
  ip -n host -j addr show >"$WORK/host.now"; ip -n pod -j addr show >"$WORK/pod.links"; ip -n pod -j route show table all >"$WORK/pod.routes"
  jq -n --arg netns "$netns" --arg ifname "$ifname" --arg v "$VERSION" --slurpfile r "$result" --slurpfile before "$WORK/host.links" \
    --slurpfile after "$WORK/host.now" --slurpfile links "$WORK/pod.links" --slurpfile routes "$WORK/pod.routes" --slurpfile g "$WORK/gateways" \
    '{$netns, $ifname, version: $v, result: $r[0], host: {before: $before[0], after: $after[0]},
      pod: {links: $links[0], routes: $routes[0]}, gateways: ($g | add)}' >"$1"
}

# --- IPAM: the address pool of a configuration in host-local's form, and the recording delegate

# pool_of N: the configuration's first range is narrowed to N addresses; others are dropped.
pool_of() {
  configure "$1 as \$n | (.ipam.ranges[0][0].subnet? // .ipam.subnet?) as \$net
    | if (\$net // \"\" | test(\"^[0-9]+[.][0-9]+[.][0-9]+[.]0/(1?[0-9]|2[0-4])\$\")) then (\$net | split(\".\")[:3] | join(\".\")) as \$p
        | .ipam |= (del(.subnet, .rangeStart, .rangeEnd, .gateway)
            | .ranges = [[{subnet: \$net, rangeStart: \"\(\$p).10\", rangeEnd: \"\(\$p).\(9 + \$n)\"}]])
      else null end" "$BASE"
  [[ $(<"$conf") != null ]] || { conf=$BASE; skip "the configuration has no IPv4 range in host-local's form that could be narrowed"; }
}

delegating() {
  for_main "delegates nothing"
  [[ $DELEGATES ]] || skip "the configuration has no ipam section to delegate to"
}
record() { delegating; conf=$recorder/conf.json cni_path=$recorder/empty:$recorder/bin:$CNI_DIRS; }
delegate_fails() {
  printf '{"cniVersion":"%s","code":%s,"msg":"the delegate refuses %s","details":"on purpose"}' "$VERSION" "${2:-111}" "$1" >"$recorder/bin/fail.$1"
}
delegate_saw() { grep -qx "$1" "$recorder/log/calls" 2>/dev/null || fail "the delegated plugin was not executed for $1"; }
forget_calls() { rm -rf "${recorder:?}"/log/*; }
