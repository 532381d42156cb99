package service

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/ollama-bind/ollama-bind/internal/ollama"
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

// up is a Mac on which all is as it should be: Ollama answers on its port, and
// launchctl and lsof agree.
func up(t *testing.T) (Machine, State, Goal) {
	t.Helper()
	l, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"version":"0.33.0"}`)
	})}}
	server.Start()
	t.Cleanup(server.Close)
	port := l.Addr().(*net.TCPAddr).Port
	goal := GoalFor(ollama.Host{Name: "0.0.0.0", Port: port}, true)
	m := Machine{
		Launchd: launchctl.Client{Runner: answers{
			"print": fmt.Sprintf("gui/501/sh.brew.ollama = {\n\tstate = running\n\tenvironment = {\n\t\tOLLAMA_HOST => %s\n\t}\n\tpid = 77\n}\n", *goal.Value),
			"lsof":  fmt.Sprintf("p77\ncollama\nf3\ntIPv6\nn*:%d\nTST=LISTEN\n", port),
		}},
		Addresses: func() []netip.Addr { return nil },
	}
	s := State{Service: Service{kind: brew{}, Loaded: true, Target: launchctl.Target{Domain: "gui/501", Label: "sh.brew.ollama"}}}
	return m, s, goal
}

func proveFor(t *testing.T, d time.Duration, m Machine, s State, g Goal) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	_, err := m.prove(ctx, s, g)
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
	dead := netip.MustParseAddr("127.0.0.1")
	m.Addresses = func() []netip.Addr { return []netip.Addr{dead} }
	if err := proveFor(t, late, m, s, goal); err != nil {
		t.Errorf("an address that answers: %v", err)
	}
	unused := netip.MustParseAddr("203.0.113.1") // of documentation: nobody has it
	m.Addresses = func() []netip.Addr { return []netip.Addr{unused, dead} }
	if err := proveFor(t, late, m, s, goal); err != nil {
		t.Errorf("one that does not answer beside one that does: %v", err)
	}
	m.Addresses = func() []netip.Addr { return []netip.Addr{unused} }
	if err := proveFor(t, 10*soon, m, s, goal); err == nil {
		t.Error("no other address answers, and that is called bound to all")
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

func TestProveRefuses(t *testing.T) {
	for name, change := range map[string]func(a answers){
		"a stranger beside":  func(a answers) { a["lsof"] += strings.NewReplacer("p77", "p66", "*", "127.0.0.1").Replace(a["lsof"]) },
		"a stranger alone":   func(a answers) { a["lsof"] = strings.Replace(a["lsof"], "p77", "p66", 1) },
		"loopback only":      func(a answers) { a["lsof"] = strings.Replace(a["lsof"], "*", "127.0.0.1", 1) },
		"a job without pid":  func(a answers) { a["print"] = strings.Replace(a["print"], "\tpid = 77\n", "", 1) },
		"nobody, says lsof":  func(a answers) { a["lsof"] = "" },
		"launchctl babbling": func(a answers) { a["print"] = "what?" },
	} {
		m, s, goal := up(t)
		change(m.Launchd.Runner.(answers))
		if err := proveFor(t, soon, m, s, goal); err == nil {
			t.Errorf("%s: proved", name)
		}
	}
}
