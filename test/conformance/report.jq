# SPDX-License-Identifier: Apache-2.0
# From bats' TAP lines and sentences.tsv to the report: one row for each case.

def sentences($tsv): $tsv | split("\n") | map(select(length > 0 and (startswith("#") | not)) | split("\t")
  | {id: .[0], level: .[1], section: .[2], sentence: .[3], reason: (.[4] // "")});

# A case is named by the id of its sentence, with a letter when a sentence has several cases.
def case_row($by_id):
  (.name | capture("^(?<id>[A-Z]+-[0-9]+)(?<letter>[a-z]?) (?<title>.*)$")) as $n
  | ($by_id[$n.id] // error("no sentence for case \(.name)")) as $s
  | {id: ($n.id + $n.letter), level: $s.level, section: $s.section, sentence: $s.sentence, title: $n.title, outcome, why};

def tap_cases:
  reduce .[] as $line ([];
    if $line | test("^(not )?ok [0-9]+ ") then
      ($line | capture("^(?<not>not )?ok [0-9]+ (?<name>.*?)( # skip ?(?<why>.*))?$")) as $m
      | . + [{name: $m.name, why: ($m.why // ""),
              outcome: (if $m.not then "fail" elif $m.why != null then "does not apply" else "pass" end)}]
    elif ($line | startswith("# ")) and length > 0 and .[-1].outcome == "fail" then
      if $line | test("^# *(\\(? *(from function|in test file)|`.*. failed)") then . else .[-1].why += (if .[-1].why == "" then "" else "; " end) + $line[2:] end
    else . end);

def tally($level): map(select(.level == $level) | .outcome)
  | {pass: map(select(. == "pass")) | length, fail: map(select(. == "fail")) | length,
     "does not apply": map(select(. == "does not apply")) | length};

def report($tsv):
  (sentences($tsv) | map({(.id): .}) | add) as $by_id
  | (.[0] | ltrimstr("1..") | tonumber) as $planned
  | tap_cases as $cases
  | if $planned != ($cases | length) then error("\($planned) cases planned, \($cases | length) reported") else . end
  | ($cases | map(case_row($by_id))) as $rows
  | {plugin: $plugin, kind: $kind, cniVersion: $version, kernel: $kernel, cases: $rows,
     totals: (["MUST", "SHOULD", "MAY"] | map(. as $l | {($l): ($rows | tally($l))}) | add)}
  | .passed = (.totals.MUST.fail == 0);

def table:
  "\(.plugin) (\(.kind)), judged in CNI \(.cniVersion)", "",
  (.cases[] | "\(.outcome | ascii_upcase)\t\(.id)\t\(.level)\t\(.title)",
    "\t\t\t§ \(.section): \"\(.sentence)\"", (if .why != "" then "\t\t\t-> \(.why)" else empty end)),
  "",
  (.totals | to_entries[] | "\(.key): \(.value.pass) pass, \(.value.fail) fail, \(.value["does not apply"]) do not apply");
