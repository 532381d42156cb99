package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ollama-bind/ollama-bind/internal/advice"
	"github.com/ollama-bind/ollama-bind/internal/container"
	"github.com/ollama-bind/ollama-bind/internal/homebrew"
	"github.com/ollama-bind/ollama-bind/internal/lsof"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/internal/service"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

// Question is what to look at.
type Question struct {
	Machine service.Machine
	Subject service.Subject
	Goal    service.Goal
	Asked   bool                // --host was given
	Getenv  func(string) string // this shell's environment
	System  string              // the operating system, as runtime.GOOS has it
	Probe   container.Probe     // how to ask from inside containers
}

// Seen is all that was seen.
type Seen struct {
	advice.Facts
	Report *container.Report // nil if no container was asked

	listeners    []lsof.Listener // on any port
	listenersErr error
	answers      []answer
	processes    map[int]process
	processesErr error
	getenv       string // OLLAMA_HOST from launchctl setenv
	setsAgain    string // the agent that sets it at each login
	getenvErr    error
	disabledErr  error
	firewall     string
	macOS        string                // its version
	homebrew     string                // its version
	interfaces   map[netip.Addr]string // their names
	others       []homebrew.Candidate  // Homebrew's files other than the service's own
	app          string                // Ollama.app, or ""
	broken       []string              // plists that could not be understood
	environment  func(string) string
	found        container.Found
	local        advice.Local
	named        bool // containers were named
	now          time.Time
}

const (
	// lookTime bounds each look. It is longer than the five seconds that a program has
	// to answer: one that hangs is worth reporting.
	lookTime = 8 * time.Second
	// probeTime bounds asking from inside containers: an engine may have to wake up,
	// and packets that a firewall drops have to time out.
	probeTime = 20 * time.Second
	// apiPatience is how long one question to Ollama from this machine may take.
	apiPatience = time.Second
)

var errTooLong = errors.New("did not finish within 8 s")

// Gather looks at everything that the checks need: first at what can be seen in
// parallel, then at what depends on that, and last from inside containers.
func (q Question) Gather(ctx context.Context, checks []Check) Seen {
	s := Seen{environment: q.Getenv, named: len(q.Probe.Names) > 0, interfaces: interfaceNames(), now: time.Now()}
	launchd := q.Machine.Launchd
	looks := []func(context.Context){
		func(ctx context.Context) { s.Facts = q.observe(ctx) },
		func(ctx context.Context) { s.listeners, s.listenersErr = lsof.Listeners(ctx, launchd.Runner) },
		func(ctx context.Context) {
			if s.getenv, s.getenvErr = launchd.Getenv(ctx, ollama.Variable); s.getenv != "" {
				s.setsAgain = q.Machine.SetsAgain()
			}
		},
		func(ctx context.Context) { s.firewall = Firewall(ctx, q.Machine.Launchd.Runner) },
		func(ctx context.Context) { s.macOS = q.firstLine(ctx, "sw_vers", "-productVersion") },
		func(ctx context.Context) { s.homebrew = q.brewVersion(ctx) },
	}
	inside := slices.ContainsFunc(checks, func(c Check) bool { return c.inside })
	if inside {
		looks = append(looks, func(ctx context.Context) { s.found = q.Probe.Find(ctx) })
	}
	together(ctx, looks...)
	q.lookAtFiles(&s)
	facts, pids, one := s.Facts, s.ollamas(), s.State.Service
	together(ctx,
		func(ctx context.Context) { s.answers = ask(ctx, q.Machine, port(facts)) },
		func(ctx context.Context) { s.processes, s.processesErr = q.ps(ctx, pids) },
		func(ctx context.Context) { s.Disabled, s.disabledErr = q.disabled(ctx, one) })
	if inside && ctx.Err() == nil {
		q.ask(ctx, &s)
	}
	return s
}

// together runs all of them in parallel, each within lookTime.
func together(ctx context.Context, looks ...func(context.Context)) {
	var wg sync.WaitGroup
	for _, look := range looks {
		wg.Go(func() {
			ctx, cancel := context.WithTimeoutCause(ctx, lookTime, errTooLong)
			defer cancel()
			look(ctx)
		})
	}
	wg.Wait()
}

func (q Question) observe(ctx context.Context) advice.Facts {
	state, err := q.Machine.Observe(ctx, q.Subject, q.Goal)
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("looking at the service: %w", context.Cause(ctx))
	}
	return advice.New(q.Machine, state, err, q.Goal, q.Asked, q.System)
}

// lookAtFiles looks at files other than the service's own.
func (q Question) lookAtFiles(s *Seen) {
	for _, c := range homebrew.Candidates(q.Machine.Home, q.Machine.Daemons) {
		if _, err := os.Lstat(c.Plist); err == nil && c.Plist != s.State.Service.Plist {
			s.others = append(s.others, c)
		}
	}
	s.app, s.broken = q.Machine.AppBundle(), q.Machine.Broken()
}

