#!/bin/bash
# The man pages and the completions against the program: manual_test.sh WAY, where WAY is
#   lint        every page is one that man(1) has nothing to say against
#   examples    every example of the pages is run, and does what its page says
#   options     each option of --help is in the command's page and in the three completions, and none that --help does not have
#   installed   the pages and the completions are where man(1) and the shells look for them
# From the build: CMAKE, SOURCE_DIR, BINARY_DIR, PROGRAM, SHELLS (shells.sh), PAGES (whether there are man pages).
#
# What is to become of an example stands above it in its page, in comments:
#   ; before: COMMAND        runs first; `hold NAME` has somebody hold the name until the example is over
#   ; substitute: A => B     in the example, for what is different here
#   ; status: N              its exit status, if it is not 0
#   ; prints: TEXT           stands in its output, standard error included
#   ; silent                 it prints nothing
#   ; after: COMMAND         succeeds when the example is over
#   ; needs: COMMAND OPTION  a part of the program that may be missing yet, if it is one of `coming`
#   ; crontab, ; unit        it is an entry of a crontab, or a unit of systemd; its command is run
# ./backup.sh makes the file `ran`; psql and other programs do next to nothing.
set -euo pipefail

# Documented, and not there yet in every state of the program: a command, or a command and an option.
coming=()

way=$1
man=$SOURCE_DIR/tools/man
completions=$SOURCE_DIR/tools/completions
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset "${!TENURE_@}"
export LC_ALL=C.UTF-8

failures=0
fail() {
  printf 'FAILED: %s\n' "$*"
  failures=$((failures + 1))
}


# shellcheck source=tests/packaging/shells.sh
. "$SHELLS"

commands() { "$PROGRAM" help | sed -n '/^Commands/,/^$/s/^  \([a-z]*\) .*/\1/p' | grep -v '^help$'; }
# The names of the options of a command, one a line.
options_of() { "$PROGRAM" "$1" --help | sed -n 's/^  \(-[^ ].*\)$/\1/p' | sed 's/   .*//' | tr ' ' '\n' | grep '^-'; }

is_coming() { # COMMAND [OPTION]
  local each
  for each in "${coming[@]}"; do
    [ "$each" != "$1${2:+ $2}" ] && [ "$each" != "$1" ] || return 0
  done
  return 1
}
is_there() { # COMMAND [OPTION]
  commands | grep -qx -- "$1" || return 1
  [ -z "${2-}" ] || options_of "$1" | grep -qx -- "$2"
}

lint() {
  local page count=0 said
  for page in "$BINARY_DIR"/man/man1/*.1; do
    said=$(man --warnings -E UTF-8 -l -Tutf8 -Z "$page" 2>&1 >/dev/null || echo "man has failed")
    [ -z "$said" ] || fail "${page##*/}: $said"
    man -l "$page" | col -bx >"$work/text"
    for section in NAME SYNOPSIS EXAMPLES DESCRIPTION 'EXIT STATUS' 'SEE ALSO'; do
      grep -qx "$section" "$work/text" || fail "${page##*/} has no section $section"
    done
    if awk '/^[A-Z]/ { print }' "$work/text" | sed -n 3p | grep -vqx EXAMPLES; then fail "${page##*/}: the examples do not come first"; fi
    count=$((count + 1))
  done
  [ "$count" -eq "$(find "$man" -name '*.scd' | wc -l)" ] || fail "$count pages were built, and there are others in $man"
  # No promise of exclusion without the check that makes it true.
  if tr '\n' ' ' <<<"$(cat "$man"/*.scd)" | grep -oE '[^.]*guarantees mutual exclusion[^.]*' | grep -v 'fencing token check'; then
    fail "the check of the fencing token is not named"
  fi
}

