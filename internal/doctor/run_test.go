package doctor

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/ollama-bind/ollama-bind/internal/bind"
	"github.com/ollama-bind/ollama-bind/internal/container"
	"github.com/ollama-bind/ollama-bind/internal/homebrew"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

// mac is a Runner that has canned answers, and remembers what it was asked.
type mac struct {
	port    int
	plist   string
	program string        // what the service runs
	socket  string        // lsof's fields of the one listener; "-" for none
	slow    time.Duration // that every program takes
	hangs   string        // the program that never answers
	none    string        // a program that is not there

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
		return nil, ctx.Err()
	}
	switch {
	case name == m.none:
		return nil, fmt.Errorf("%s: %w", name, launchctl.ErrNoTool)
	case line == "launchctl print gui/501/sh.brew.ollama":
		return fmt.Appendf(nil, "gui/501/sh.brew.ollama = {\n\tpath = %s\n\tstate = running\n\tenvironment = {\n\t\tOLLAMA_HOST => 0.0.0.0:%d\n\t}\n\tprogram = %s\n\truns = 1\n\tpid = 6574\n\tlast exit code = (never exited)\n}\n",
			m.plist, m.port, cmp.Or(m.program, "ollama")), nil
	case strings.HasPrefix(line, "launchctl print "):
		return nil, &launchctl.ExitError{Code: 113}
	case strings.HasPrefix(line, "launchctl print-disabled "):
		return []byte("\tdisabled services = {\n\t}\n"), nil
	case line == "launchctl getenv OLLAMA_HOST":
		return []byte("\n"), nil
	case name == "lsof" && m.socket == "-":
		return nil, nil
	case name == "lsof" && m.socket != "":
		return fmt.Appendf(nil, "%s:%d\n", m.socket, m.port), nil
	case name == "lsof":
		return fmt.Appendf(nil, "p6574\ncollama\nLalice\nf3\ntIPv6\nPTCP\nn*:%d\nTST=LISTEN\n", m.port), nil
	case name == "ps": // one of them has ended in the meantime
		return []byte(" 6574     1 /opt/homebrew/opt/ollama/bin/ollama\n 7   400 /Applications/Ollama.app/Contents/Resources/ollama\n"), &launchctl.ExitError{Code: 1}
	case strings.HasSuffix(name, "socketfilterfw"):
		return []byte("Firewall is enabled. (State = 2)\n"), nil
	}
	return nil, fmt.Errorf("nobody expected %s", line)
}

// count is how often a program was asked.
func (m *mac) count(line string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, ran := range m.ran {
		if ran == line {
			n++
		}
	}
	return n
}

