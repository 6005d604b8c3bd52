# Completion of tenure for fish. Commands and options come from the program's own help, names from its table. The command behind NAME
# completes as it does alone.

# Where the cursor is: "subcommand", or a command, what belongs there ("name", "value", "command", or "nothing"), and for "command" the
# number of the token with which it begins; of `sim` also "target", its own command, and the number of operands.
function __tenure_where
    set -l tokens (commandline -opc)
    set -l count (count $tokens)
    if test $count -lt 2
        echo subcommand
        return
    end
    set -l command $tokens[2]
    set -l valued __tenure_valued_$command
    set -l operands 0
    set -l first
    set -l dashes no
    set -l script no
    set -l i 3
    while test $i -le $count
        set -l token $tokens[$i]
        set i (math $i + 1)
        if test $dashes = no; and test "$token" = --
            set dashes yes
        else if test $dashes = no; and string match -qr '^-.' -- $token
            if __tenure_awaits_value $valued $token
                if test $i -gt $count
                    echo $command value
                    return
                end
                string match -qr '^(-[^-]*c|--command)$' -- $token; and set script yes
                set i (math $i + 1)
            end
        else
            set operands (math $operands + 1)
            set -q first[1]; or set first $token
            if test $command = run
                # Of `-c STRING`, in place of a command, nothing is known.
                if test $script = yes; or contains -- "$tokens[$i]" -c --command
                    echo run nothing
                    return
                end
                if test $i -le $count; and test "$tokens[$i]" = --
                    set i (math $i + 1)
                end
                echo run command $i
                return
            end
        end
    end
    if test $command = sim; and test $operands -gt 0
        echo sim target $first $operands
    else if test $operands -gt 0
        echo $command nothing
    else
        echo $command name
    end
end

# Whether the argument is an option whose value is the next argument: "--wait", "-w", "-nw", but not "--wait=5" or "-w5".
function __tenure_awaits_value # VARIABLE ARGUMENT
    set -l valued $$argv[1]
    if string match -q -- '--*' $argv[2]
        contains -- $argv[2] $valued
        return
    end
    set -l letters (string split '' -- (string sub -s 2 -- $argv[2]))
    for i in (seq (count $letters))
        if contains -- -$letters[$i] $valued
            test $i -eq (count $letters)
            return
        end
    end
    return 1
end

function __tenure_is # COMMAND [WHAT...]
    set -l at (__tenure_where | string split ' ')
    test "$at[1]" = $argv[1]; and begin
        test (count $argv) -eq 1; or contains -- $at[2] $argv[2..-1]
    end
end

# The space that the line speaks of.
function __tenure_space
    set -l tokens (commandline -opc)
    set -l space default
    set -q TENURE_SPACE; and test -n "$TENURE_SPACE"; and set space $TENURE_SPACE
    for i in (seq 3 (count $tokens))
        switch $tokens[$i]
            case --
                break
            case '--space=*'
                set space (string replace -- --space= '' $tokens[$i])
            case --space
                set -q tokens[(math $i + 1)]; and set space $tokens[(math $i + 1)]
        end
    end
    string replace -r '^~/' "$HOME/" -- $space
end

# Whether there is a table in the space: to ask for the names of one that is not there would make it.
function __tenure_has_table # SPACE
    set -l user (id -u)
    if string match -q '*/*' -- $argv[1]
        test -e $argv[1]/default.table
    else
        set -l table $argv[1].table
        test -e /run/tenure/$user/$table; or test -e /run/lock/tenure-$user/$table; or test -e /tmp/tenure-$user/$table
    end
end

