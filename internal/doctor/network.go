package doctor

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/ollama-bind/ollama-bind/internal/advice"
	"github.com/ollama-bind/ollama-bind/internal/lsof"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
)

func listeners(s Seen) Finding {
	port := port(s.Facts)
	all := on(port, s.listeners)
	_, answered := firstAnswer(s.answers)
	switch see := fmt.Sprintf("lsof -nP -iTCP:%d -sTCP:LISTEN", port); {
	case s.listenersErr != nil:
		return withoutTool("lsof", s.listenersErr)
	case len(all) == 0 && (answered || s.State.Socket.Unseen):
		return warned(fmt.Sprintf("another user's process has port %d: lsof does not show it", port), "sudo "+see)
	case len(all) == 0:
		return failed(fmt.Sprintf("nothing listens on port %d", port), whyDown(s.Facts, s.answers).Hint, see)
	case slices.ContainsFunc(all, lsof.Listener.Wildcard):
		return passed(fmt.Sprintf("*:%d, all interfaces, IPv4 and IPv6", port), said(all))
	}
	if s.loopbackWillDo() {
		return passed(all[0].Address+", loopback alone, which the containers that were asked do reach", said(all))
	}
	return passed(all[0].Address, said(all))
}

// on returns the listeners on a port.
func on(port int, all []lsof.Listener) []lsof.Listener {
	return slices.DeleteFunc(slices.Clone(all), func(l lsof.Listener) bool { return l.Port() != port })
}

// said lists listeners, one per line.
func said(all []lsof.Listener) string {
	var each []string
	for _, l := range all {
		each = append(each, fmt.Sprintf("%s (process %d of %s): %s %s", l.Command, l.PID, l.User, l.Family, l.Address))
	}
	return lines(each...)
}

func ownerIsJob(s Seen) Finding {
	seen := said(on(port(s.Facts), s.State.Socket.Listeners))
	switch {
	case s.State.Socket.Err != nil:
		return withoutTool("lsof", s.State.Socket.Err)
	case s.State.Job.Err != nil:
		return skipped(s.State.Job.Err.Error())
	case s.State.Held(port(s.Facts)):
		return skipped("another process listens", seen, saidPrograms(s.processes))
	case seen == "":
		return skipped(fmt.Sprintf("nothing listens on port %d", port(s.Facts)))
	}
	return passed(fmt.Sprintf("the service's own process, %d, holds port %d", s.State.Job.PID, port(s.Facts)), seen)
}

func saidPrograms(all map[int]process) string {
	var each []string
	for _, pid := range slices.Sorted(maps.Keys(all)) {
		each = append(each, fmt.Sprintf("process %d: %s", pid, all[pid].program))
	}
	return lines(each...)
}

func secondOllama(s Seen) Finding {
	if s.listenersErr != nil {
		return withoutTool("lsof", s.listenersErr)
	}
	app := ""
	if s.app != "" {
		app = "there is " + s.app
	}
	others := s.otherOllamas()
	if len(others) == 0 {
		return alone(s, app)
	}
	first := others[0]
	f := warned(fmt.Sprintf("another Ollama listens on %s, process %d", first.Address, first.PID),
		fmt.Sprintf("ps -p %d -o pid,ppid,user,command", first.PID), said(others), saidPrograms(s.processes), app)
	if strings.Contains(s.processes[first.PID].program, ".app/") {
		f.Fix = advice.QuitApp
	}
	if first.Port() == port(s.Facts) {
		f.Status = Fail
	}
	return f
}

// alone is for one Ollama, or none. Why a service keeps restarting cannot be seen: that
// the application may cause it is known from its source (ollama/ollama
// app/server/server.go), which ends other servers when it cannot have the port.
func alone(s Seen, app string) Finding {
	switch {
	case app != "" && s.State.Job.Looping():
		return warned(fmt.Sprintf("the service was started %d times, and Ollama.app is here: it may have ended it (a guess)", s.State.Job.Runs),
			advice.QuitApp, app)
	case app != "":
		return passed("this is the only one; if you start Ollama.app, it will want the same port", app)
	}
	return passed("this is the only one")
}

// otherOllamas are the listeners of Ollamas that are neither the service nor its
// children: an Ollama has child processes that run the models and listen on ports of
// their own. Without a service, they are compared with the one that holds the port. One
// on the wanted port comes first.
func (s Seen) otherOllamas() []lsof.Listener {
	main := s.State.Job.PID
	if main == 0 && (!s.Found() || s.State.Job.Err != nil || advice.Missing(s.State)) {
		for _, l := range on(port(s.Facts), s.listeners) {
			if isOllama(l) {
				main = l.PID
			}
		}
	}
	others := slices.DeleteFunc(slices.Clone(s.listeners), func(l lsof.Listener) bool {
		own := func(o lsof.Listener) bool { return o.PID == l.PID }
		return !isOllama(l) || l.PID == main || s.isChild(l) || slices.ContainsFunc(s.State.Own(), own)
	})
	return append(on(port(s.Facts), others), slices.DeleteFunc(others, func(l lsof.Listener) bool {
		return l.Port() == port(s.Facts)
	})...)
}

// isChild reports whether a listener belongs to an Ollama that is itself listed.
// Without ps, any on another port may.
func (s Seen) isChild(l lsof.Listener) bool {
	if s.processesErr != nil {
		return l.Port() != port(s.Facts)
	}
	parent := s.processes[l.PID].parent
	return slices.ContainsFunc(s.listeners, func(p lsof.Listener) bool { return p.PID == parent && isOllama(p) })
}

