package sandbox

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"
)

// asid is the session number of everybody's login.
const asid = 100057

// dump writes the layout of print: one TAB a level, and a blank line after every top-level block.
type dump struct {
	strings.Builder
	depth int
}

func (b *dump) line(format string, args ...any) {
	b.WriteString(strings.Repeat("\t", b.depth))
	fmt.Fprintf(b, format+"\n", args...)
}

func (b *dump) blank() { b.WriteString("\n") }

// block writes a nested block and the blank line after it.
func (b *dump) block(name string, body func()) {
	b.line("%s = {", name)
	b.depth++
	body()
	b.depth--
	b.line("}")
	b.blank()
}

func (b *dump) pairs(m map[string]string) {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		b.line("%s => %s", k, m[k])
	}
}

func printTarget(c *call) answer {
	if len(c.args) != 1 {
		return badUsage(c.usage)
	}
	d, label, ok := parseTarget(c.args[0])
	if !ok {
		return badTarget(c.usage)
	}
	what := "domain"
	if label != "" {
		what = "service"
	}
	switch code := c.lookUp(d); code {
	case 0:
	case errNoDomain:
		return c.badRequest(noDomain(d))
	default:
		// The text is a capture for a domain of another user; for 125 and for services it is unverified.
		return fail(code, "Could not print %s: %s", what, errorText(code))
	}
	if label == "" {
		return show(c.printDomain(d))
	}
	j := c.jobs[d.String()+"/"+label]
	if j == nil {
		return c.badRequest(noService(d, label))
	}
	return show(c.printJob(j))
}

// badRequest adds the line that came with macOS 26.
func (c *call) badRequest(a answer) answer {
	if c.options.Version >= 26 {
		a.Stderr = "Bad request.\n" + a.Stderr
	}
	return a
}

func (c *call) printJob(j *job) string {
	b := &dump{}
	b.line("%s = {", j.key())
	b.depth++
	c.printHead(b, j)
	c.printEnvironments(b, j)
	c.printRuns(b, j)
	printCoalitions(b, j)
	printTail(b, j)
	b.depth--
	b.line("}")
	return b.String()
}

func (c *call) printHead(b *dump, j *job) {
	active := 0
	if j.proc != nil {
		active = 1
	}
	kind := "LaunchAgent"
	if j.domain.kind == "system" {
		kind = "LaunchDaemon"
	}
	b.line("active count = %d", active)
	b.line("path = %s", j.path)
	b.line("type = %s", kind)
	b.line("state = %s", j.state)
	b.blank()
	b.line("program = %s", j.program())
	b.block("arguments", func() {
		for _, arg := range j.argv() {
			b.line("%s", arg)
		}
	})
	if j.WorkingDirectory != "" {
		b.line("working directory = %s", j.WorkingDirectory)
		b.blank()
	}
	if j.StandardOutPath != "" {
		b.line("stdout path = %s", j.StandardOutPath)
	}
	if j.StandardErrorPath != "" {
		b.line("stderr path = %s", j.StandardErrorPath)
	}
}

func (c *call) printEnvironments(b *dump, j *job) {
	b.block("inherited environment", func() { b.pairs(j.inherited) })
	b.block("default environment", func() { b.line("PATH => %s", defaultPath) })
	b.block("environment", func() {
		if j.proc != nil {
			b.line("OSLogRateLimit => 64")
		}
		b.pairs(j.env)
		b.line("XPC_SERVICE_NAME => %s", j.Label)
	})
}

func (c *call) printRuns(b *dump, j *job) {
	if j.domain.kind == "system" {
		b.line("domain = system")
	} else {
		b.line("domain = %s [%d]", j.domain, asid)
		b.line("asid = %d", asid)
	}
	b.line("minimum runtime = %d", seconds(c.throttle(j)))
	b.line("exit timeout = %d", seconds(c.exitTimeout(j)))
	b.line("runs = %d", j.runs)
	if j.proc != nil {
		printProcess(b, j)
	}
	b.line("%s", j.exit)
	b.blank()
	printSemaphores(b, j)
}

func printProcess(b *dump, j *job) {
	b.line("pid = %d", j.proc.pid)
	b.line("immediate reason = %s", j.reason)
	b.line("forks = 0")
	b.line("execs = 1")
	b.line("initialized = 1")
	b.line("trampolined = 1")
	b.line("started suspended = 0")
	b.line("proxy started suspended = 0")
	b.line("checked allocations = 0 (queried = 1)")
	b.line("checked allocations reason = no host")
	b.line("checked allocations flags = 0x0")
}

// exitNames are those of sysexits.h, from 64.
var exitNames = []string{"EX_USAGE", "EX_DATAERR", "EX_NOINPUT", "EX_NOUSER", "EX_NOHOST", "EX_UNAVAILABLE", "EX_SOFTWARE", "EX_OSERR",
	"EX_OSFILE", "EX_CANTCREAT", "EX_IOERR", "EX_TEMPFAIL", "EX_PROTOCOL", "EX_NOPERM", "EX_CONFIG"}

// signalNames are the system's texts for the signals that end a process here.
var signalNames = map[syscall.Signal]string{
	syscall.SIGHUP: "Hangup", syscall.SIGINT: "Interrupt", syscall.SIGQUIT: "Quit", syscall.SIGABRT: "Abort trap",
	syscall.SIGKILL: "Killed", syscall.SIGSEGV: "Segmentation fault", syscall.SIGTERM: "Terminated", syscall.SIGBUS: "Bus error",
}

