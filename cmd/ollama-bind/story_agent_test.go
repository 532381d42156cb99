package main

import (
	"flag"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdAgent writes and loads a LaunchAgent as people write them.
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
