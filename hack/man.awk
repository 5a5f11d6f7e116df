# SPDX-License-Identifier: Apache-2.0
# Markdown, as this project writes it, as text of a manual page (man(7)): headings, paragraphs, code, tables, lists, links.
# A table is a list: the first column is the name, "default" is said in words.
function roff(text) {
  gsub(/\\/, "\\e", text)
  gsub(/-/, "\\-", text)
  gsub(/'/, "\\(aq", text)
  gsub(/\^/, "\\(ha", text)
  gsub(/~/, "\\(ti", text)
  return text
}
function inline(text,   out, part, n, i, parts) {
  while (match(text, /\[[^][]*\]\([^()]*\)/)) {
    part = substr(text, RSTART + 1, RLENGTH - 1)
    sub(/\]\(.*/, "", part)
    text = substr(text, 1, RSTART - 1) part substr(text, RSTART + RLENGTH)
  }
  gsub(/\*\*/, "", text)
  n = split(text, parts, "`")
  for (i = 1; i <= n; i++) out = out (i % 2 ? roff(parts[i]) : "\\fB" roff(parts[i]) "\\fR")
  sub(/^\./, "\\\\\\&.", out)
  return out
}
function flush() {
  if (paragraph != "") print inline(paragraph)
  paragraph = ""
}
function close_code() { if (code) print ".EE\n.RE"; code = 0 }
function open_code() { flush(); print ".PP\n.RS 4\n.EX"; code = 1 }
function cells(line,   n, i) {
  gsub(/\\\|/, "\001", line)
  gsub(/^\| *| *\|$/, "", line)
  n = split(line, cell, / *\| */)
  for (i = 1; i <= n; i++) gsub(/\001/, "|", cell[i])
  return n
}
/^```/ { if (fenced) { fenced = 0; close_code() } else { open_code(); fenced = 1 }; next }
fenced { print roff($0) == "" ? "" : "\\&" roff($0); next }
/^<!--/ { next }
/^    / && paragraph == "" { if (!code) open_code(); print "\\&" roff(substr($0, 5)); next }
code && /^ *$/ { held = 1; next }
code { close_code() }
/^# / { next }
/^##+ / {
  flush()
  level = index($0, " ") - 1
  title = $0
  sub(/^#+ /, "", title)
  gsub(/`/, "", title)
  print level == 2 ? ".SH " roff(toupper(title)) : ".SS " roff(title)
  started = 1
  next
}
/^\|[- |]+\|$/ { next }
/^\|/ {
  flush()
  n = cells($0)
  if (!table) {
    table = 1
    for (i = 1; i <= n; i++) head[i] = cell[i]
    next
  }
  print ".TP\n" inline(cell[1])
  words = ""
  for (i = 2; i <= n; i++) {
    if (head[i] == "default") { if (cell[i] != "") last = " Default: " cell[i] (cell[i] ~ /\.$/ ? "" : "."); continue }
    if (cell[i] == "") continue
    words = words (words == "" ? "" : "; ") cell[i]
  }
  if (last != "" && words !~ /[.]$/) words = words "."
  print inline(words last)
  last = ""
  next
}
{ table = 0 }
/^ *$/ { flush(); next }
/^- / { flush(); print ".IP \\(bu 2"; paragraph = substr($0, 3); next }
{
  if (paragraph == "" && !/^  /) print ".PP"
  line = $0
  sub(/^ +/, "", line)
  paragraph = paragraph (paragraph == "" ? "" : " ") line
}
END { close_code(); flush() }
