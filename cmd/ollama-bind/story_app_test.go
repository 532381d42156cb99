package main

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ollama-bind/ollama-bind/internal/sandbox"
)

// hasApp reports whether this machine can play a Mac with Ollama.app.
func hasApp() bool { return runtime.GOOS == "linux" && sandbox.OwnSQLite() != "" }

// cmdApp is what happens to Ollama.app; package sandbox/app tells.
func cmdApp(ts *testscript.TestScript, neg bool, args []string) {
	m := theMac(ts)
	rest := args[1:]
	first := strings.Join(rest, " ")
	bundle := ts.Getenv("BUNDLE")
	switch args[0] {
	case "install":
		if first != "" {
			bundle = ts.MkAbs(first)
		}
		ts.Setenv("BUNDLE", bundle)
		ts.Check(m.InstallApp(bundle, "0.33.0"))
	case "start":
		if _, err := os.Stat(bundle); err != nil {
			ts.Check(m.InstallApp(bundle, "0.33.0"))
		}
		ts.Check(m.OpenApp(bundle, rest...))
		ts.Setenv("APP_PID", strconv.Itoa(m.AppPID()))
	case "open":
		if _, stderr, code := m.Run("open", "-g", "-j", "-a", bundle); (code != 0) != neg {
			ts.Fatalf("open: exit %d: %s", code, stderr)
		}
	case "stop":
		ts.Check(m.EndApp(syscall.SIGTERM))
	case "kill":
		ts.Check(m.EndApp(syscall.SIGKILL))
	case "expose":
		ts.Check(m.Expose(first == "on"))
	case "click":
		ts.Check(m.Click())
	case "staged-update":
		ts.Check(m.StageAppUpdate(first))
	case "update":
		ts.Check(m.EndApp(syscall.SIGTERM))
		ts.Check(os.RemoveAll(bundle))
		ts.Check(m.InstallApp(bundle, first))
		ts.Check(m.OpenApp(bundle, "hidden"))
	case "broken-db":
		heal, err := m.BreakDatabase(first)
		ts.Check(err)
		ts.Defer(heal)
		tale(ts).release = heal
	case "pid":
		ts.Setenv("APP_PID", strconv.Itoa(m.AppPID()))
	case "running":
		if (m.AppPID() == 0) != neg {
			ts.Fatalf("the app's main process is %d", m.AppPID())
		}
	default:
		ts.Fatalf("app install|start|open|stop|kill|expose|click|staged-update|update|broken-db|pid|running")
	}
	m.ResetLog()
}

// cmdReboot starts the Mac again, with all that a login starts, and waits for Ollama.
func cmdReboot(ts *testscript.TestScript, neg bool, args []string) {
	m := theMac(ts)
	ts.Check(m.Reboot())
	ts.Check(m.WaitVersion("127.0.0.1:"+strconv.Itoa(m.Port), 20e9))
	m.ResetLog()
}