// disabled asks whether launchd was told not to start the service.
func (q Question) disabled(ctx context.Context, one service.Service) (bool, error) {
	domain := launchctl.User(q.Machine.UID)
	if one.Daemon {
		domain = launchctl.System
	}
	if one.Label == "" {
		return false, nil
	}
	all, err := q.Machine.Launchd.Disabled(ctx, domain)
	return all[one.Label], err
}

// Host is Ollama's state on this machine, for those who ask from inside containers.
func (q Question) Host(ctx context.Context) (container.Server, advice.Local) {
	f := q.observe(ctx)
	return serverOf(f, ask(ctx, q.Machine, port(f)))
}

// Port is the port of Ollama's service, or the goal's if there is none.
func (q Question) Port(ctx context.Context) int { return port(q.observe(ctx)) }

// port is the one that was asked for, otherwise the service's own.
func port(f advice.Facts) int {
	if f.Asked || !f.Found() {
		return f.Goal.Host.Port
	}
	return f.State.Port()
}

// answer is what Ollama said on one of the machine's addresses.
type answer struct {
	address netip.AddrPort
	version string // "" for none
	err     error
}

func (a answer) loopback() bool { return a.address.Addr().IsLoopback() }

var loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// ask tries all addresses of the machine at once, loopback first.
func ask(ctx context.Context, m service.Machine, port int) []answer {
	all := append([]netip.Addr{loopback}, m.Addresses()...)
	answers := make([]answer, len(all))
	var wg sync.WaitGroup
	for i, ip := range all {
		wg.Go(func() {
			a := answer{address: netip.AddrPortFrom(ip, uint16(port))}
			a.version, a.err = ollama.Version(ctx, a.address.String(), apiPatience)
			answers[i] = a
		})
	}
	wg.Wait()
	return answers
}

func serverOf(f advice.Facts, answers []answer) (container.Server, advice.Local) {
	s := container.Server{Port: port(f)}
	for _, a := range answers {
		switch {
		case a.version == "":
		case a.loopback():
			s.Loopback = true
		default:
			s.Outside, s.Bound = true, a.address.String()
		}
	}
	if s.Loopback {
		s.Bound = ""
	}
	local := advice.Local{Rebind: advice.Rebind(f)}
	if f.System == "linux" && service.Is(f.Err, "no-launchctl") {
		local.Narrow = func(address string) string { return advice.DropIn(ollama.Host{Name: address, Port: s.Port}) }
	}
	if !s.Answers() {
		down := whyDown(f, answers)
		s.Cause, local.Why, local.Hint = container.Cause(down.ID), down.Message, down.Hint
	}
	return s, local
}

// whyDown says why nothing answers: what is there instead, or the list's advice about
// the service.
func whyDown(f advice.Facts, answers []answer) advice.Advice {
	what, held := fmt.Sprintf("nothing answers on port %d of this machine", port(f)), false
	for _, a := range answers {
		if a.loopback() && a.err != nil && !service.NobodyThere(a.err) {
			held = true
			what = fmt.Sprintf("port %d of this machine is taken, and does not answer as Ollama does: %v", port(f), a.err)
		}
	}
	return advice.Down(f, what, held)
}

// ask asks from inside containers.
func (q Question) ask(ctx context.Context, s *Seen) {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	found := func(context.Context) container.Found { return s.found }
	report := q.Probe.Run(ctx, found, func(context.Context) (server container.Server) {
		server, s.local = serverOf(s.Facts, s.answers)
		return server
	})
	s.Report = &report
}

// process is a running process, from ps.
type process struct {
	parent  int
	program string // without arguments, which can be secret
}

// ollamas are the processes that listen on the port, or are called ollama.
func (s Seen) ollamas() []string {
	var pids []string
	for _, l := range s.listeners {
		if isOllama(l) || l.Port() == port(s.Facts) {
			pids = append(pids, strconv.Itoa(l.PID))
		}
	}
	return pids
}

func isOllama(l lsof.Listener) bool { return strings.EqualFold(l.Command, "ollama") }

// ps shows processes, by their ID.
func (q Question) ps(ctx context.Context, pids []string) (map[int]process, error) {
	if len(pids) == 0 {
		return nil, nil
	}
	// If one has ended since, ps exits with 1, and shows the others.
	out, err := q.Machine.Launchd.Runner.Run(ctx, "ps", "-o", "pid=,ppid=,comm=", "-p", strings.Join(pids, ","))
	if len(out) > 0 {
		err = nil
	}
	all := map[int]process{}
	for line := range strings.Lines(string(out)) {
		var pid, parent int
		if n, _ := fmt.Sscan(line, &pid, &parent); n == 2 {
			all[pid] = process{parent, strings.Join(strings.Fields(line)[2:], " ")}
		}
	}
	return all, err
}

// interfaceNames names the interface of each of the machine's addresses.
func interfaceNames() map[netip.Addr]string {
	names := map[netip.Addr]string{}
	all, _ := net.Interfaces() // without this, they have no names
	for _, i := range all {
		addresses, _ := i.Addrs()
		for _, a := range addresses {
			if prefix, err := netip.ParsePrefix(a.String()); err == nil {
				names[prefix.Addr().Unmap()] = i.Name
			}
		}
	}
	return names
}
