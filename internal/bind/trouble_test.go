package bind

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ollama-bind/ollama-bind/launchctl"
	"github.com/ollama-bind/ollama-bind/plistfix"
)

const log = "/opt/homebrew/var/log/ollama.log"

func down(runs int, exit string) func(*State) {
	return func(s *State) {
		s.Job.PID, s.Job.Runs, s.Job.LastExit = 0, runs, exit
		s.Socket = Socket{Port: 11434, APIErr: syscall.ECONNREFUSED}
	}
}

func deaf(s *State) { s.Socket.APIVersion, s.Socket.APIErr = "", errors.New("timed out") }

func TestTrouble(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*State)
		id     string // "" for none
		text   string // a part of it
		hint   string
	}{
		"none":            {func(*State) {}, "", "", ""},
		"answers, no pid": {func(s *State) { s.Job = Job{Err: errors.New("hangs")} }, "", "", ""},
		"answers, no lsof": {func(s *State) {
			s.Socket.Listeners, s.Socket.Err = nil, launchctl.ErrNoTool
		}, "", "", ""},
		"nothing here": {func(s *State) { *s = State{} }, "not-installed", "no Homebrew service", "brew install ollama && brew services start ollama"},
		"uninstalled":  {func(s *State) { down(9, "78: EX_CONFIG")(s); s.NoProgram = true }, "not-installed", "program is gone", "brew install ollama"},
		"not loaded":   {func(s *State) { down(0, "")(s); s.Job, s.Agent.Loaded = Job{}, false }, "not-loaded", "has not loaded", "brew services start ollama"},
		"not loaded, of root": {func(s *State) {
			down(0, "")(s)
			s.Job, s.Agent.Loaded, s.Agent.Daemon = Job{}, false, true
		}, "not-loaded", "", "sudo brew services start ollama"},
		"not loaded, of another kind": {func(s *State) {
			down(0, "")(s)
			s.Job, s.Agent.Loaded, s.Agent.Label = Job{}, false, "my.ollama"
			s.Agent.Domains = []launchctl.Domain{"user/501"}
		}, "not-loaded", "", "launchctl bootstrap user/501 '/Users/a b/x.plist'"},
		"crash loop":       {down(9, "1"), "crash-looping", "does not stay up (last exit: 1)", "tail -n 20 " + log},
		"ended again":      {down(5, "Terminated: 15"), "crash-looping", "last exit: Terminated: 15", "tail"},
		"crash loop, up":   {func(s *State) { s.Job.Runs, s.Socket.Listeners = 9, nil; deaf(s) }, "crash-looping", "does not stay up", "tail"},
		"never started":    {down(0, "(never exited)"), "not-running", "does not run it", "launchctl kickstart gui/501/sh.brew.ollama"},
		"ended well":       {down(1, "0"), "not-running", "does not run it", "launchctl kickstart"},
		"on loopback":      {func(s *State) { s.Socket.Listeners[0].Address = "127.0.0.1:11434" }, "listens-elsewhere", "listens on 127.0.0.1:11434, not on *:11434", "ollama-bind fix"},
		"on another port":  {func(s *State) { s.Socket.Listeners[0].Address = "*:8080" }, "listens-elsewhere", "listens on *:8080", "ollama-bind fix"},
		"held":             {func(s *State) { s.Socket.Listeners[0].PID = 7 }, "port-held", "held by ollama (pid 7), which is not", "ps -p 7"},
		"held, not loaded": {func(s *State) { s.Job, s.Agent.Loaded = Job{}, false }, "port-held", "held by ollama (pid 6574)", "ps -p 6574"},
		"held by root":     {func(s *State) { s.Socket.Listeners, s.Socket.Unseen = nil, true }, "port-held", "another user", "sudo lsof -nP -iTCP:11434"},
		"of root": {func(s *State) {
			s.Agent.Daemon, s.Socket.Listeners, s.Socket.Unseen = true, nil, true
		}, "needs-root", "runs as root (pid 6574)", "sudo ollama-bind status"},
		"of root, and held": {func(s *State) {
			s.Job.PID, s.Agent.Daemon, s.Socket.Listeners, s.Socket.Unseen = 0, true, nil, true
		}, "port-held", "another user", "sudo lsof"},
		"held, of the one named": {func(s *State) {
			s.Agent.Chosen, s.Socket.Listeners[0].PID = true, 7
		}, "port-held", "which is not the service of /Users/a b/x.plist", "ps -p 7"},
		"two jobs": {func(s *State) {
			s.Socket.Listeners[0].PID = 7
			s.Agent.Rival = &Rival{Target: launchctl.Target{Domain: "gui/501", Label: "homebrew.mxcl.ollama"}}
		}, "two-jobs", "two services", "launchctl bootout gui/501/homebrew.mxcl.ollama"},
		"two jobs, well":   {func(s *State) { s.Agent.Rival = &Rival{} }, "", "", ""},
		"deaf":             {deaf, "no-answer", "listens on *:11434, but does not answer: timed out", "tail"},
		"deaf on loopback": {func(s *State) { s.Socket.Listeners[0].Address = "127.0.0.1:11434"; deaf(s) }, "no-answer", "listens on 127.0.0.1:11434, but does not answer", "tail"},
		"starting":         {func(s *State) { s.Job.Runs, s.Socket.Listeners = 1, nil; deaf(s) }, "no-answer", "runs (pid 6574), but does not listen on port 11434", "tail"},
		"deaf, no lsof":    {func(s *State) { s.Socket = Socket{Err: launchctl.ErrNoTool}; deaf(s) }, "no-answer", "runs (pid 6574), but does not answer", "tail"},
		"no launchd, deaf": {func(s *State) { s.Job = Job{Err: errors.New("hangs")}; deaf(s) }, "no-answer", "launchd does not tell why: hangs", "ollama-bind doctor"},
		"no log":           {func(s *State) { deaf(s); s.Plist.Agent.StandardErrorPath = "" }, "no-answer", "", "launchctl print gui/501/sh.brew.ollama"},
	} {
		s := bound()
		s.Agent.Label, s.Agent.Plist = "sh.brew.ollama", "/Users/a b/x.plist"
		s.Plist.Agent.StandardErrorPath = log
		tc.change(&s)
		got, troubled := s.Trouble(everywhere)
		if troubled != (tc.id != "") || got.ID != tc.id || !strings.Contains(got.Text, tc.text) || !strings.HasPrefix(got.Hint, tc.hint) {
			t.Errorf("%s: %+v, %v; want %q, %q, %q", name, got, troubled, tc.id, tc.text, tc.hint)
		}
		if troubled && (got.Text == "" || got.Hint == "") {
			t.Errorf("%s: says nothing: %+v", name, got)
		}
	}
}

