package doctor

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/ollama-bind/ollama-bind/internal/bind"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

func checkListeners(ctx context.Context, c *Case) Finding {
	var all []launchctl.Listener
	var err error
	var answers []answer
	together(
		func() { all, err = c.listeners(ctx) },
		func() { answers, _ = c.answers(ctx) }, // what could not be asked does not answer
	)
	port := c.port(ctx)
	_, answered := firstAnswer(answers)
	f := judgeListeners(port, on(port, all), answered, err)
	switch {
	case f.Status == Fail:
		s, err := c.known(ctx)
		f.Fix = c.whyDown(s, err, port, answers).Hint
	case f.Status == Warn && f.Fix == "":
		f.Fix = c.rebind(ctx)
	}
	return f
}

// on are the listeners on a port.
func on(port int, all []launchctl.Listener) []launchctl.Listener {
	return slices.DeleteFunc(slices.Clone(all), func(l launchctl.Listener) bool { return l.Port() != port })
}

// judgeListeners leaves the fix out where it depends on more than listeners.
func judgeListeners(port int, all []launchctl.Listener, answered bool, err error) Finding {
	switch {
	case err != nil:
		return withoutTool("lsof", err)
	case len(all) == 0 && answered:
		return warned(fmt.Sprintf("something answers on port %d, and lsof does not show whose process it is: another user's", port),
			fmt.Sprintf("sudo lsof -nP -iTCP:%d -sTCP:LISTEN", port))
	case len(all) == 0:
		return failed(fmt.Sprintf("nothing listens on port %d", port), "",
			fmt.Sprintf("lsof -nP -iTCP:%d -sTCP:LISTEN", port))
	}
	seen := said(all)
	switch {
	case slices.ContainsFunc(all, launchctl.Listener.Wildcard):
		return passed(fmt.Sprintf("*:%d, all interfaces, IPv4 and IPv6", port), seen)
	case slices.ContainsFunc(all, onLoopback):
		return loopbackAlone(all[0].Address+", ", "", seen)
	}
	return warned(fmt.Sprintf("%s, one address, and not the loopback that most container runtimes come in by", all[0].Address), "", seen)
}

func onLoopback(l launchctl.Listener) bool {
	h, err := ollama.FromSocket(l.Address)
	return err == nil && h.Loopback()
}

// said lists listeners, one on a line.
func said(all []launchctl.Listener) string {
	var each []string
	for _, l := range all {
		each = append(each, fmt.Sprintf("%s (process %d of %s): %s %s", l.Command, l.PID, l.User, l.Family, l.Address))
	}
	return lines(each...)
}

func checkOwner(ctx context.Context, c *Case) Finding {
	s, err := c.state(ctx)
	if err != nil {
		return withoutState(err)
	}
	port := c.port(ctx)
	f := judgeOwner(s, port)
	if f.Status == Fail {
		programs, _ := c.processes(ctx) // without ps there is the listener's name still
		f.Evidence = lines(f.Evidence, saidPrograms(programs))
	}
	return f
}

func judgeOwner(s bind.State, port int) Finding {
	seen := said(on(port, s.Socket.Listeners))
	held, isHeld := s.Held(port)
	switch {
	case s.Socket.Err != nil:
		return withoutTool("lsof", s.Socket.Err)
	case s.Job.Err != nil:
		return skipped(s.Job.Err.Error())
	case noFile(s):
		return skipped("there is no property list, so nobody knows whose process is meant", seen)
	case s.Hidden():
		return skipped("the service is root's, and what it listens on is shown to root alone: sudo ollama-bind doctor")
	case isHeld:
		return failed(held.Text, held.Hint, seen)
	case seen == "":
		return skipped(fmt.Sprintf("nothing listens on port %d", port))
	}
	return passed(fmt.Sprintf("port %d is held by the service's own process, %d", port, s.Job.PID), seen)
}

func saidPrograms(all map[int]process) string {
	var each []string
	for _, pid := range slices.Sorted(maps.Keys(all)) {
		each = append(each, fmt.Sprintf("process %d: %s", pid, all[pid].program))
	}
	return lines(each...)
}

