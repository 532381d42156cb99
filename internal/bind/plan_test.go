package bind

import (
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ollama-bind/ollama-bind/internal/backup"
	"github.com/ollama-bind/ollama-bind/internal/homebrew"
	"github.com/ollama-bind/ollama-bind/launchctl"
	"github.com/ollama-bind/ollama-bind/plistfix"
)

const path = "/Users/alice/Library/LaunchAgents/sh.brew.ollama.plist"

// unbound is a service as Homebrew starts it.
func unbound(t *testing.T) State {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "fixtures", "plists", "brew-arm64-env.plist"))
	if err != nil {
		t.Fatal(err)
	}
	data = []byte(strings.Replace(string(data), "homebrew.mxcl.ollama", "sh.brew.ollama", 1))
	doc, err := plistfix.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	s := bound()
	s.Agent.Label, s.Agent.Plist = "sh.brew.ollama", path
	s.Plist = Plist{File: backup.File{Path: path, Data: data, Mode: 0o644, UID: 501}, Agent: doc}
	s.EnvFile = envFile("OLLAMA_HOST=0.0.0.0:11434\n", 0o644)
	s.Job.Path = path
	s.Job.Environment = map[string]string{"OLLAMA_FLASH_ATTENTION": "1"}
	s.Socket.Listeners[0].Address = "127.0.0.1:11434"
	return s
}

// envFile is Homebrew's env file with that text in it.
func envFile(text string, mode fs.FileMode) EnvFile {
	e := EnvFile{File: backup.File{Path: "/Users/alice/.homebrew/services/ollama.env", Data: []byte(text), Mode: mode, UID: 501}}
	if value, ok, err := homebrew.EnvValue(e.File.Data, "OLLAMA_HOST"); err != nil {
		e.Err = err
	} else if ok {
		e.Value = &value
	}
	return e
}

// TestPlanEnvFile is about the env file alone: the rest is bound already.
func TestPlanEnvFile(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(s *State)
		goal   Goal
		state  LayerState
		after  string // empty: no edit
		mode   fs.FileMode
		id     string // of the problem
	}{
		"as wanted":      {func(s *State) {}, everywhere, OK, "", 0, ""},
		"in other words": {func(s *State) { s.EnvFile = envFile("OLLAMA_HOST=[::]\n", 0o600) }, everywhere, OK, "", 0, ""},
		"another value":  {func(s *State) { s.EnvFile = envFile("OLLAMA_HOST=::1\n#x\n", 0o600) }, everywhere, Differs, "OLLAMA_HOST=0.0.0.0:11434\n#x\n", 0o600, ""},
		"none":           {func(s *State) { s.EnvFile = envFile("A=1\n", 0o644) }, everywhere, Differs, "A=1\nOLLAMA_HOST=0.0.0.0:11434\n", 0o644, ""},
		"no file": {func(s *State) {
			s.EnvFile = EnvFile{File: backup.File{Path: "/n/e.env", Real: "/n/e.env", Absent: true}}
		}, everywhere, Missing, "OLLAMA_HOST=0.0.0.0:11434\n", 0o644, ""},
		"open to others": {func(s *State) { s.EnvFile.File.Mode = 0o666 }, everywhere, Differs, "OLLAMA_HOST=0.0.0.0:11434\n", 0o644, ""},
		"left out":       {func(s *State) { s.EnvFile = envFile("", 0o644) }, Goal{Value: everywhere.Value, Host: everywhere.Host}, Skipped, "", 0, ""},
		"of root":        {func(s *State) { s.Agent.Daemon = true; s.EnvFile = envFile("", 0o644) }, everywhere, Unsupported, "", 0, ""},
		"of another": {func(s *State) {
			s.Agent.Chosen, s.Agent.Label = true, "com.example.a"
			s.Plist.Agent.Label = "com.example.a"
			s.EnvFile = envFile("", 0o644)
		}, everywhere, Skipped, "", 0, ""},
		"old Homebrew":    {func(s *State) { s.Brew.Known = true; s.EnvFile = envFile("A=1", 0o644) }, everywhere, Unsupported, "A=1\nOLLAMA_HOST=0.0.0.0:11434", 0o644, ""},
		"not UTF-8":       {func(s *State) { s.EnvFile = envFile("A=\xff\n", 0o644) }, everywhere, Unknown, "", 0, "env-file-malformed"},
		"somebody else's": {func(s *State) { s.EnvFile.File.UID = 502 }, everywhere, OK, "", 0, "not-owner"},
		"unreadable":      {func(s *State) { s.EnvFile = EnvFile{Err: fs.ErrPermission} }, everywhere, Unknown, "", 0, "env-file-unreadable"},
		"nowhere":         {func(s *State) { s.EnvFile = readEnvFile("") }, everywhere, Unknown, "", 0, "env-file-nowhere"},
	} {
		s := withFile(bound(), unbound(t), "0.0.0.0:11434")
		s.EnvFile = envFile("OLLAMA_HOST=0.0.0.0:11434\n", 0o644)
		tc.change(&s)
		if got := s.Layers(tc.goal)[0].State; got != tc.state {
			t.Errorf("%s: %s, want %s", name, got, tc.state)
		}
		p, err := alice.PlanFix(s, tc.goal, true)
		var refused *Problem
		if errors.As(err, &refused) != (tc.id != "") || refused != nil && refused.ID != tc.id {
			t.Errorf("%s: %v, want %q", name, err, tc.id)
			continue
		}
		if p.Reload {
			t.Errorf("%s: the env file alone restarts nothing", name)
		}
		switch {
		case tc.after == "" && len(p.Edits) > 0:
			t.Errorf("%s: edits %q", name, p.Edits[0].After)
		case tc.after != "" && (len(p.Edits) != 1 || string(p.Edits[0].After) != tc.after || p.Edits[0].Mode != tc.mode):
			t.Errorf("%s: edits %+v, want %q", name, p.Edits, tc.after)
		}
	}
}

