# Fetches with wget, be it GNU's or BusyBox's.
# Arguments: a marker, seconds, the most bytes of a body, a proxy or "", and
# wget's own. Writes the body, the marker, and what wget said and how it ended.
marker=$1 seconds=$2 limit=$3 proxy=$4
shift 4

unset http_proxy https_proxy all_proxy no_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY WGETRC
LC_ALL=C
export LC_ALL
if ! command -v wget >/dev/null 2>&1; then
	printf '\n%s absent\n' "$marker"
	exit
fi

help=$(wget --help 2>&1)
has() { case $help in *"$1"*) ;; *) false ;; esac; }
set -- -O - "$@"
shown=hidden
if has 'server response'; then
	shown=shown
	set -- -S "$@"
fi
if has --max-redirect; then
	set -- -t 1 --max-redirect=0 "$@"
fi
if has --content-on-error; then
	set -- --content-on-error "$@"
fi
if has --no-check-certificate; then
	set -- --no-check-certificate "$@"
fi
if [ -n "$proxy" ]; then
	http_proxy=$proxy
	export http_proxy
elif has --no-proxy; then
	set -- --no-proxy "$@"
fi

# ask runs wget, and ends it when its time is over: its own limits are on the
# silence of a server, which one that drips never gets to. Nothing is left
# running, and nothing unwaited for.
ask() {
	wget "$@" 2>&4 3>&- 4>&- &
	wget=$!
	(
		trap 'kill $!; wait $!; exit' TERM
		sleep "$seconds" &
		wait $!
		# BusyBox has another program for TLS, which would stay.
		helpers=
		for stat in /proc/[0-9]*/stat; do
			read -r pid _ _ parent _ <"$stat" && [ "$parent" = "$wget" ] && helpers="$helpers $pid"
		done
		kill $wget $helpers
	) >/dev/null 3>&- 4>&- &
	watch=$!
	wait $wget
	printf '\nexit %s\n' $? >&4
	kill $watch
	wait $watch
}

# The body goes straight to standard output (3), what wget says (4) into log.
exec 3>&1
log=$({ ask "$@" 2>/dev/null | head -c "$limit" >&3; } 4>&1 | head -c "$limit")
printf '\n%s %s\n%s\n' "$marker" "$shown" "$log"