// with makes a case of a Mac.
func (m *mac) with(t *testing.T) *Case {
	t.Helper()
	home := t.TempDir()
	m.plist = filepath.Join(homebrew.Agents(home), "sh.brew.ollama.plist")
	if err := os.MkdirAll(filepath.Dir(m.plist), 0o700); err != nil {
		t.Fatal(err)
	}
	doc := fmt.Sprintf("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<plist version=\"1.0\">\n<dict>\n\t<key>EnvironmentVariables</key>\n\t<dict>\n\t\t<key>OLLAMA_HOST</key>\n"+
		"\t\t<string>0.0.0.0:%d</string>\n\t</dict>\n\t<key>Label</key>\n\t<string>sh.brew.ollama</string>\n</dict>\n</plist>\n", m.port)
	if err := os.WriteFile(m.plist, []byte(doc), 0o600); err != nil {
		t.Fatal(err)
	}
	c := patient()
	c.Machine.Launchd = launchctl.Client{Runner: m}
	c.Machine.Home, c.Machine.Daemons = home, filepath.Join(home, "daemons")
	c.Machine.EnvFile = filepath.Join(home, "ollama.env")
	c.Machine.Addresses = func() []netip.Addr { return nil }
	c.Goal = bind.GoalFor(ollama.Host{Port: m.port}, true)
	c.App = filepath.Join(home, "Ollama.app")
	return c
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

// own are the checks of this machine.
func own() []Check { return Checks()[:len(Checks())-len(containerChecks)] }

func named(t *testing.T, ids ...string) []Check {
	t.Helper()
	var chosen []Check
	for _, check := range Checks() {
		if slices.Contains(ids, check.ID) {
			chosen = append(chosen, check)
		}
	}
	if len(chosen) != len(ids) {
		t.Fatalf("there is no such check among %v", ids)
	}
	return chosen
}

func TestChecks(t *testing.T) {
	seen := map[string]bool{}
	for _, check := range Checks() {
		if seen[check.ID] || strings.ToLower(check.ID) != check.ID || strings.ContainsAny(check.ID, " _") {
			t.Errorf("%q is no id, or one that is there twice", check.ID)
		}
		seen[check.ID] = true
		if !strings.HasSuffix(check.Question, "?") || check.run == nil {
			t.Errorf("%s asks nothing: %q", check.ID, check.Question)
		}
	}
}

// TestSideBySide runs checks that wait for each other: one at a time they would
// never end.
func TestSideBySide(t *testing.T) {
	const n = 20
	var all sync.WaitGroup
	all.Add(n)
	checks := make([]Check, n)
	for i := range checks {
		checks[i] = Check{ID: fmt.Sprint(i), run: func(context.Context, *Case) Finding {
			all.Done()
			all.Wait()
			return passed(fmt.Sprint("number ", i))
		}}
	}
	for i, f := range Run(t.Context(), &Case{}, checks) {
		if f.ID != fmt.Sprint(i) || f.Summary != fmt.Sprint("number ", i) {
			t.Errorf("finding %d is %+v", i, f)
		}
	}
}

func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := func(ctx context.Context, _ *Case) Finding { <-ctx.Done(); return passed("too late") }
		deaf := func(context.Context, *Case) Finding { time.Sleep(time.Minute); return passed("too late") }
		quick := func(context.Context, *Case) Finding { return passed("done") }
		start := time.Now()
		got := Run(t.Context(), &Case{}, []Check{
			{ID: "stuck", run: stuck}, {ID: "deaf", run: deaf}, {ID: "quick", run: quick}, {ID: "short", Deadline: 1500 * time.Millisecond, run: stuck},
		})
		want := []Finding{
			{ID: "stuck", Status: Skip, Summary: "did not finish within 8 s"},
			{ID: "deaf", Status: Skip, Summary: "did not finish within 8 s"},
			{ID: "quick", Status: OK, Summary: "done"},
			{ID: "short", Status: Skip, Summary: "did not finish within 1.5 s"},
		}
		if !slices.Equal(got, want) {
			t.Errorf("%+v\nwant %+v", got, want)
		}
		if took := time.Since(start); took != usualDeadline {
			t.Errorf("took %s", took)
		}
		time.Sleep(time.Minute) // the deaf one's goroutine has to end
	})
}

func TestInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := []Check{{ID: "stuck", run: func(ctx context.Context, _ *Case) Finding { <-ctx.Done(); return passed("") }}}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if got := Run(ctx, &Case{}, stuck); !got[0].Interrupted || got[0].Status != Skip {
			t.Errorf("%+v", got)
		}
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if got := Run(ctx, &Case{}, stuck); got[0].Summary != "did not finish in the time that there was" || got[0].Interrupted {
			t.Errorf("%+v", got)
		}
	})
}

// TestRunWaits: nobody leaves while something is still to be put away.
func TestRunWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c Case
		var removed bool
		probe := func(ctx context.Context) (container.Report, error) {
			<-ctx.Done()
			time.Sleep(3 * time.Second)
			removed = true
			return container.Report{}, ctx.Err()
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		Run(ctx, &c, []Check{{ID: "inside", run: func(ctx context.Context, c *Case) Finding {
			c.report.get(ctx, c.lasting(ctx), probe)
			return passed("")
		}}})
		if !removed {
			t.Error("Run left before the probe had ended")
		}
	})
}

// TestMemo: many ask, one looks, and who has no time does not wait.
func TestMemo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m memo[int]
		looked := 0
		look := func(context.Context) (int, error) { time.Sleep(time.Second); looked++; return 42, nil }
		if _, ok := m.wait(); ok || looked > 0 {
			t.Error("there is something before anybody has asked")
		}
		hasty, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := m.get(hasty, t.Context(), look); err != context.DeadlineExceeded {
			t.Errorf("who had no time got %v", err)
		}
		if v, ok := m.wait(); !ok || v != 42 || looked != 1 {
			t.Errorf("who waited for the end of the look got %d, %v", v, ok)
		}
		var asking []func()
		for range 10 {
			asking = append(asking, func() {
				if v, err := m.get(t.Context(), t.Context(), look); v != 42 || err != nil {
					t.Errorf("got %d, %v", v, err)
				}
			})
		}
		together(asking...)
		if v, ok := m.wait(); looked != 1 || v != 42 || !ok {
			t.Errorf("looked %d times, found %d, %v", looked, v, ok)
		}
	})
}

