package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"time"

	"github.com/ollama-bind/ollama-bind/internal/bind"
	"github.com/ollama-bind/ollama-bind/internal/container"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
)

// apiPatience is how long one question to Ollama from this machine may take.
const apiPatience = time.Second

var loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// answer is what Ollama said on one of the machine's addresses.
type answer struct {
	address netip.AddrPort
	version string // "" for none
	err     error
}

func (a answer) loopback() bool { return a.address.Addr().IsLoopback() }

// ask tries all addresses of the machine at once, loopback first.
func ask(ctx context.Context, m bind.Machine, port int) []answer {
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

// Server looks at Ollama from this machine. It takes the goal's port where that
// was asked for, and the port of the service that is here where it was not.
func Server(ctx context.Context, m bind.Machine, g bind.Goal, asked bool) container.Server {
	return (&Case{Machine: m, Goal: g, Asked: asked, System: runtime.GOOS}).server(ctx)
}

// server is how Ollama stands, for those who look from inside of containers.
func (c *Case) server(ctx context.Context) container.Server {
	var state bind.State
	var stateErr error
	var answers []answer
	together(
		func() { state, stateErr = c.known(ctx) },
		func() { answers, _ = c.answers(ctx) }, // whoever asked in vain will say why
	)
	s := serverOf(c.port(ctx), answers)
	s.Rebind = rebind(c.System, state, s.Port, stateErr)
	if !s.Answers() {
		down := c.whyDown(state, stateErr, s.Port, answers)
		s.Why, s.Hint, s.Cause = down.Text, down.Hint, down.ID
	}
	return s
}

func serverOf(port int, answers []answer) container.Server {
	s := container.Server{Port: port}
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
	return s
}

// whyDown says why nothing answers, by what was found or not found on the way
// from launchd to the socket.
func (c *Case) whyDown(s bind.State, err error, port int, answers []answer) bind.Trouble {
	silence, start := fmt.Sprintf("nothing answers on port %d of this machine", port), "start Ollama"
	if c.System == "linux" {
		start = "sudo systemctl start ollama || ollama serve"
	}
	look, held := fmt.Sprintf("lsof -nP -iTCP:%d -sTCP:LISTEN", port), false
	for _, a := range answers {
		if a.loopback() && a.err != nil && !bind.NobodyThere(a.err) {
			silence = fmt.Sprintf("somebody has port %d of this machine, and does not answer as Ollama does: %v", port, a.err)
			start, held = look, true
		}
	}
	g := c.Goal
	g.Host.Port = port
	var p *bind.Problem
	switch trouble, ok := c.Machine.Explain(s, g); {
	case noLaunchd(err):
		return bind.Trouble{ID: "no-answer", Text: silence, Hint: start}
	case errors.As(err, &p):
		hint := p.Hint
		if held || hint == bind.Command("probe", c.Goal) { // probe may well be what asks
			hint = look
		}
		return bind.Trouble{ID: p.ID, Text: silence + ": " + p.Error(), Hint: hint}
	case err == nil && ok:
		return trouble
	}
	return bind.Trouble{ID: "no-answer", Text: silence, Hint: "ollama-bind status"}
}

// noAgent reports whether an error says that there is no service of Homebrew's.
func noAgent(err error) bool {
	var p *bind.Problem
	return errors.As(err, &p) && p.ID == "no-agent"
}

// noLaunchd reports whether an error says that this is no Mac.
func noLaunchd(err error) bool {
	var p *bind.Problem
	return errors.As(err, &p) && p.ID == "no-launchctl"
}
