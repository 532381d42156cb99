package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/ollama-bind/ollama-bind/internal/sandbox"
)

// The limits of the outage.
const (
	mostOverLimit = 1.1
	mostAfter     = 150 * time.Millisecond
)

// starts are how long the stand-in for Ollama takes to listen. No public record
// says how long a real one takes: the second is an assumption.
var starts = []time.Duration{0, 300 * time.Millisecond}

// way is a way to bind the service to all interfaces. What it prepares is no part of
// what is measured.
type way struct {
	name    string
	prepare func(*lab, *sandbox.Mac, time.Duration) (restart, error)
}

// restart is what is measured, and what is to be done afterwards, if anything.
type restart struct {
	act   func() error
	leave func()
}

const (
	theFix   = "`ollama-bind fix`"
	theLimit = "the process alone: SIGTERM, wait, start"
	theBare  = "launchctl bootout, bootstrap until it is taken"
	theHand  = "by hand: launchctl unload, load, lsof; after a second load again"
	theBrew  = "`brew services restart`"
)

var ways = []way{
	{theLimit, restartAlone},
	{theBare, restartBare},
	{theFix, restartByFix},
	{theHand, restartByHand},
	{theBrew, restartByBrew},
}

// outage is what somebody notices who asks all the time.
type outage struct {
	gap   time.Duration // without an answer
	after time.Duration // from the first answer to the end of the command
}

// outages measures all ways, with a stand-in that starts at once and a slow one.
func outages(l *lab) ([]table, error) {
	t := table{head: []string{"way", "Ollama listens", "outage", "against the limit", "first answer to exit", "wanted"}}
	for _, delay := range starts {
		seen, err := l.outagesWith(delay, l.times(21, 3))
		if err != nil {
			return nil, err
		}
		for _, w := range ways {
			t.add(outageRow(w.name, delay, seen)...)
		}
	}
	return []table{t}, nil
}

func (l *lab) outagesWith(delay time.Duration, turns int) (map[string][]outage, error) {
	seen := map[string][]outage{}
	for range turns {
		for _, w := range ways {
			o, err := l.outage(w, delay)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", w.name, err)
			}
			seen[w.name] = append(seen[w.name], o)
		}
	}
	return seen, nil
}

// outage measures one restart, on a Mac of its own.
func (l *lab) outage(w way, delay time.Duration) (outage, error) {
	m, err := l.mac()
	if err != nil {
		return outage{}, err
	}
	defer scrap(m)
	r, err := w.prepare(l, m, delay)
	if r.leave != nil {
		defer r.leave()
	}
	if err != nil {
		return outage{}, err
	}
	m.Fault("slow-start", delay.String())
	return watch(l.ctx, fmt.Sprintf("127.0.0.1:%d", m.Port), r.act)
}

func outageRow(name string, delay time.Duration, seen map[string][]outage) []string {
	gap, after := middleOutage(seen[name])
	limit, _ := middleOutage(seen[theLimit])
	r := ratio(gap, limit)
	row := []string{name, "at once", span(gap), times(r), span(after), ""}
	if delay > 0 {
		row[1] = "after " + delay.String()
	}
	if after < 0 {
		row[4] = "exits before it"
	}
	switch name {
	case theLimit, theBare:
		row[4] = "" // nothing there looks whether it answers
	case theFix:
		hand, _ := middleOutage(seen[theHand])
		row[5] = fmt.Sprintf("%s; no more than by hand: %s; exit within %s: %s", atMost(r, mostOverLimit, " × the limit"),
			verdict(gap <= hand), mostAfter, verdict(after <= mostAfter))
	}
	return row
}

func middleOutage(all []outage) (gap, after time.Duration) {
	var gaps, afters []time.Duration
	for _, o := range all {
		gaps, afters = append(gaps, o.gap), append(afters, o.after)
	}
	return median(gaps), median(afters)
}

// The prober's pace, and when it gives up.
const (
	probePause   = time.Millisecond
	probeTimeout = time.Second
	probeLead    = 50 * time.Millisecond // of answers before the restart
	probeEnd     = 30 * time.Second      // after it, without an answer
)

// watch asks for /api/version all the time while act runs, and until there is an
// answer after it.
func watch(ctx context.Context, address string, act func() error) (outage, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	exited := make(chan time.Time, 1)
	answers := make(chan []time.Time, 1)
	go func() { answers <- probe(ctx, address, exited) }()
	time.Sleep(probeLead)
	if err := act(); err != nil {
		return outage{}, err
	}
	exit := time.Now()
	exited <- exit
	all := <-answers
	if ctx.Err() != nil {
		return outage{}, ctx.Err()
	}
	if len(all) == 0 || all[len(all)-1].Before(exit) {
		return outage{}, errors.New("nobody answered afterwards")
	}
	last, first := longestGap(all)
	return outage{gap: first.Sub(last), after: exit.Sub(first)}, nil
}