// String is print's line on how the last run ended.
func (e exit) String() string {
	code := e.status.ExitStatus()
	switch {
	case !e.ended:
		return "last exit code = (never exited)"
	case e.status.Signaled():
		return fmt.Sprintf("last terminating signal = %s: %d", signalNames[e.status.Signal()], e.status.Signal())
	case code >= 64 && code < 64+len(exitNames):
		return fmt.Sprintf("last exit code = %d: %s", code, exitNames[code-64])
	default:
		return fmt.Sprintf("last exit code = %d", code)
	}
}

func printSemaphores(b *dump, j *job) {
	conditions, ok := j.KeepAlive.(map[string]any)
	if !ok {
		return
	}
	names := map[string]string{"SuccessfulExit": "successful exit", "Crashed": "crashed"}
	b.block("semaphores", func() {
		for _, key := range slices.Sorted(maps.Keys(conditions)) {
			if want, ok := conditions[key].(bool); ok && names[key] != "" {
				b.line("%s => %d", names[key], map[bool]int{true: 1}[want])
			}
		}
	})
}

// printCoalitions is for jobs with a process.
func printCoalitions(b *dump, j *job) {
	if j.proc == nil {
		return
	}
	for i, kind := range []string{"resource", "jetsam"} {
		b.block(kind+" coalition", func() {
			b.line("ID = %d", j.coalition+i)
			b.line("type = %s", kind)
			b.line("state = active")
			b.line("active count = 1")
			b.line("name = %s", j.Label)
		})
	}
}

func printTail(b *dump, j *job) {
	b.line("spawn type = daemon (3)")
	b.line("jetsam priority = 40")
	b.line("jetsam memory limit (active) = (unlimited)")
	b.line("jetsam memory limit (inactive) = (unlimited)")
	b.line("jetsamproperties category = daemon")
	b.line("jetsam thread limit = 32")
	b.line("cpumon = default")
	b.blank()
	b.line("properties = %s", strings.Join(j.properties(), " | "))
}

func (j *job) properties() []string {
	var p []string
	if j.keepsAlive() {
		p = append(p, "keepalive")
	}
	if j.RunAtLoad {
		p = append(p, "runatload")
	}
	if j.Program == "" {
		p = append(p, "inferred program")
	}
	return append(p, "managed LWCR", "has LWCR")
}

func (c *call) printDomain(d domain) string {
	jobs := c.jobsIn(d)
	active := 0
	for _, j := range jobs {
		if j.proc != nil {
			active++
		}
	}
	b := &dump{}
	b.line("%s = {", d)
	b.depth++
	printDomainHead(b, d, len(jobs), active)
	b.block("environment", func() { b.pairs(c.env[d]) })
	b.block("services", func() {
		for _, j := range jobs {
			b.line("%s", j.serviceLine())
		}
	})
	b.block("unmanaged processes", func() {})
	b.block("endpoints", func() {})
	b.block("externally-hosted endpoints", func() {})
	b.block("task-special ports", func() {})
	b.block("disabled services", func() { c.printOverrides(b, d) })
	b.line("properties = %s", map[string]string{"gui": "gui | gui login", "user": "user", "system": "system"}[d.kind])
	b.depth--
	b.line("}")
	return b.String()
}

func printDomainHead(b *dump, d domain, count, active int) {
	kinds := map[string][3]string{
		"gui":    {"login", "loginwindow[536]", "Aqua"},
		"user":   {"user", "launchd[1]", "Background"},
		"system": {"system", "launchd[1]", "System"},
	}
	kind := kinds[d.kind]
	b.line("type = %s", kind[0])
	b.line("handle = %d", map[string]int{"gui": asid, "user": d.uid}[d.kind])
	b.line("active count = %d", active+1)
	b.line("service count = %d", count)
	b.line("active service count = %d", active)
	b.line("creator = %s", kind[1])
	b.line("creator euid = 0")
	b.line("session = %s", kind[2])
	if d.kind == "gui" {
		b.line("endpoint destination = com.apple.xpc.launchd.domain.user.%d", d.uid)
	}
	b.line("auxiliary bootstrapper = com.apple.xpc.otherbsd (complete)")
	b.block("security context", func() {
		b.line("uid = %d", d.uid)
		b.line("asid = %d", asid)
	})
	b.line("bringup time = 64 ms")
	b.line("death port = 0x14503")
	b.blank()
}

func (j *job) serviceLine() string {
	pid, status := 0, "-"
	if j.proc != nil {
		pid = j.proc.pid
	} else if j.exit.ended {
		status = fmt.Sprint(j.exit.number())
	}
	return fmt.Sprintf("%8d %6s \t%s", pid, status, j.Label)
}

func printDisabled(c *call) answer {
	if len(c.args) != 1 {
		return badUsage(c.usage)
	}
	d, label, ok := parseTarget(c.args[0])
	if !ok || label != "" {
		return badTarget(c.usage)
	}
	switch code := c.lookUp(d); code {
	case 0:
	case errNoDomain:
		return c.badRequest(noDomain(d))
	default: // unverified
		return fail(code, "Could not print domain: %s", errorText(code))
	}
	b := &dump{}
	b.blank()
	b.depth++
	b.line("disabled services = {")
	b.depth++
	c.printOverrides(b, d)
	b.depth--
	b.line("}")
	if c.options.Version >= 13 {
		b.line("login item associations = {")
		b.line("}")
	}
	return show(b.String())
}

// printOverrides says enabled and disabled since macOS 13, and true for disabled before.
func (c *call) printOverrides(b *dump, d domain) {
	words := map[bool]string{true: "disabled", false: "enabled"}
	if c.options.Version < 13 {
		words = map[bool]string{true: "true", false: "false"}
	}
	overrides := c.disabled[database(d)]
	for _, label := range slices.Sorted(maps.Keys(overrides)) {
		b.line(`"%s" => %s`, label, words[overrides[label]])
	}
}