func TestLastError(t *testing.T) {
	const started = `time=x level=INFO source=routes.go msg="Listening on 127.0.0.1:11434 (version 0.33.0)"` + "\n"
	long := "Error: " + strings.Repeat("é", longestLine)
	for name, tc := range map[string]struct{ text, want string }{
		"no log":         {"", ""},
		"in use":         {started + "Error: listen tcp 127.0.0.1:11434: bind: address already in use\n", "Error: listen tcp 127.0.0.1:11434: bind: address already in use"},
		"the last":       {"Error: first\nError: second\nnoise\n", "Error: second"},
		"before a start": {"Error: old\n" + started, ""},
		"well":           {started, ""},
		"logged":         {"time=x level=ERROR msg=no\n", "time=x level=ERROR msg=no"},
		"a panic":        {"panic: nil map\n\tat x\n", "panic: nil map"},
		"with a secret":  {"Error: cannot use hunter2-hunter2 here\n", "Error: cannot use (not shown) here"},
		"of the job's":   {"Error: cannot use older-secret here\n", "Error: cannot use (not shown) here"},
		"with all":       {`time=x level=ERROR msg=config env="map[A:b]"` + "\n", "time=x level=ERROR msg=config env=(not shown)"},
		"long":           {long, strings.ToValidUTF8(long[:longestLine], "") + "…"},
		"in passing":     {"level=INFO msg=\"no Error: here\"\n", ""},
	} {
		path := filepath.Join(t.TempDir(), "ollama.log")
		if tc.text != "" {
			if err := os.WriteFile(path, []byte(tc.text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		s := bound()
		s.Plist.Agent = plistfix.Agent{StandardErrorPath: path, EnvironmentVariables: map[string]string{"TOKEN": "hunter2-hunter2"}}
		s.Job.Environment = map[string]string{"TOKEN": "older-secret"}
		if got := s.LastError(); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
		s.Plist.Agent.StandardErrorPath, s.Job.StderrPath = "", path
		if got := s.LastError(); got != tc.want {
			t.Errorf("%s, by the job's path: %q, want %q", name, got, tc.want)
		}
	}
}

func TestExplain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ollama.log")
	if err := os.WriteFile(path, []byte("Error: no such host\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := bound()
	s.Plist.Agent.StandardErrorPath = path
	if got, troubled := alice.Explain(s, everywhere); troubled || got != (Trouble{}) {
		t.Errorf("explains what is well: %+v", got)
	}
	s.Socket.Listeners[0].Address = "127.0.0.1:11434"
	if got, _ := alice.Explain(s, everywhere); strings.Contains(got.Text, "no such host") {
		t.Errorf("the log has nothing to do with it: %+v", got)
	}
	for host, hint := range map[string]string{"10.9.9.9": "ollama-bind fix", "${X}": "ollama-bind fix", "10.1.1.1": "tail", "localhost": "tail", "mac.lan": "tail"} {
		s := unbound(t)
		s.Job.Environment = env(host)
		down(9, "1")(&s)
		m := Machine{UID: 501, Addresses: func() []netip.Addr { return []netip.Addr{netip.MustParseAddr("10.1.1.1")} }}
		if got, _ := m.Explain(s, everywhere); !strings.HasPrefix(got.Hint, hint) {
			t.Errorf("a crash loop at %s: %+v, want %q", host, got, hint)
		}
	}
	down(9, "1")(&s)
	if got, _ := alice.Explain(s, everywhere); got.Text != "the service does not stay up (last exit: 1); the last error in its log: Error: no such host" {
		t.Errorf("a crash loop: %+v", got)
	}
}

func TestFirewall(t *testing.T) {
	for answer, want := range map[string]string{
		"Firewall is disabled. (State = 0)\n":                                      "off",
		"Firewall is enabled. (State = 1)\n":                                       "on",
		"Firewall is enabled. (State = 2)\n":                                       BlocksAll,
		"Firewall is blocking all non-essential incoming connections. (State = 2)": BlocksAll,
		"what?": "",
	} {
		m := Machine{Launchd: launchctl.Client{Runner: answers{"--getglobalstate": answer}}}
		if got := m.Firewall(t.Context()); got != want {
			t.Errorf("%q: %q, want %q", answer, got, want)
		}
	}
}
