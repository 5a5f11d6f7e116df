# SPDX-License-Identifier: Apache-2.0
# Reads what a program prints with --help, and prints it as fields between tabs, for hack/document:
#   text    PARAGRAPH
#   verb    NAME  ARGUMENTS  WORDS
#   option  VERB  NAMES  VALUE  DEFAULT  WORDS     NAMES with commas; VALUE is empty for a flag, VERB for all verbs
#   nested                                         each verb has a --help of its own
# Variables: program, its name; verb, where it is the help of a verb. It knows the forms of CLI11 (2.3 to 2.6) and of our own
# texts: a line that begins with two spaces has a name and, after two more, words; what is further in goes on with them.
function flush() {
  if (kind == "text" && words != "" && !verb) print "text\t" words
  else if (kind == "verb") {
    print "verb\t" name "\t" arguments "\t" words
    known[name] = 1
  } else if (kind == "option") {
    of = verb
    if (!verb && match(words, /^[a-z-]+: /) && substr(words, 1, RLENGTH - 2) in known) {
      of = substr(words, 1, RLENGTH - 2)
      words = substr(words, RLENGTH + 1)
    }
    if (!(verb && name ~ /--help/)) print "option\t" of "\t" name "\t" value "\t" default_value "\t" words
  }
  kind = words = ""
}
function add(text) {
  sub(/^ +/, "", text)
  words = words (words == "" ? "" : " ") text
}
function option(left) {
  gsub(/, +-/, ",-", left)
  name = left
  value = default_value = ""
  if (match(left, / /)) {
    name = substr(left, 1, RSTART - 1)
    value = substr(left, RSTART + 1)
  }
  sub(/ *\(Env:[^)]*\)/, "", value)
  sub(/ *(REQUIRED|\.\.\.)$/, "", value)
  if (match(value, / *\[.*\]$/)) {
    default_value = substr(value, RSTART, RLENGTH)
    gsub(/^ *\[|\]$/, "", default_value)
    value = substr(value, 1, RSTART - 1)
  } else if (match(value, /=/)) {
    default_value = substr(value, RSTART + 1)
    value = substr(value, 1, RSTART - 1)
    # A name that fills its column has one space only before the words.
    if (right == "" && match(default_value, / /)) {
      right = substr(default_value, RSTART + 1)
      default_value = substr(default_value, 1, RSTART - 1)
    }
  }
}
# CLI11 2.6: blanks behind the words, a usage without a word before it, and long names in a column of their own.
{ sub(/ +$/, "") }
/\[OPTIONS\]/ { flush(); next }
{ sub(/^          --/, "  --") }
/^(Usage:|OPTIONS:|Options:) */ { flush(); next }
/^(Subcommands|SUBCOMMANDS):/ { flush(); print "nested"; next }
/^ *$/ { flush(); next }
/^  [^ ]/ {
  flush()
  line = substr($0, 3)
  sub("^" program " ", "", line)
  while (match(line, /, +-/)) line = substr(line, 1, RSTART) "-" substr(line, RSTART + RLENGTH)
  right = ""
  if (match(line, /  +/)) {
    right = substr(line, RSTART + RLENGTH)
    line = substr(line, 1, RSTART - 1)
  }
  if (line ~ /^-/) {
    kind = "option"
    option(line)
  } else {
    kind = "verb"
    name = line
    arguments = ""
    if (match(line, / /)) {
      name = substr(line, 1, RSTART - 1)
      arguments = substr(line, RSTART + 1)
    }
  }
  add(right)
  next
}
/^      / && kind != "" && kind != "text" { add($0); next }
{
  if (kind != "text") flush()
  kind = "text"
  add($0)
}
END { flush() }
