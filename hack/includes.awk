# SPDX-License-Identifier: Apache-2.0
# Run by hack/lint over all sources: each file includes the headers of the names that it uses, itself or through the header
# of its own name; what another header happens to bring along differs from release to release of libstdc++ and fmt.
# The first header of a line is the one to include; the others are accepted. Prints FILE HEADER NAME.
#   std::size_t and std::ptrdiff_t are not held to it: there is no header without them.
BEGIN {
  add("algorithm", "all_of any_of binary_search copy_if copy_n count_if equal find find_if for_each includes lower_bound max min " \
      "none_of replace_if set_difference sort stable_partition stable_sort transform unique count max_element min_element remove_if reverse " \
      "upper_bound clamp copy fill find_if_not mismatch rotate partition nth_element minmax")
  add("array", "array"); add("atomic", "atomic"); add("bit", "bit_ceil countr_one has_single_bit popcount")
  add("charconv", "from_chars to_chars"); add("chrono", "chrono chrono_literals"); add("compare", "strong_ordering")
  add("cstddef", "byte"); add("deque", "deque"); add("exception", "exception terminate exception_ptr current_exception rethrow_exception")
  add("cstdint", "int8_t int16_t int32_t int64_t uint8_t uint16_t uint32_t uint64_t uintptr_t")
  add("cctype", "isalnum isdigit isspace isalpha isxdigit tolower toupper"); add("cerrno", "errno")
  add("cstdio", "printf fprintf fflush fputs puts fwrite snprintf remove rename")
  add("cstdlib", "abort exit getenv system strtol strtoul strtoull abs _Exit"); add("csignal", "raise signal")
  add("cstring", "memcpy memcmp memset memmove strlen strerror strcmp strchr")
  add("ctime", "time time_t tm strftime gmtime"); add("filesystem", "filesystem"); add("fstream", "ifstream ofstream fstream")
  add("functional", "function identity not_fn hash less greater ref cref"); add("initializer_list", "initializer_list")
  add("iostream", "cin cout cerr"); add("ios ostream istream fstream sstream iostream", "ios"); add("ostream iostream fstream sstream", "ostream")
  add("iterator", "back_inserter inserter distance istreambuf_iterator make_move_iterator next prev advance")
  add("iterator array string string_view vector span map set", "begin end size data empty")
  add("limits", "numeric_limits"); add("list", "list"); add("map", "map multimap"); add("memory", "make_shared make_unique make_unique_for_overwrite shared_ptr unique_ptr addressof")
  add("mutex", "mutex lock_guard unique_lock"); add("new", "bad_alloc nothrow"); add("optional", "optional nullopt make_optional")
  add("random", "minstd_rand mt19937 random_device uniform_int_distribution mt19937_64")
  add("set", "set multiset"); add("span", "span as_bytes as_writable_bytes"); add("sstream", "istringstream ostringstream stringstream")
  add("stdexcept", "runtime_error logic_error invalid_argument out_of_range")
  add("string", "string to_string getline stoi stol stoul stoull char_traits"); add("string_view string", "string_view")
  add("system_error", "error_code system_error"); add("system_error charconv", "errc"); add("thread", "thread this_thread jthread")
  add("tuple", "tuple tie get make_tuple"); add("tuple utility array variant", "get"); add("unordered_map", "unordered_map"); add("unordered_set", "unordered_set")
  add("type_traits", "is_arithmetic_v is_trivial_v is_same_v type_identity_t decay_t enable_if_t is_enum_v is_integral_v conditional_t")
  add("utility", "exchange forward move pair make_pair swap as_const declval index_sequence"); add("variant", "variant visit holds_alternative monostate")
  add("vector", "vector"); add("vector string string_view list map set deque unordered_map array", "erase_if")
  headers["fmt::format"] = "fmt/format.h fmt/ranges.h fmt/core.h"; headers["fmt::join"] = "fmt/ranges.h"
  headers["errno"] = "cerrno"; headers["::mkdtemp"] = headers["::setenv"] = headers["::getenv"] = "cstdlib"
}
function add(where, names,   list, count, i) {
  count = split(names, list, " ")
  for (i = 1; i <= count; i++) headers["std::" list[i]] = where
}
FNR == 1 { judge(); delete included; delete used; file = FILENAME; own = file; sub(/\.cpp$/, ".h", own); if (own != file) read_own() }
function read_own(   line) {
  while ((getline line < own) > 0) note(line)
  close(own)
}
function note(line) { if (match(line, /^#include <[^>]+>/)) included[substr(line, 11, RLENGTH - 11)] = 1 }
{
  note($0); sub(/\/\/.*/, ""); gsub(/"([^"\\]|\\.)*"/, "\"\"")
  while (match($0, /(std|fmt)?::[a-zA-Z_0-9]+|[a-zA-Z_0-9]+/)) {
    used[substr($0, RSTART, RLENGTH)] = 1
    $0 = substr($0, RSTART + RLENGTH)
  }
}
END { judge() }
function judge(   name, list, count, i, found) {
  for (name in used) {
    if (name ~ /^std::/ && !(name in headers) && name !~ /^std::(size_t|ptrdiff_t|max_align_t|nullptr_t)$/) print file, "?", name
    if (!(name in headers)) continue
    found = 0; count = split(headers[name], list, " ")
    for (i = 1; i <= count; i++) if (list[i] in included) found = 1
    if (!found) print file, list[1], name
  }
}
