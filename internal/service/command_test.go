package service

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/ollama-bind/ollama-bind/internal/backup"
	"github.com/ollama-bind/ollama-bind/plistfix"
)

// TestCommand: which jobs run Ollama, and which give it an address or a flag themselves.
func TestCommand(t *testing.T) {
	script := filepath.Join(t.TempDir(), "run it.sh")
	for name, tc := range map[string]struct {
		args               []string
		script             string
		serves, sets, flag bool
	}{
		"plain":             {args: []string{"/opt/homebrew/bin/ollama", "serve"}, serves: true},
		"start":             {args: []string{"ollama", "start"}, serves: true},
		"in the app":        {args: []string{"/Applications/Ollama.app/Contents/Resources/ollama", "serve"}, serves: true},
		"shell":             {args: []string{"/bin/zsh", "-lc", "sleep 5; exec '/opt/x/ollama' serve"}, serves: true},
		"env":               {args: []string{"/usr/bin/env", "OLLAMA_HOST=0.0.0.0", "ollama", "serve"}, serves: true, sets: true},
		"flag":              {args: []string{"ollama", "serve", "--host", "0.0.0.0"}, serves: true, flag: true},
		"another command":   {args: []string{"ollama", "run", "llama3"}},
		"another program":   {args: []string{"/usr/local/bin/open-webui", "serve"}},
		"a kind of proxy":   {args: []string{"/usr/local/bin/ollama-proxy", "serve"}},
		"setenv":            {args: []string{"launchctl", "setenv", "OLLAMA_HOST", "0.0.0.0"}},
		"script":            {args: []string{script}, script: "#!/bin/sh\nollama serve\n", serves: true},
		"script of a shell": {args: []string{"/bin/sh", script}, script: "OLLAMA_HOST=0.0.0.0 ollama serve", serves: true, sets: true},
		"variable":          {args: []string{script}, script: "export BIN=/opt/ollama\n\"$BIN\" serve", serves: true},
		"default":           {args: []string{script}, script: "export OLLAMA_HOST=${OLLAMA_HOST:-127.0.0.1}\nollama serve", serves: true},
		"comment":           {args: []string{script}, script: "# ollama serve\n# OLLAMA_HOST=1\nopen-webui serve"},
		"a client":          {args: []string{script}, script: "OLLAMA_BASE_URL=http://x open-webui serve"},
		"nothing":           {},
	} {
		if err := os.WriteFile(script, []byte(tc.script), 0o700); err != nil {
			t.Fatal(err)
		}
		c := commandOf(plistfix.Agent{ProgramArguments: tc.args})
		list := backup.File{Path: "x.plist"}
		if got := c.serves(); got != tc.serves {
			t.Errorf("%s: runs Ollama: %v", name, got)
		}
		if got := c.sets(list) != nil; tc.serves && got != tc.sets {
			t.Errorf("%s: sets the address: %v", name, got)
		}
		if got := c.hostFlag(list) != nil; got != tc.flag {
			t.Errorf("%s: has the flag: %v", name, got)
		}
	}
}
