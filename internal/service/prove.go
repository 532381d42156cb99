package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/ollama-bind/ollama-bind/internal/ollama"
)

// Waiting for the service starts fine, because it is mostly back within
// milliseconds, and backs off to what costs nothing. To ask Ollama costs next to
// nothing; to ask launchd is a process each time.
const (
	firstPause   = 5 * time.Millisecond
	longestPause = 100 * time.Millisecond
	askLaunchd   = 250 * time.Millisecond
)

// errHopeless marks a failure that more waiting would not cure.
var errHopeless = errors.New("launchd did not take the setting over")

// prove waits until the job at target listens where the goal wants it and
// Ollama answers there. It returns what it saw last, and after ctx has ended
// the reason why that is not enough.
func (m Machine) prove(ctx context.Context, s State, g Goal) (State, error) {
	var reason error
	asked := time.Now()
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		before := asked
		now, err := m.look(ctx, s, g, &asked)
		if ctx.Err() == nil { // a look that was cut short has nothing to say
			s = now
			if reason == nil || now.Socket.APIErr == nil || asked != before { // launchd knows better why
				reason = err
			}
		}
		if reason == nil && ctx.Err() == nil || errors.Is(reason, errHopeless) {
			return s, reason
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return s, cmp.Or(reason, context.Cause(ctx))
		}
	}
}

// hope gives the job some time to listen, and takes what comes.
func (m Machine) hope(ctx context.Context, s State, g Goal) State {
	ctx, cancel := context.WithTimeout(ctx, undoFloor)
	defer cancel()
	s, _ = m.prove(ctx, s, g)
	return s
}

// look is one look at job and socket. It asks Ollama first, and launchctl and
// lsof side by side. Where Ollama does not answer yet, launchd is asked why if
// that was asked some time ago.
func (m Machine) look(ctx context.Context, s State, g Goal, asked *time.Time) (State, error) {
	s.Socket = Socket{Port: g.Host.Port}
	s.Socket.APIVersion, s.Socket.APIErr = ollama.Version(ctx, g.Host.Dial(), apiPatience)
	switch {
	case s.Socket.APIErr == nil:
	case time.Since(*asked) < askLaunchd:
		return s, s.Socket.APIErr
	default:
		*asked = time.Now()
		return m.lookAtJob(ctx, s, g)
	}
	version := s.Socket.APIVersion
	var wg sync.WaitGroup
	wg.Go(func() { s.Job = m.job(ctx, s.Service.Target) })
	wg.Go(func() { s.Socket = m.listeners(ctx, g.Host.Port) })
	wg.Wait()
	s.Socket.APIVersion = version
	for _, l := range []Layer{s.judgeJob(g), s.JudgeSocket(g)} {
		if l.State != OK {
			return s, s.shortfall(g, l)
		}
	}
	return s, m.answersOutside(ctx, g)
}

// lookAtJob finds out why Ollama does not answer.
func (m Machine) lookAtJob(ctx context.Context, s State, g Goal) (State, error) {
	s.Job = m.job(ctx, s.Service.Target)
	if job := s.judgeJob(g); job.State != OK {
		return s, s.shortfall(g, job)
	}
	if s.Job.PID == 0 || s.Job.Runs > 1 { // launchd counts afresh at every bootstrap
		return s, fmt.Errorf("the service does not stay up (last exit: %s)", cmp.Or(s.Job.LastExit, "unknown"))
	}
	return s, s.Socket.APIErr
}

// shortfall is a layer that is not as it should be, as an error.
func (s State) shortfall(g Goal, l Layer) error {
	if l.Name == JobLayer && s.Job.Loaded && !g.Matches(s.Job.Value()) {
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
