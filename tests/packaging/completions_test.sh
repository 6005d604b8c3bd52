#!/bin/bash
# The completions in their shells: completions_test.sh SHELL. bash and zsh are typed into at a terminal; what they make of a line is read by
# the shell itself, and must have exactly the name as its argument.
# From the build: SOURCE_DIR, PROGRAM, SHELLS (shells.sh).
set -euo pipefail

shell=$1
completions=$SOURCE_DIR/tools/completions
work=$(mktemp -d)
holder=
cleanup() {
  [ -z "$holder" ] || { kill "$holder" && wait "$holder"; } 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT
unset "${!TENURE_@}"
export LC_ALL=C.UTF-8
# shellcheck source=tests/packaging/shells.sh
. "$SHELLS"

has_shell "$shell" || skip "$shell is not installed, or bash-completion"

failures=0
fail() {
  printf 'FAILED: %s\n' "$*"
  failures=$((failures + 1))
}

# Each begins with a character that no other one begins with.
names=(
  'alpha beta' "b'q\"x" 'c:d:e' 'd\e\\f' "e\$HOME\`date\`" 'f*?[x]' 'g=h@i' 'h!x' 'i;|&<>()' 'jördérs/ünï' 'k#~^{a,b}' 'l  two  blanks'
  'm ' 'n%o+p,q' 'o//../p' '日本語' '~tilde' '#hash' '{"name":"fake","state":"free"' 'p","state":"held' 'éa:b c' "qu'ote'"
)

# The beginning of a name as one would type it.
typed() { # STYLE TEXT
  local text=$2 i c
  case $1 in
    bare)
      for ((i = 0; i < ${#text}; i++)); do
        c=${text:i:1}
        if [[ $c == [[:ascii:]] && $c != [[:alnum:]/:=@] ]]; then c=\\$c; fi
        printf '%s' "$c"
      done
      ;;
    single)
      if [ "$shell" = fish ]; then
        text=${text//\\/\\\\}
        printf "'%s" "${text//"'"/"\\'"}"
      else
        printf "'%s" "${text//"'"/"'\\''"}"
      fi
      ;;
    double)
      text=${text//\\/\\\\} text=${text//\"/\\\"} text=${text//\$/\\\$}
      if [ "$shell" != fish ]; then text=${text//\`/\\\`}; fi
      printf '"%s' "$text"
      ;;
  esac
}

# The third word of the line, as the shell reads it.
third_word() { # LINE
  local options=()
  if [ "$shell" = zsh ]; then options=(-f); fi
  # shellcheck disable=SC2016
  "$shell" "${options[@]}" -c 'eval "set -- $1"; printf "%s." "$3"' - "$1"
}

names_complete() {
  local name style length lines=() wanted=() got=() i
  for name in "${names[@]}"; do
    for style in bare single double; do
      # In quotes like these zsh hides it with a backslash, which goes only where there is a history.
      if [[ $shell$style$name == zshdouble*!* ]]; then continue; fi
      for length in 1 $((${#name} - 1)); do
        lines+=("tenure show $(typed "$style" "${name:0:length}")")
        wanted+=("$name")
      done
    done
  done
  if [ "$shell" = fish ]; then
    candidates_in fish "${lines[@]}" >"$work/got"
    for i in "${!lines[@]}"; do
      grep -qxF -- "${lines[i]}"$'\t'"${wanted[i]}" "$work/got" || fail "${lines[i]}: does not offer ${wanted[i]}"
      [ "$(grep -cF -- "${lines[i]}"$'\t' "$work/got")" -eq "$(printf '%s\n' "${lines[@]}" | grep -cxF -- "${lines[i]}")" ] ||
        fail "${lines[i]}: offers something else, too"
    done
    return
  fi
  mapfile -t got < <(completed_in "$shell" "${lines[@]}")
  [ "${#got[@]}" -eq "${#lines[@]}" ] || fail "${#lines[@]} lines were typed, and ${#got[@]} came back"
  for i in "${!lines[@]}"; do
    [ "$(third_word "${got[i]-}" 2>&1)" = "${wanted[i]}." ] || fail "${lines[i]} became ${got[i]-}, and not ${wanted[i]}"
  done
}

lines=()
wanted=()
# offers LINE CANDIDATE...: exactly these, in whatever order, options apart.
offers() {
  lines+=("$1")
  shift
  wanted+=("$(printf '%s\n' "$@" | sort)")
}
see_offers() {
  local i got
  candidates_in "$shell" "${lines[@]}" >"$work/got"
  for i in "${!lines[@]}"; do
    got=$(LINE=${lines[i]} awk -F '\t' '$1 == ENVIRON["LINE"] && $2 !~ /^-|^$/ { sub(/ $/, "", $2); print $2 }' "$work/got" | sort -u)
    [ "$got" = "${wanted[i]}" ] || fail "${lines[i]}: wanted: ${wanted[i]//$'\n'/, }; offered: ${got//$'\n'/, }"
  done
}

of_a_space() {
  local other=$work/other
  "$PROGRAM" run --space "$other" there true
  "$PROGRAM" run --space "$other" taken sleep 1000 &
  holder=$!
  until "$PROGRAM" show --space "$other" taken | grep -q holder; do sleep 0.01; done
  offers "tenure show --space $other " taken there
  offers "tenure show --space=$other " taken there
  offers "tenure run -nw 5 --label 'x y' --space $other " taken there
  offers "tenure break --space $other " taken
  offers "tenure rm --space $other " there
  offers "tenure show --space $work/none " ''
}

of_the_command() {
  offers 'tenure run alpha\ beta frobni' frobnicate
  offers 'tenure run alpha\ beta -- frobni' frobnicate
  offers 'tenure run c:d:e frobnicate pur' purple
  offers "tenure run -n --ttl=5 'alpha beta' -- frobnicate pur" purple
  offers 'tenure run -w 5 alpha frobnicate other pur' purple
  offers 'tenure run alpha -c frobni' ''
  offers 'tenure help ru' run
  offers 'tenure doctor ' ''
}

of_the_simulator() {
  offers 'tenure sim hun' hunt
  offers 'tenure sim explain stale-take' stale-takeover-unlink stale-takeover-unlink/sound
  offers 'tenure sim catalogue stale-take' stale-takeover-unlink
  offers 'tenure sim hunt strict stale-takeover-unlink/' stale-takeover-unlink/sound
  offers 'tenure sim replay strict stale-take' ''
  offers 'tenure sim run strict --engine pct' pct2 pct3 pct4 pct5
}

export TENURE_SPACE=$work/space
for name in "${names[@]}"; do "$PROGRAM" run "$name" true; done
names_complete
of_a_space
of_the_command
of_the_simulator
see_offers
[ ! -e "$work/none" ] || fail 'a space was made by a completion'
[ "$failures" -eq 0 ]
