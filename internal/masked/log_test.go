package masked

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestLog is about what is shown of Ollama's log: what came after the mark, not
// much of it, and no environment.
func TestLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ollama.log")
	log := Log{Path: path}
	if got := log.FromHere().Tail(); got != nil {
		t.Errorf("without a log: %q", got)
	}
	if err := os.WriteFile(path, []byte("old\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	mark := log.FromHere()
	if got := mark.Tail(); got != nil {
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
	if got := mark.Tail(); len(got) != 1 || got[0] != "first" {
		t.Errorf("one line was written: %q", got)
	}
	text := "1\n2\n3\n4\n" + `level=INFO msg="server config" env="map[HTTPS_PROXY:http://me:secret@proxy OLLAMA_HOST:x]"` + "\nError: in use\n"
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	want := []string{"2", "3", "4", `level=INFO msg="server config" env=(not shown)`, "Error: in use"}
	if diff := cmp.Diff(want, mark.Tail()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := f.WriteString(`env="map[A:` + strings.Repeat("s3cr3t ", logBytes/7) + "]\"\nafter\n"); err != nil {
		t.Fatal(err)
	}
	if got := mark.Tail(); len(got) != 1 || got[0] != "after" {
		t.Errorf("a line that is cut in the middle: %.100q", got)
	}
	if err := os.WriteFile(path, []byte("x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := mark.Tail(); len(got) != 1 || got[0] != "x" {
		t.Errorf("after the log was rotated: %q", got)
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
		secrets := Secrets([]map[string]string{{"TOKEN": "hunter2-hunter2"}, {"TOKEN": "older-secret"}}, nil)
		if got := (Log{Path: path, Secrets: secrets}).LastError(); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}

// TestSecretsInParts is about what may stand in a log line of its own.
func TestSecretsInParts(t *testing.T) {
	log := Log{Secrets: Secrets(
		[]map[string]string{{"A": "begins", "B": "begins-alike", "P": "http://me:p%40ss@proxy:1", "OLLAMA_HOST": "0.0.0.0:1"}},
		[]string{"/bin/ollama", "serve", "--token=t0ken-value", "bare-t0ken", "TOKEN='quoted-one'; exec ollama serve"},
	)}
	for text, want := range map[string]string{
		"t0ken-value, bare-t0ken, quoted-one": "(not shown), (not shown), (not shown)",
		"begins-alike begins":                 "(not shown) (not shown)",
		"407 for p%40ss, or p@ss":             "407 for (not shown), or (not shown)",
		"/bin/ollama serve on 0.0.0.0:1":      "/bin/ollama serve on 0.0.0.0:1",
	} {
		if got := log.masked(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
