#!/bin/sh
# An extension attribute for Jamf Pro: how Ollama is bound on this Mac. It says one of
#
#	bound, unbound       as they say
#	drifted              bound once, and not as it was left, or not to last
#	no service           there is no Ollama service
#	nobody logged in     so there is no user's service to ask about
#	not installed        there is no ollama-bind
#	error                run ollama-bind status there to see which
#
# In the JSON, ids are in quotes, and a quote within text has a backslash. So searching for
# "intact" is enough, without jq or plutil.

# The same in all scripts, from here
program=${OLLAMA_BIND:-/usr/local/bin/ollama-bind}

# The service belongs to the user who is logged in at the screen, and root runs this.
# launchctl asuser enters their session, sudo becomes them. Unverified on a Mac.
user=$(stat -f %Su /dev/console)
somebody() {
	case $user in
	root | loginwindow | _mbsetupuser | '') return 1 ;;
	esac
	uid=$(id -u "$user")
}
ollama_bind() {
	launchctl asuser "$uid" sudo -u "$user" -H "$program" "$@"
}
# to here.
host=${OLLAMA_BIND_HOST:-0.0.0.0:11434}

state() {
	if ! somebody; then
		echo "nobody logged in"
		return
	fi
	if [ ! -x "$program" ]; then
		echo "not installed"
		return
	fi
	answer=$(ollama_bind status --host "$host" --json 2>/dev/null)
	case "$? $answer" in
	0\ *'"intact"'*) echo "bound" ;;
	3\ *'"never-fixed"'*) echo "unbound" ;;
	[03]\ *'"drift"'*) echo "drifted" ;;
	0\ *) echo "bound" ;;
	3\ *) echo "unbound" ;;
	5\ *) echo "no service" ;;
	*) echo "error" ;;
	esac
}

echo "<result>$(state)</result>"
