#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Each command says what it is for and takes, in three ways that are one; and what the shells offer is what there is:
# every command and option, and the accounts, agents and displaced logins of this machine.
. "$(dirname "$0")/lib.sh" || exit 1

COMPLETION=$TESTS/../etc/completion
keeper --help
expect_status 0
overview=$out
mapfile -t commands < <(sed -n '/^Commands:/,/^$/s/^  \([a-z-]*\)  .*/\1/p' "$out")
[ "${#commands[@]}" -ge 10 ] || fail "found too few commands" "${commands[*]}"
keeper help
cmp -s "$out" "$overview" || fail "help is not --help"

for command in "${commands[@]}"; do
	[ "$command" = help ] && continue
	keeper help "$command"
	expect_status 0
	page=$out
	expect_match "$page" "^Usage: oauth-keepalive \[OPTION...\] $command"
	expect_eq "lines over 80 columns in help $command" "$(grep -cE '^.{81}' "$page")" 0
	keeper "$command" --help
	expect_status 0
	cmp -s "$out" "$page" || fail "$command --help is not help $command"
	# Every option of the page is taken by the command, offered by the shells, and in the manual; and there are no others.
	mapfile -t options < <(sed '/^For the options/,$d' "$page" | grep -oE '^ +(-[a-z], )?--[a-z-]+(, --[a-z-]+)*' | grep -oE -- '--[a-z-]+' | sort -u)
	for option in "${options[@]}"; do
		value=
		grep -qE -- "$option [A-Z]" "$page" && value='='
		keeper "$command" "$option$value" --help
		[ -n "$value" ] || expect_status 0
		expect_no_match "$err" "takes no|unknown option"
	done
	for option in --force --last-try --at --wait --dry-run --check --watch --adopt --follow --since --number --min-life --probe \
		--release; do
		keeper "$command" "$option=x" no-such-account
		taken=yes
		grep -q "takes no ${option}\b" "$err" && taken=no
		keeper "$command" "$option" x no-such-account
		grep -q "takes no ${option}\b" "$err" && taken=no
		listed=no
		case " ${options[*]} " in *" $option "*) listed=yes ;; esac
		expect_eq "$command $option in its help" "$listed" "$taken"
		line=$(sed -n "s/^	$command) options='\(.*\)' ;;/\1 /p" "$COMPLETION/oauth-keepalive.bash")
		offered=no
		case " $line" in *" $option "*) offered=yes ;; esac
		expect_eq "$command $option in bash" "$offered" "$taken"
		offered=no
		grep -qE "__oauth_keepalive_in [a-z -]*\b$command\b.*'.* -l ${option#--}( |\$)" "$COMPLETION/oauth-keepalive.fish" && offered=yes
		expect_eq "$command $option in fish" "$offered" "$taken"
		offered=no
		sed -n "/^		($command)/{:a;/;;/!{N;ba};p;q}" "$COMPLETION/_oauth-keepalive" | grep -qE -- "${option}[[},]" && offered=yes
		expect_eq "$command $option in zsh" "$offered" "$taken"
	done
done
keeper help nonsense
expect_status 2
expect_match "$err" "unknown command: nonsense"

# ---- what there is
# shellcheck disable=SC2119
start_oidc
mint alice left=5h
mint alice2 left=5h account=alice2
mint old left=5h account=alice
write_store main xai:default=alice xai:work=alice2
write_store coder xai:default=alice
keeper refresh
write_config
mkdir -p "$T/bin"
ln -s "$OAUTH_KEEPALIVE" "$T/bin/oauth-keepalive"
PATH=$T/bin:$PATH
LINE="oauth-keepalive -c $T/keeper.conf --ledger-dir $LEDGER"