// longestGap is the longest time between two answers.
func longestGap(answers []time.Time) (last, first time.Time) {
	for i := 1; i < len(answers); i++ {
		if answers[i].Sub(answers[i-1]) > first.Sub(last) {
			last, first = answers[i-1], answers[i]
		}
	}
	return last, first
}

// probe collects the times of answers until one comes after the exit.
func probe(ctx context.Context, address string, exited <-chan time.Time) []time.Time {
	var answers []time.Time
	var exit time.Time
	for ctx.Err() == nil {
		if answered(address) {
			answers = append(answers, time.Now())
			if !exit.IsZero() {
				return answers
			}
		}
		select {
		case exit = <-exited:
		default:
		}
		if !exit.IsZero() && time.Since(exit) > probeEnd {
			return answers
		}
		time.Sleep(probePause)
	}
	return answers
}

// answered reports whether Ollama answers with 200. The connection is reset: closed
// in order, thousands of them would linger in the kernel's table.
func answered(address string) bool {
	conn, err := net.DialTimeout("tcp", address, probeTimeout)
	if err != nil {
		return false
	}
	defer conn.Close()
	conn.(*net.TCPConn).SetLinger(0)
	conn.SetDeadline(time.Now().Add(probeTimeout))
	if _, err := conn.Write([]byte("GET /api/version HTTP/1.1\r\nHost: localhost\r\n\r\n")); err != nil {
		return false
	}
	var head [64]byte
	n, _ := conn.Read(head[:])
	return strings.HasPrefix(string(head[:n]), "HTTP/1.1 200")
}

// by is a restart that is one command.
func (l *lab) by(c command) restart {
	return restart{act: func() error {
		ctx, cancel := context.WithTimeout(l.ctx, probeEnd)
		defer cancel()
		_, err := alone(c).run(ctx)
		return err
	}}
}

func restartByFix(l *lab, m *sandbox.Mac, _ time.Duration) (restart, error) {
	return l.by(l.onMac(m, "fix", "--host", host(m))), nil
}

func restartByBrew(l *lab, m *sandbox.Mac, _ time.Duration) (restart, error) {
	if err := os.MkdirAll(filepath.Dir(m.EnvFile()), 0o755); err != nil {
		return restart{}, err
	}
	if err := os.WriteFile(m.EnvFile(), []byte("OLLAMA_HOST="+host(m)+"\n"), 0o644); err != nil {
		return restart{}, err
	}
	return l.by(typed(m, "brew services restart ollama")), nil
}

// handScript loads again when nobody listens after a second: unload does not wait
// until the job is gone, load fails as long as it is there, and both exit with 0.
const handScript = `launchctl unload %[1]s
launchctl load %[1]s
until lsof -nP -iTCP:%[2]d -sTCP:LISTEN -F n | grep -q 'n\*:%[2]d'; do sleep 1; launchctl load %[1]s; done
`

// restartByHand has the property list edited beforehand: that is no part of the outage.
func restartByHand(l *lab, m *sandbox.Mac, _ time.Duration) (restart, error) {
	return l.by(typed(m, fmt.Sprintf(handScript, plistOf(m), m.Port))), setHost(m, host(m))
}

const bareScript = `launchctl bootout %[1]s/%[2]s
until launchctl bootstrap %[1]s %[3]s; do :; done
`

func restartBare(l *lab, m *sandbox.Mac, _ time.Duration) (restart, error) {
	return l.by(typed(m, fmt.Sprintf(bareScript, m.Domain(), label, plistOf(m)))), setHost(m, host(m))
}

// restartAlone has no launchd: a process is ended and another one started. Both are
// the sandbox's Ollama.
func restartAlone(l *lab, m *sandbox.Mac, delay time.Duration) (restart, error) {
	if _, stderr, code := m.Launchctl("bootout", m.Domain()+"/"+label); code != 0 {
		return restart{}, fmt.Errorf("bootout: exit status %d: %s", code, stderr)
	}
	if err := m.WaitGone(label, probeEnd); err != nil {
		return restart{}, err
	}
	address := fmt.Sprintf("127.0.0.1:%d", m.Port)
	ollama := serve(l.ctx, m, address, 0)
	r := restart{
		act: func() error {
			ollama.end(syscall.SIGTERM)
			ollama = serve(l.ctx, m, host(m), delay)
			return ollama.failed
		},
		leave: func() { ollama.end(syscall.SIGKILL) },
	}
	return r, m.WaitVersion(address, probeEnd)
}

// serve starts the sandbox's Ollama without its launchd.
func serve(ctx context.Context, m *sandbox.Mac, host string, delay time.Duration) *running {
	return command{
		argv: []string{filepath.Join(m.Prefix(), "opt", "ollama", "bin", "ollama"), "serve"},
		env:  append(m.Env(), "OLLAMA_HOST="+host, "SANDBOX_FAULTS=slow-start="+delay.String()),
	}.start(ctx)
}
