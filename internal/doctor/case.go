package doctor

import (
	"bytes"
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/ollama-bind/ollama-bind/internal/bind"
	"github.com/ollama-bind/ollama-bind/internal/container"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

// Case is what the checks look at, in one Run. What several of them need is
// looked at once, when the first of them asks.
type Case struct {
	Machine bind.Machine
	Subject bind.Subject
	Goal    bind.Goal
	Asked   bool                // the goal's port was asked for, and counts even if the service has another one
	Getenv  func(string) string // this shell's environment
	System  string              // the operating system, as runtime.GOOS has it
	Probe   container.Probe     // how to ask from inside of containers
	// Interfaces lists the machine's addresses by interface; nil for the
	// machine that this runs on.
	Interfaces func() []Interface
	// App is where Ollama's own application would be; "" for the usual place.
	App string

	whole   context.Context // of the Run: what several look at is nobody's own
	states  memo[bind.State]
	soon    memo[bind.State]
	sockets memo[[]launchctl.Listener]
	replies memo[[]answer]
	running memo[map[int]process]
	engines memo[container.Found]
	report  memo[container.Report]
}

// statePatience is how long known waits.
const statePatience = 2 * time.Second

// state is what the four layers are like.
func (c *Case) state(ctx context.Context) (bind.State, error) {
	return c.states.get(ctx, c.lasting(ctx), func(ctx context.Context) (bind.State, error) {
		return c.Machine.Observe(ctx, c.Subject, c.Goal)
	})
}

// lasting is the context of what several checks look at.
func (c *Case) lasting(ctx context.Context) context.Context {
	if c.whole == nil {
		return ctx
	}
	return c.whole
}

// known is the state for checks that can do without it, and do not wait for it
// long.
func (c *Case) known(ctx context.Context) (bind.State, error) {
	return c.soon.get(ctx, c.lasting(ctx), func(ctx context.Context) (bind.State, error) {
		ctx, cancel := context.WithTimeout(ctx, statePatience)
		defer cancel()
		return c.state(ctx)
	})
}

// port is the one that was asked for, or else the service's own, as far as
// launchd tells that in time.
func (c *Case) port(ctx context.Context) int {
	if c.Asked {
		return c.Goal.Host.Port
	}
	s, err := c.known(ctx)
	if err != nil {
		return c.Goal.Host.Port
	}
	return s.Port()
}

// either is the cure for a service, or the advice for an Ollama that is none.
func (c *Case) either(ctx context.Context, cure, advice string) string {
	if _, err := c.known(ctx); err != nil {
		return advice
	}
	return cure
}

// measureFirst is for an Ollama on that port that some runtimes reach: it may well
// be enough, and nothing should be opened for nothing.
func measureFirst(s bind.State, port int) string {
	if look := inTheWay(s, port); look != "" {
		return look
	}
	g := onAll(port)
	return bind.Command("probe", g) + ", and only if it says rebind-needed: " + s.FixCommand(g)
}

// measure is for one that fix cannot change.
func measure(port int) string {
	return bind.Command("probe", onAll(port)) + ", which says whether that is enough"
}

// inTheWay is where to look first, as fix and rollback would refuse: who has the
// port in the service's stead, for one. It is "" if nothing is known to be there.
func inTheWay(s bind.State, port int) string {
	held, isHeld := s.Held(port)
	switch {
	case noFile(s):
		return lookBeside(s)
	case isHeld && s.Job.Err == nil:
		return held.Hint
	}
	return ""
}

// onAll is the goal of having Ollama on all interfaces.
func onAll(port int) bind.Goal { return bind.GoalFor(ollama.Host{Port: port}, true) }

// rebind is measureFirst, where fix can do it.
func (c *Case) rebind(ctx context.Context) string {
	port := c.port(ctx)
	s, _ := c.known(ctx)
	return c.either(ctx, measureFirst(s, port), measure(port))
}

// listeners are all that lsof shows, whatever their port.
func (c *Case) listeners(ctx context.Context) ([]launchctl.Listener, error) {
	return c.sockets.get(ctx, c.lasting(ctx), func(ctx context.Context) ([]launchctl.Listener, error) {
		return c.Machine.Launchd.Listeners(ctx)
	})
}

// answers is what Ollama says on each of the machine's addresses.
func (c *Case) answers(ctx context.Context) ([]answer, error) {
	return c.replies.get(ctx, c.lasting(ctx), func(ctx context.Context) ([]answer, error) {
		return ask(ctx, c.Machine, c.port(ctx)), nil
	})
}

// process is who runs, as ps has it.
type process struct {
	parent  int
	program string // without arguments, which can hold secrets
}

// processes are those that listen on the port or are called ollama, by their
// process ID.
func (c *Case) processes(ctx context.Context) (map[int]process, error) {
	return c.running.get(ctx, c.lasting(ctx), func(ctx context.Context) (map[int]process, error) {
		listeners, err := c.listeners(ctx)
		if err != nil {
			return nil, err
		}
		var pids []string
		for _, l := range listeners {
			if isOllama(l) || l.Port() == c.port(ctx) {
				pids = append(pids, strconv.Itoa(l.PID))
			}
		}
		if len(pids) == 0 {
			return nil, nil
		}
		// One that has ended since makes ps exit with 1, and show the others.
		out, err := c.Machine.Launchd.Runner.Run(ctx, "ps", "-o", "pid=,ppid=,comm=", "-p", strings.Join(pids, ","))
		if len(out) > 0 {
			err = nil
		}
		return parseProcesses(out), err
	})
}

func parseProcesses(out []byte) map[int]process {
	all := map[int]process{}
	for line := range bytes.Lines(out) {
		pid, rest, _ := strings.Cut(strings.TrimSpace(string(line)), " ")
		parent, program, _ := strings.Cut(strings.TrimSpace(rest), " ")
		number, err := strconv.Atoi(pid)
		up, err2 := strconv.Atoi(parent)
		if err == nil && err2 == nil {
			all[number] = process{up, strings.TrimSpace(program)}
		}
	}
	return all
}

func isOllama(l launchctl.Listener) bool { return strings.EqualFold(l.Command, "ollama") }
