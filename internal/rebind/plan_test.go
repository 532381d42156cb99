package rebind

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ollama-bind/ollama-bind/internal/backup"
	"github.com/ollama-bind/ollama-bind/internal/service"
	"github.com/ollama-bind/ollama-bind/plistfix"
)

const path = "/Users/alice/Library/LaunchAgents/sh.brew.ollama.plist"

// unbound is a service as Homebrew starts it.
func unbound(t *testing.T) service.State {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "fixtures", "plists", "brew-arm64-env.plist"))
	if err != nil {
		t.Fatal(err)
	}
	data = []byte(strings.Replace(string(data), "homebrew.mxcl.ollama", "sh.brew.ollama", 1))
	s := bound()
	s.Service.Label, s.Service.Plist = "sh.brew.ollama", path
	s.Settings = []service.Setting{envFile("OLLAMA_HOST=0.0.0.0:11434\n", 0o644), homebrews.Parse(service.PlistLayer, backup.File{Path: path, Data: data, Mode: 0o644, UID: 501})}
	s.Job.Path = path
	s.Job.Environment = map[string]string{"OLLAMA_FLASH_ATTENTION": "1"}
	s.Socket.Listeners[0].Address = "127.0.0.1:11434"
	return s
}

// envFile is Homebrew's env file with that text in it.
func envFile(text string, mode fs.FileMode) service.Setting {
	return homebrews.Parse(service.EnvFileLayer, backup.File{Path: "/Users/alice/.homebrew/services/ollama.env", Data: []byte(text), Mode: mode, UID: 501})
}

// willing refuses nothing.
func willing(Plan) error { return nil }

