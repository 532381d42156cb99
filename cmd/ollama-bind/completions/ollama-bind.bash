# bash completion for ollama-bind. It does with the bash 3.2 of macOS, needs no other
# package, starts no program, and evaluates nothing that was typed. make docs writes
# what is generated.

_ollama_bind() {
	local command=${COMP_WORDS[1]-} before=${COMP_WORDS[COMP_CWORD-1]} word=${COMP_WORDS[COMP_CWORD]-}
	COMPREPLY=()
	if [ "$COMP_CWORD" -eq 1 ]; then command='' before=''; fi

	# --flag=value is three words, but one in bash 3.2.
	case $word in
	=) word= ;;
	--*=*) before=${word%%=*} word=${word#*=} ;;
	*) if [ "$before" = = ]; then before=${COMP_WORDS[COMP_CWORD-2]}; fi ;;
	esac

	case $command:$before in
	# generated: bash
	:)
		_ollama_bind_offer fix status rollback doctor probe url completion version help --help -h --version -v ;;
	fix:--host)
		_ollama_bind_offer 0.0.0.0:11434 127.0.0.1:11434 ;;
	fix:--service)
		_ollama_bind_offer ;;
	fix:--plist)
		_ollama_bind_files ;;
	fix:--timeout)
		_ollama_bind_offer ;;
	fix:*)
		_ollama_bind_offer --dry-run -n --show-values --host --service --plist --no-persist --no-restart --timeout --json --quiet -q --verbose -v --help -h ;;
	status:--host)
		_ollama_bind_offer 0.0.0.0:11434 127.0.0.1:11434 ;;
	status:--service)
		_ollama_bind_offer ;;
	status:--plist)
		_ollama_bind_files ;;
	status:*)
		_ollama_bind_offer --host --service --plist --json --verbose -v --help -h ;;
	rollback:--service)
		_ollama_bind_offer ;;
	rollback:--to)
		_ollama_bind_offer ;;
	rollback:--timeout)
		_ollama_bind_offer ;;
	rollback:*)
		_ollama_bind_offer --dry-run -n --show-values --service --all --list --to --force --timeout --json --quiet -q --verbose -v --help -h ;;
	doctor:--container)
		_ollama_bind_offer ;;
	doctor:--runtime)
		_ollama_bind_offer docker podman nerdctl ;;
	doctor:--check)
		_ollama_bind_offer platform agent-found label two-jobs job-loaded disabled last-exit plist-parses plist-permissions value-in-env-file value-in-plist value-in-job launchctl-getenv value-traps listeners owner-is-job second-ollama api-version api-from-own-address lasting state-folder homebrew-version firewall-state exposed-addresses ollama-version-advisories client-env container-runtime container-url container-extra-hosts container-proxy container-reaches-loopback container-reaches-wildcard container-reaches-ollama ;;
	doctor:--host)
		_ollama_bind_offer 0.0.0.0:11434 127.0.0.1:11434 ;;
	doctor:--service)
		_ollama_bind_offer ;;
	doctor:--plist)
		_ollama_bind_files ;;
	doctor:*)
		_ollama_bind_offer --container --runtime --check --list-checks --host --service --plist --json --verbose -v --help -h ;;
	probe:--container)
		_ollama_bind_offer ;;
	probe:--image)
		_ollama_bind_offer ;;
	probe:--runtime)
		_ollama_bind_offer docker podman nerdctl ;;
	probe:--url)
		_ollama_bind_offer ;;
	probe:--origin)
		_ollama_bind_offer ;;
	probe:--host)
		_ollama_bind_offer 0.0.0.0:11434 127.0.0.1:11434 ;;
	probe:--timeout)
		_ollama_bind_offer ;;
	probe:*)
		_ollama_bind_offer --container --image --runtime --url --origin --host --timeout --json --verbose -v --help -h ;;
	url:--from)
		_ollama_bind_offer ;;
	url:--runtime)
		_ollama_bind_offer colima docker docker-desktop host lima nerdctl orbstack podman rancher rancher-desktop ;;
	url:*)
		_ollama_bind_offer --from --runtime --json --verbose -v --help -h ;;
	completion:completion)
		_ollama_bind_offer bash zsh fish --help -h ;;
	version:*)
		_ollama_bind_offer --json --help -h ;;
	help:help)
		_ollama_bind_offer fix status rollback doctor probe url completion version ;;
	# end generated
	esac
}

# _ollama_bind_offer takes those of its arguments that begin as the word does. In bash
# 3.2 a word may hold colons, and only what is behind the last one is replaced.
_ollama_bind_offer() {
	local candidate kept=
	case $COMP_WORDBREAKS$word in *:*:*) kept=${word%"${word##*:}"} ;; esac
	for candidate; do
		case $candidate in "$word"*) COMPREPLY[${#COMPREPLY[@]}]=${candidate#"$kept"} ;; esac
	done
}

_ollama_bind_files() {
	# Older versions of bash run the commands in a name that they look up.
	case $word in *[\$\`]*) return ;; esac
	# The word is as it was typed, with its quotes.
	local plain=${word#[\"\']} file
	plain=${plain//\\/}
	while IFS= read -r file; do
		if [ -n "$file" ]; then COMPREPLY[${#COMPREPLY[@]}]=$file; fi
	done <<<"$(compgen -f -- "$plain")"
	# These are files, to be quoted, and folders get a slash. bash 3.2 has no compopt,
	# but there any compgen -f says the same.
	compopt -o filenames 2>/dev/null || compgen -f /nowhere/ >/dev/null
	return 0
}

complete -F _ollama_bind ollama-bind