# The examples of a page, each as a file of its own: the comments above it, a line "---", the example.
take_examples() { # PAGE DIRECTORY
  awk -v directory="$2" '
    /^; / && !inside { comments = comments $0 "\n"; next }
    /^```/ { inside = !inside; if (inside) { text = ""; next }
      if (comments != "" || examples) { printf "%s---\n%s", comments, text > sprintf("%s/%02d", directory, ++count) }
      comments = ""; next }
    inside { text = text $0 "\n"; next }
    /^# / { examples = /^# EXAMPLES/; comments = "" }' "$1"
}

stub() { # NAME, and what it does
  printf '#!/bin/sh\n%s\n' "$2" >"$1"
  chmod +x "$1"
}

prelude() {
  cat <<'PRELUDE'
holders=()
trap 'for holder in "${holders[@]}"; do kill "$holder"; wait "$holder"; done' EXIT
hold() {
  tenure run "$1" sleep 1000 &
  holders+=("$!")
  until tenure show "$1" | grep -q holder; do sleep 0.01; done
}
PRELUDE
}

# An example as a script: what comes before it, the example itself in a shell of its own, and what must be so afterwards.
script_of() { # EXAMPLE
  local comment text status=0 after='' from
  text=$(sed '1,/^---$/d' "$1")
  if grep -qx '; crontab' "$1"; then text=$(awk '{ for (i = 1; i <= 5; ++i) $i = ""; print }' <<<"$text"); fi
  if grep -qx '; unit' "$1"; then text=$(sed -n 's/^ExecStart=//p' <<<"$text"); fi
  text=${text//\/usr\/local\/bin\//bin/}
  text=${text//\/usr\/bin\//}
  prelude
  while IFS= read -r comment; do
    case $comment in
      '; before: '*) echo "${comment#*: }" ;;
      '; after: '*) after+=$(printf '{ %s; } || { echo %q; cat ../out; exit 1; }' "${comment#*: }" "not so: ${comment#*: }")$'\n' ;;
      '; status: '*) status=${comment#*: } ;;
      '; substitute: '*' => '*)
        from=${comment#*: }
        text=${text//"${from%% => *}"/${comment##* => }}
        ;;
    esac
  done < <(sed '/^---$/,$d' "$1")
  # What is written here is for the script. Its input is a pipe that ends.
  # shellcheck disable=SC2016
  {
    printf '(\n%s\n) >../out 2>&1 < <(:)\nstatus=$?\n' "$text"
    printf '[ $status -eq %d ] || { echo "its exit status is $status, and not %d"; cat ../out; exit 1; }\n' "$status" "$status"
    printf '%s' "$after"
    echo 'exit 0'
  }
}

# Whether the program has what the example needs. What is neither there nor coming is a mistake of the page.
can_run() { # EXAMPLE LABEL
  local need
  if grep -q '| jq' "$1" && ! command -v jq >/dev/null; then
    echo "not run, without jq: $2"
    return 1
  fi
  need=$(sed -n 's/^; needs: //p' "$1")
  [ -n "$need" ] || return 0
  # The words are a command and an option.
  # shellcheck disable=SC2086
  if is_there $need; then return 0; elif is_coming $need; then echo "not yet: $2"; else fail "$2 needs $need, which is not there"; fi
  return 1
}

run_example() { # EXAMPLE LABEL
  local place=$work/place said line
  rm -rf "$place" "$work/space"
  mkdir "$place" "$place/bin"
  ln -s "$PROGRAM" "$place/bin/tenure"
  stub "$place/bin/psql" 'echo "$@"'
  stub "$place/bin/pg_dump" 'echo data'
  stub "$place/bin/make-reports" 'touch ran'
  stub "$place/bin/backup" 'touch ran'
  stub "$place/backup.sh" 'touch ran'
  script_of "$1" >"$work/script"
  said=$(cd "$place" && PATH=$place/bin:$PATH TENURE_SPACE=$work/space timeout 100 bash "$work/script" 2>&1 </dev/null) || {
    fail "$2: $said"
    cat "$work/script"
    return
  }
  while IFS= read -r line; do
    grep -qF -- "$line" "$work/out" || fail "$2: does not print '$line' but: $(cat "$work/out")"
  done < <(sed -n 's/^; prints: //p' "$1")
  if grep -qx '; silent' "$1" && [ -s "$work/out" ]; then fail "$2: says $(cat "$work/out")"; fi
}

examples() {
  local page example count=0
  for page in "$man"/*.scd; do
    rm -rf "$work/examples"
    mkdir "$work/examples"
    take_examples "$page" "$work/examples"
    for example in "$work"/examples/*; do
      local label="${page##*/}, example ${example##*/}"
      if can_run "$example" "$label"; then
        run_example "$example" "$label"
        count=$((count + 1))
      fi
    done
  done
  echo "$count examples were run"
  [ "$count" -ge 20 ] || fail "there must be more examples than that"
}

# The options that a page documents, one a line: the name, and what it calls the value.
documented() { # PAGE
  sed -n '/^# OPTIONS/,/^# [^O]/p' "$1" | awk '/^\*-/ { value = ""; if (match($0, / _[A-Z]+_$/)) value = substr($0, RSTART + 2, RLENGTH - 3)
    gsub(/[*,]/, ""); for (i = 1; i <= NF; ++i) if ($i ~ /^-/) print $i, value }'
}

# Whether the program takes the option. It says its help when it comes to -h, and before that what is wrong with the options.
accepts() { # COMMAND OPTION [VALUE]
  "$PROGRAM" "$1" "$2" ${3:+3} -h >/dev/null 2>&1 3>/dev/null
}

options() {
  local command option value page shell
  for shell in bash zsh fish; do
    if ! has_shell "$shell"; then
      echo "not judged: $shell, which is not installed"
      continue
    fi
    # One session a shell: all commands, with one dash and with two.
    local lines=()
    for command in $(commands); do lines+=("tenure $command -" "tenure $command --"); done
    candidates_in "$shell" "${lines[@]}" >"$work/$shell"
    for command in $(commands); do
      options_of "$command" | sort -u >"$work/wanted"
      awk -v command="$command" -F '\t' '$1 == "tenure " command " -" || $1 == "tenure " command " --" { print $2 }' "$work/$shell" |
        sed 's/[= ]*$//' | grep '^-' | sort -u >"$work/offered" || true
      diff "$work/wanted" "$work/offered" >"$work/diff" ||
        fail "tenure $command, options in --help (<) and offered in $shell (>): $(cat "$work/diff")"
    done
    "$PROGRAM" help | sed -n '/^Commands/,/^$/s/^  \([a-z]*\) .*/\1/p' | sort >"$work/wanted"
    candidates_in "$shell" 'tenure ' | cut -f 2 | grep -v '^-' | sort >"$work/offered"
    diff "$work/wanted" "$work/offered" >"$work/diff" || fail "commands in help (<) and offered in $shell (>): $(cat "$work/diff")"
  done

  for command in $(commands); do
    page=$man/tenure-$command.1.scd
    [ -e "$page" ] || { fail "there is no page for $command" && continue; }
    documented "$page" >"$work/documented"
    for option in $(options_of "$command"); do
      grep -qE "^$option( |$)" "$work/documented" || fail "$option of --help is not in ${page##*/}"
    done
    while read -r option value; do
      accepts "$command" "$option" "$value" || is_coming "$command" "$option" || fail "${page##*/} has $option, and the program does not"
    done <"$work/documented"
    grep -q "tenure-$command\*" "$man/tenure.1.scd" || fail "tenure.1.scd does not name tenure-$command"
  done
  for page in "$man"/tenure-*.scd; do
    command=${page##*/tenure-}
    command=${command%%.*}
    commands | grep -qx "$command" || is_coming "$command" || fail "${page##*/} is there, and no such command"
  done
}

installed() {
  "$CMAKE" --install "$BINARY_DIR" --prefix "$work/prefix" >/dev/null
  local page share=$work/prefix/share
  for page in "$man"/*.scd; do
    page=${page##*/}
    if [ "$PAGES" = yes ]; then man -M "$share/man" -w "${page%.1.scd}" >/dev/null || fail "man does not find ${page%.1.scd}"; fi
  done
  local file
  for file in bash-completion/completions/tenure zsh/site-functions/_tenure fish/vendor_completions.d/tenure.fish; do
    [ -s "$share/$file" ] || fail "$file was not installed"
  done
  # As the shells find them by themselves.
  completions=
  export XDG_DATA_DIRS=$share FPATH_FIRST=$share/zsh/site-functions
  for shell in bash zsh fish; do
    has_shell "$shell" || continue
    [ "$(candidates_in "$shell" 'tenure docto' | cut -f 2)" = doctor ] || fail "$shell does not find what was installed for it"
  done
}

case $way in
  lint)
    if [ "$PAGES" != yes ]; then skip 'there are no pages to read: scdoc is not installed, or they are compressed'; fi
    command -v man >/dev/null || skip 'man is not installed'
    lint
    ;;
  examples) examples ;;
  options) options ;;
  installed) installed ;;
  *)
    echo "manual_test.sh: no way named $way" >&2
    exit 64
    ;;
esac
exit $((failures > 0))
