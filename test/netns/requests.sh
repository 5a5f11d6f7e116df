#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What pods, runtimes and people ask for in their own ways: keys in another case, annotations of a pod, misspelt keys,
# lists of configurations, names with the shell's letters in them.
. "$(dirname "$0")/lib.bash"
sysctl -qw net.ipv4.ip_forward=1
log=/run/work/log
detach() { cni DEL "$1"; ok "DEL $1"; ip netns del "$1"; }

# Keys as Go reads them: containerd writes the DNS of a pod so, people the range.
conf '.runtimeConfig.dns = {"Servers":["10.96.0.10"],"Searches":["a.b"],"Options":["ndots:5"]} | .ipam.rangestart = "10.10.0.100" | .IPMASQ = false'
pod p1; cni ADD p1; ok "ADD with keys of another case"
same "DNS of the runtime" "$(jq -cS .dns <<<"$out")" '{"nameservers":["10.96.0.10"],"options":["ndots:5"],"search":["a.b"]}'
same "rangestart" "$(address)" 10.10.0.100
detach p1
plugin=onlink-ipam; cni_path=/; conf '.ipam.rangestart = "10.10.0.200" | .name = "other"'; pod p1
cni ADD p1; ok "onlink-ipam with rangestart"; same "rangestart of onlink-ipam" "$(address)" 10.10.0.200; cni DEL p1; ok DEL
plugin=onlink; unset cni_path; ip netns del p1

# A key that nobody knows is no error: it is said.
conf '.mtuu = 1400 | .log = {"file":"'$log'","levle":"debug"} | .ipam.subnets = [] | .["cni.dev/x"] = 1'; pod p1
: >$log; cni ADD p1; ok "ADD with unknown keys"
for key in mtuu log.levle ipam.subnets; do checks=$((checks + 1)); grep -qF "unknown key \"$key\": ignored" $log || fail "$key is not in the log: $(cat $log)"; done
checks=$((checks + 1)); ! grep -F 'cni.dev' $log || fail "a key of libcni is called unknown"
detach p1
conf '.mtuu = 1400 | .ipam.resolvConf = "/nowhere"'; cni STATUS -; refused 50 resolvConf
holds "STATUS's details" '.details | contains("unknown key \"mtuu\"")' "$out"

# Annotations of a pod ask for addresses and a MAC, in both ways of writing a list.
annotated() { conf "$dual" ".runtimeConfig[\"io.kubernetes.cri.pod-annotations\"] = {\"example.com/other\": \"[\", \"onlink.io/ips\": $1, \"onlink.io/mac\": \"0a:00:00:00:00:07\"}"; }
for ips in '"[\"10.10.0.77\", \"fd00:10::77\"]"' '"10.10.0.77, fd00:10::77"'; do
  annotated "$ips"; pod p1; cni ADD p1; ok "ADD with annotations $ips"
  same "asked for by the pod" "$(jq -c '[.ips[].address] + [.interfaces[1].mac]' <<<"$out")" '["10.10.0.77/32","fd00:10::77/128","0a:00:00:00:00:07"]'
  detach p1
done
pod p1
annotated '"10.10.0.77.1"'; cni ADD p1; refused 7 "runtimeConfig.io.kubernetes.cri.pod-annotations.onlink.io/ips: must be an IP address"
annotated '"[10"'; cni ADD p1; refused 7 "onlink.io/ips: must be a list of addresses, not"
conf '.runtimeConfig["io.kubernetes.cri.pod-annotations"] = {"onlink.io/mac": "x"}'; cni ADD p1; refused 7 "onlink.io/mac: must be a MAC address"

# A list of configurations is for the runtime: what is to be done instead is said, and works.
conf; list=$(jq -c '{cniVersion, name, plugins: [del(.cniVersion, .name)]}' <<<"$conf")
conf=$list; cni ADD p1; refused 7 "plugins: this is a configuration list"
advice=$(jq -r .msg <<<"$out" | grep -o "jq '.*'")
conf=$(eval "$advice" <<<"$list"); cni ADD p1; ok "ADD with what the advice makes"; detach p1

# --explain, and the debug log, are safe to run: a name is a name.
for name in 'a;>pwn;#' '$(>pwn)' '`>pwn`' "'>pwn;'" 'a|>pwn' 'a&>pwn'; do
  pod p1; conf '.log = {"file":"'$log'","level":"debug"}'; : >$log; checks=$((checks + 1))
  explained=$(CNI_CONTAINERID=p1 CNI_NETNS=/run/netns/p1 CNI_IFNAME="$name" CNI_PATH=$bin "$bin/onlink" --explain <<<"$conf") || fail "--explain of $name"
  cni ADD p1 "$name"; ok "ADD of $name"; cni DEL p1 "$name"; ok "DEL of $name"
  sed -n '/^[^2]/p' $log >$work/logged
  (cd $work && bash <<<"$explained" >/dev/null 2>&1; bash $work/logged >/dev/null 2>&1) || true
  [ ! -e $work/pwn ] || fail "the name $name ran as a command"
  ip netns del p1; ip -o link show type veth | awk -F'[:@ ]+' '{ print $2 }' | while read -r link; do ip link del "$link" 2>/dev/null || true; done
