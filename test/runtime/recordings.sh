#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Calls as CRI-O 1.37, containerd 2.1.9, nerdctl and multus have really made them (recordings.jsonl: variables, standard
# input, answer, a call a line), made once more. Each answer is what it was, with the runtime's DNS in it; what the
# reference plugins answer to the same call has the same status and the same form.
. "$(dirname "$0")/lib.bash"
recordings=$(dirname "$0")/recordings.jsonl
mount -t tmpfs tmpfs /var/log
ip link add uplink type veth peer name router; ip link set uplink up; ip link set router up; ip route add default dev uplink

# calls JQ-FILTER: the recordings that it chooses, a line each, with the pod's namespace at a path of ours.
calls() {
  jq -r "select($1) | (.environment.CNI_NETNS // \"\") as \$path | tojson |
    if \$path == \"\" then . else split(\$path) | join(\"/run/netns/pod\") end" "$recordings"
}
host_ends() { ip -j link | jq -r ".[].ifname | select(startswith(\"onl\"))"; }
# replay CALL [PROGRAM]: with all its variables, and no others. Afterwards $whose says whose call it is.
replay() {
  local parts
  mapfile -t parts < <(jq -r '"\(.runtime) \(.context)", .plugin, (.stdin | tojson),
    (.environment + {CNI_PATH: $path} | to_entries[] | "\(.key)=\(.value)")' --arg path "$bin:$reference" <<<"$1")
  status=0 whose=${parts[0]}
  out=$(env -i "${parts[@]:3}" "${2:-$bin/${parts[1]}}" <<<"${parts[2]}" 2>$work/stderr) || status=$?
}
# So that the next address of each set is the one that was given then.
give_next() { # CALL
  local number=0 address
  mkdir -p /var/lib/cni/networks/onlink
  for address in $(jq -r '.stdout | (.ips // [{address: .ip4.ip}, {address: .ip6.ip}])[].address | select(.) | sub("/.*"; "")' <<<"$1"); do
    $python -c 'import ipaddress, sys; print(ipaddress.ip_address(sys.argv[1]) - 1, end="")' "$address" \
      >/var/lib/cni/networks/onlink/last_reserved_ip.$number
    number=$((number + 1))
  done
}
# expected CALL: the answer that was recorded, and what the runtime asked for and did not get then.
expected() {
  jq -cS '.stdin.runtimeConfig.dns as $dns | .stdout | if $dns then .dns = {nameservers: $dns.Servers, search: $dns.Searches, options: $dns.Options} else . end' <<<"$1"
}

attachments=$(jq -rs 'map(select(.plugin == "onlink" and .environment.CNI_COMMAND == "ADD") | .environment.CNI_CONTAINERID) | unique[]' "$recordings")
for container in $attachments; do
  rm -rf /var/lib/cni /run/onlink; pod pod
  of=".plugin == \"onlink\" and .environment.CNI_CONTAINERID == \"$container\" and .environment.CNI_COMMAND =="
  while IFS= read -r call; do
    give_next "$call"
    replay "$call"; ok "ADD of $whose"
    same "ADD of $whose" "$(jq -cS . <<<"$out")" "$(expected "$call")"
  done < <(calls "$of \"ADD\"")
  while IFS= read -r call; do
    # Interfaces that plugins behind onlink had made on the host.
    others=$(jq -r '.stdin.prevResult.interfaces[]? | select(.sandbox | not) | .name | select(startswith("onl") | not)' <<<"$call")
    for other in $others; do ip link add "$other" type bridge; done
    for _ in 1 2; do replay "$call"; ok "CHECK of $whose"; done
    same "CHECK of $whose" "$out" ""
    # A runtime says of GC what is valid; the attachment stays, whatever stands beside the list.
    for gc in 'null' '[]' '[{"containerID":"x","ifname":"eth0"}]'; do
      replay "$(jq -c --argjson other "$gc" '.environment.CNI_COMMAND = "GC" | .stdin |= (del(.prevResult) | .cniVersion = "1.1.0" | ."cni.dev/attachments" = $other) |
        .stdin."cni.dev/valid-attachments" = [{containerID: .environment.CNI_CONTAINERID, ifname: "eth0"}, {containerID: .environment.CNI_CONTAINERID, ifname: "net1"}]' <<<"$call")"
      ok "GC beside cni.dev/attachments $gc"
    done
    replay "$call"; ok "CHECK of $whose after GC"
    for other in $others; do ip link del "$other"; done
  done < <(calls "$of \"CHECK\"")
  # As the runtimes do it: more than once, also without the namespace, before or after.
  while IFS= read -r call; do
    for _ in 1 2; do replay "$call"; ok "DEL of $whose"; same "DEL" "$out" ""; done
  done < <(calls "$of \"DEL\"")
  same "nothing is left of $container" "$(files; host_ends; nft list tables)" ""
  ip netns del pod
done

# What is about no attachment of ours: the same before and after others.
for command in VERSION STATUS GC DEL; do
  while IFS= read -r call; do
    for _ in 1 2; do
      replay "$call"; ok "$command of $whose"
      same "$command" "$(jq -cS . <<<"${out:-\"\"}")" "$(jq -cS '.stdout' <<<"$call")"
    done
  done < <(calls ".plugin == \"onlink\" and .environment.CNI_COMMAND == \"$command\"")
done
# GC with null, which is Go's empty list, takes all.
pod pod; call=$(calls '.plugin == "onlink" and .environment.CNI_COMMAND == "ADD" and .stdin.cniVersion == "1.1.0"' | sed -n 1p)
replay "$call"; ok ADD
replay "$(jq -c '.environment.CNI_COMMAND = "GC" | .stdin |= (del(.prevResult) | ."cni.dev/valid-attachments" = null | ."cni.dev/attachments" = null)' <<<"$call")"; ok "GC with null"
same "GC with null takes all" "$(files; host_ends)" ""

# The reference plugins (of this release of Debian: up to 1.0.0) to the same calls.
while IFS= read -r call; do
  asked=$(jq -c '.stdin |= (.type = "ptp" | .ipam.type = "host-local" | if .prevResult then .prevResult.ips |= map(.address |= sub("/.*"; "/24")) else . end)' <<<"$call")
  command=$(jq -r .environment.CNI_COMMAND <<<"$call")
  [ "$command" != ADD ] || { ip netns del pod 2>/dev/null || true; pod pod; rm -rf /var/lib/cni; }
  replay "$asked" $reference/ptp; theirs=$status their_form=$(jq -cS 'keys - ["dns", "routes"]' <<<"${out:-{\}}")
  replay "$asked" $reference/ptp; [ "$command" != ADD ] || { jq -c '.environment.CNI_COMMAND = "DEL"' <<<"$asked" >$work/del; replay "$(cat $work/del)" $reference/ptp; rm -rf /var/lib/cni; }
  replay "$call"; ours=$status our_form=$(jq -cS 'keys - ["dns", "routes"]' <<<"${out:-{\}}")
  same "status of $command of $whose" "$ours" "$theirs"
  same "form of $command of $whose" "$our_form" "$their_form"
  [ "$command" != ADD ] || { jq -c '.environment.CNI_COMMAND = "DEL"' <<<"$call" >$work/del; replay "$(cat $work/del)"; }
done < <(calls '.plugin == "onlink" and (.environment.CNI_COMMAND | IN("ADD", "DEL")) and .stdin.cniVersion != "1.1.0"')
done_testing
