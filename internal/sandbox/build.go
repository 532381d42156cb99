package sandbox

import (
	"cmp"
	_ "embed" // a program in C
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const module = "github.com/ollama-bind/ollama-bind/"

// built is the folder with what [RunTests] has built, "" elsewhere.
var built string

// RunTests runs a package's tests, and exits. Before that it builds what they start: the
// stand-ins, and the named commands of this module, for [Program].
func RunTests(m interface{ Run() int }, commands ...string) {
	dir, err := os.MkdirTemp("", "ollama-bind-test-")
	if err == nil {
		err = build(dir, commands...)
	}
	code := 1
	if err == nil {
		code = m.Run()
	} else {
		fmt.Fprintln(os.Stderr, err)
	}
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// Program is a command that [RunTests] has built. Built with the tag stories, it takes
// places that HOME does not move from its environment.
func Program(command string) string { return filepath.Join(built, command) }

// build builds into dir, without the race detector: what is started hundreds of times
// starts in a fifth of the time without it.
func build(dir string, commands ...string) error {
	if err := goBuild(dir, module+"internal/sandbox/standins"); err != nil {
		return err
	}
	built = dir
	if !compile(askers, Program("askers")) { // without C it is slower
		if err := os.Link(Program("standins"), Program("askers")); err != nil {
			return err
		}
	}
	for _, command := range commands {
		if err := goBuild(dir, "-tags", "stories,urfave_cli_no_docs", module+"cmd/"+command); err != nil {
			return err
		}
	}
	return nil
}

//go:embed askers/ask.c
var askers string

// compile reports whether there is a C compiler, and it could. A static program starts
// in less time yet; macOS has none.
func compile(source, to string) bool {
	for _, how := range []string{"-static", "-O1"} {
		cc := exec.Command(cmp.Or(os.Getenv("CC"), "cc"), how, "-s", "-x", "c", "-", "-o", to)
		cc.Stdin = strings.NewReader(source)
		if cc.Run() == nil {
			return true
		}
	}
	return false
}

// goBuild has cp run the program, as it were: what go run has linked it keeps, and go
// build does not.
func goBuild(dir string, args ...string) error {
	args = append([]string{"run", "-exec", "cp", "-buildvcs=false", "-ldflags=-s -w"}, args...)
	cmd := exec.Command("go", append(args, dir)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%v: %w\n%s", cmd.Args, err, out)
	}
	return nil
}
