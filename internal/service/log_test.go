package service

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ollama-bind/ollama-bind/internal/backup"
	"github.com/ollama-bind/ollama-bind/launchctl"
	"github.com/ollama-bind/ollama-bind/plistfix"
)

func TestSamePath(t *testing.T) {
	dir := t.TempDir()
	real, link := filepath.Join(dir, "real"), filepath.Join(dir, "link")
	if err := os.WriteFile(real, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(real, link); err != nil {
		t.Fatal(err)
	}
	if !samePath(link, real) || !samePath("", real) || samePath(real, filepath.Join(dir, "other")) {
		t.Error("links, or their absence, are not seen through")
	}
}

// TestLog is about what is shown of Ollama's log: what came after the mark, not
// much of it, and no environment.
func TestLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ollama.log")
	s := State{Settings: []Setting{{Layer: PlistLayer, Agent: plistfix.Agent{StandardErrorPath: path}}}}
	if got := markLog(s).since(); got != nil {
		t.Errorf("without a log: %q", got)
	}
	if err := os.WriteFile(path, []byte("old\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	mark := markLog(s)
	if got := mark.since(); got != nil {
		t.Errorf("nothing was written: %q", got)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString("first\n"); err != nil {
		t.Fatal(err)
	}
	if got := mark.since(); len(got) != 1 || got[0] != "first" {
		t.Errorf("one line was written: %q", got)
	}
	text := "1\n2\n3\n4\n" + `level=INFO msg="server config" env="map[HTTPS_PROXY:http://me:secret@proxy OLLAMA_HOST:x]"` + "\nError: in use\n"
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	want := []string{"2", "3", "4", `level=INFO msg="server config" env=(not shown)`, "Error: in use"}
	if diff := cmp.Diff(want, mark.since()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := f.WriteString(`env="map[A:` + strings.Repeat("s3cr3t ", logBytes/7) + "]\"\nafter\n"); err != nil {
		t.Fatal(err)
	}
	if got := mark.since(); len(got) != 1 || got[0] != "after" {
		t.Errorf("a line that is cut in the middle: %.100q", got)
	}
	if err := os.WriteFile(path, []byte("x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := mark.since(); len(got) != 1 || got[0] != "x" {
		t.Errorf("after the log was rotated: %q", got)
	}
}

// What the service may have in its environment is masked, wherever it comes from.
func TestSecrets(t *testing.T) {
	s := State{
		Settings: []Setting{
			parseEnvFile(backup.File{Data: []byte("E=from-env-file\n")}),
			{Agent: plistfix.Agent{EnvironmentVariables: map[string]string{"A": "from-plist", "OLLAMA_HOST": "0.0.0.0:11434", "B": "1"}}},
		},
		Job: Job{Job: launchctl.Job{Environment: map[string]string{"C": "from-job"}, InheritedEnvironment: map[string]string{"D": "from-setenv"}}},
	}
	got := s.secrets()
	slices.Sort(got)
	if diff := cmp.Diff([]string{"from-env-file", "from-job", "from-plist", "from-setenv"}, got); diff != "" {
		t.Error(diff)
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
		s.Settings[1].Agent = plistfix.Agent{StandardErrorPath: path, EnvironmentVariables: map[string]string{"TOKEN": "hunter2-hunter2"}}
		s.Job.Environment = map[string]string{"TOKEN": "older-secret"}
		if got := s.lastError(); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
		s.Settings[1].Agent.StandardErrorPath, s.Job.StderrPath = "", path
		if got := s.lastError(); got != tc.want {
			t.Errorf("%s, by the job's path: %q, want %q", name, got, tc.want)
		}
	}
}

// TestSecretsInParts is about what may stand in a log line of its own.
func TestSecretsInParts(t *testing.T) {
	s := State{Settings: []Setting{{Agent: plistfix.Agent{
		ProgramArguments:     []string{"/bin/ollama", "serve", "--token=t0ken-value", "bare-t0ken", "TOKEN='quoted-one'; exec ollama serve"},
		EnvironmentVariables: map[string]string{"A": "begins", "B": "begins-alike", "P": "http://me:p%40ss@proxy:1", "OLLAMA_HOST": "0.0.0.0:1"},
	}}}}
	m := logMark{secrets: s.secrets()}
	for text, want := range map[string]string{
		"t0ken-value, bare-t0ken, quoted-one": "(not shown), (not shown), (not shown)",
		"begins-alike begins":                 "(not shown) (not shown)",
		"407 for p%40ss, or p@ss":             "407 for (not shown), or (not shown)",
		"/bin/ollama serve on 0.0.0.0:1":      "/bin/ollama serve on 0.0.0.0:1",
	} {
		if got := m.masked(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestDiffMasked shows the lines around a change, without the values of other keys.
func TestDiffMasked(t *testing.T) {
	before := "<dict>\n<key>A</key>\n<string>first\nsecond-part</string>\n<key>B</key><string>1</string>\n</dict>"
	after := strings.Replace(before, "\n</dict>", "\n<key>OLLAMA_HOST</key>\n<string>0.0.0.0:11434</string>\n</dict>", 1)
	p := Plan{State: State{Service: Service{kind: brew{}}}, Edits: []backup.Change{
		{Layer: EnvFileLayer, File: backup.File{Path: "/e", Data: []byte("TOKEN=abcdefgh\nOLLAMA_HOST=127.0.0.1\n")}, After: []byte("TOKEN=abcdefgh\nOLLAMA_HOST=0.0.0.0\n")},
		{Layer: PlistLayer, File: backup.File{Path: "/p", Data: []byte(before)}, After: []byte(after)},
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
