# SPDX-License-Identifier: MIT
#
# fish completion for oauth-keepalive: commands, options, and what there really is: accounts, agents, displaced logins.

# The names in a document, asked for with the options that stand on the line.
function __oauth_keepalive_ask --argument-names command field
    set -l where
    set -l words (commandline -opc)
    for i in (seq (count $words))
        if contains -- $words[$i] -c --config --state-dir --ledger-dir
            set -l value (string replace -r '^~' $HOME -- $words[(math $i + 1)])
            set -a where $words[$i] $value
        end
    end
    oauth-keepalive $where $command -j 2>/dev/null | string match -rg '^[\s{]*"'$field'":\s*"([^"\\\\]*)"' | sort -u
end

function __oauth_keepalive_command
    set -l skip 0
    for word in (commandline -opc)[2..]
        if test $skip = 1
            set skip 0
        else if contains -- $word -c --config --state-dir --ledger-dir --at --wait --adopt --follow --since --number -n --min-life
            set skip 1
        else if not string match -q -- '-*' $word
            echo $word
            return
        end
    end
end

function __oauth_keepalive_in
    contains -- (__oauth_keepalive_command) $argv
end

set -l c complete -c oauth-keepalive
$c -f
$c -s c -l config -r -F -d 'Configuration file'
$c -l state-dir -x -a '(__fish_complete_directories)' -d "OpenClaw's state directory"
$c -l ledger-dir -x -a '(__fish_complete_directories)' -d 'Our own record'
$c -s j -l json -d 'One JSON document'
$c -s v -l verbose -d 'More detail'
$c -s q -l quiet -d 'Problems and changes'
$c -s h -l help -d 'Help'
$c -s V -l version -n 'test -z (__oauth_keepalive_command)' -d 'Version'

set -l first 'test -z (__oauth_keepalive_command); or __oauth_keepalive_in help'
$c -n $first -a refresh -d 'Refresh what is due'
$c -n $first -a watch -d 'Refresh whenever another host of the cluster has written something'
$c -n $first -a preview -d 'Show what refresh would do'
$c -n $first -a status -d 'Show every account and its copies'
$c -n $first -a doctor -d 'Say what is wrong and how to mend it'
$c -n $first -a sync -d 'Make every copy the live generation'
$c -n $first -a restore -d 'Bring a displaced login back'
$c -n $first -a forget -d 'Drop what the ledger holds of an account'
$c -n $first -a leave -d 'Log this host out of what it shares in a cluster'
$c -n $first -a log -d 'Show what happened'
$c -n $first -a config -d 'Show what is in force'
$c -n $first -a providers -d 'Show what is in force for each provider'
$c -n $first -a token -d 'Print the access token of an account'
$c -n $first -a export -d 'Print a login for another host'
$c -n $first -a import -d 'Take a login that another host exported'
$c -n $first -a hook-test -d 'Run a hook now'
$c -n $first -a own -d 'Take over a ledger, or a login'
$c -n $first -a help -d 'Help'

$c -n '__oauth_keepalive_in refresh preview sync forget import' -l force -d 'Although it should not be necessary'
$c -n '__oauth_keepalive_in refresh preview' -l last-try -d 'Send a token that may be spent'
$c -n '__oauth_keepalive_in refresh preview' -l at -x -d 'What would be due by then'
$c -n '__oauth_keepalive_in refresh sync restore token export import own' -l wait -x -d 'How long to wait for a lock'
$c -n '__oauth_keepalive_in refresh sync restore import' -l dry-run -d 'Only show it'
$c -n '__oauth_keepalive_in preview' -l check -d 'Exit status 5 if work is due'
$c -n '__oauth_keepalive_in status' -l watch -d 'Again every two seconds'
$c -n '__oauth_keepalive_in export' -l release -d 'Give it away'
$c -n '__oauth_keepalive_in export' -l follow -d 'The other host follows'
$c -n '__oauth_keepalive_in sync' -l adopt -r -F -a '(__oauth_keepalive_ask status agent)' -d 'The login there is the live one'
$c -n '__oauth_keepalive_in sync' -l follow -r -F -a '(__oauth_keepalive_ask status agent; echo all)' -d 'The login there gives way'
$c -n '__oauth_keepalive_in log' -s n -l number -x -d 'The last ones only'
$c -n '__oauth_keepalive_in log' -l since -x -d 'What happened since'
$c -n '__oauth_keepalive_in doctor' -l probe -d 'Ask the network, too'
$c -n '__oauth_keepalive_in token' -l min-life -x -d 'Refresh first if it lives shorter than that'

$c -n '__oauth_keepalive_in hook-test' -a 'refreshed adopted needs_login failed recovered'
$c -n '__oauth_keepalive_in restore' -a '(__oauth_keepalive_ask restore id)'
$c -n '__oauth_keepalive_in config' -a '(__oauth_keepalive_ask config setting)'
$c -n '__oauth_keepalive_in providers' -a '(__oauth_keepalive_ask providers name)'
$c -n '__oauth_keepalive_in refresh watch preview status doctor sync forget leave log token hook-test' -a '(__oauth_keepalive_ask status profile)'
