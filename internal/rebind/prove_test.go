package rebind

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/internal/service"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

// answers is a Runner with canned answers, by the first argument.
type answers map[string]string

func (a answers) Run(_ context.Context, name string, args ...string) ([]byte, error) {
	if name == "lsof" {
		return []byte(a["lsof"]), nil
	}
	return []byte(a[args[0]]), nil
}

// answering starts an Ollama on the address.
func answering(t *testing.T, address string) (port int) {
	t.Helper()
	l, err := net.Listen("tcp", address+":0")
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"version":"0.33.0"}`)
	})}}
	server.Start()
	t.Cleanup(server.Close)
	return l.Addr().(*net.TCPAddr).Port
}

// up is a Mac on which all is as it should be: Ollama answers on its port, and
// launchctl and lsof agree.
func up(t *testing.T) (machine, service.State, service.Goal) {
	t.Helper()
	port := answering(t, "0.0.0.0")
	goal := service.GoalFor(ollama.Host{Name: "0.0.0.0", Port: port}, true)
	m := service.Machine{
		Launchd: launchctl.Client{Runner: answers{
			"print": fmt.Sprintf("gui/501/sh.brew.ollama = {\n\tstate = running\n\tenvironment = {\n\t\tOLLAMA_HOST => %s\n\t}\n\tpid = 77\n}\n", *goal.Value),
			"lsof":  fmt.Sprintf("p77\ncollama\nf3\ntIPv6\nn*:%d\nTST=LISTEN\n", port),
		}},
		Addresses: func() []netip.Addr { return nil },
	}
	s := service.State{Service: service.Service{Kind: homebrews, Loaded: true, Target: launchctl.Target{Domain: "gui/501", Label: "sh.brew.ollama"}}}
	return machine{m}, s, goal
}

func proveFor(t *testing.T, d time.Duration, m machine, s service.State, g service.Goal) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	_, err := m.prove(ctx, s, g, false)
	return err
}

const (
	soon = 100 * time.Millisecond // for what is to fail: it fails however long it takes
	late = time.Minute            // for what is to succeed, or to fail at once
)

func TestProve(t *testing.T) {
	m, s, goal := up(t)
	if err := proveFor(t, late, m, s, goal); err != nil {
		t.Error(err)
	}
}

// TestProveOutside is about a wildcard socket that strangers do not reach.
func TestProveOutside(t *testing.T) {
	m, s, goal := up(t)
	open := netip.MustParseAddr("127.0.0.1")
	unused := netip.MustParseAddr("224.0.0.1") // multicast: TCP has no way there
	m.Addresses = func() []netip.Addr { return []netip.Addr{unused, open, unused} }
	ctx, cancel := context.WithTimeout(t.Context(), late)
	defer cancel()
	now, err := m.prove(ctx, s, goal, false)
	if err != nil || len(now.Socket.Silent) != 2 {
		t.Errorf("two silent addresses beside one that answers: %v, %v", err, now.Socket.Silent)
	}
	closed := netip.MustParseAddr("127.0.0.2")
	if runtime.GOOS == "darwin" { // whose loopback has no other address of IPv4
		closed = netip.IPv6Loopback()
	}
	narrow(t, &goal, m)
	m.Addresses = func() []netip.Addr { return []netip.Addr{open, closed} }
	if err := proveFor(t, 10*soon, m, s, goal); err == nil || !strings.Contains(err.Error(), "not on "+closed.String()) {
		t.Errorf("one that refuses: %v", err)
	}
}

// TestUnanswered has what a dial to the machine's own address ends in: where there is no
// way, where a tunnel or a filter swallows the packets, and where nobody listens.
func TestUnanswered(t *testing.T) {
	dial := func(err error) error {
		return fmt.Errorf("asking: %w", &url.Error{Op: "Get", Err: &net.OpError{Op: "dial", Net: "tcp", Err: err}})
	}
	call := func(number syscall.Errno) error { return dial(os.NewSyscallError("connect", number)) }
	for name, tt := range map[string]struct {
		err  error
		want bool
	}{
		"no route to the host":        {call(syscall.EHOSTUNREACH), true},
		"no route to the network":     {call(syscall.ENETUNREACH), true},
		"dropped, until our limit":    {dial(context.DeadlineExceeded), true},
		"dropped, until the kernel's": {call(syscall.ETIMEDOUT), true},
		"a filter says no":            {call(syscall.EPERM), true},
		"the address has just gone":   {call(syscall.EADDRNOTAVAIL), true},
		"refused":                     {call(syscall.ECONNREFUSED), false},
		"hung up":                     {&net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}, false},
		"another program":             {errors.New("no version in the answer"), false},
	} {
		if got := unanswered(tt.err); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// narrow moves the goal to a server that 127.0.0.2 does not lead to, while launchctl
// and lsof go on to tell of a wildcard.
func narrow(t *testing.T, goal *service.Goal, m machine) {
	t.Helper()
	was := goal.Host.Port
	now := answering(t, "127.0.0.1")
	*goal = service.GoalFor(ollama.Host{Name: "0.0.0.0", Port: now}, true)
	for key, text := range m.Launchd.Runner.(answers) {
		m.Launchd.Runner.(answers)[key] = strings.ReplaceAll(text, strconv.Itoa(was), strconv.Itoa(now))
	}
}

// TestProveHopeless is about a job that launchd runs without the setting: no
// waiting cures that, so it must not take the time.
func TestProveHopeless(t *testing.T) {
	m, s, goal := up(t)
	m.Launchd.Runner.(answers)["print"] = "gui/501/sh.brew.ollama = {\n\tstate = running\n\tenvironment = {\n\t}\n\tpid = 77\n}\n"
	done := make(chan error)
	go func() { done <- proveFor(t, time.Hour, m, s, goal) }()
	select {
	case err := <-done:
		if err == nil || !strings.Contains(err.Error(), "OLLAMA_HOST is not set in the loaded job") {
			t.Errorf("got %v", err)
		}
	case <-time.After(late):
		t.Error("it waits for what cannot come")
	}
}

// TestEndedTwice is about a service that goes on ending: when that is plain.
func TestEndedTwice(t *testing.T) {
	job := func(pid, runs int, exit string) service.Job {
		return service.Job{Job: launchctl.Job{PID: pid, Runs: runs, LastExit: exit}, Loaded: true}
	}
	for name, tt := range map[string]struct {
		looks []service.Job
		want  bool
	}{
		"not started":          {[]service.Job{job(0, 0, "(never exited)")}, false},
		"once":                 {[]service.Job{job(0, 1, "1"), job(0, 1, "1")}, false},
		"once, and up again":   {[]service.Job{job(7, 2, "1")}, false},
		"twice":                {[]service.Job{job(0, 1, "1"), job(0, 2, "1")}, true},
		"twice, seen at once":  {[]service.Job{job(0, 2, "1")}, true},
		"twice, and up again":  {[]service.Job{job(8, 2, "1"), job(9, 3, "1")}, true},
		"differently":          {[]service.Job{job(0, 1, "1"), job(0, 2, "Killed: 9")}, false},
		"differently, up":      {[]service.Job{job(8, 2, "1"), job(9, 3, "2")}, false},
		"differently and then": {[]service.Job{job(0, 1, "1"), job(0, 2, "2"), job(0, 3, "2")}, true},
	} {
		p, got := proof{ends: map[int]string{}}, false
		for _, j := range tt.looks {
			got = p.endedTwice(j)
		}
		if got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestProveRefuses(t *testing.T) {
	for name, change := range map[string]func(a answers){
		"a stranger beside":  func(a answers) { a["lsof"] += strings.NewReplacer("p77", "p66", "*", "127.0.0.1").Replace(a["lsof"]) },
		"a stranger alone":   func(a answers) { a["lsof"] = strings.Replace(a["lsof"], "p77", "p66", 1) },
		"loopback only":      func(a answers) { a["lsof"] = strings.Replace(a["lsof"], "*", "127.0.0.1", 1) },
		"a job without pid":  func(a answers) { a["print"] = strings.Replace(a["print"], "\tpid = 77\n", "", 1) },
		"nobody, says lsof":  func(a answers) { a["lsof"] = "" },
		"a pid that is gone": func(a answers) { a["print"], a["lsof"] = strings.Replace(a["print"], "77", "99999999", 1), "" },
		"launchctl babbling": func(a answers) { a["print"] = "what?" },
	} {
		m, s, goal := up(t)
		change(m.Launchd.Runner.(answers))
		if err := proveFor(t, soon, m, s, goal); err == nil {
			t.Errorf("%s: proved", name)
		}
	}
}
