#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What is wrong is named before anything is touched: after each refused call the host, the container and the files are
# as before.
. "$(dirname "$0")/lib.bash"

sysctl -qw net.ipv4.ip_forward=1
pod p1
state() { snapshot; snapshot p1; files; cat /proc/sys/net/ipv4/ip_forward; }
before=$(state)
unchanged() { same "unchanged after: $1" "$(state)" "$before"; }
add_refused() { # CODE TEXT
  cni ADD p1; refused "$1" "$2"; unchanged "$2"
}

# All problems of a configuration in one message, each with its key.
conf '.mtu = "big" | .gateway4 = "fe80::1" | .hostMAC = "ff:ff:ff:ff:ff:ff" | .hostInterfacePrefix = "toolong" | .ipam.subnet = "10.10.0.0/99" | .log.level = "loud"'
cni ADD p1
for key in mtu gateway4 hostMAC hostInterfacePrefix ipam log.level; do refused 7 "$key"; done
unchanged "many problems"
conf '.mtu = 12'; add_refused 7 "mtu"
for gateway in 127.0.0.1 255.255.255.255 224.0.0.1 0.0.0.1 ::1 ff02::1 ::; do
  key=gateway4; [ "${gateway#*:}" = "$gateway" ] || key=gateway6
  conf ".$key = \"$gateway\""; add_refused 7 "$key: $gateway is of "
done
for other in '"dst":"10.9.0.0/16"' '"dst":"10.9.1.2/16","table":254' '"dst":"10.9.0.0/16","mtu":1400'; do
  conf ".ipam.routes = [{\"dst\":\"10.9.0.0/16\"},{$other}]"; add_refused 7 "ipam.routes: 10.9."
done
conf '.ipam.type = "../../tmp/evil"'; add_refused 7 "ipam.type"
conf 'del(.ipam)'; add_refused 7 "ipam.type"
conf '.name = "../etc"'; add_refused 7 "name"
conf 'del(.name)'; add_refused 7 "name"
conf '.cniVersion = "9.9.9"'; add_refused 1 "9.9.9"
conf '.runtimeConfig.mac = "01:00:00:00:00:01"'; add_refused 7 "mac"
conf; conf='{"name": "net1"'; add_refused 6 "standard input"
conf
conf '.runtimeConfig = "x"'; cni ADD p1
same "said once" "$(jq -r .msg <<<"$out")" 'configuration of network net1: runtimeConfig: must be an object, not "x"'
cni_args="MAC=nonsense"; add_refused 4 "MAC"
cni_args="UNHEARD=1"; add_refused 4 "UNHEARD"
cni_args=

# STATUS knows what every ADD needs; runDir is not, as all that is in it is a hint.
conf '.gateway4 = "127.0.0.1"'; cni STATUS -; refused 50 gateway4
echo file >"$work/file"
conf ".ipMasq = true | .ipam.runDir = \"$work/file\" | .log = {\"file\":\"$work/no-run-dir.log\",\"level\":\"info\"}"; cni STATUS -; ok "STATUS where runDir is a file"
cni ADD p1; ok "ADD where runDir is a file"; cni DEL p1; ok "DEL where runDir is a file"
same "what is said of a record that cannot be there" "$(grep 'the record of' $work/no-run-dir.log)" ""
conf

# Names.
for container in "" "../x" "a/b" "a b" ".hidden"; do
  netns=/run/netns/p1; cni ADD "$container"; refused 4 CNI_CONTAINERID; unchanged "container ID '$container'"
done
for ifname in . .. a/b a:b "a b" sixteen-letters- all default; do
  cni ADD p1 "$ifname"; refused 4 CNI_IFNAME; unchanged "ifname '$ifname'"
done

# The longest container ID that the kernel has room for in an alias, and one that is longer by a letter.
for length in 238 237; do
  id=$(printf 'c%.0s' $(seq $length)); netns=/run/netns/p1; cni ADD "$id"
  if [ $length = 237 ]; then ok "ADD of an ID of 237 letters"; else refused 4 "CNI_CONTAINERID: "; unchanged "an ID of $length letters"; fi
done
cni DEL "$id"; ok "DEL of an ID of 237 letters"
unset netns

# Addresses that another IPAM plugin gives, and no pod can use.
for given in 127.0.0.5/8 224.0.0.1/4 255.255.255.255/32 fe80::5/64; do
  conf ".cniVersion = \"1.0.0\" | .ipam = {\"type\":\"static\",\"addresses\":[{\"address\":\"$given\"}]}"
  add_refused 100 "the IPAM gave $given"
done

# A prefix that an interface of the host has: packets from it would be dropped as a pod's that are forged.
sysctl -qw net.ipv4.ip_forward=0
ip link add upl0 type bridge; before=$(state)
conf '.hostInterfacePrefix = "up"'; add_refused 7 'begins the name of upl0 too'
cni STATUS -; refused 50 hostInterfacePrefix
ip link del upl0; before=$(state)

# Another interface has the name of the host end.
conf
cni ADD p1; ok ADD; name=$(jq -r '.interfaces[0].name' <<<"$out"); cni DEL p1; ok DEL
sysctl -qw net.ipv4.ip_forward=0
find /var/lib/cni -type f -delete
ip link add "$name" type bridge; before=$(state)
add_refused 100 "host interface $name exists already (no alias)"
same "files" "$(find /var/lib/cni -type f)" ""
ip link del "$name"; before=$(state)

# The namespace.
mkfifo "$work/fifo"
for netns in "$work" "$work/fifo" /dev/zero /proc/self/ns/mnt /etc/hostname; do
  cni ADD p1; refused 4 "$netns"; unchanged "netns $netns"
done
netns=/run/netns/absent; cni ADD p1; refused 3 "/run/netns/absent"; unchanged "absent netns"
netns=/proc/self/ns/net; cni ADD p1; refused 4 "own network namespace"; unchanged "own netns"
unset netns

# The interface is there already.
ip -n p1 link add eth0 type veth peer name other
before=$(state)
cni ADD p1; refused 100 "eth0 exists already"; unchanged "taken interface name"
ip -n p1 link del eth0
before=$(state)

# The address is already routed, by somebody else or by the host itself.
ip route add 10.10.0.9/32 dev lo proto bird
before=$(state)
conf '.ipam.cooldown = 0 | .runtimeConfig.ips = ["10.10.0.9"] | .capabilities.ips = true'
cni ADD p1; refused 100 "held by proto bird"; unchanged "foreign route"
ip route del 10.10.0.9/32
ip addr add 10.10.0.9/32 dev lo
before=$(state)
cni ADD p1; refused 100 "10.10.0.9"; unchanged "address of the host"
ip addr del 10.10.0.9/32 dev lo
before=$(state)

# A second ADD of a living attachment says so, and leaves it as it is.
conf
cni ADD p1; ok "ADD"; first=$out
settled
before=$(state)
cni ADD p1; refused 100 ""; unchanged "repeated ADD"
with_prev "$first"; cni CHECK p1; ok "CHECK after the repeated ADD"
done_testing
