#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel
# `picture`: each peer is there once, with the state that status tells, as text and as SVG, of a node with many peers, few, and none.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"

# read_svg FILE: its peers and states as lines, sorted. It is XML, runs nothing, and loads nothing.
read_svg() {
  "$python" - "$1" <<'END'
import sys, xml.etree.ElementTree as xml
svg = "{http://www.w3.org/2000/svg}"
root = xml.parse(sys.argv[1]).getroot()
assert root.tag == svg + "svg" and root.find(svg + "title") is not None and root.find(svg + "desc") is not None
for element in root.iter():
    assert element.tag.removeprefix(svg) in ("svg", "title", "desc", "style", "rect", "g", "text", "path"), element.tag
    assert not any("href" in name or name.startswith("on") for name in element.attrib), element.attrib
peers = [element for element in root.iter(svg + "g") if "data-peer" in element.attrib]
assert all(peer.find(svg + "title").text.startswith(peer.get("data-peer") + ", ") for peer in peers)
print("\n".join(sorted(peer.get("data-peer") + " " + peer.get("data-state") for peer in peers)))
END
}
# agrees WHAT: the picture of A has the peers of its status, in their states.
agrees() {
  node A status --json
  jq -r '[.peers | group_by(.name)[] | .[0].name + " " + ([.[].state | select(. != "ok")] | unique | join(" + ") | if . == "" then "ok" else . end)] |
    sort | .[]' <<<"$out" | LC_ALL=C sort >"$work/expected"
  node A picture --svg; ok "picture --svg, $1: $errors"
  printf '%s\n' "$out" >"$work/picture.svg"
  same "SVG, $1" "$(read_svg "$work/picture.svg" | LC_ALL=C sort)" "$(cat "$work/expected")"
  node A picture; ok "picture, $1: $errors"
  same "lines that are too long, $1" "$(awk 'length($0) > 100' <<<"$out")" ""
}
# peers FROM TO: a jq program that adds those to the file.
peers() {
  echo ".nodes += [range($1; $2) | {name: \"n\\(.)\", nodeIP: \"172.16.91.\\(.)\", podCIDRs: [\"10.20.\\(.).0/24\"]}]"
}

seed_hosts
seed_pods
# C answers to nobody, D is beyond a router and has no tunnel, E is on the network.
elsewhere='.nodes += [{"name":"C","nodeIP":"172.16.91.203","podCIDRs":["10.10.2.0/24"]},
  {"name":"D <&> \"x\"","nodeIP":"192.168.7.4","podCIDRs":["10.10.3.0/24"]}]'
seed_cluster "$elsewhere"
ip -n A route add default via 172.16.91.202
ip -n A neigh replace 172.16.91.203 dev eth0 nud failed
node A apply
agrees "few peers, two with trouble"
case $out in *"---- direct ----> B "*172.16.91.202*10.10.1.0/24*ok*) ;; *) fail "B: $out" ;; esac
case $out in *"no path  X "*'D <&> "x"'*"192.168.7.4 is not on-link"*) ;; *) fail "D: $out" ;; esac
case $out in *"node A: in order, "*"1 blocked, 1 no path, 1 ok"*) ;; *) fail "A: $out" ;; esac
case $out in *"direct --X   C "*"172.16.91.203 does not answer on eth0"*) ;; *) fail "C: $out" ;; esac

# A route that somebody took away.
ip -n A route del 10.10.1.0/24
agrees "a route that is missing"
case $out in *"direct --X   B "*missing*"there is no route 10.10.1.0/24 via 172.16.91.202"*) ;; *) fail "missing: $out" ;; esac

# More than can each have a line.
seed_cluster "$elsewhere" "$(peers 100 130)"
node A apply
ip -n A route del 10.20.111.0/24
agrees "many peers"
for name in $(seq -f n%g 100 129); do
  same "how often $name is in the text" "$(grep -ow "$name" <<<"$out" | wc -l)" 1
done
case $out in *"1 node: missing"*n111*) ;; *) fail "trouble is named: $out" ;; esac
case $out in *"nodes: ok"*) ;; *) fail "the others: $out" ;; esac

# Alone, and in pods of both families.
seed_cluster '.nodes |= [.[0]]'
node A apply --allow-empty
node A picture; ok "alone"
case $out in *"no other node has pods"*) ;; *) fail "alone: $out" ;; esac
agrees "alone"
node A picture --nonsense
same "a wrong option" "$status" 2
done_testing
