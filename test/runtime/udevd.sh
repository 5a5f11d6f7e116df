#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# systemd-udevd with its default link policy (MACAddressPolicy=persistent) and a distribution's sysctl.d runs beside 100
# ADDs: no MAC changes, no setting changes, CHECK agrees. An ordinary veth shows that udevd is at work.
. "$(dirname "$0")/lib.bash"
udevd=/lib/systemd/systemd-udevd
need $udevd udev; need udevadm udev
mkdir $work/etc $work/etc-work
mount -t overlay -o "lowerdir=/etc,upperdir=$work/etc,workdir=$work/etc-work" overlay /etc
[ -s /etc/machine-id ] || echo 0123456789abcdef0123456789abcdef >/etc/machine-id  # of which persistent MACs are made
rm -rf /etc/systemd/network /etc/udev/rules.d; mkdir -p /etc/sysctl.d
echo 'net.ipv4.conf.*.rp_filter = 2' >/etc/sysctl.d/50-default.conf  # systemd's own, where distributions keep it
$udevd >$work/udevd.log 2>&1 & daemon=$!
until_true 10 udevadm control --ping 2>/dev/null || fail "udevd: $(tail $work/udevd.log)"
udevadm trigger --action=add /sys/class/net/lo
# udevd has a record of every interface, and nothing more to do.
recorded() { local link; for link in /sys/class/net/*; do [ -e "/run/udev/data/n$(<"$link/ifindex")" ] || return 1; done; }
settled() { until_true 30 recorded && udevadm settle --timeout 30 || fail "udevd did not finish"; }

# A MAC that the kernel has drawn (addr_assign_type 1) is replaced by one that udevd has made (3).
ip link add ordinary type veth peer name peer
settled
same "udevd gives MACs" "$(cat /sys/class/net/ordinary/addr_assign_type)" 3
ip link del ordinary

attach() { # COUNT
  local i
  conf '.ipam.subnet = "10.10.0.0/16"'
  for i in $(seq "$1"); do pod "p$i"; cni ADD "p$i"; ok "ADD p$i"; echo "$out" >$work/p$i.json; done
  settled
}
detach() { for i in $(seq "$1"); do cni DEL "p$i"; ok "DEL p$i"; ip netns del "p$i"; done; settled; }
host_ends() { ip -j link | jq -r '.[].ifname | select(startswith("onl"))'; }
values() { for name in $(host_ends); do cat "/proc/sys/net/ipv4/conf/$name/$1"; done | sort | uniq -c | xargs; }

# Without our file udevd has the last word on rp_filter: the attachment works, and forged sources are dropped by a rule
# (netns.forged_sources).
attach 3
udevadm trigger --action=add --subsystem-match=net  # it may have been faster than ADD
settled
same "rp_filter without our settings" "$(values rp_filter)" "3 2"
with_prev "$(cat $work/p1.json)"; cni CHECK p1; ok "CHECK though udevd has the last word on rp_filter"
detach 3

cp "$repository/conf/sysctl.d/99-zzz-onlink.conf" /etc/sysctl.d/
attach 100
same "MACs of the host ends" "$(ip -j link | jq -r '.[] | select(.ifname | startswith("onl")) | .address' | sort | uniq -c | xargs)" "100 ee:ee:ee:ee:ee:ee"
same "MACs in the containers" "$(for i in $(seq 100); do ip -n "p$i" -o link show eth0 | grep -o 'link/ether [^ ]*'; done | cut -d' ' -f2)" \
  "$(for i in $(seq 100); do cat $work/p$i.json; done | jq -r '.interfaces[1].mac')"
for setting in forwarding:1 proxy_arp:1 rp_filter:1 accept_redirects:0 send_redirects:0; do
  same "${setting%:*} of 100" "$(values "${setting%:*}")" "100 ${setting#*:}"
done
for i in 1 50 100; do with_prev "$(cat $work/p$i.json)"; cni CHECK "p$i"; ok "CHECK p$i"; done
detach 100
same "interfaces at the end" "$(ip -j link | jq -r '.[].ifname')" lo
kill $daemon; wait $daemon || true
done_testing
