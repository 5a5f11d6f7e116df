#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The completions of each shell offer every verb that --help names, every option of each verb, and all of them after the verb
# too; asked of the shell itself where it is installed.
set -euo pipefail
# shellcheck source=../checks.bash
source "$(dirname "$0")/../checks.bash"
root=$(cd "$(dirname "$0")/../.." && pwd)
bin=${ONLINK_BIN:-$root/build/bin}
own_folder
offers() { check grep -qxF -- "$2" "$work/offered" || fail "$1: $2 is not offered, but $(xargs <"$work/offered")"; }

# What --help says, read by a rule of its own and not by what made the completion: a verb is the first word of its line.
verbs_of() {
  case $1 in
    onlink-node) "$bin/$1" --help | awk '/^(Subcommands|SUBCOMMANDS):/ { on = 1; next } on && /^  [a-z]/ { print $1 }' ;;
    onlink-ipam) "$bin/$1" --help | awk '/^  onlink-ipam [a-z]/ { print $2 }' ;;
  esac
}
options_of() { # PROGRAM [VERB]
  "$bin/$1" ${2:+"$2"} --help | grep -oE '^ +(-[a-z],? *)?--[a-z-]+' | grep -oE -- '--[a-z-]+' | sort -u
}

complete_bash() { # WORD...: the last one is what is being typed
  bash --norc -c '. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _${1//-/_}; printf "%s\n" "${COMPREPLY[@]}"' bash "$work/bash" "$@"
}
complete_fish() { fish --no-config -c 'source $argv[1]; complete -C (string join " " -- $argv[2..-1])' "$work/fish" "$@" | cut -f1; }
# In a terminal zsh calls the function with words and CURRENT, and takes what it gives to _describe; so does this.
complete_zsh() {
  zsh -f -c '_describe() { local -a list; list=(${(P)2}); print -l -- ${list%%:*} }; _files() { print -l -- a-file }
    script=$1; shift; words=("$@"); CURRENT=$#; complete() { source $script }; complete' zsh "$work/zsh" "$@"
}

for shell in bash fish zsh; do
  if ! command -v $shell >/dev/null; then echo "  no $shell here: not asked"; continue; fi
  for program in onlink-node onlink-ipam; do
    "$root/hack/document" $shell "$bin/$program" >"$work/$shell"
    mapfile -t verbs < <(verbs_of $program)
    [ ${#verbs[@]} -ge 3 ] || give_up "$program --help names only ${verbs[*]}"
    complete_$shell $program "" >"$work/offered"
    for verb in "${verbs[@]}"; do offers "$shell: $program" "$verb"; done
    for verb in "${verbs[@]}"; do
      [ $program = onlink-node ] || break
      complete_$shell $program "$verb" -- >"$work/offered"
      for option in $(options_of $program) $(options_of $program "$verb"); do
        [ $option = --help ] || offers "$shell: $program $verb" $option
      done
    done
  done
done
# onlink-ipam says itself whose an option is.
if command -v bash >/dev/null; then
  "$root/hack/document" bash "$bin/onlink-ipam" >"$work/bash"
  complete_bash onlink-ipam list -- >"$work/offered"; offers list --json; offers list --data-dir
  ! check grep -qx -- --network "$work/offered" || fail "--network is not for list"
  complete_bash onlink-ipam release -- >"$work/offered"; offers release --network
fi
done_testing
