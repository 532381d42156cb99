package rebind

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/internal/service"
)

// Waiting for the service starts with short pauses, because it is usually back within
// milliseconds, and slows down. Asking Ollama costs almost nothing; asking launchd is a
// process each time.
const (
	firstPause   = 5 * time.Millisecond
	longestPause = 250 * time.Millisecond
	askLaunchd   = 250 * time.Millisecond
)

// errHopeless marks a failure that waiting would not cure.
var errHopeless = errors.New("launchd did not take the setting over")

// errExits marks a service that has ended twice in the same way.
var errExits = errors.New("the service does not stay up")

// prove waits until the job at target listens where the goal wants it and
// Ollama answers there. It returns what it saw last, and after ctx has ended
// the reason why that is not enough. A patient one waits also for a service that
// has ended twice: it has nothing better to do.
func (m machine) prove(ctx context.Context, s service.State, g service.Goal, patient bool) (service.State, error) {
	p := proof{machine: m, goal: g, asked: time.Now(), ends: map[int]string{}}
	var reason error
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		before := p.asked
		now, err := p.look(ctx, s)
		if ctx.Err() == nil { // a look that was cut short says nothing
			s = now
			if reason == nil || now.Socket.APIErr == nil || p.asked != before { // launchd knows better why
				reason = err
			}
		}
		over := errors.Is(reason, errHopeless) || !patient && errors.Is(reason, errExits) && p.endedTwice(s.Job)
		if reason == nil && ctx.Err() == nil || over {
			return s, reason
		}
		if err := wait(ctx, pause); err != nil {
			return s, cmp.Or(reason, err)
		}
	}
}

// wait returns after d, or why ctx has ended before that.
func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// proof is the waiting for one service.
type proof struct {
	machine
	goal  service.Goal
	asked time.Time      // when launchd was last asked
	ends  map[int]string // how the runs ended, by number, as far as was seen
}

// endedTwice reports whether the service has ended twice in the same way since it was
// loaded, when launchd starts counting. A run between two looks is taken to have ended
// like the next.
func (p proof) endedTwice(j service.Job) bool {
	if j.PID == 0 && j.Runs > 0 {
		p.ends[j.Runs] = j.LastExit
	} else if j.Runs > 1 {
		p.ends[j.Runs-1] = j.LastExit
	}
	last := j.Runs
	if j.PID != 0 {
		last--
	}
	before, seen := p.ends[last-1]
	return last > 1 && (!seen || before == p.ends[last])
}

// hope gives the job some time to listen, and takes what comes.
func (m machine) hope(ctx context.Context, s service.State, g service.Goal) service.State {
	ctx, cancel := context.WithTimeout(ctx, undoFloor)
	defer cancel()
	s, _ = m.prove(ctx, s, g, false)
	return s
}

// look is one look at job and socket. It asks Ollama first, and launchctl and
// lsof side by side. Where Ollama does not answer yet, launchd is asked why if
// that was asked some time ago.
func (p *proof) look(ctx context.Context, s service.State) (service.State, error) {
	g := p.goal
	s.Socket = service.Socket{Port: g.Host.Port}
	s.Socket.APIVersion, s.Socket.APIErr = ollama.Version(ctx, g.Host.Dial(), service.APIPatience)
	switch {
	case s.Socket.APIErr == nil:
	case time.Since(p.asked) < askLaunchd:
		return s, s.Socket.APIErr
	default:
		p.asked = time.Now()
		return p.lookAtJob(ctx, s, g)
	}
	version := s.Socket.APIVersion
	var wg sync.WaitGroup
	wg.Go(func() { s.Job = s.Service.Kind.Job(ctx, p.Machine, s.Service) })
	wg.Go(func() { s.Socket = p.Listeners(ctx, g.Host.Port) })
	wg.Wait()
	s.Socket.APIVersion = version
	p.Relate(ctx, &s)
	// Something answered: if lsof shows nothing, it is another user's process.
	s.Socket.Unseen = s.Socket.Err == nil && len(s.Own())+len(s.Foreign(g.Host.Port)) == 0
	for _, l := range []service.Layer{s.JudgeProcess(g), s.JudgeSocket(g)} {
		if l.State != service.OK {
			return s, shortfall(s, g, l)
		}
	}
	var err error
	s.Socket.Silent, err = p.answersOutside(ctx, g)
	return s, err
}

// lookAtJob finds out why Ollama does not answer.
func (m machine) lookAtJob(ctx context.Context, s service.State, g service.Goal) (service.State, error) {
	s.Job = s.Service.Kind.Job(ctx, m.Machine, s.Service)
	if job := s.JudgeProcess(g); job.State != service.OK {
		return s, shortfall(s, g, job)
	}
	if s.Job.PID == 0 || s.Job.Runs > 1 {
		return s, fmt.Errorf("%w (last exit: %s)", errExits, cmp.Or(s.Job.LastExit, "unknown"))
	}
	return s, s.Socket.APIErr
}

// shortfall is a layer that is not as it should be, as an error.
func shortfall(s service.State, g service.Goal, l service.Layer) error {
	if l.Name == service.JobLayer && s.Job.Loaded && !g.Matches(s.Effective()) {
		return fmt.Errorf("%w: %s is %s in the loaded job", errHopeless, ollama.Variable, service.OrUnset(s.Job.Value()))
	}
	return fmt.Errorf("%s: %s", l.Name, l.Detail)
}

// answersOutside checks that a wildcard listener also answers on the machine's other
// addresses, all at once. One that refuses is a failure. Those that are silent, or have
// no route, are returned: the machine's own packets may go into a tunnel, or be held
// back by a filter, which says nothing about the socket. What the firewall does to
// strangers this cannot show: it lets the machine's own connections pass.
func (m machine) answersOutside(ctx context.Context, g service.Goal) (silent []netip.Addr, err error) {
	if !g.Host.Wildcard() {
		return nil, nil
	}
	addresses := m.Addresses()
	answers := make([]error, len(addresses))
	var wg sync.WaitGroup
	for i, ip := range addresses {
		wg.Go(func() {
			address := netip.AddrPortFrom(ip, uint16(g.Host.Port)).String()
			_, answers[i] = ollama.Version(ctx, address, service.APIPatience)
		})
	}
	wg.Wait()
	var failed []string
	for i, ip := range addresses {
		switch err := answers[i]; {
		case err == nil:
		case unanswered(err):
			silent = append(silent, ip)
		default:
			failed = append(failed, ip.String())
		}
	}
	if len(failed) > 0 {
		return silent, fmt.Errorf("answers on loopback, but not on %s", strings.Join(failed, ", "))
	}
	return silent, nil
}

// unanswered reports whether an address was silent, or could not be asked. One that
// refuses did answer.
func unanswered(err error) bool {
	var dial *net.OpError
	return errors.Is(err, context.DeadlineExceeded) ||
		errors.As(err, &dial) && dial.Op == "dial" && !errors.Is(err, syscall.ECONNREFUSED)
}