# in_bash WORDS: what bash would add, given the line
in_bash() {
	env -u BASH_ENV COMPLETION="$COMPLETION/oauth-keepalive.bash" LINE="$LINE $1" bash --norc -c '
		. "$COMPLETION"; COMP_LINE=$LINE COMP_POINT=${#LINE}; _oauth_keepalive; printf "%s\n" "${COMPREPLY[@]}"' | sort | paste -sd' '
}
expect_eq "bash: commands" "$(in_bash re)" "refresh restore"
expect_eq "bash: all commands" "$(in_bash "")" "$(printf '%s\n' "${commands[@]}" | sort | paste -sd' ')"
expect_eq "bash: accounts" "$(in_bash "refresh ")" "xai:default xai:work"
expect_eq "bash: behind a colon" "$(in_bash "refresh xai:d")" "default"
expect_eq "bash: options" "$(in_bash "sync --a")" "--adopt"
expect_eq "bash: agents" "$(in_bash "sync --follow co")" "coder"
expect_eq "bash: events" "$(in_bash "hook-test re")" "recovered refreshed"

FISH=$(command -v fish || true)
if [ -n "$FISH" ]; then
	in_fish() {
		"$FISH" --no-config -c "source $COMPLETION/oauth-keepalive.fish; complete -C '$LINE $1'" | cut -f1 | sort | paste -sd' '
	}
	expect_eq "fish: commands" "$(in_fish re)" "refresh restore"
	expect_eq "fish: accounts" "$(in_fish "refresh ")" "xai:default xai:work"
	expect_eq "fish: options" "$(in_fish "sync --a")" "--adopt"
	expect_eq "fish: agents" "$(in_fish "sync --follow co")" "coder"
	expect_eq "fish: events" "$(in_fish "hook-test reco")" "recovered"
else
	not_shown "fish's completion: it is not installed"
fi

ZSH=$(command -v zsh || true)
if [ -n "$ZSH" ]; then
	# What compadd is given, seen by a function of that name in a shell that completes in a pseudo terminal.
	in_zsh() {
		"$PYTHON" - "$ZSH" "$COMPLETION" "$LINE $1" "$T" <<-'END'
			import os, pty, re, select, sys, time
			zsh, completion, line, top = sys.argv[1:]
			pid, fd = pty.fork()
			if pid == 0:
			    os.environ.update(TERM="dumb", PS1="READY> ", COLUMNS="1000", ZDOTDIR=top)
			    os.execl(zsh, "zsh", "-f", "-i")
			def send(text): os.write(fd, text.encode())
			def wait(pattern, seconds=60):
			    got, end = "", time.time() + seconds
			    while time.time() < end and not re.search(pattern, got, re.S):
			        if select.select([fd], [], [], 0.2)[0]:
			            try: got += os.read(fd, 65536).decode(errors="replace")
			            except OSError: break
			    return got
			send(f"PS1='READY> '; unsetopt zle_bracketed_paste; fpath=({completion} $fpath); autoload -U compinit; compinit -u -D; "
			     "bindkey '^I' complete-word; zstyle ':completion:*' list-prompt ''; unsetopt automenu; LISTMAX=0; "
			     "compadd() { builtin compadd -O __found \"$@\"; print -rl -- $__found >>" + top + "/zsh.found; builtin compadd \"$@\" }; echo done-$((1+1))\n")
			wait(r"done-2")
			send(line + "\t\x01: \necho done-$((2+2))\n")  # not run; and the rest is read when it has completed
			wait(r"done-4")
			os.close(fd)
		END
		sort -u "$T/zsh.found" 2>/dev/null | sed '/^$/d' | paste -sd' '
		rm -f "$T/zsh.found"
	}
	expect_eq "zsh: accounts" "$(in_zsh "refresh xai")" "xai:default xai:work"
	expect_eq "zsh: agents" "$(in_zsh "sync --adopt cod")" "coder"
else
	not_shown "zsh's completion: it is not installed"
fi

# ---- whatever a store has for a name: it is offered as one word, or not at all, and no shell runs it
keep_login odd "$(to_json type=oauth provider=xai access=FAKE-ACCESS-odd refresh=FAKE-REFRESH-odd email=o@example.com)"
# shellcheck disable=SC2016
write_store odd 'xai:$(touch pwned1)'=odd 'xai:`touch pwned2`;touch pwned3'=odd "xai:it's \"so\" \\"=odd $'xai:a\nb'=odd 'xai:ünï'=odd 'xai:a b'=odd
odd_names() { # SHELL: what it offers, besides what there was before
	expect_match "$T/offered" 'default'
	expect_match "$T/offered" 'ünï'
	expect_match "$T/offered" 'touch'
	[ -z "$(find "$T" -name 'pwned*')" ] || fail "$1 ran what stands in a name"
}
in_bash "refresh " >"$T/offered"
odd_names bash
expect_eq "bash: a name of two words" "$(in_bash "refresh xai:a")" 'a\ b'
# shellcheck disable=SC2016
expect_eq "bash: a name like a command" "$(in_bash 'refresh xai:$')" '\$\(touch\ pwned1\)'
[ -z "$FISH" ] || { in_fish "refresh " >"$T/offered" && odd_names fish; }
[ -z "$ZSH" ] || { in_zsh "refresh xai" >"$T/offered" && odd_names zsh; }
