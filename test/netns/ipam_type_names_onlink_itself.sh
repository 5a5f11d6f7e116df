#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# "ipam": {"type": "onlink"}, one word too few, started processes without end.
. "$(dirname "$0")/lib.bash"
cp "$bin/onlink" $work/other-name
cni_path=$bin:$work
pod p1
for type in onlink other-name; do
  conf ".ipam.type = \"$type\"" '.["cni.dev/valid-attachments"] = []'
  for verb in ADD DEL GC; do cni $verb p1; refused 7 "ipam.type: names a main plugin, onlink itself"; done
  cni STATUS -; refused 50 "ipam.type: names a main plugin, onlink itself"
  same "processes" "$(pgrep -x "$type" | wc -l)" 0
done
done_testing
