package bind

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

// Waiting for the service starts fine, because it is mostly back within
// milliseconds, and backs off to what costs nothing. To knock at its door costs
// next to nothing, and so does not back off.
const (
	firstPause   = 10 * time.Millisecond
	longestPause = 250 * time.Millisecond
	knockEvery   = 5 * time.Millisecond
)

// errHopeless marks a failure that more waiting would not cure.
var errHopeless = errors.New("launchd did not take the setting over")

// prove waits until the job at target listens where the goal wants it and
// Ollama answers there. It returns what it saw last, and after ctx has ended
// the reason why that is not enough.
func (m Machine) prove(ctx context.Context, s State, g Goal) (State, error) {
	var reason error
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		now, err := m.look(ctx, s, g)
		if ctx.Err() == nil {
			s, reason = now, err // a look that was cut short has nothing to say
		}
		if reason == nil && ctx.Err() == nil || errors.Is(reason, errHopeless) {
			return s, reason
		}
		rest(ctx, pause, g.Host.Dial(), NobodyThere(s.Socket.APIErr))
		if ctx.Err() != nil {
			return s, orElse(reason, context.Cause(ctx))
		}
	}
}

// rest waits for so long, or, where nobody is there yet, until somebody opens the
// door at an address.
func rest(ctx context.Context, pause time.Duration, address string, knocking bool) {
	ctx, cancel := context.WithTimeout(ctx, pause)
	defer cancel()
	tick := time.NewTicker(knockEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if knocking && answersAt(ctx, address) {
				return
			}
		}
	}
}

// answersAt reports whether somebody accepts connections.
func answersAt(ctx context.Context, address string) bool {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// hope gives the job some time to listen, and takes what comes.
func (m Machine) hope(ctx context.Context, s State, g Goal) State {
	ctx, cancel := context.WithTimeout(ctx, undoFloor)
	defer cancel()
	s, _ = m.prove(ctx, s, g)
	return s
}

func orElse(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

// look is one look at job and socket. It asks Ollama first, which costs next to
// nothing, and launchctl and lsof, each a process, side by side.
func (m Machine) look(ctx context.Context, s State, g Goal) (State, error) {
	s.Socket = Socket{Port: g.Host.Port}
	s.Socket.APIVersion, s.Socket.APIErr = ollama.Version(ctx, g.Host.Dial(), apiPatience)
	if s.Socket.APIErr != nil {
		return m.lookAtJob(ctx, s, g)
	}
	version := s.Socket.APIVersion
	var wg sync.WaitGroup
	wg.Go(func() { s.Job = m.job(ctx, s.Agent.Target) })
	wg.Go(func() { s.Socket = m.listeners(ctx, g.Host.Port) })
	wg.Wait()
	s.Socket.APIVersion = version
	for _, l := range []Layer{s.judgeJob(g, OK), s.judgeSocket(g)} {
		if l.State != OK {
			return s, s.shortfall(g, l)
		}
	}
	return s, m.answersOutside(ctx, g)
}

// lookAtJob finds out why Ollama does not answer.
func (m Machine) lookAtJob(ctx context.Context, s State, g Goal) (State, error) {
	s.Job = m.job(ctx, s.Agent.Target)
	if job := s.judgeJob(g, OK); job.State != OK {
		return s, s.shortfall(g, job)
	}
	if s.Job.PID == 0 || s.Job.Runs > 1 { // launchd counts anew at every bootstrap
		return s, errors.New(s.Job.unsteady())
	}
	return s, s.Socket.APIErr
}

// shortfall is a layer that is not as it should be, as an error.
func (s State) shortfall(g Goal, l Layer) error {
	if l.Name == JobLayer && s.Job.Loaded && s.Job.knowsEnvironment() && !g.Matches(s.Job.Value()) {
		return fmt.Errorf("%w: %s is %s in the loaded job", errHopeless, ollama.Variable, OrUnset(s.Job.Value()))
	}
	return fmt.Errorf("%s: %s", l.Name, l.Detail)
}

// OrUnset is a value of OLLAMA_HOST in words.
func OrUnset(value *string) string {
	if value == nil {
		return "not set"
	}
	return *value
}

func (m Machine) job(ctx context.Context, t launchctl.Target) Job {
	job, err := m.Launchd.Print(ctx, t)
	switch {
	case errors.Is(err, launchctl.ErrNotLoaded):
		return Job{}
	case err != nil:
		return Job{Err: err}
	}
	return Job{Job: job, Loaded: true}
}

// answersOutside makes sure that a wildcard listener answers on another address
// of the machine too. One that answers is enough: a tunnel may be down. What
// the firewall does to strangers this cannot tell, it lets the machine's own
// connections pass.
func (m Machine) answersOutside(ctx context.Context, g Goal) error {
	if !g.Host.Wildcard() {
		return nil
	}
	var failed []string
	for _, ip := range m.Addresses() {
		address := netip.AddrPortFrom(ip, uint16(g.Host.Port)).String()
		if _, err := ollama.Version(ctx, address, apiPatience); err == nil {
			return nil
		}
		failed = append(failed, ip.String())
	}
	if len(failed) == 0 {
		return nil // a machine without a network has loopback only
	}
	return fmt.Errorf("answers on loopback, but not on %s", strings.Join(failed, ", "))
}