var alice = Machine{UID: 501, Addresses: func() []netip.Addr { return nil }}

func TestPlanFix(t *testing.T) {
	p, err := alice.PlanFix(unbound(t), everywhere, true)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Edits) != 1 || !p.Reload || p.Held {
		t.Errorf("got %d edits, reload %v, held %v", len(p.Edits), p.Reload, p.Held)
	}
	want := `--- ` + path + `
+++ ` + path + `
@@ -6,6 +6,8 @@
 	<dict>
 		<key>OLLAMA_FLASH_ATTENTION</key>
 		<string>1</string>
+		<key>OLLAMA_HOST</key>
+		<string>0.0.0.0:11434</string>
 		<key>OLLAMA_KV_CACHE_TYPE</key>
 		<string>q8_0</string>
 	</dict>
`
	if diff := cmp.Diff(want, p.Diff()); diff != "" {
		t.Errorf("the plan's diff (-want +got):\n%s", diff)
	}
	steps := []string{
		"launchctl enable gui/501/sh.brew.ollama",
		"launchctl bootout gui/501/sh.brew.ollama",
		"launchctl bootstrap gui/501 " + path,
		"launchctl kickstart gui/501/sh.brew.ollama",
	}
	if diff := cmp.Diff(steps, p.Steps()); diff != "" {
		t.Errorf("the plan's steps (-want +got):\n%s", diff)
	}
}

func TestPlanDoesNoMoreThanNeeded(t *testing.T) {
	for name, tc := range map[string]struct {
		change  func(s *State)
		restart bool
		edits   int
		reload  bool
		held    bool
	}{
		"everything":   {func(s *State) {}, true, 1, true, false},
		"no restart":   {func(s *State) {}, false, 1, false, true},
		"all is well":  {func(s *State) { *s = withFile(bound(), *s, "0.0.0.0:11434") }, true, 0, false, false},
		"spelled anew": {func(s *State) { *s = withFile(bound(), *s, "[::]:11434") }, true, 0, false, false},
		"file only":    {func(s *State) { *s = withFile(bound(), *s, "127.0.0.1") }, true, 1, false, false},
		"reload only":  {func(s *State) { *s = withFile(*s, *s, "0.0.0.0:11434") }, true, 0, true, false},
		"not running": {func(s *State) {
			s.Job = Job{}
			s.Agent.Loaded = false
			s.Socket = Socket{Port: 11434, APIErr: syscall.ECONNREFUSED}
		}, true, 1, true, false},
		"nothing to say": {func(s *State) { *s = withFile(bound(), *s, "0.0.0.0:11434") }, false, 0, false, false},
	} {
		s := unbound(t)
		tc.change(&s)
		p, err := alice.PlanFix(s, everywhere, tc.restart)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(p.Edits) != tc.edits || p.Reload != tc.reload || p.Held != tc.held {
			t.Errorf("%s: %d edits, reload %v, held %v", name, len(p.Edits), p.Reload, p.Held)
		}
		if p.Changes() != (tc.edits > 0 || tc.reload) {
			t.Errorf("%s: changes %v", name, p.Changes())
		}
	}
}