done

# A log file that ADD refuses is not opened by DEL and GC either.
conf '.log.file = "relative"'; pod p1
(cd $work || exit; cni ADD p1; refused 7 log.file; cni DEL p1; ok DEL; conf '.log.file = "relative" | .["cni.dev/valid-attachments"] = []'; cni GC -; ok GC)
checks=$((checks + 1)); [ ! -e $work/relative ] || fail "DEL or GC has made a log file at a relative path"

# The same network twice in one container, as with bridge: the first stays in use, the second for what is bound to it; IPv6
# is not spread.
for families in '.' "$dual"; do
  pod p2; conf "$families"; cni ADD p2 eth0; ok "ADD of eth0"; first=$out; cni ADD p2 net1; ok "ADD of net1, the same network"; second=$out
  for address in $(jq -r '.ips[].address | sub("/.*"; "")' <<<"$first"); do
    ping -qc1 -W5 "$address" >/dev/null || fail "$address is not reached"; checks=$((checks + 1))
  done
  for name in eth0 net1; do
    ip netns exec p2 ping -qc1 -W5 -I $name 192.0.2.1 >/dev/null || fail "$name does not reach the host"; checks=$((checks + 1))
  done
  for family in 4 6; do
    [ $family = 4 ] || [ "$families" != . ] || continue
    holds "the default route in use is that of eth0" 'length == 2 and .[0].dev == "eth0" and .[1].dev == "net1"' \
      "$(ip -n p2 -j -$family route show default | jq 'sort_by(.metric // 0)')"
  done
  conf "$families"; with_prev "$first"; cni CHECK p2 eth0; ok "CHECK of eth0"; conf "$families"; with_prev "$second"; cni CHECK p2 net1; ok "CHECK of net1"
  conf "$families"; cni DEL p2 eth0; ok "DEL of eth0"; ip netns exec p2 ping -qc1 -W5 192.0.2.1 >/dev/null || fail "net1 alone does not reach the host"
  cni DEL p2 net1; ok "DEL of net1"; ip netns del p2
done

# GATEWAY of CNI_ARGS is static's, as ptp lets it pass.
conf '.cniVersion = "1.0.0" | .ipam = {"type":"static"}'; cni_args='IP=10.60.0.5/24;GATEWAY=10.60.0.1'
cni ADD p1; ok "ADD with GATEWAY"; same "its address" "$(address)" 10.60.0.5; with_prev "$out"; cni CHECK p1; ok CHECK; cni DEL p1; ok DEL

# Addresses that no pod can use; a MTU that IPv6 cannot use; a type with a NUL in it.
cni_args=
conf '.ipam.subnet = "169.254.0.0/16"'; cni ADD p1; refused 7 "169.254.1.1"
conf "$dual" '.mtu = 1279'; cni ADD p1; refused 7 "mtu: 1279 is less than the 1280 that IPv6 needs"
conf '.mtu = 1279'; cni ADD p1; ok "IPv4 with a small MTU"; cni DEL p1; ok DEL
conf '.mtu = 576'; cni ADD p1; ok "IPv4 with an MTU that IPv6 cannot have"; with_prev "$out"; cni CHECK p1; ok CHECK; cni DEL p1; ok DEL
conf=${conf/onlink-ipam/host\\u0000local}; cni ADD p1; refused 7 "ipam.type"
conf "$ipv6" '.gateway6 = "fec0::1"'; cni ADD p1; ok "a gateway of the site-local kind"
same "it is beside the link-local one" "$(ip -j -6 addr show dev "$(jq -r '.interfaces[0].name' <<<"$out")" | jq -c '[.[].addr_info[].local] | sort')" '["fe80::ecee:eeff:feee:eeee","fec0::1"]'
detach p1


# The code that a delegated plugin gives is the caller's to know, also where something else has failed as well.
mkdir $work/plugins
cat >$work/plugins/strict <<'P'
#!/bin/sh
case $CNI_COMMAND in
  ADD) echo '{"cniVersion":"1.0.0","ips":[{"address":"10.70.0.5/24"}]}' ;;
  DEL | CHECK) echo '{"cniVersion":"1.0.0","code":4242,"msg":"the address manager is on strike"}'; exit 1 ;;
esac
P
chmod +x $work/plugins/strict; cni_path=$work/plugins
pod p1; conf '.cniVersion = "1.0.0" | .ipam = {"type":"strict"}'; cni ADD p1; ok "ADD with another IPAM plugin"; with_prev "$out"
cni CHECK p1; refused 4242 "on strike"
cni DEL p1; refused 4242 "on strike"
same "the interface is gone all the same" "$(ip -o link show type veth)" ""
done_testing
