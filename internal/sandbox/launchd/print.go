package launchd

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"

	"github.com/ollama-bind/ollama-bind/internal/sandbox/standin"
)

// asid is the session number of every login.
const asid = 100057

// printService tells of a service. Of a domain it says only that there is none.
func printService(c *call) standin.Answer {
	what := "service"
	if c.label == "" {
		what = "domain"
	}
	if code := c.lookUp(); code != 0 {
		return c.notPrinted(what, code)
	}
	switch {
	case c.label == "":
		return notHere([]string{"print", c.args[0]})
	case c.job == nil:
		return badRequest(c.noService())
	default:
		return show(c.dump(c.job))
	}
}

// notPrinted has its text from a domain of another user; for 125, for services and for
// print-disabled it is unverified.
func (c *call) notPrinted(what string, code int) standin.Answer {
	if code == errNoDomain {
		return badRequest(c.noDomain())
	}
	return standin.Fail(code, "Could not print %s: %s", what, errorText(code))
}

// dump is all that print says of a job. It has the layout of the captures.
func (c *call) dump(j *job) string {
	return fmt.Sprintf("%s = {\n", j.key()) +
		dumpHead(j) +
		block("inherited environment", pairs(j.inherited)...) +
		block("default environment", "PATH => "+defaultPath) +
		block("environment", c.environmentLines(j)...) +
		c.dumpRuns(j) +
		dumpTail(j, c.stale(j)) +
		"}\n"
}

// block is a nested block and the blank line after it.
func block(name string, lines ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\t%s = {\n", name)
	for _, line := range lines {
		fmt.Fprintf(&b, "\t\t%s\n", line)
	}
	return b.String() + "\t}\n\n"
}

func pairs(m map[string]string) (lines []string) {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		lines = append(lines, k+" => "+m[k])
	}
	return lines
}

// environmentLines has a variable twice where a fault says so: launchd prints those that
// it adds beside the plist's own.
func (c *call) environmentLines(j *job) []string {
	lines := pairs(j.environment())
	if name, on := c.faults.Arg("doubled"); on {
		lines = append([]string{name + " => 2"}, lines...)
		lines = append(lines, name+" => 65535")
	}
	return lines
}

// environment is the job's, with what launchd adds.
func (j *job) environment() map[string]string {
	env := map[string]string{"XPC_SERVICE_NAME": j.Label}
	maps.Copy(env, j.env)
	if j.proc != nil {
		env["OSLogRateLimit"] = "64"
	}
	return env
}

func dumpHead(j *job) string {
	active, kind := 0, "LaunchAgent"
	if j.proc != nil {
		active = 1
	}
	if j.domain.kind == "system" {
		kind = "LaunchDaemon"
	}
	if j.path == submitted {
		kind = "Submitted"
	}
	s := fmt.Sprintf("\tactive count = %d\n\tpath = %s\n\ttype = %s\n\tstate = %s\n\n",
		active, j.path, kind, j.state)
	s += fmt.Sprintf("\tprogram = %s\n", j.program()) + block("arguments", j.argv()...)
	if j.WorkingDirectory != "" {
		s += fmt.Sprintf("\tworking directory = %s\n\n", j.WorkingDirectory)
	}
	if j.StandardOutPath != "" {
		s += fmt.Sprintf("\tstdout path = %s\n", j.StandardOutPath)
	}
	if j.StandardErrorPath != "" {
		s += fmt.Sprintf("\tstderr path = %s\n", j.StandardErrorPath)
	}
	return s
}

func (c *call) dumpRuns(j *job) string {
	s := "\tdomain = system\n"
	if j.domain.kind != "system" {
		s = fmt.Sprintf("\tdomain = %s [%d]\n\tasid = %d\n", j.domain, asid, asid)
	}
	throttle := secondsOr(j.ThrottleInterval, c.options.Throttle)
	exitTimeout := secondsOr(j.ExitTimeOut, c.options.ExitTimeout)
	s += fmt.Sprintf("\tminimum runtime = %d\n\texit timeout = %d\n\truns = %d\n",
		seconds(throttle), seconds(exitTimeout), j.runs)
	if j.proc != nil {
		s += fmt.Sprintf("\tpid = %d\n\timmediate reason = %s\n", j.proc.PID, j.cause) +
			processLines
	}
	if j.pended != "" {
		s += fmt.Sprintf("\tpended nondemand spawn = %s\n", j.pended)
	}
	s += fmt.Sprintf("\t%s\n\n", j.lastExit)
	if j.proc != nil {
		s += coalition("resource", j.Label) + coalition("jetsam", j.Label)
	}
	return s
}

const processLines = `	forks = 0
	execs = 1
	initialized = 1
	trampolined = 1
	started suspended = 0
	proxy started suspended = 0
	checked allocations = 0 (queried = 1)
	checked allocations reason = no host
	checked allocations flags = 0x0
`

func coalition(kind, label string) string {
	return block(kind+" coalition", "ID = 1622", "type = "+kind, "state = active",
		"active count = 1", "name = "+label)
}

const tailLines = `	spawn type = daemon (3)
	jetsam priority = 40
	jetsam memory limit (active) = (unlimited)
	jetsam memory limit (inactive) = (unlimited)
	jetsamproperties category = daemon
	jetsam thread limit = 32
	cpumon = default

`

func dumpTail(j *job, stale bool) string {
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
	head := tailLines
	if j.failed {
		head = "\tjob state = spawn failed\n" + head
	}
	if stale {
		p = append(p, "needs LWCR update")
	}
	p = append(p, "managed LWCR", "has LWCR")
	return head + fmt.Sprintf("\tproperties = %s\n", strings.Join(p, " | "))
}

// exitNames are those of sysexits.h that a job here can end with, and signalNames the
// system's texts for the signals that end one.
var (
	exitNames   = map[int]string{64: ": EX_USAGE", 78: ": EX_CONFIG"}
	signalNames = map[syscall.Signal]string{
		syscall.SIGINT: "Interrupt", syscall.SIGKILL: "Killed", syscall.SIGTERM: "Terminated",
	}
)

// String is print's line on how the last run ended.
func (e exit) String() string {
	if !e.ended {
		return "last exit code = (never exited)"
	}
	if signal := e.status.Signal(); e.status.Signaled() {
		return fmt.Sprintf("last terminating signal = %s: %d", signalNames[signal], signal)
	}
	code := e.status.ExitStatus()
	return fmt.Sprintf("last exit code = %d%s", code, exitNames[code])
}

func printDisabled(c *call) standin.Answer {
	if code := c.lookUp(); code != 0 {
		return c.notPrinted("domain", code)
	}
	return show(dumpOverrides(c.disabled[c.domain.database()]))
}

func dumpOverrides(overrides map[string]bool) string {
	if len(overrides) == 0 {
		return "\n\tdisabled services = (no disabled services)\n"
	}
	words := map[bool]string{true: "disabled", false: "enabled"}
	s := "\n\tdisabled services = {\n"
	for _, label := range slices.Sorted(maps.Keys(overrides)) {
		s += fmt.Sprintf("\t\t\"%s\" => %s\n", label, words[overrides[label]])
	}
	return s + "\t}\n\tlogin item associations = {\n\t}\n"
}
