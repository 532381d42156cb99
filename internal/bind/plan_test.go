package bind

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ollama-bind/ollama-bind/internal/backup"
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
	s.Job.Path = path
	s.Job.Environment = map[string]string{"OLLAMA_FLASH_ATTENTION": "1"}
	s.Socket.Listeners[0].Address = "127.0.0.1:11434"
	return s
}

var alice = Machine{UID: 501}

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
	s.Agent.Plist, s.Agent.Label, s.Job.Path, s.Plist = file.Agent.Plist, file.Agent.Label, file.Job.Path, file.Plist
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
			s.Agent.Rival = &launchctl.Target{Domain: "gui/501", Label: "homebrew.mxcl.ollama"}
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
		hint          string
	}{
		{501, 0, "sudo ollama-bind fix"},
		{0, 501, "run it again without sudo: ollama-bind fix"},
		{501, 502, "sudo chown 501 " + path},
	} {
		s := unbound(t)
		s.Plist.File.UID = tc.owner
		_, err := Machine{UID: tc.runner}.PlanFix(s, everywhere, true)
		var p *Problem
		if !errors.As(err, &p) || p.Hint != tc.hint {
			t.Errorf("user %d on a file of user %d: %v, want the hint %q", tc.runner, tc.owner, p, tc.hint)
		}
	}
}
