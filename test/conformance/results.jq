# SPDX-License-Identifier: Apache-2.0
# RESULTS.md from the reports of several plugins.

def mark: {pass: "pass", fail: "**FAIL**", "does not apply": "-"}[.];
def cell: gsub("\\|"; "\\|") | gsub("[\n\t ]+"; " ");
def row: "| " + (map(cell) | join(" | ")) + " |";
def count($l): .totals[$l] | "\(.pass) / \(.fail) / \(.["does not apply"])";

def notes($tsv): $tsv | split("\n") | map(select(length > 0 and (startswith("#") | not)) | split("\t")
  | {plugins: (.[0] | split(" ")), ids: (.[1] | split(" ")), note: .[2]});
def note($notes; $plugin; $id): [$notes[] | select((.plugins | index($plugin)) and (.ids | index($id))) | .note] | first // "open";

def summary: ["plugin", "kind", "version", "judged in CNI", "kernel", "MUST pass / fail / n.a.", "SHOULD", "MAY"] as $head
  | ($head | row), ($head | map("---") | row), (.[] | [.plugin, .kind, .version // "unknown", .cniVersion, .kernel, count("MUST"), count("SHOULD"), count("MAY")] | row);

def matrix: . as $reports | ["id", "level", "requirement"] + map(.plugin) | row, (map("---") | row),
  ($reports[0].cases[] | .id as $id
    | [$id, .level, .title] + [$reports[] | [.cases[] | select(.id == $id) | .outcome | mark] | first // "?"] | row);

# One paragraph for each sentence and note, with the plugins that it holds for.
def deviations($notes): [.[] | .plugin as $p | .cases[] | select(.outcome == "fail") | . + {plugin: $p, note: note($notes; $p; .id)}]
  | group_by([.section, .sentence, .note]) | sort_by([(.[0].level | {MUST: 0, SHOULD: 1, MAY: 2}[.]), .[0].id])[]
  | "- **\([.[].id] | unique | join(", "))** (\(.[0].level)) \([.[].plugin] | unique | join(", ")): \(.[0].note | cell)",
    "  § \(.[0].section): \"\(.[0].sentence)\"",
    "  Seen: \(.[0].why | cell | .[:260])";

def document($tsv; $date): notes($tsv) as $notes |
  "# Results of the conformance suite", "",
  "Written by `test/conformance/results` on \($date); the sentences are in `sentences.tsv`. A dash: does not apply (`run` says why).", "",
  "## Summary", "", summary, "",
  "## Deviations", "", "Those of the reference plugins were read in their source (containernetworking/plugins v1.1.1, with containernetworking/cni's pkg/skel and pkg/types).", "",
  deviations($notes), "",
  "## Every case", "", matrix;
