package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ollama-bind/ollama-bind/internal/container"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/internal/service"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

const secret = "hunter2-hunter2"

// mac is a Runner that has canned answers, and remembers what it was asked.
type mac struct {
	port     int
	plist    string
	socket   string        // the address that the one listener has, * if empty
	slow     time.Duration // that every program takes
	hangs    string        // the program that never answers
	none     string        // a program that is not there
	disabled bool

	mu  sync.Mutex
	ran []string
}

func (m *mac) Run(ctx context.Context, name string, args ...string) ([]byte, error) {
	line := strings.Join(append([]string{filepath.Base(name)}, args...), " ")
	m.mu.Lock()
	m.ran = append(m.ran, line)
	m.mu.Unlock()
	wait := m.slow
	if name == m.hangs {
		wait = time.Hour
	}
	select {
	case <-time.After(wait):
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	switch {
	case name == m.none:
		return nil, fmt.Errorf("%s: %w", name, launchctl.ErrNoTool)
	case line == "launchctl print gui/501/sh.brew.ollama":
		return fmt.Appendf(nil, "gui/501/sh.brew.ollama = {\n\tpath = %s\n\tstate = running\n\tenvironment = {\n\t\tOLLAMA_HOST => 0.0.0.0:%d\n\t\tTOKEN => %s\n\t}\n"+
			"\tprogram = ollama\n\truns = 1\n\tpid = 6574\n\tlast exit code = (never exited)\n}\n", m.plist, m.port, secret), nil
	case strings.HasPrefix(line, "launchctl print "):
		return nil, &launchctl.ExitError{Code: 113}
	case strings.HasPrefix(line, "launchctl print-disabled "):
		return fmt.Appendf(nil, "\tdisabled services = {\n\t\t\"sh.brew.ollama\" => %v\n\t}\n", m.disabled), nil
	case line == "launchctl getenv OLLAMA_HOST":
		return []byte("\n"), nil
	case name == "lsof":
		return fmt.Appendf(nil, "p6574\ncollama\nLalice\nf3\ntIPv6\nPTCP\nn%s:%d\nTST=LISTEN\n", cmp.Or(m.socket, "*"), m.port), nil
	case name == "ps": // one of them has ended in the meantime
		return []byte(" 6574     1 /opt/homebrew/opt/ollama/bin/ollama\n 7   400 /Applications/My Ollama.app/x\nnoise\n"), &launchctl.ExitError{Code: 1}
	case strings.HasSuffix(name, "socketfilterfw"):
		return []byte("Firewall is blocking all non-essential incoming connections. (State = 2)\n"), nil
	}
	return nil, fmt.Errorf("nobody expected %s", line)
}

// question is about a Mac that has bound Ollama.
func (m *mac) question(t *testing.T) Question {
	t.Helper()
	home := t.TempDir()
	m.plist = filepath.Join(home, "Library", "LaunchAgents", "sh.brew.ollama.plist")
	doc := fmt.Sprintf(`<plist version="1.0"><dict><key>EnvironmentVariables</key><dict><key>OLLAMA_HOST</key><string>0.0.0.0:%d</string>`+
		`<key>TOKEN</key><string>%s</string></dict><key>Label</key><string>sh.brew.ollama</string></dict></plist>`, m.port, secret)
	env := filepath.Join(home, "ollama.env")
	err := errors.Join(os.MkdirAll(filepath.Dir(m.plist), 0o700), os.WriteFile(m.plist, []byte(doc), 0o600),
		os.WriteFile(env, fmt.Appendf(nil, "OLLAMA_HOST=0.0.0.0:%d\n", m.port), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	return Question{
		Machine: service.Machine{
			Launchd: launchctl.Client{Runner: m}, Home: home, Daemons: filepath.Join(home, "daemons"), EnvFile: env, UID: 501, Applications: home,
			Addresses: func() []netip.Addr { return nil },
		},
		Goal: service.GoalFor(ollama.Host{Port: m.port}, true), System: "darwin",
		Probe:  container.Probe{Runner: m},
		Getenv: func(string) string { return "" },
	}
}

// ask runs all checks of this machine.
func (m *mac) ask(t *testing.T, q Question) map[string]Finding {
	t.Helper()
	checks := Checks()[:len(Checks())-len(containerChecks)]
	return byID(Run(q.Gather(t.Context(), checks), checks))
}

func byID(all []Finding) map[string]Finding {
	found := map[string]Finding{}
	for _, f := range all {
		found[f.ID] = f
	}
	return found
}

// closed is a port that nobody listens on.
func closed(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// serve is a port on which an Ollama answers.
func serve(t *testing.T) int {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"version":"0.36.0"}`) }))
	t.Cleanup(s.Close)
	return s.Listener.Addr().(*net.TCPAddr).Port
}

// expect also holds a finding against what all of them promise.
func expect(t *testing.T, name string, f Finding, status Status, text, fix string) {
	t.Helper()
	if f.Status != status || !strings.Contains(f.Summary, text) || !strings.Contains(f.Fix, fix) || fix == "" && status == OK && f.Fix != "" {
		t.Errorf("%s: %s, %q, fix %q; want %s, %q, fix %q", name, f.Status, f.Summary, f.Fix, status, text, fix)
	}
	if strings.Contains(f.Summary+f.Evidence+f.Fix, secret) {
		t.Errorf("%s shows a secret: %+v", name, f)
	}
	if f.Summary == "" || strings.Contains(f.Summary+f.Fix, "\n") || strings.HasSuffix(f.Summary, ".") || strings.HasSuffix(f.Evidence, "\n") {
		t.Errorf("%s is not said as all is: %+v", name, f)
	}
}

func TestChecks(t *testing.T) {
	seen := map[string]bool{}
	for _, check := range Checks() {
		if seen[check.ID] || strings.ToLower(check.ID) != check.ID || strings.ContainsAny(check.ID, " _") {
			t.Errorf("%q is no id, or one that is there twice", check.ID)
		}
		seen[check.ID] = true
		if !strings.HasSuffix(check.Question, "?") || check.judge == nil {
			t.Errorf("%s asks nothing: %q", check.ID, check.Question)
		}
	}
}

// TestGather looks at a Mac whose programs take a second each. Nothing is asked
// twice, and nothing waits that does not have to.
func TestGather(t *testing.T) {
	m := &mac{port: closed(t), slow: time.Second}
	q := m.question(t)
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		for _, f := range m.ask(t, q) {
			if f.Summary == "" || strings.Contains(f.Summary+f.Evidence, secret) {
				t.Errorf("%+v", f)
			}
		}
		if took := time.Since(start); took > 3*time.Second {
			t.Errorf("took %s", took)
		}
	})
	count := map[string]int{}
	for _, line := range m.ran {
		count[line]++
	}
	if len(count) < 7 || count["launchctl print-disabled user/501"] != 1 {
		t.Errorf("did not look at all: %v", count)
	}
	for line, n := range count {
		if n != 1 || strings.Contains(line, "disabled system") || strings.Contains(line, "docker") {
			t.Errorf("%s was run %d times", line, n)
		}
	}
}

// TestHanging: a program that does not answer takes nothing with it that can do
// without.
func TestHanging(t *testing.T) {
	m := &mac{port: closed(t), hangs: "launchctl"}
	q := m.question(t)
	synctest.Test(t, func(t *testing.T) {
		got := m.ask(t, q)
		for _, id := range []string{"job-loaded", "value-in-job", "launchctl-getenv"} {
			expect(t, id, got[id], Skip, "did not finish within 8 s", "")
		}
		expect(t, "agent-found", got["agent-found"], Fail, "looking at the service: did not finish within 8 s", "")
		expect(t, "listeners", got["listeners"], OK, "all interfaces", "")
		expect(t, "second-ollama", got["second-ollama"], OK, "the only one", "")
		expect(t, "firewall-state", got["firewall-state"], Warn, "block all", "")
		expect(t, "client-env", got["client-env"], Skip, "does not answer", "")
	})
	m = &mac{port: closed(t), hangs: "ps"}
	q = m.question(t)
	synctest.Test(t, func(t *testing.T) {
		got := m.ask(t, q)
		expect(t, "job-loaded", got["job-loaded"], OK, "6574", "")
		expect(t, "second-ollama", got["second-ollama"], OK, "the only one", "")
	})
	m = &mac{port: closed(t), hangs: "lsof"}
	q = m.question(t)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if s := q.Gather(ctx, Checks()); s.Report != nil {
			t.Error("containers were asked after all had ended")
		}
	})
}

// TestNoMac: without launchctl the checks that make sense are made, and without
// lsof those that need it say so.
func TestNoMac(t *testing.T) {
	m := &mac{none: "launchctl", port: serve(t)}
	q := m.question(t)
	q.System = "linux"
	got := m.ask(t, q)
	for _, id := range []string{
		"agent-found", "label", "two-jobs", "job-loaded", "disabled", "last-exit", "plist-parses", "plist-permissions",
		"value-in-env-file", "value-in-plist", "value-in-job", "value-traps", "owner-is-job", "lasting", "state-folder", "homebrew-version",
	} {
		expect(t, id, got[id], Skip, "no launchd on this machine", "")
	}
	expect(t, "platform", got["platform"], Warn, "no launchctl", "OLLAMA_HOST=172.17.0.1:")
	expect(t, "launchctl-getenv", got["launchctl-getenv"], Skip, "no launchctl on this machine", "")
	expect(t, "listeners", got["listeners"], OK, "all interfaces", "")
	expect(t, "api-version", got["api-version"], OK, "0.36.0", "")
	expect(t, "exposed-addresses", got["exposed-addresses"], OK, "nobody but", "")

	m.none = "lsof"
	got = m.ask(t, m.question(t))
	for _, id := range []string{"listeners", "owner-is-job", "second-ollama"} {
		expect(t, id, got[id], Skip, "no lsof on this machine", "")
	}
	expect(t, "job-loaded", got["job-loaded"], OK, "6574", "")
}

// TestHost is what those get to know who look from inside containers.
func TestHost(t *testing.T) {
	m := &mac{port: serve(t)}
	if s, local := m.question(t).Host(t.Context()); !s.Loopback || s.Outside || s.Bound != "" || s.Port != m.port || local.Why != "" {
		t.Errorf("on loopback: %+v, %+v", s, local)
	}
	m.port = closed(t)
	if s, local := m.question(t).Host(t.Context()); s.Answers() || local.Why == "" || local.Hint == "" || s.Cause == "" {
		t.Errorf("silent: %+v, %+v", s, local)
	}
	for name, tc := range map[string]struct {
		all               []answer
		loopback, outside bool
		bound             string
	}{
		"loopback": {answers("0.36.0", ""), true, false, ""},
		"all":      {answers("0.36.0", "0.36.0"), true, true, ""},
		"one":      {answers("", "", "0.36.0"), false, true, "192.168.1.6:11434"},
	} {
		if s, _ := serverOf(well(t).Facts, tc.all); s.Loopback != tc.loopback || s.Outside != tc.outside || s.Bound != tc.bound {
			t.Errorf("%s: %+v", name, s)
		}
	}
	deaf := answers("")
	deaf[0].err = errors.New("timed out")
	s := well(t)
	s.Err = &service.Error{ID: service.NoService, Err: errors.New("no service")}
	if got := whyDown(s.Facts, deaf); got.Hint != "lsof -nP -iTCP:11434 -sTCP:LISTEN" || !strings.Contains(got.Message, "is taken") {
		t.Errorf("somebody there: %+v", got)
	}
}