// withFile is s, with file's property list set to host.
func withFile(s, file State, host string) State {
	s.Agent.Plist, s.Agent.Label, s.Job.Path = file.Agent.Plist, file.Agent.Label, file.Job.Path
	s.Plist, s.EnvFile = file.Plist, file.EnvFile
	data, err := plistfix.SetEnv(s.Plist.File.Data, "OLLAMA_HOST", host)
	if err != nil {
		panic(err)
	}
	s.Plist.File.Data = data
	s.Plist.Agent.EnvironmentVariables = env(host)
	return s
}

func TestPlanRefuses(t *testing.T) {
	for id, change := range map[string]func(s *State){
		"not-owner":        func(s *State) { s.Plist.File.UID = 0 },
		"plist-writable":   func(s *State) { s.Plist.File.Mode = 0o664 },
		"plist-missing":    func(s *State) { s.Plist = Plist{Err: fs.ErrNotExist} },
		"plist-malformed":  func(s *State) { s.Plist = Plist{Err: &plistfix.Error{Reason: "no"}} },
		"plist-unreadable": func(s *State) { s.Plist = Plist{Err: fs.ErrPermission} },
		"plist-not-a-file": func(s *State) { s.Plist = Plist{Err: backup.ErrNotRegular} },
		"foreign-label":    func(s *State) { s.Plist.Agent.Label = "com.example.other" },
		"label-mismatch":   func(s *State) { s.Plist.Agent.Label = "homebrew.mxcl.ollama" },
		"other-plist":      func(s *State) { s.Job.Path = "/elsewhere.plist" },
		"two-jobs": func(s *State) {
			s.Agent.Rival = &Rival{Target: launchctl.Target{Domain: "gui/501", Label: "homebrew.mxcl.ollama"}}
			s.Socket.Listeners[0].PID = 665 // it has the port
		},
		"launchctl-failed": func(s *State) { s.Job.Err = errors.New("no answer") },
		"lsof-failed":      func(s *State) { s.Socket.Err = errors.New("no lsof") },
		"port-held":        func(s *State) { s.Socket.Listeners[0].PID = 665 },
	} {
		s := unbound(t)
		change(&s)
		_, err := alice.PlanFix(s, everywhere, true)
		var p *Problem
		if !errors.As(err, &p) || p.ID != id {
			t.Errorf("%s: got %v", id, err)
			continue
		}
		if p.Hint == "" || strings.HasSuffix(p.Error(), ".") {
			t.Errorf("%s: error %q, hint %q", id, p, p.Hint)
		}
	}
}

// TestOwnerHint says which command to run instead.
func TestOwnerHint(t *testing.T) {
	for _, tc := range []struct {
		runner, owner int
		daemons       string
		hint          string
	}{
		{501, 0, filepath.Dir(path), "sudo ollama-bind fix"},
		{501, 0, "/Library/LaunchDaemons", "sudo chown 501 " + path},
		{0, 501, "/Library/LaunchDaemons", "run it again without sudo: ollama-bind fix"},
		{501, 502, "/Library/LaunchDaemons", "sudo chown 501 " + path},
	} {
		s := unbound(t)
		s.Plist.File.UID = tc.owner
		_, err := Machine{UID: tc.runner, Daemons: tc.daemons}.PlanFix(s, everywhere, true)
		var p *Problem
		if !errors.As(err, &p) || p.Hint != tc.hint {
			t.Errorf("user %d on a file of user %d: %v, want the hint %q", tc.runner, tc.owner, p, tc.hint)
		}
	}
}