// TestAll runs every check of this machine on a Mac whose programs take a second
// each. Nothing is asked twice, and nothing waits that does not have to: the
// longest way is lsof, and then ps for the processes that it shows.
func TestAll(t *testing.T) {
	m := &mac{port: closed(t), slow: time.Second}
	withoutPs := slices.DeleteFunc(own(), func(c Check) bool { return c.ID == "second-ollama" })
	c := m.with(t)
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		Run(t.Context(), c, withoutPs)
		if took := time.Since(start); took != time.Second {
			t.Errorf("took %s without ps", took)
		}
	})
	m.ran = nil
	c = m.with(t)
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		got := Run(t.Context(), c, own())
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("took %s", took)
		}
		for _, f := range got {
			if strings.HasPrefix(f.Summary, "did not finish") || f.Summary == "" {
				t.Errorf("%+v", f)
			}
		}
	})
	for _, line := range []string{
		"launchctl print gui/501/sh.brew.ollama", "launchctl print system/homebrew.mxcl.ollama", "launchctl getenv OLLAMA_HOST",
		"launchctl print-disabled user/501", "launchctl print-disabled system", "socketfilterfw --getglobalstate",
		"ps -o pid=,ppid=,comm= -p 6574", "lsof -nP -w -iTCP -sTCP:LISTEN -F pcfLnPtT",
		fmt.Sprintf("lsof -nP -w -iTCP:%d -sTCP:LISTEN -F pcfLnPtT", m.port),
	} {
		if n := m.count(line); n != 1 {
			t.Errorf("%s was run %d times", line, n)
		}
	}
}

// TestSubset: what no check needs is not run.
func TestSubset(t *testing.T) {
	m := &mac{port: closed(t)}
	for id, want := range map[string][]string{
		"platform":         nil,
		"launchctl-getenv": {"launchctl getenv"},
		"firewall-state":   {"socketfilterfw"},
		"plist-parses":     {"launchctl print", "lsof"},
		"owner-is-job":     {"launchctl print", "lsof"},
		"disabled":         {"launchctl print", "launchctl print-disabled", "lsof"},
		"listeners":        {"launchctl print", "lsof"},
		"second-ollama":    {"launchctl print", "lsof", "ps"},
	} {
		m.ran = nil
		Run(t.Context(), m.with(t), named(t, id))
		var got []string
		for _, line := range m.ran {
			program, rest, _ := strings.Cut(line, " ")
			if verb, _, _ := strings.Cut(rest, " "); program == "launchctl" {
				program += " " + verb
			}
			got = append(got, program)
		}
		slices.Sort(got)
		if diff := gocmp.Diff(want, slices.Compact(got)); diff != "" {
			t.Errorf("%s runs (-want +got):\n%s", id, diff)
		}
	}
	m.ran = nil
	c := m.with(t)
	c.Asked = true
	c.Machine.Addresses = func() []netip.Addr { return nil }
	c.Goal.Host.Port = serve(t)
	if f := Run(t.Context(), c, named(t, "api-version"))[0]; f.Status != OK || len(m.ran) != 0 {
		t.Errorf("api-version is %+v, and has run %q", f, m.ran)
	}
}

