# Makes the HTTP requests that standard input lists, side by side, with the first of
# python3, node, curl and wget that works. Nothing of a request that is secret is an
# argument of a program. No proxy of the environment is used.
# Arguments: the programs for python3 and node. Standard input, line by line: a marker;
# seconds; the most bytes of a body; the requests in JSON, for those two; and for
# each request again its own marker, the URL without and with what it takes to log
# in, the proxy or nothing with the same, host, port, target, headers, and an empty line.
unset http_proxy https_proxy all_proxy no_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY WGETRC
LC_ALL=C
export LC_ALL
IFS= read -r marker && read -r seconds && read -r limit && IFS= read -r json || exit
exec 5<&0

have() { command -v "$1" >/dev/null 2>&1; }
used() { printf '\nused-%s %s\n' "$marker" "$1"; }

# tried runs an interpreter. One that is there and broken, or floods, is passed over.
tried() {
	have "$1" || return
	out=$(printf '%s\n' "$json" | "$@" | head -c 3000000)
	case $out in
	*"$marker"*)
		printf '%s' "$out"
		used "$1"
		exit
		;;
	esac
}
tried python3 -I -c "$1"
tried node -e "$2"
tool=
if have curl; then tool=curl; elif have wget; then tool=wget; else used none; exit; fi

help=
if [ $tool = wget ]; then help=$(wget --help 2>&1); fi
timer= # an older BusyBox wants -t
if timeout 9 true 2>/dev/null; then timer=timeout; fi
has() { case $help in *"$1"*) ;; *) false ;; esac; }

# watched gives a program what is to be given, and ends it when its time is over:
# wget's own limits are on the silence of a server, which one that drips never gets to.
# Nothing is left running, and nothing unwaited for.
watched() {
	if [ -n "$timer" ]; then
		printf '%s\n' "$given" | timeout "$seconds" "$@" 2>&4 3>&- 4>&- 5<&-
		code=$?
		if [ $code = 124 ]; then code=143; fi # as GNU's says it
		printf '\nexit %s\n' $code >&4
		return
	fi
	printf '%s\n' "$given" | "$@" 2>&4 3>&- 4>&- 5<&- &
	child=$!
	(
		trap 'kill $!; wait $!; exit' TERM
		sleep "$seconds" &
		wait $!
		# BusyBox has another program for TLS, which would stay.
		helpers=
		case $url in https:*)
			for stat in /proc/[0-9]*/stat; do
				read -r pid _ _ parent _ <"$stat" && [ "$parent" = "$child" ] && helpers="$helpers $pid"
			done
			;;
		esac
		kill $child $helpers
	) >/dev/null 3>&- 4>&- 5<&- &
	watch=$!
	wait $child
	printf '\nexit %s\n' $? >&4
	kill $watch
	wait $watch
}

# timed is watched for curl, which minds the time itself.
timed() {
	printf '%s' "$given" | "$@" 2>&4 3>&- 4>&- 5<&-
	printf '\nexit %s\n' $? >&4
}

# answer prints what came of a request: the body, how it was asked, what the tool said,
# and how it ended. The body goes straight to standard output (3), the words (4) into log.
answer() {
	{ log=$({ "$@" 2>/dev/null | head -c "$limit" >&3; } 4>&1 | head -c "$limit"); } 3>&1
	printf '\n%s %s\n%s\n' "$mark" "$shown" "$log"
}

by_curl() {
	if [ -n "$proxy" ]; then set -- --noproxy '' -x "$proxy" "$@"; else set -- --noproxy '*' "$@"; fi
	shown=curl given=$config
	answer timed curl -q -sS -g -k --http1.1 --max-time "$seconds" --max-filesize "$limit" \
		-w "\\n$mark %{http_code} %{remote_ip}\\n" "$@" -K - "$url"
}

by_wget() {
	shown=hidden given=
	case $url in https:*) timer= ;; esac # it would leave BusyBox' helper behind
	# GNU's takes a URL from standard input, BusyBox' does not.
	if [ "$url" = "$login_url" ]; then
		set -- "$@" "$url"
	elif has input-file; then
		given=$login_url
		set -- "$@" --auth-no-challenge -i -
	else
		by_nc
		return
	fi
	if has 'server response'; then
		shown=shown
		set -- -S "$@"
	fi
	if has --max-redirect; then set -- -t 1 --max-redirect=0 "$@"; fi
	if has --content-on-error; then set -- --content-on-error "$@"; fi
	if has --no-check-certificate; then set -- --no-check-certificate "$@"; fi
	if [ -n "$proxy" ]; then
		http_proxy=$login_proxy
		export http_proxy
	elif has --no-proxy; then
		set -- --no-proxy "$@"
	fi
	answer watched wget -O - "$@"
}

# by_nc is for what cannot be told to wget in secret.
by_nc() {
	shown=absent
	case $url in https:*) false ;; esac && have nc && shown=raw
	given="GET $target HTTP/1.0$lines
Connection: close$cr
$cr"
	if [ $shown = raw ]; then answer watched nc "$host" "$port"; else answer :; fi
}

# all makes the requests that are left, side by side. Each prints its answer when those
# behind it have: in one piece, and in no pipe that could be full.
cr=$(printf '\r')
all() {
	IFS= read -r mark <&5 && [ -n "$mark" ] || return 0
	IFS= read -r url <&5 && IFS= read -r login_url <&5 && IFS= read -r proxy <&5 &&
		IFS= read -r login_proxy <&5 && IFS= read -r host <&5 && read -r port <&5 &&
		IFS= read -r target <&5 || return 0
	set --
	config='' lines=$cr
	while IFS= read -r line <&5 && [ -n "$line" ]; do
		case $line in
		*uthorization:*) config="${config}header = \"$line\"
" ;;
		*) set -- "$@" --header "$line" ;;
		esac
		lines="$lines
$line$cr"
	done
	{
		out=$(by_$tool "$@")
		printf 'begin-%s\n%s\nend-%s\n' "$mark" "$out" "$mark"
	} | {
		all
		cat
	}
}
all
used $tool
