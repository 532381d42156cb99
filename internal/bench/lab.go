package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/ollama-bind/ollama-bind/internal/sandbox"
	"github.com/ollama-bind/ollama-bind/plistfix"
)

// The service is as Homebrew writes it on Apple silicon.
const (
	label   = "sh.brew.ollama"
	brew    = "7.0.7"
	fixture = "fixtures/plists/brew-arm64-env.plist"
)

// lab is what all tables share: the programs, and a folder for the rest.
type lab struct {
	ctx   context.Context
	quick bool
	dir   string
	plist []byte // Homebrew's
	self  string // this program
}

func open(ctx context.Context, quick bool) (*lab, error) {
	plist, err := os.ReadFile(fixture)
	if err != nil {
		return nil, fmt.Errorf("bench runs in the repository's root: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "ollama-bind-bench-")
	if err != nil {
		return nil, err
	}
	l := &lab{ctx: ctx, quick: quick, dir: dir, plist: plist, self: self}
	if err := l.build(); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

func (l *lab) close() { os.RemoveAll(l.dir) }

// times is how often something is run.
func (l *lab) times(usual, quick int) int {
	if l.quick {
		return quick
	}
	return usual
}

// The programs that are built.
const (
	program  = "ollama-bind"
	empty    = "empty"
	emptyCLI = "emptycli"
)

var packages = map[string]string{
	program:  "./cmd/ollama-bind",
	empty:    "./internal/bench/empty",
	emptyCLI: "./internal/bench/emptycli",
}

func (l *lab) path(program string) string { return filepath.Join(l.dir, program) }

// build builds all of them as `make build` does.
func (l *lab) build() error {
	makefile, err := os.ReadFile("Makefile")
	if err != nil {
		return err
	}
	flags := buildFlags(makefile)
	for name, pkg := range packages {
		if err := l.goTool(append(append([]string{"build"}, flags...), "-o", l.path(name), pkg)...); err != nil {
			return err
		}
	}
	return nil
}

// buildFlags are those in the Makefile.
func buildFlags(makefile []byte) []string {
	ldflags := strings.ReplaceAll(field(makefile, `(?m)^LDFLAGS = (.*)$`), "$(VERSION)", "bench")
	return []string{"-trimpath", "-tags", field(makefile, `(?m)^TAGS = (.*)$`), "-ldflags", ldflags}
}

func (l *lab) goTool(args ...string) error {
	cmd := exec.CommandContext(l.ctx, "go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go %s: %w\n%s", args[0], err, out)
	}
	return nil
}

// mac starts a Mac in a folder whose Ollama service runs, for this machine alone. Its
// property list says so: the port is not Ollama's own, which may be taken here, and
// without a word on it the program would have to ask lsof about both.
func (l *lab) mac() (*sandbox.Mac, error) {
	if l.ctx.Err() != nil {
		return nil, l.ctx.Err()
	}
	dir, err := os.MkdirTemp(l.dir, "mac-")
	if err != nil {
		return nil, err
	}
	options := sandbox.Options{Brew: brew, Caller: sandbox.CallerUser}
	if runtime.GOOS == "linux" {
		options.Lsof = sandbox.LsofStandIn // a real one takes a second on some machines
	}
	m, err := sandbox.Start(dir, options)
	if err != nil {
		return nil, err
	}
	if err := l.startService(m); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

func (l *lab) startService(m *sandbox.Mac) error {
	if _, err := m.Install(label, l.plist); err != nil {
		return err
	}
	if err := setHost(m, fmt.Sprintf("127.0.0.1:%d", m.Port)); err != nil {
		return err
	}
	return m.StartService(label)
}

// setHost writes OLLAMA_HOST into the property list, and tells launchd nothing.
func setHost(m *sandbox.Mac, value string) error {
	text, err := os.ReadFile(plistOf(m))
	if err != nil {
		return err
	}
	text, err = plistfix.SetEnv(text, "OLLAMA_HOST", value)
	if err != nil {
		return err
	}
	return os.WriteFile(plistOf(m), text, 0o644)
}

// scrap closes a Mac and removes its folder.
func scrap(m *sandbox.Mac) {
	m.Close()
	os.RemoveAll(m.Dir())
}

// host is what --host is given on a Mac whose port is another.
func host(m *sandbox.Mac) string { return fmt.Sprintf("0.0.0.0:%d", m.Port) }

// plistOf is the service's property list.
func plistOf(m *sandbox.Mac) string { return filepath.Join(m.Agents(), label+".plist") }

// onMac is ollama-bind with arguments on a Mac.
func (l *lab) onMac(m *sandbox.Mac, args ...string) command {
	return command{argv: append([]string{l.path(program)}, args...), env: m.Env(), dir: m.Dir()}
}

// typed is a shell that runs a script on a Mac, with the machine's own tools as well.
func typed(m *sandbox.Mac, script string) command {
	env := append(m.Env(), "PATH="+m.Bin()+string(filepath.ListSeparator)+os.Getenv("PATH"))
	return command{argv: []string{"/bin/sh", "-c", script}, env: env, dir: m.Dir()}
}

// find looks for a program of this machine's. Where it is a script in front of
// another one, as with pyenv, ask makes it tell which: the script's own time is not
// meant.
func find(name string, ask ...string) (path string, ok bool) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", false
	}
	if len(ask) > 0 {
		path = output(path, ask...)
	}
	return path, path != ""
}

// errEnd is a command that ended otherwise than it should have.
var errEnd = errors.New("did not end as it should have")
