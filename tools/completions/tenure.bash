# Completion of tenure for bash, with the package bash-completion.
# shellcheck shell=bash
#
# Commands and options come from the program's own help, names from its table. The command behind NAME completes as it does alone.

# The commands.
_tenure_commands() { # PROGRAM
  "$1" help 2>/dev/null | sed -n '/^Commands/,/^$/s/^  \([a-z]*\) .*/\1/p'
}

# Sets flags and valued: the options of a command, those without and those with a value.
_tenure_read_options() { # PROGRAM COMMAND...
  local line option
  local listed='^  (-[^ ]+( -[^ ]+)*)( [A-Z]+)? '
  flags=() valued=()
  while IFS= read -r line; do
    [[ $line =~ $listed ]] || continue
    for option in ${BASH_REMATCH[1]}; do
      if [[ ${BASH_REMATCH[3]} ]]; then valued+=("$option"); else flags+=("$option"); fi
    done
  done < <("$@" --help 2>/dev/null)
}

_tenure_takes_value() { # OPTION
  local each
  for each in "${valued[@]}"; do
    [[ $each != "$1" ]] || return 0
  done
  return 1
}

# Whether the argument is an option whose value is the next argument: "--wait", "-w", "-nw", but not "--wait=5" or "-w5".
_tenure_awaits_value() { # ARGUMENT
  local i
  case $1 in
    --*=*) return 1 ;;
    --*) _tenure_takes_value "$1" ;;
    -?*)
      for ((i = 1; i < ${#1}; i++)); do
        if _tenure_takes_value "-${1:i:1}"; then return $((i + 1 < ${#1})); fi
      done
      return 1
      ;;
    *) return 1 ;;
  esac
}

# Takes the quotes from a word that may be unfinished. Sets plain (the word), quote (the one that is open), and kept: what of the plain
# word stands before the place from which on readline replaces, which is an open quote, or the last character that breaks words.
_tenure_unquote() { # WORD
  local word=$1 c outer='' i
  plain='' quote='' kept=''
  for ((i = 0; i < ${#word}; i++)); do
    c=${word:i:1}
    case $quote in
      \') if [[ $c == \' ]]; then quote='' kept=$outer; else plain+=$c; fi ;;
      \")
        case $c in
          \") quote='' kept=$outer ;;
          \\) if [[ ${word:i+1:1} == [\$\`\"\\] ]]; then plain+=${word:$((++i)):1}; else plain+=$c; fi ;;
          *) plain+=$c ;;
        esac
        ;;
      *)
        case $c in
          [\'\"]) quote=$c outer=$kept kept=$plain ;;
          \\) plain+=${word:$((++i)):1} ;;
          *)
            plain+=$c
            if [[ $c == [=:@] && $COMP_WORDBREAKS == *"$c"* ]]; then kept=$plain; fi
            ;;
        esac
        ;;
    esac
  done
}

# The text as it has to be written where `quote` is open. Sets written.
_tenure_requote() { # TEXT
  local c i
  written=''
  for ((i = 0; i < ${#1}; i++)); do
    c=${1:i:1}
    case $quote in
      \') if [[ $c == \' ]]; then written+="'\\''"; else written+=$c; fi ;;
      \")
        case $c in
          !) written+="\"'!'\"" ;; # no backslash hides it from the history
          [\$\`\"\\]) written+=\\$c ;;
          *) written+=$c ;;
        esac
        ;;
      *)
        case $c in
          [[:alnum:]] | [_/.,:=@%+-]) written+=$c ;;
          [[:ascii:]]) written+=\\$c ;;
          *) written+=$c ;;
        esac
        ;;
    esac
  done
  # Behind a last character like the open quote readline would not close it.
  if [[ $quote && $1 == *"$quote" ]]; then written+=$quote; fi
}

# Whether there is a table in the space: to ask for the names of one that is not there would make it.
_tenure_has_table() { # SPACE
  case $1 in
    */*) [[ -e $1/default.table ]] ;;
    *) [[ -e /run/tenure/$EUID/$1.table || -e /run/lock/tenure-$EUID/$1.table || -e /tmp/tenure-$EUID/$1.table ]] ;;
  esac
}

# The names in a space, one a line: all, those that are held or waited for (`busy`), or the others (`free`).
_tenure_names() { # PROGRAM SPACE WHICH
  local state='[a-z]*' all=--all
  if [[ $3 == free ]]; then state=free; fi
  if [[ $3 == busy ]]; then all=''; fi
  _tenure_has_table "$2" || return 0
  # An unquoted quote does not stand within a string of JSON, so this is found in no other place.
  "$1" ls $all --json --space="$2" 2>/dev/null | LC_ALL=C grep -o '{"name":"\([^"\\]\|\\.\)*","state":"'"$state"'"' |
    LC_ALL=C sed 's/^{"name":"//; s/","state":"[a-z]*"$//; s/\\\(.\)/\1/g'
}

_tenure_complete_name() { # PROGRAM SPACE WHICH
  local name plain quote kept written
  _tenure_unquote "$cur"
  while IFS= read -r name; do
    # A name that begins with a dash would be taken for an option.
    if [[ $name == "$plain"* && ($name != -* || $dashes) ]]; then
      _tenure_requote "${name:${#kept}}"
      COMPREPLY+=("$written")
    fi
  done < <(_tenure_names "$@")
}

# What `tenure sim` can simulate; of these the known bugs alone.
_tenure_sim_targets() { # PROGRAM [bugs]
  local names='s/ .*//p'
  if [[ ${2-} == bugs ]]; then names='s,/sound .*,,p'; fi
  "$1" sim targets 2>/dev/null | sed -n "$names"
}

_tenure_complete_sim() { # PROGRAM COMMAND OPERANDS
  local candidates=''
  case $2:$3 in
    *:0) candidates=$("$1" sim --help 2>/dev/null | sed -n '/^Commands/,/^$/s/^  \([a-z]*\) .*/\1/p') ;;
    catalogue:*) candidates=$(_tenure_sim_targets "$1" bugs) ;;
    hunt:* | run:1 | replay:1 | shrink:1 | explain:1) candidates=$(_tenure_sim_targets "$1") ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$candidates" -- "$cur")
}

_tenure_complete_value() { # OPTION VALUE
  local cur=$2
  case $1 in
    --space) _filedir -d ;;
    --engine | -e) mapfile -t COMPREPLY < <(compgen -W 'uniform sticky pct2 pct3 pct4 pct5 sweep' -- "$cur") ;;
    --html | --junit | --output | -o | --tape-file) _filedir ;;
    --group) mapfile -t COMPREPLY < <(compgen -g -- "$cur") ;;
  esac
}

# Completes what begins at the word with this number as a command of its own.
_tenure_complete_command() { # INDEX
  local i offset=0 joined
  # The words are joined at colons, unlike those that bash gives.
  for ((i = 0; i < $1; i++)); do
    joined=${COMP_WORDS[offset++]}
    while [[ $joined != "${words[i]}" && $offset -lt ${#COMP_WORDS[@]} ]]; do joined+=${COMP_WORDS[offset++]}; done
  done
  _command_offset "$offset"
}

_tenure() {
  local cur words cword
  _get_comp_words_by_ref -n '=:@' cur words cword || return
  local program=${words[0]/#\~\//$HOME/} command=${words[1]}
  if ((cword == 1)); then
    mapfile -t COMPREPLY < <(compgen -W "$(_tenure_commands "$program") --version --help" -- "$cur")
    return
  fi
  if [[ $command == help ]]; then
    ((cword > 2)) || mapfile -t COMPREPLY < <(compgen -W "$(_tenure_commands "$program")" -- "$cur")
    return
  fi

  local -a flags valued
  local plain quote kept i operands=0 first='' dashes='' awaiting='' script='' space=${TENURE_SPACE:-default}
  if [[ $command == sim && $cword -gt 2 && ${words[2]} == [a-z]* ]]; then
    _tenure_read_options "$program" sim "${words[2]}"
  else
    _tenure_read_options "$program" "$command"
  fi
  for ((i = 2; i < cword; i++)); do
    _tenure_unquote "${words[i]}"
    if [[ $awaiting ]]; then
      if [[ $awaiting == --space ]]; then space=$plain; fi
      if [[ $awaiting == @(-*c|--command) ]]; then script=yes; fi
      awaiting=''
    elif [[ $plain == -- && ! $dashes ]]; then
      dashes=yes
    elif [[ $plain == -?* && ! $dashes ]]; then
      if _tenure_awaits_value "$plain"; then awaiting=$plain; fi
      if [[ $plain == --space=* ]]; then space=${plain#*=}; fi
    else
      ((++operands))
      first=${first:-$plain}
      if [[ $command == run ]]; then break; fi
    fi
  done
  space=${space/#\~\//$HOME/}

  if [[ $command == run && $operands == 1 ]]; then
    ((++i))
    # Of `-c STRING`, in place of a command, nothing is known.
    if [[ $script || ($i -lt $cword && ${words[i]} == @(-c|--command)) ]]; then return; fi
    if [[ ${words[i]} == -- && $i -lt $cword ]]; then ((++i)); fi
    _tenure_complete_command "$i"
  elif [[ $awaiting ]]; then
    _tenure_complete_value "$awaiting" "$cur"
  elif [[ $cur == --*=* && ! $dashes ]]; then
    _tenure_complete_value "${cur%%=*}" "${cur#*=}"
  elif [[ $cur == -* && ! $dashes ]]; then
    mapfile -t COMPREPLY < <(compgen -W "${flags[*]} ${valued[*]}" -- "$cur")
  elif [[ $command == sim ]]; then
    _tenure_complete_sim "$program" "$first" "$operands"
  elif ((operands == 0)); then
    case $command in
      init | doctor) ;;
      break | wait) _tenure_complete_name "$program" "$space" busy ;;
      rm) _tenure_complete_name "$program" "$space" free ;;
      *) _tenure_complete_name "$program" "$space" all ;;
    esac
  fi
} && complete -F _tenure tenure