# The names of the space, one a line: all, those that are held or waited for (`busy`), or the others (`free`).
function __tenure_names # WHICH
    set -l state '[a-z]*'
    set -l all --all
    test $argv[1] = free; and set state free
    test $argv[1] = busy; and set all
    set -l space (__tenure_space)
    __tenure_has_table $space; or return 0
    # An unquoted quote does not stand within a string of JSON, so this is found in no other place.
    tenure ls $all --json --space=$space 2>/dev/null | LC_ALL=C grep -o '{"name":"\([^"\\\\]\|\\\\.\)*","state":"'$state'"' |
        LC_ALL=C sed 's/^{"name":"//; s/","state":"[a-z]*"$//; s/\\\\\(.\)/\1/g'
end

# What the command behind NAME completes to.
function __tenure_subcommand
    set -l at (__tenure_where | string split ' ')
    set -l tokens (commandline -opc)
    set -l before
    set -q tokens[$at[3]]; and set before (string escape -- $tokens[$at[3]..-1])
    complete -C "$before "(commandline -ct)
end

# What can be simulated; for the catalogue the known bugs alone.
function __tenure_sim_targets
    set -l at (__tenure_where | string split ' ')
    switch $at[3]:$at[4]
        case 'catalogue:*'
            tenure sim targets 2>/dev/null | string replace -rf '/sound .*' ''
        case 'hunt:*' run:1 replay:1 shrink:1 explain:1
            tenure sim targets 2>/dev/null | string replace -r ' .*' ''
    end
end

function __tenure_sim_commands
    tenure sim --help 2>/dev/null | sed -n '/^Commands/,/^$/s/^  \([a-z]*\)  *\(.*\)/\1\t\2/p'
end

complete -c tenure -f
complete -c tenure -n '__tenure_is subcommand' -l help -s h -d 'what it does'
complete -c tenure -n '__tenure_is subcommand' -l version -d 'the version'
for line in (tenure help 2>/dev/null | string match -r '^  [a-z]+ .*')
    set -l found (string match -r '^  ([a-z]+)( \[COMMAND\])?  +(.*)$' -- $line)
    or continue
    set -l command $found[2]
    test $command = tenure; and continue
    set -l which all
    complete -c tenure -n '__tenure_is subcommand' -a $command -d "$found[-1]"
    complete -c tenure -n '__tenure_is help name' -a $command -d "$found[-1]"
    switch $command
        case help init doctor
            set which
        case break wait
            set which busy
        case rm
            set which free
        case sim
            set which
            complete -c tenure -n '__tenure_is sim name' -a '(__tenure_sim_commands)'
            complete -c tenure -n '__tenure_is sim target' -a '(__tenure_sim_targets)'
        case run
            complete -c tenure -n '__tenure_is run command' -a '(__tenure_subcommand)'
    end
    if test -n "$which"
        complete -c tenure -n "__tenure_is $command name" -a "(__tenure_names $which)" -d name
    end

    # Lines like "  -w --wait --timeout D     wait at most so long".
    set -g __tenure_valued_$command
    for option in (tenure $command --help 2>/dev/null | string match -r '^  -.*')
        set -l found (string match -r '^  (-[^ ]+(?: -[^ ]+)*)( [A-Z]+|) +(.*)$' -- $option)
        or continue
        set -l options (string split ' ' -- $found[2])
        set -l description $found[-1]
        set -l value
        if test -n "$found[3]"
            set value -x
            set -ga __tenure_valued_$command $options
            contains -- --space $options; and set -a value -a '(__fish_complete_directories (commandline -ct))'
            contains -- --group $options; and set -a value -a '(__fish_complete_groups)'
            contains -- --engine $options; and set -a value -a 'uniform sticky pct2 pct3 pct4 pct5 sweep'
            string match -qr -- '^--(html|junit|output|tape-file)$' $options; and set value -r -F
        end
        for name in $options
            if string match -q -- '--*' $name
                complete -c tenure -n "__tenure_is $command name value nothing target" \
                    -l (string sub -s 3 -- $name) $value -d $description
            else
                complete -c tenure -n "__tenure_is $command name value nothing target" \
                    -s (string sub -s 2 -- $name) $value -d $description
            end
        end
    end
end
