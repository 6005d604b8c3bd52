# What the tests of the manual and of the completions share, above all what the shells complete: to be sourced. From its user: work (a
# directory), SOURCE_DIR, PROGRAM, and completions, the folder of the completions, or nothing where the shells are to find them by
# themselves (by XDG_DATA_DIRS, FPATH_FIRST).
# shellcheck shell=bash
: "${work:?}" "${SOURCE_DIR:?}" "${PROGRAM:?}" "${completions?}"

# Ends the test as skipped, and says why as tools/check wants to hear it.
skip() { # REASON
  printf '%s: Skipped\n%s\n[  SKIPPED ]\n' "${0##*/}" "$1"
  exit 77
}

has_shell() {
  command -v "$1" >/dev/null && { [ "$1" != bash ] || [ -e /usr/share/bash-completion/bash_completion ]; }
}

prepare_shells() {
  mkdir -p "$work/shells/bin" "$work/shells/home"
  ln -sf "$PROGRAM" "$work/shells/bin/tenure"
  # A command whose only argument is "purple".
  ln -sf /bin/true "$work/shells/bin/frobnicate"
  # bash: what the function has found, and what readline has made of the line.
  cat >"$work/shells/bashrc" <<BASH
PS1='> ' HISTFILE=
source /usr/share/bash-completion/bash_completion
if [ -n "$completions" ]; then source "$completions/tenure.bash"; else __load_completion tenure; fi
probe() {
  local line=\$COMP_LINE status=0 found
  _tenure "\$@" || status=\$?
  for found in "\${COMPREPLY[@]}"; do printf '%s\t%s\n' "\$line" "\$found"; done >>"$work/shells/candidates"
  return \$status
}
complete -F probe tenure
complete -W purple frobnicate
bind 'set bell-style none'
bind 'set enable-bracketed-paste off'
bind 'set page-completions off'
bind 'set completion-query-items 0'
dump() {
  printf '%s\n' "\$READLINE_LINE" >>"$work/shells/lines"
  READLINE_LINE='' READLINE_POINT=0
}
bind -x '"\C-g": dump'
BASH
  # zsh: the same, by what is handed to compadd.
  cat >"$work/shells/.zshrc" <<ZSH
PS1='> '
if [[ -n "$completions" ]]; then fpath=($completions \$fpath); else fpath=(\$FPATH_FIRST \$fpath); fi
autoload -Uz compinit
compinit -D -u
_frobnicate() { compadd purple; }
compdef _frobnicate frobnicate
unsetopt beep
setopt no_auto_menu no_list_beep no_auto_list
bindkey -e
bindkey '^I' complete-word
compadd() {
  if [[ \${@[1,(i)(-|--)]} != *-(O|A|D)\ * ]]; then
    local -a found
    builtin compadd -O found "\$@"
    (( \$#found )) && print -rl -- "\$PREBUFFER\$LBUFFER"\$'\t'\${^found} >>$work/shells/candidates
  fi
  builtin compadd "\$@"
}
dump() {
  print -r -- "\$BUFFER" >>$work/shells/lines
  BUFFER='' CURSOR=0
}
zle -N dump
bindkey '^G' dump
ZSH
}

# Types the lines into a shell at a terminal, with a tab behind each.
type_into() { # SHELL LINE...
  local shell=$1 line
  shift
  local command="bash --noprofile --rcfile $work/shells/bashrc -i"
  [ "$shell" != zsh ] || command='zsh -d -i'
  : >"$work/shells/lines"
  : >"$work/shells/candidates"
  {
    for line in "$@"; do printf '%s\t\a' "$line"; done
    printf 'exit\n'
  } | HOME=$work/shells/home ZDOTDIR=$work/shells PATH=$work/shells/bin:$PATH TERM=dumb timeout 100 script -qec "$command" /dev/null \
    >"$work/shells/screen" 2>&1 || true
}

# What each line is completed to: the line, a tab, what is offered.
candidates_in() { # SHELL LINE...
  local shell=$1 line
  prepare_shells
  if [ "$shell" = fish ]; then
    shift
    # shellcheck disable=SC2016
    HOME=$work/shells/home PATH=$work/shells/bin:$PATH fish -c '
      test -n "$argv[1]"; and source $argv[1]/tenure.fish
      complete -c frobnicate -f -a purple
      for line in $argv[2..-1]
          for found in (complete -C $line | string replace -r "\t.*" "")
              printf "%s\t%s\n" $line $found
          end
      end
      true' -- "$completions" "$@"
    return
  fi
  type_into "$@"
  cat "$work/shells/candidates"
}

# What each line becomes; bash and zsh only.
completed_in() { # SHELL LINE...
  prepare_shells
  type_into "$@"
  cat "$work/shells/lines"
}
