package doctor

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ollama-bind/ollama-bind/internal/bind"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
)

// firstAnswer is the first address that Ollama answers on.
func firstAnswer(all []answer) (answer, bool) {
	for _, a := range all {
		if a.version != "" {
			return a, true
		}
	}
	return answer{}, false
}

// outside are the answers on other addresses than loopback.
func outside(all []answer) []answer {
	return slices.DeleteFunc(slices.Clone(all), answer.loopback)
}

func checkVersion(ctx context.Context, c *Case) Finding {
	answers, err := c.answers(ctx)
	if err != nil {
		return skipped(err.Error())
	}
	if f, ok := judgeVersion(answers); ok {
		return f
	}
	s, err := c.known(ctx)
	why := c.whyDown(s, err, c.port(ctx), answers)
	return failed(why.Text, why.Hint, silence(answers))
}

// judgeVersion is false where nothing answers.
func judgeVersion(answers []answer) (Finding, bool) {
	a, ok := firstAnswer(answers)
	switch {
	case !ok:
		return Finding{}, false
	case !a.loopback():
		return passed(fmt.Sprintf("Ollama %s answers at %s, and not on loopback", a.version, a.address), silence(answers)), true
	}
	return passed(fmt.Sprintf("Ollama %s answers", a.version), "http://"+a.address.String()+"/api/version"), true
}

// silence lists the addresses that do not answer, and why.
func silence(answers []answer) string {
	var each []string
	for _, a := range answers {
		if a.version == "" {
			each = append(each, a.err.Error())
		}
	}
	return lines(each...)
}

func checkOwnAddress(ctx context.Context, c *Case) Finding {
	answers, err := c.answers(ctx)
	if err != nil {
		return skipped(err.Error())
	}
	return judgeOwnAddress(answers, c.rebind(ctx))
}

func judgeOwnAddress(answers []answer, rebind string) Finding {
	const limit = "the machine's own connections pass its firewall: what others get only another machine can tell"
	_, answered := firstAnswer(answers)
	a, ok := firstAnswer(outside(answers))
	switch {
	case !answered:
		return skipped("Ollama does not answer at all")
	case len(outside(answers)) == 0:
		return skipped("this machine has no other address now")
	case !ok:
		return loopbackAlone("Ollama answers on ", rebind, silence(answers))
	}
	return passed("Ollama answers at "+a.address.String()+" too", silence(outside(answers)), limit)
}

// checkClient is about the ollama command, which reads the variable of its own
// shell. What the service has makes no difference to it, nor the other way round.
func checkClient(ctx context.Context, c *Case) Finding {
	answers, err := c.answers(ctx)
	if err != nil {
		return skipped(err.Error())
	}
	return judgeClient(c.Getenv, answers)
}

func judgeClient(getenv func(string) string, answers []answer) Finding {
	value := getenv(ollama.Variable)
	asks := ollama.ParseHost(value).Dial()
	seen := "OLLAMA_HOST is not set in this shell"
	if value != "" {
		seen = "OLLAMA_HOST=" + value + " in this shell"
	}
	a, answered := firstAnswer(answers)
	switch {
	case slices.ContainsFunc(answers, func(a answer) bool { return a.version != "" && a.address.String() == asks }):
		return passed("the ollama command asks "+asks+", which answers", seen, proxied(getenv))
	case !answered && value == "":
		return skipped("Ollama does not answer on this machine")
	case !answered:
		return warned("the ollama command asks "+asks, "unset OLLAMA_HOST", seen, "no service reads it: it is for the ollama command alone")
	case value != "" && a.address == netip.AddrPortFrom(loopback, ollama.DefaultPort):
		return warned("the ollama command asks "+asks+", and not "+a.address.String()+", which answers", "unset OLLAMA_HOST", seen)
	}
	return warned("the ollama command asks "+asks+", and not "+a.address.String()+", which answers",
		"export OLLAMA_HOST="+a.address.String(), seen)
}

// proxied warns of what makes a check by hand fail. The ollama command itself does
// not ask a proxy for loopback.
func proxied(getenv func(string) string) string {
	for _, name := range []string{"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"} {
		if getenv(name) != "" && !strings.Contains(getenv("no_proxy")+getenv("NO_PROXY"), "127.0.0.1") {
			return name + " is set, and no_proxy does not name 127.0.0.1: curl needs --noproxy '*' here"
		}
	}
	return ""
}

func checkFirewall(ctx context.Context, c *Case) Finding {
	return judgeFirewall(c.Machine.Firewall(ctx))
}

func judgeFirewall(state string) Finding {
	const where = "/usr/libexec/ApplicationFirewall/socketfilterfw --getglobalstate"
	switch state {
	case "":
		return skipped("the macOS firewall could not be asked", where)
	case "off":
		return passed("off: it keeps nobody out", where)
	case bind.BlocksAll:
		return warned("on, and set to block all incoming connections: containers get through only where they come in by loopback",
			"switch off \"Block all incoming connections\" in System Settings > Network > Firewall > Options", where)
	}
	return passed("on: it never filters loopback, and others by program", where,
		"each version of ollama is another program to it: after an upgrade it may ask anew, on this Mac's own screen")
}

func checkExposed(ctx context.Context, c *Case) Finding {
	answers, err := c.answers(ctx)
	if err != nil {
		return skipped(err.Error())
	}
	list := c.Interfaces
	if list == nil {
		list = Interfaces
	}
	s, _ := c.known(ctx)
	local := netip.AddrPortFrom(loopback, uint16(c.port(ctx))).String()
	if look := inTheWay(s, c.port(ctx)); look != "" {
		return judgeExposed(answers, list(), look)
	}
	return judgeExposed(answers, list(), c.either(ctx,
		"if nobody needs that: "+s.RollbackCommand()+", or "+s.FixCommand(bind.GoalFor(ollama.ParseHost(local), true)),
		"if nobody needs that: set OLLAMA_HOST to "+local+" where Ollama is started"))
}

func judgeExposed(answers []answer, interfaces []Interface, fix string) Finding {
	var open []string
	global := ""
	for _, a := range outside(answers) {
		if a.version == "" {
			continue
		}
		ip := a.address.Addr()
		open = append(open, strings.TrimSpace(nameOf(interfaces, ip)+" "+ip.String())+", "+kindOf(ip))
		if kindOf(ip) == globalIPv6 {
			global = ", also by global IPv6,"
		}
	}
	_, answered := firstAnswer(answers)
	switch {
	case !answered:
		return skipped("Ollama does not answer")
	case len(open) == 0:
		return passed("nobody but this Mac, and containers that come in by its loopback")
	}
	return warned(fmt.Sprintf("whoever reaches %s%s can use and change Ollama: it has no password", count(len(open)), global),
		fix, open...)
}

func count(n int) string {
	if n == 1 {
		return "one address of this machine"
	}
	return fmt.Sprintf("one of %d addresses of this machine", n)
}
