package main

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"

	"github.com/creack/pty"
	"github.com/rogpeppe/go-internal/testscript"
)

func init() {
	commands["terminal"] = cmdTerminal
	conditions["terminals"] = func() bool {
		user, terminal, err := pty.Open()
		if err != nil {
			return false
		}
		return errors.Join(terminal.Close(), user.Close()) == nil
	}
}

// cmdTerminal runs the program on a pseudo-terminal, and wants an exit code. What the
// terminal got is in raw.txt then, and what it shows at the end in screen.txt. -out
// FILE redirects stdout, -ctrlc VERB types Ctrl-C as soon as launchctl has been told that.
func cmdTerminal(ts *testscript.TestScript, neg bool, args []string) {
	flags := flag.NewFlagSet("terminal", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	out := flags.String("out", "", "")
	verb := flags.String("ctrlc", "", "")
	ts.Check(flags.Parse(args))
	cmd := exec.Command(filepath.Join(ts.Getenv("PROGRAM_DIR"), flags.Arg(1)), flags.Args()[2:]...)
	cmd.Dir, cmd.Env = ts.Getenv("WORK"), environment(ts)
	if *out != "" {
		file, err := os.Create(ts.MkAbs(*out))
		ts.Check(err)
		defer file.Close()
		cmd.Stdout = file
	}
	theMac(ts).ResetLog()
	user, err := pty.Start(cmd)
	ts.Check(err)
	defer user.Close()
	read := make(chan []byte)
	go func() {
		seen, _ := io.ReadAll(user) // ends with EIO on Linux
		read <- seen
	}()
	if *verb != "" {
		cmdAwait(ts, false, []string{*verb})
		_, err := user.WriteString("\x03")
		ts.Check(err)
	}
	seen := <-read
	code := exitOf(cmd.Wait())
	ts.Logf("[terminal]\n%s", seen)
	ts.Check(os.WriteFile(ts.MkAbs("raw.txt"), seen, 0o644))
	ts.Check(os.WriteFile(ts.MkAbs("screen.txt"), erased.ReplaceAll(seen, nil), 0o644))
	if strconv.Itoa(code) != flags.Arg(0) {
		ts.Fatalf("%s: exit %d, want %s", flags.Arg(1), code, flags.Arg(0))
	}
}

// erased is what a terminal does not show in the end: lines that were replaced, and
// how it was told the colours.
var erased = regexp.MustCompile(`.*\r\x1b\[K|\r|\x1b\[\d*m`)

// controls are the bytes that nothing but a terminal gets.
const controls = "\x00\x01\x02\x03\x04\x05\x06\a\b\v\f\r\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f\x7f"

// checkPiped wants what a program has written into pipes to be text.
func checkPiped(ts *testscript.TestScript) {
	for _, stream := range []string{"stdout", "stderr"} {
		if text := []byte(ts.ReadFile(stream)); ts.Getenv("CLICOLOR_FORCE")+ts.Getenv("FORCE_COLOR") == "" && bytes.ContainsAny(text, controls) {
			ts.Fatalf("a control byte on %s: %q", stream, text)
		}
	}
}
