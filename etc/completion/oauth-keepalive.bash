# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# bash completion for oauth-keepalive: commands, options, and what there really is: accounts, agents, displaced logins.

# The names in a document, asked for with the options that stand on the line so far.
_oauth_keepalive_ask() { # COMMAND FIELD
	local i where=()
	for ((i = 1; i < ${#_oauth_keepalive_words[@]} - 1; i++)); do
		case ${_oauth_keepalive_words[i]} in
		-c | --config | --state-dir | --ledger-dir) where+=("${_oauth_keepalive_words[i]}" "${_oauth_keepalive_words[i + 1]/#\~/$HOME}") ;;
		esac
	done
	oauth-keepalive "${where[@]}" "$1" -j 2>/dev/null | sed -n "s/^[[:space:]{]*\"$2\":[[:space:]]*\"\([^\"\\\\]*\)\".*/\1/p" | sort -u
}

# Of these lines, those that begin as `current` does, quoted for the line. (compgen -W would expand what stands in a name: a
# profile id may be `$(command)`.) What only $'...' can say is not offered.
_oauth_keepalive_offer() { # LINES
	local name quoted
	while IFS= read -r name; do
		printf -v quoted %q "$name"
		[[ -n $name && $quoted != \$* ]] && [[ $name == "$current"* || $quoted == "$current"* ]] && COMPREPLY+=("$quoted")
	done <<<"$1"
}

_oauth_keepalive() {
	local line=${COMP_LINE:0:COMP_POINT} current previous command='' word options i names=''
	local common='--config --state-dir --ledger-dir --json --verbose --quiet --help'
	local -a _oauth_keepalive_words
	# By blanks only: a profile id has colons, which bash takes for the ends of words.
	read -ra _oauth_keepalive_words <<<"$line"
	[[ $line == *[[:blank:]] ]] && _oauth_keepalive_words+=('')
	current=${_oauth_keepalive_words[-1]}
	previous=${_oauth_keepalive_words[-2]:-}
	for ((i = 1; i < ${#_oauth_keepalive_words[@]} - 1; i++)); do
		word=${_oauth_keepalive_words[i]}
		case $word in
		--follow) [[ $command = export ]] || i=$((i + 1)) ;;
		-c | --config | --state-dir | --ledger-dir | --at | --wait | --adopt | --since | --number | -n | --min-life) i=$((i + 1)) ;;
		-*) ;;
		*) [[ -n $command ]] || command=$word ;;
		esac
	done
	COMPREPLY=()
	case $previous in
	-c | --config)
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
		;;
	--state-dir | --ledger-dir)
		mapfile -t COMPREPLY < <(compgen -d -- "$current")
		return
		;;
	--adopt | --follow)
		[[ $command = export ]] && previous=
		;;
	esac
	case $previous in
	--adopt | --follow)
		names=$(_oauth_keepalive_ask status agent)
		[[ $previous = --follow ]] && names+=$'\n'all
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		_oauth_keepalive_offer "$names"
		return
		;;
	--at | --wait | --since | --number | -n | --min-life) return ;;
	esac
	case $command in
	refresh) options='--force --at --wait --dry-run --last-try' ;;
	preview) options='--at --check --force --last-try' ;;
	status) options='--watch' ;;
	doctor) options='--probe' ;;
	sync) options='--adopt --follow --force --wait --dry-run' ;;
	restore) options='--wait --dry-run' ;;
	forget) options='--force' ;;
	log) options='--number --since' ;;
	token) options='--min-life --wait' ;;
	export) options='--release --follow --wait' ;;
	import) options='--force --wait --dry-run' ;;
	own) options='--wait' ;;
	*) options='' ;;
	esac
	if [[ $current == -* ]]; then
		[[ -n $command ]] || options+=' --version'
		mapfile -t COMPREPLY < <(compgen -W "$common $options" -- "$current")
		return
	fi
	word=''
	case $command in
	'' | help) word='refresh watch preview status doctor sync restore forget leave log config providers token export import hook-test own help' ;;
	restore) names=$(_oauth_keepalive_ask restore id) ;;
	hook-test) word='refreshed adopted needs_login failed recovered' names=$(_oauth_keepalive_ask status profile) ;;
	import) ;;
	config) names=$(_oauth_keepalive_ask config setting) ;;
	providers) names=$(_oauth_keepalive_ask providers name) ;;
	*) names=$(_oauth_keepalive_ask status profile) ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$word" -- "$current")
	_oauth_keepalive_offer "$names"
	# What stands before the last colon is on the line already.
	if [[ $current == *:* && $COMP_WORDBREAKS == *:* ]]; then
		word=${current%"${current##*:}"}
		COMPREPLY=("${COMPREPLY[@]#"$word"}")
	fi
}
complete -F _oauth_keepalive oauth-keepalive