// bundle is where Ollama's own application is usually put.
const bundle = "/Applications/Ollama.app"

func checkSecond(ctx context.Context, c *Case) Finding {
	var s bind.State
	var stateErr, err, psErr error
	var all []launchctl.Listener
	var running map[int]process
	together(
		func() { s, stateErr = c.known(ctx) },
		func() { all, err = c.listeners(ctx) },
		func() { running, psErr = c.processes(ctx) },
	)
	if err != nil {
		return withoutTool("lsof", err)
	}
	if stateErr != nil {
		s = bind.State{}
	}
	v := view{listeners: all, running: running, port: c.port(ctx), job: s.Job, unmanaged: stateErr != nil || s.Job.Err != nil || noFile(s), blind: psErr != nil}
	if _, err := os.Stat(c.app()); err == nil {
		v.app = c.app()
	}
	return v.judge()
}

func (c *Case) app() string {
	if c.App == "" {
		return bundle
	}
	return c.App
}

// view is what there is to see of Ollamas.
type view struct {
	listeners []launchctl.Listener
	running   map[int]process
	port      int
	job       bind.Job
	unmanaged bool   // there is no service, as far as could be seen
	app       string // where Ollama.app is, "" if it is not
	blind     bool   // ps did not tell who is whose child
}

func (v view) judge() Finding {
	var app []string
	if v.app != "" {
		app = []string{"there is " + v.app}
	}
	others := v.others()
	if len(others) == 0 {
		return v.alone(app)
	}
	first := others[0]
	fix := fmt.Sprintf("ps -p %d -o pid,ppid,user,command", first.PID)
	if strings.Contains(v.running[first.PID].program, ".app/") {
		fix = `osascript -e 'quit app "Ollama"'`
	}
	evidence := append([]string{said(others), saidPrograms(v.running)}, app...)
	summary := fmt.Sprintf("another Ollama listens on %s, process %d", first.Address, first.PID)
	if first.Port() == v.port {
		return failed(summary, fix, evidence...)
	}
	return warned(summary, fix, evidence...)
}

// alone is for one Ollama, or none. Why a service is started again and again is
// not to be seen: that the application may be behind it is known from its source
// (ollama/ollama app/server/server.go), which ends other servers when it cannot
// have the port.
func (v view) alone(app []string) Finding {
	switch {
	case v.app != "" && v.job.Looping():
		return warned(fmt.Sprintf("the service was started %d times, and Ollama.app is here: it may have ended it (a guess)", v.job.Runs),
			`osascript -e 'quit app "Ollama"'`, app...)
	case v.app != "":
		return passed("no other one runs; Ollama.app, if it is started, would want the same port", app...)
	}
	return passed("no other one is to be seen")
}

// others are the listeners of Ollamas that are neither the service nor a part of
// one: an Ollama has children that run the models and listen on ports of their
// own. Without a service, whoever holds the port is the one to compare with.
func (v view) others() []launchctl.Listener {
	main := v.job.PID
	var others []launchctl.Listener
	for _, l := range v.listeners {
		if v.unmanaged && main == 0 && isOllama(l) && l.Port() == v.port {
			main = l.PID
		}
	}
	for _, l := range v.listeners {
		if isOllama(l) && l.PID != main && !v.isChild(l) {
			others = append(others, l)
		}
	}
	// One on the wanted port says most.
	slices.SortStableFunc(others, func(a, b launchctl.Listener) int {
		return v.far(a) - v.far(b)
	})
	return others
}

func (v view) far(l launchctl.Listener) int {
	if l.Port() == v.port {
		return 0
	}
	return 1
}

// isChild reports whether a listener belongs to an Ollama that is listed itself.
// Without ps, whatever is on another port may be one.
func (v view) isChild(l launchctl.Listener) bool {
	if v.blind {
		return l.Port() != v.port
	}
	parent := v.running[l.PID].parent
	return slices.ContainsFunc(v.listeners, func(p launchctl.Listener) bool { return p.PID == parent && isOllama(p) })
}