// serve is a port on which an Ollama answers.
func serve(t *testing.T) int {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"version":"0.36.0"}`) }))
	t.Cleanup(s.Close)
	return s.Listener.Addr().(*net.TCPAddr).Port
}

// TestHanging: a launchctl that does not answer takes nothing with it that can do
// without.
func TestHanging(t *testing.T) {
	m := &mac{port: closed(t), hangs: "launchctl"}
	c := m.with(t)
	synctest.Test(t, func(t *testing.T) {
		got := byID(Run(t.Context(), c, own()))
		for _, id := range []string{"job-loaded", "value-in-job", "disabled", "launchctl-getenv"} {
			expect(t, id, got[id], Skip, "did not finish within 8 s", "")
		}
		expect(t, "listeners", got["listeners"], OK, "all interfaces", "")
		expect(t, "second-ollama", got["second-ollama"], OK, "no other one", "")
		expect(t, "api-version", got["api-version"], Fail, "nothing answers", "")
		expect(t, "firewall-state", got["firewall-state"], Warn, "block all", "")
		expect(t, "client-env", got["client-env"], Skip, "does not answer", "")
	})
}

// TestNoMac: without launchctl the checks that make sense are made, and without
// lsof those that need it say so.
func TestNoMac(t *testing.T) {
	m := &mac{none: "launchctl", port: serve(t)}
	c := m.with(t)
	c.System = "linux"
	got := byID(Run(t.Context(), c, own()))
	for _, id := range []string{
		"agent-found", "label", "two-jobs", "job-loaded", "disabled", "last-exit", "plist-parses", "plist-permissions",
		"value-in-env-file", "value-in-plist", "value-in-job", "value-traps", "owner-is-job", "lasting", "homebrew-version",
	} {
		expect(t, id, got[id], Skip, "no launchd on this machine", "")
	}
	expect(t, "launchctl-getenv", got["launchctl-getenv"], Skip, "no launchctl on this machine", "")
	expect(t, "listeners", got["listeners"], OK, "all interfaces", "")
	expect(t, "api-version", got["api-version"], OK, "0.36.0", "")
	expect(t, "exposed-addresses", got["exposed-addresses"], OK, "nobody but", "")
	expect(t, "ollama-version-advisories", got["ollama-version-advisories"], OK, "none", "")

	m.none = "lsof"
	got = byID(Run(t.Context(), m.with(t), own()))
	for _, id := range []string{"listeners", "owner-is-job", "second-ollama"} {
		expect(t, id, got[id], Skip, "no lsof on this machine", "")
	}
	expect(t, "job-loaded", got["job-loaded"], OK, "6574", "")

	m.none, m.port = "launchctl", closed(t)
	c = m.with(t)
	if s := c.server(t.Context()); s.Answers() || s.Hint != "start Ollama" || !strings.Contains(s.Why, "nothing answers") {
		t.Errorf("server: %+v", s)
	}
}

// TestTogether is about findings that more than one look goes into.
func TestTogether(t *testing.T) {
	m := &mac{port: closed(t), program: filepath.Join(t.TempDir(), "ollama")}
	got := byID(Run(t.Context(), m.with(t), own()))
	expect(t, "uninstalled", got["agent-found"], Fail, "program is gone", "brew install ollama")

	m = &mac{port: serve(t), socket: "p6574\ncollama\nf3\ntIPv4\nn127.0.0.1"}
	expect(t, "on loopback", Run(t.Context(), m.with(t), named(t, "listeners"))[0], Warn, "loopback alone", measureFirst(bind.State{}, m.port))
	m.none = "launchctl"
	expect(t, "on loopback, elsewhere", Run(t.Context(), m.with(t), named(t, "listeners"))[0], Warn, "loopback alone", measure(m.port))

	m = &mac{port: closed(t), socket: "-"}
	expect(t, "nobody", Run(t.Context(), m.with(t), named(t, "listeners"))[0], Fail, "nothing listens", "launchctl print gui/501/")

	running, err := (&mac{port: closed(t)}).with(t).processes(t.Context())
	if len(running) != 2 || err != nil {
		t.Errorf("what ps shows of those that are left: %v, %v", running, err)
	}

	m = &mac{port: closed(t), socket: "p7\ncnginx\nf3\ntIPv4\nn127.0.0.1"}
	f := Run(t.Context(), m.with(t), named(t, "owner-is-job"))[0]
	expect(t, "held", f, Fail, "held by nginx (pid 7)", "ps -p 7")
	if !strings.Contains(f.Evidence, "process 7: /Applications/Ollama.app/") {
		t.Errorf("does not name the program: %q", f.Evidence)
	}
}

// TestExposedHere asks on this machine's own addresses.
func TestExposedHere(t *testing.T) {
	if len(bind.Addresses()) == 0 {
		t.Skip("a machine without a network")
	}
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"version":"0.16.0"}`) }))
	s.Listener = l
	s.Start()
	t.Cleanup(s.Close)
	m := &mac{port: l.Addr().(*net.TCPAddr).Port}
	for none, want := range map[string][2]string{"": {"ollama-bind rollback", "brew upgrade ollama"}, "launchctl": {"set OLLAMA_HOST to 127.0.0.1:", "upgrade Ollama,"}} {
		m.none = none
		c := m.with(t)
		c.Machine.Addresses = bind.Addresses
		got := byID(Run(t.Context(), c, own()))
		expect(t, "exposed-addresses", got["exposed-addresses"], Warn, "no password", want[0])
		expect(t, "ollama-version-advisories", got["ollama-version-advisories"], Warn, "CVE-2026-7482", want[1])
		expect(t, "api-from-own-address", got["api-from-own-address"], OK, "too", "")
	}
}

func byID(all []Finding) map[string]Finding {
	found := map[string]Finding{}
	for _, f := range all {
		found[f.ID] = f
	}
	return found
}

// TestServer is what those get to know who look from inside of containers.
func TestServer(t *testing.T) {
	m := &mac{port: serve(t)}
	c := m.with(t)
	s := c.server(t.Context())
	if !s.Loopback || s.Outside || s.Bound != "" || s.Port != m.port {
		t.Errorf("on loopback: %+v", s)
	}
	m.port = closed(t)
	c = m.with(t)
	s = c.server(t.Context())
	if s.Answers() || !strings.Contains(s.Why, "listens on *:") || s.Hint == "" {
		t.Errorf("silent: %+v", s)
	}
}