// TestPlanEnvFile is about the env file alone: the rest is bound already.
func TestPlanEnvFile(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(s *service.State)
		goal   service.Goal
		state  service.LayerState
		after  string // empty: no edit
		mode   fs.FileMode
	}{
		"as wanted":      {func(s *service.State) {}, everywhere, service.OK, "", 0},
		"in other words": {func(s *service.State) { s.Settings[0] = envFile("OLLAMA_HOST=[::]\n", 0o600) }, everywhere, service.OK, "", 0},
		"another value":  {func(s *service.State) { s.Settings[0] = envFile("OLLAMA_HOST=::1\n#x\n", 0o600) }, everywhere, service.Differs, "OLLAMA_HOST=0.0.0.0:11434\n#x\n", 0o600},
		"none":           {func(s *service.State) { s.Settings[0] = envFile("A=1\n", 0o644) }, everywhere, service.Differs, "A=1\nOLLAMA_HOST=0.0.0.0:11434\n", 0o644},
		"no file": {func(s *service.State) {
			s.Settings[0] = homebrews.Parse(service.EnvFileLayer, backup.File{Path: "/n/e.env", Real: "/n/e.env", Absent: true})
		}, everywhere, service.Missing, "OLLAMA_HOST=0.0.0.0:11434\n", 0o644},
		"open to others": {func(s *service.State) { s.Settings[0].File.Mode = 0o666 }, everywhere, service.Differs, "OLLAMA_HOST=0.0.0.0:11434\n", 0o644},
		"left out":       {func(s *service.State) { s.Settings[0] = envFile("", 0o644) }, service.Goal{Value: everywhere.Value, Host: everywhere.Host}, service.Skipped, "", 0},
		"of root":        {func(s *service.State) { s.Settings[0] = envFile("", 0o644); s.Settings[0].Use = service.NotForRoot }, everywhere, service.Unsupported, "", 0},
		"old Homebrew":   {func(s *service.State) { s.Settings[0] = envFile("A=1", 0o644); s.Settings[0].Use = service.TooOld }, everywhere, service.Unsupported, "A=1\nOLLAMA_HOST=0.0.0.0:11434", 0o644},
	} {
		s := withFile(bound(), unbound(t), "0.0.0.0:11434")
		s.Settings[0] = envFile("OLLAMA_HOST=0.0.0.0:11434\n", 0o644)
		tc.change(&s)
		if got := s.Layers(tc.goal)[0].State; got != tc.state {
			t.Errorf("%s: %s, want %s", name, got, tc.state)
		}
		p, err := planFix(s, tc.goal, true, willing)
		if err != nil {
			t.Errorf("%s: %v", name, err)
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

func TestPlanFix(t *testing.T) {
	p, err := planFix(unbound(t), everywhere, true, willing)
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
	if diff := cmp.Diff(want, p.Diff(true)); diff != "" {
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
		change  func(s *service.State)
		restart bool
		edits   int
		reload  bool
		held    bool
	}{
		"everything":        {func(s *service.State) {}, true, 1, true, false},
		"no restart":        {func(s *service.State) {}, false, 1, false, true},
		"all is well":       {func(s *service.State) { *s = withFile(bound(), *s, "0.0.0.0:11434") }, true, 0, false, false},
		"spelled otherwise": {func(s *service.State) { *s = withFile(bound(), *s, "[::]:11434") }, true, 0, false, false},
		"file only":         {func(s *service.State) { *s = withFile(bound(), *s, "127.0.0.1") }, true, 1, false, false},
		"reload only":       {func(s *service.State) { *s = withFile(*s, *s, "0.0.0.0:11434") }, true, 0, true, false},
		"not running": {func(s *service.State) {
			s.Job = service.Job{}
			s.Service.Loaded = false
			s.Socket = service.Socket{Port: 11434, APIErr: syscall.ECONNREFUSED}
		}, true, 1, true, false},
		"nothing to say": {func(s *service.State) { *s = withFile(bound(), *s, "0.0.0.0:11434") }, false, 0, false, false},
	} {
		s := unbound(t)
		tc.change(&s)
		p, err := planFix(s, everywhere, tc.restart, willing)
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

// withFile is s, with file's plist set to host.
func withFile(s, file service.State, host string) service.State {
	s.Service, s.Job.Path = file.Service, file.Job.Path
	s.Settings = slices.Clone(file.Settings)
	f := s.Settings[1].File
	data, err := plistfix.SetEnv(f.Data, "OLLAMA_HOST", host)
	if err != nil {
		panic(err)
	}
	f.Data = data
	s.Settings[1] = homebrews.Parse(service.PlistLayer, f)
	return s
}

// A refusal comes before anything that goes wrong with an edit, and knows the plan.
func TestPlanRefused(t *testing.T) {
	refused := errors.New("no")
	p, err := planFix(unbound(t), everywhere, true, func(p Plan) error {
		if !p.Reload || len(p.Edits) != 1 {
			t.Errorf("asked about %+v", p)
		}
		return refused
	})
	if !errors.Is(err, refused) || !p.Changes() {
		t.Errorf("got %v", err)
	}
}

// TestDiffMasked shows the lines around a change, without the values of other keys.
func TestDiffMasked(t *testing.T) {
	before := "<dict>\n<key>A</key>\n<string>first\nsecond-part</string>\n<key>B</key><string>1</string>\n</dict>"
	after := strings.Replace(before, "\n</dict>", "\n<key>OLLAMA_HOST</key>\n<string>0.0.0.0:11434</string>\n</dict>", 1)
	p := Plan{State: service.State{Service: service.Service{Kind: homebrews}}, Edits: []backup.Change{
		{Layer: service.EnvFileLayer, File: backup.File{Path: "/e", Data: []byte("TOKEN=abcdefgh\nOLLAMA_HOST=127.0.0.1\n")}, After: []byte("TOKEN=abcdefgh\nOLLAMA_HOST=0.0.0.0\n")},
		{Layer: service.PlistLayer, File: backup.File{Path: "/p", Data: []byte(before)}, After: []byte(after)},
	}}
	want := "--- /e\n+++ /e\n@@ -1,2 +1,2 @@\n TOKEN=(not shown)\n-OLLAMA_HOST=127.0.0.1\n+OLLAMA_HOST=0.0.0.0\n" +
		"--- /p\n+++ /p\n@@ -3,4 +3,6 @@\n <string>(not shown)\n </string>\n <key>B</key><string>1</string>\n" +
		"+<key>OLLAMA_HOST</key>\n+<string>0.0.0.0:11434</string>\n </dict>\n\\ No newline at end of file\n"
	if diff := cmp.Diff(want, p.Diff(false)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	p.Edits = append(p.Edits, backup.Change{File: backup.File{Path: "/b", Data: []byte("bplist00secret")}, After: []byte("bplist00 secret")})
	if got := p.Diff(false); got != want+"Binary files /b and /b differ\n" {
		t.Errorf("with a binary one: %q", got)
	}
	if !strings.Contains(p.Diff(true), "abcdefgh") {
		t.Error("--show-values does not show them")
	}
}
