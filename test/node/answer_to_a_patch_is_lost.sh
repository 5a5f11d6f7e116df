#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel
# The API sets the condition NetworkUnavailable, and its answer is lost. The watch tells that the condition is right, but
# `status` and /readyz went on saying that it could not be set.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"
# shellcheck source=api.bash
source "$(dirname "$0")/api.bash"

api_lab 3600 A 172.16.91.201 B 172.16.91.202
put A 172.16.91.201 10.10.0.0/24
put B 172.16.91.202 10.10.1.0/24
tell swallow 1
start_node A
is_set() { tell condition A; [[ $told == "False "* ]]; }
eventually 10 is_set
in_order() { node A status; [ "$status" = 0 ]; }
eventually 3 in_order
grep -q 'the condition NetworkUnavailable of this node cannot be set' "$work/A/log" || fail "no answer was lost: $(cat "$work/A/log")"
stop_node A
done_testing
