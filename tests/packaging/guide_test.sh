#!/bin/bash
# Does what docs/simulate-your-lock.md says, as a stranger would: guide_test.sh WAY, where WAY is
#   guide     every block, in an empty folder, against the installed build
#   refused   guides that are wrong in one thing each are found to be so
# From the build: CMAKE, CXX, SOURCE_DIR, BINARY_DIR.
#
# What a block of the guide is stands above it, in a comment:
#   <!-- file: NAME -->      the whole of a file
#   <!-- patch: NAME -->     one line of it, that is replaced by another one
#   <!-- run: OPTIONS -->    commands. status=N: the last one's, if it is not 0. needs=WORD: left out where this program is missing, or this
#                            command of ours is one of `coming`. instead=COMMAND (the last option): what is run here in place of the block
#   <!-- prints: OPTIONS --> each line stands in the output of the last commands
#   <!-- excerpt: FILE -->   stands so in a file of the project
#   <!-- repeats -->         of its `- run:` lines each is a command of another block
#   <!-- shown -->           is not run here
set -euo pipefail

# Documented, and not there yet in every state of the program: commands.
coming=()

way=$1
export LC_ALL=C.UTF-8
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export HOME=$work/home
mkdir "$HOME"

fail() {
  printf '%s:%s: %s\n' "$guide" "$line_number" "$*"
  exit 1
}
option() { # NAME: its value, or nothing
  [[ " $options" =~ \ $1=([^ ]+) ]] && printf '%s' "${BASH_REMATCH[1]}"
}
is_missing() {
  local needed
  needed=$(option needs) || return 1
  [[ " ${coming[*]} " == *" $needed "* ]] && return 0
  [[ $needed == *-* || $needed == *+* ]] && ! command -v "$needed" >/dev/null
}

run_block() {
  commands+=$'\n'$block
  if is_missing; then
    echo "left out: $block"
    return
  fi
  local status=0 wanted text=$block
  [[ $options == *instead=* ]] && text=${options#*instead=}
  wanted=$(option status) || wanted=0
  output=$(bash -euo pipefail -c "$exports"$'\n'"$text" 2>&1) || status=$?
  [ "$status" = "$wanted" ] || fail "status $status, not $wanted, of:"$'\n'"$block"$'\n'"$output"
  exports+=$'\n'$(grep '^export ' <<<"$block" || true)
}
prints_block() {
  is_missing && return
  local each
  while IFS= read -r each; do
    grep -qF -- "$each" <<<"$output" || fail "not printed: $each"$'\n'"$output"
  done <<<"$block"
}
patch_block() {
  local old new text
  old=$(sed -n 's/^-//p' <<<"$block")
  new=$(sed -n 's/^+//p' <<<"$block")
  text=$(<"$argument")
  [[ $text == *"$old"* ]] || fail "no such line in $argument: $old"
  printf '%s\n' "${text/"$old"/"$new"}" >"$argument"
}
repeats_block() {
  local each
  while IFS= read -r each; do
    grep -qxF -- "$each" <<<"$commands" || fail "no other block has: $each"
  done < <(sed -n 's/^ *- run: //p' <<<"$block")
}
excerpt_block() { [[ $(<"$SOURCE_DIR/$argument") == *"$block"* ]] || fail "not in $argument"; }

do_block() {
  case $kind in
    file)
      mkdir -p "$(dirname "$argument")"
      printf '%s\n' "$block" >"$argument"
      ;;
    patch | run | prints | excerpt | repeats) "${kind}_block" ;;
    shown) ;;
    *) fail "a block without a comment that says what it is" ;;
  esac
}

# Leaves the program at the first thing that is wrong.
follow() { # GUIDE
  guide=$1 line_number=0 kind='' argument='' options='' block='' output='' exports='' commands=''
  local line inside=no
  mkdir "$work/folder"
  cd "$work/folder"
  while IFS= read -r line <&3; do
    line_number=$((line_number + 1))
    if [[ $inside == no && $line =~ ^'<!-- '([a-z]+)(': '(.*))?' -->'$ ]]; then
      kind=${BASH_REMATCH[1]} argument=${BASH_REMATCH[3]} options=${BASH_REMATCH[3]}
    elif [[ $line == '```'* && $inside == no ]]; then
      inside=yes block=''
    elif [[ $line == '```' ]]; then
      do_block
      inside=no kind=''
    elif [[ $inside == yes ]]; then
      block+=${block:+$'\n'}$line
    fi
  done 3<"$guide"
}

refuses() { # TEXT of a guide, WORDS of what is wrong
  printf '%s\n' "$1" >"$work/wrong.md"
  local said
  rm -rf "$work/folder"
  if said=$(follow "$work/wrong.md"); then
    echo "taken: $1"
    exit 1
  fi
  grep -qF -- "$2" <<<"$said" || {
    echo "$said"
    exit 1
  }
}

case $way in
  guide)
    follow "$SOURCE_DIR/docs/simulate-your-lock.md"
    # What is simulated in 50 lines is: the guide's file and both examples.
    for file in my_lock.cpp "$SOURCE_DIR"/tests/examples/sim/*.cpp; do
      [ "$(wc -l <"$file")" -le 50 ] || fail "$file has more than 50 lines"
    done
    ;;
  refused)
    fence='```'
    refuses "$fence"$'\ntrue\n'"$fence" 'a block without a comment'
    refuses $'<!-- run -->\n'"$fence"$'\nfalse\n'"$fence" 'status 1, not 0'
    refuses $'<!-- run: status=1 -->\n'"$fence"$'\ntrue\n'"$fence" 'status 0, not 1'
    refuses $'<!-- run -->\n'"$fence"$'\necho one\n'"$fence"$'\n<!-- prints -->\n'"$fence"$'\ntwo\n'"$fence" 'not printed: two'
    refuses $'<!-- excerpt: LICENSE -->\n'"$fence"$'\nno such sentence\n'"$fence" 'not in LICENSE'
    refuses $'<!-- repeats -->\n'"$fence"$'\n- run: make\n'"$fence" 'no other block has: make'
    refuses $'<!-- file: a -->\n'"$fence"$'\none\n'"$fence"$'\n<!-- patch: a -->\n'"$fence"$'\n-two\n+three\n'"$fence" 'no such line in a'
    ;;
  *)
    echo "guide_test.sh: no way named $way" >&2
    exit 64
    ;;
esac
