package main

import (
	"bytes"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ollama-bind/ollama-bind/internal/pty"
)

func init() {
	commands["terminal"] = cmdTerminal
	commands["atmost"] = cmdAtMost
	conditions["terminals"] = func() bool {
		p, err := pty.Open(80)
		if err != nil {
			return false
		}
		p.Close()
		return true
	}
}

// cmdTerminal runs the program on a pseudo-terminal of so many columns, and wants an
// exit code. What the terminal got is in raw.txt then, and what it shows at the end in
// screen.txt. -out FILE redirects stdout, -ctrlc VERB types Ctrl-C as soon as launchctl
// has been told that.
func cmdTerminal(ts *testscript.TestScript, neg bool, args []string) {
	flags := flag.NewFlagSet("terminal", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	out := flags.String("out", "", "")
	verb := flags.String("ctrlc", "", "")
	ts.Check(flags.Parse(args))
	columns, err := strconv.Atoi(flags.Arg(0))
	ts.Check(err)
	cmd := exec.Command(filepath.Join(ts.Getenv("PROGRAM_DIR"), flags.Arg(2)), flags.Args()[3:]...)
	cmd.Dir, cmd.Env = ts.Getenv("WORK"), environment(ts)
	if *out != "" {
		file, err := os.Create(ts.MkAbs(*out))
		ts.Check(err)
		defer file.Close()
		cmd.Stdout = file
	}
	theMac(ts).ResetLog()
	session, err := pty.Start(cmd, columns)
	ts.Check(err)
	if *verb != "" {
		cmdAwait(ts, false, []string{*verb})
		ts.Check(session.Type("\x03"))
	}
	seen, code, err := session.Wait()
	ts.Check(err)
	screen, err := pty.Screen(seen)
	ts.Check(err)
	ts.Logf("[terminal]\n%s", pty.Text(screen))
	ts.Check(os.WriteFile(ts.MkAbs("raw.txt"), seen, 0o644))
	ts.Check(os.WriteFile(ts.MkAbs("screen.txt"), []byte(pty.Text(screen)), 0o644))
	if strconv.Itoa(code) != flags.Arg(1) {
		ts.Fatalf("%s: exit %d, want %s", flags.Arg(2), code, flags.Arg(1))
	}
}

// cmdAtMost wants no line of a file to be longer, but for those with one of the
// words, which stay whole.
func cmdAtMost(ts *testscript.TestScript, neg bool, args []string) {
	most, err := strconv.Atoi(args[0])
	ts.Check(err)
	whole := func(line string) bool {
		for _, word := range args[2:] {
			if strings.Contains(line, word) {
				return true
			}
		}
		return false
	}
	for line := range strings.Lines(ts.ReadFile(args[1])) {
		if n := columns(strings.TrimSuffix(line, "\n")); n > most && !whole(line) {
			ts.Fatalf("%d columns: %s", n, line)
		}
	}
}

// controls are the bytes that nothing but a terminal gets.
const controls = "\x00\x01\x02\x03\x04\x05\x06\a\b\v\f\r\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f\x7f"

// checkPiped wants what a program has written into pipes to be text.
func checkPiped(ts *testscript.TestScript) {
	for _, stream := range []string{"stdout", "stderr"} {
		if text := []byte(ts.ReadFile(stream)); ts.Getenv("CLICOLOR_FORCE") == "" && bytes.ContainsAny(text, controls) {
			ts.Fatalf("a control byte on %s: %q", stream, text)
		}
	}
}
