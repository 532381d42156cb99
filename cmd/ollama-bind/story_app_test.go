package main

import (
	"flag"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ollama-bind/ollama-bind/internal/sandbox"
)

// hasApp reports whether this machine can simulate Ollama.app.
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
		for wait := time.Now().Add(10 * time.Second); neg && m.AppPID() != 0 && time.Now().Before(wait); {
			time.Sleep(20 * time.Millisecond) // it was told to end, and takes its time
		}
		if (m.AppPID() == 0) != neg {
			ts.Fatalf("the app's main process is %d", m.AppPID())
		}
	default:
		ts.Fatalf("app install|start|open|stop|kill|expose|click|staged-update|update|broken-db|pid|running")
	}
	m.ResetLog()
}

// cmdAgent writes an agent as people do by hand, and loads it. It becomes the service
// that $PLIST and $LABEL name.
func cmdAgent(ts *testscript.TestScript, neg bool, args []string) {
	m := theMac(ts)
	flags := flag.NewFlagSet("agent", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	daemon := flags.Bool("daemon", false, "in the system domain, of a mac -root")
	stopped := flags.Bool("stopped", false, "the plist is there, and nothing is loaded")
	quiet := flags.Bool("quiet", false, "it starts no Ollama to wait for")
	extra := flags.String("extra", "<key>KeepAlive</key><true/>", "XML")
	env := flags.String("env", "", "KEY=VALUE")
	ts.Check(flags.Parse(args[1:]))
	folder, domain := m.Agents(), m.Domain()
	if *daemon {
		folder, domain = m.Daemons(), "system"
	}
	cmdRelabel(ts, false, args[:1])
	path := filepath.Join(folder, args[0]+".plist")
	ts.Setenv("PLIST", path)
	ts.Check(os.WriteFile(path, handwritten(args[0], *env, *extra, flags.Args()), 0o644))
	if *stopped {
		return
	}
	cmdLaunchctl(ts, false, []string{"bootstrap", domain, path})
	if !*quiet {
		ts.Check(m.WaitVersion("127.0.0.1:"+strconv.Itoa(m.Port), 20e9))
	}
}

func handwritten(label, env, extra string, command []string) []byte {
	var b strings.Builder
	escape := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
	element := func(name, text string) {
		b.WriteString("<" + name + ">" + escape.Replace(text) + "</" + name + ">\n")
	}
	b.WriteString("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<plist version=\"1.0\">\n<dict>\n")
	element("key", "Label")
	element("string", label)
	if key, value, ok := strings.Cut(env, "="); ok {
		element("key", "EnvironmentVariables")
		b.WriteString("<dict>\n")
		element("key", key)
		element("string", value)
		b.WriteString("</dict>\n")
	}
	element("key", "ProgramArguments")
	b.WriteString("<array>\n")
	for _, word := range command {
		element("string", word)
	}
	b.WriteString("</array>\n<key>RunAtLoad</key><true/>\n" + extra + "\n</dict>\n</plist>\n")
	return []byte(b.String())
}

// cmdReboot starts the Mac again, with all that a login starts, and waits for Ollama.
func cmdReboot(ts *testscript.TestScript, neg bool, args []string) {
	m := theMac(ts)
	ts.Check(m.Reboot())
	ts.Check(m.WaitVersion("127.0.0.1:"+strconv.Itoa(m.Port), 20e9))
	m.ResetLog()
}