// firstAnswer is the first address that Ollama answers on.
func firstAnswer(all []answer) (answer, bool) {
	for _, a := range all {
		if a.version != "" {
			return a, true
		}
	}
	return answer{}, false
}

// outside lists the answers on addresses other than loopback.
func outside(all []answer) []answer {
	return slices.DeleteFunc(slices.Clone(all), answer.loopback)
}

func apiVersion(s Seen) Finding {
	a, ok := firstAnswer(s.answers)
	switch {
	case !ok:
		down := whyDown(s.Facts, s.answers)
		return failed(down.Message, down.Hint, silence(s.answers))
	case !a.loopback():
		return passed(fmt.Sprintf("Ollama %s answers at %s, and not on loopback", a.version, a.address), silence(s.answers))
	}
	return passed(fmt.Sprintf("Ollama %s answers", a.version), "http://"+a.address.String()+"/api/version")
}

// silence lists addresses that do not answer, and why.
func silence(answers []answer) string {
	var each []string
	for _, a := range answers {
		if a.version == "" && a.err != nil {
			each = append(each, a.err.Error())
		}
	}
	return lines(each...)
}

func ownAddress(s Seen) Finding {
	const limit = "the machine's own connections pass its firewall: what others get only another machine can tell"
	_, answered := firstAnswer(s.answers)
	others := outside(s.answers)
	a, ok := firstAnswer(others)
	switch {
	case !answered:
		return skipped("Ollama does not answer at all")
	case len(others) == 0:
		return skipped("this machine has no other address now")
	case !ok:
		return passed("no, on loopback alone", silence(s.answers))
	}
	return passed("Ollama answers at "+a.address.String()+" too", silence(others), limit)
}

// clientEnv is about the ollama command, which reads the variable of its own shell. The
// service's value makes no difference to it, nor the other way round.
func clientEnv(s Seen) Finding {
	value := s.environment(ollama.Variable)
	asks := ollama.ParseHost(value).Dial()
	seen := "OLLAMA_HOST is not set in this shell"
	if value != "" {
		seen = "OLLAMA_HOST=" + value + " in this shell"
	}
	a, answered := firstAnswer(s.answers)
	there := a.address.String()
	switch {
	case slices.ContainsFunc(s.answers, func(a answer) bool { return a.version != "" && a.address.String() == asks }):
		return passed("the ollama command asks "+asks+", which answers", seen, proxied(s.environment))
	case !answered && value == "":
		return skipped("Ollama does not answer on this machine")
	case !answered:
		return warned("the ollama command asks "+asks, "unset OLLAMA_HOST", seen,
			"no service reads it: it is for the ollama command alone")
	}
	f := warned("the ollama command asks "+asks+", and not "+there+", which answers", "export OLLAMA_HOST="+there, seen)
	if value != "" && there == ollama.Default.Dial() {
		f.Fix = "unset OLLAMA_HOST"
	}
	return f
}

// proxied warns of what breaks a check by hand. The ollama command itself uses no proxy
// for loopback.
func proxied(getenv func(string) string) string {
	for _, name := range []string{"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"} {
		if getenv(name) != "" && !strings.Contains(getenv("no_proxy")+getenv("NO_PROXY"), "127.0.0.1") {
			return name + " is set, and no_proxy does not name 127.0.0.1: curl needs --noproxy '*' here"
		}
	}
	return ""
}

func firewall(s Seen) Finding {
	const where = "/usr/libexec/ApplicationFirewall/socketfilterfw --getglobalstate"
	switch s.firewall {
	case "":
		return skipped("the macOS firewall could not be asked", where)
	case "off":
		return passed("off: it keeps nobody out", where)
	case blocksAll:
		return warned("on, and set to block all incoming connections: containers get through only where they come in by loopback",
			"open 'x-apple.systempreferences:com.apple.Network-Settings.extension'", where,
			"the switch is Firewall > Options > Block all incoming connections")
	}
	return passed(s.firewall+": it never filters loopback, and others by program", where,
		"each version of ollama is another program to it: after an upgrade it may ask again, on this Mac's own screen")
}

func exposed(s Seen) Finding {
	var open []string
	global := ""
	for _, a := range outside(s.answers) {
		if a.version == "" {
			continue
		}
		ip := a.address.Addr()
		kind := kindOf(ip)
		open = append(open, strings.TrimSpace(s.interfaces[ip]+" "+ip.String())+", "+kind)
		if kind == globalIPv6 {
			global = ", also by global IPv6,"
		}
	}
	where := "one address of this machine"
	if len(open) > 1 {
		where = fmt.Sprintf("one of %d addresses of this machine", len(open))
	}
	_, answered := firstAnswer(s.answers)
	switch {
	case !answered:
		return skipped("Ollama does not answer")
	case len(open) == 0:
		return passed("nobody but this Mac, and containers that come in by its loopback")
	}
	return warned("anyone who reaches "+where+global+" can use and change Ollama: it has no password",
		advice.Close(s.Facts), open...)
}

// Networks that are not global, and that netip does not count as private.
var (
	sharedNetwork    = netip.MustParsePrefix("100.64.0.0/10")       // RFC 6598; Tailscale's as well
	tailscaleNetwork = netip.MustParsePrefix("fd7a:115c:a1e0::/48") // within RFC 4193's
)

// globalIPv6 addresses are not behind NAT.
const globalIPv6 = "global IPv6"

// kindOf says who can reach an address.
func kindOf(ip netip.Addr) string {
	switch {
	case sharedNetwork.Contains(ip), tailscaleNetwork.Contains(ip):
		return "VPN, such as Tailscale"
	case ip.IsPrivate():
		return "private"
	case ip.Is4():
		return "public IPv4"
	}
	return globalIPv6
}
