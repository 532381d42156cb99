package sandbox

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"
)

// load and unload exit 0 even when they fail, but for OS X 10.9.
func load(c *call) answer   { return c.eachPath(c.loadOne) }
func unload(c *call) answer { return c.eachPath(c.unloadOne) }

func (c *call) eachPath(one func(path string, write bool) answer) answer {
	write := c.option("-w") || c.option("-wF") || c.option("-Fw")
	c.option("-F")
	if len(c.args) == 0 {
		return badUsage(c.usage)
	}
	var a answer
	for _, arg := range c.args {
		next := one(arg, write)
		a.Stderr += next.Stderr
		a.Code = max(a.Code, next.Code)
	}
	return a
}

func (c *call) loadOne(arg string, write bool) answer {
	warning, isOther := c.wrongFolder(arg, "bootstrap")
	if isOther {
		return warning
	}
	d, path := c.own(), c.abs(arg)
	if write {
		c.overridePath(d, path, false)
	}
	code := c.launchd.load(d, path)
	if code == 0 {
		return answer{}
	}
	c.note("%s: load into %s failed: %s", path, d, errorText(code))
	return c.loadFailed(arg, code)
}

func (c *call) loadFailed(arg string, code int) answer {
	switch {
	case c.options.Legacy:
		return loadFailed109(arg, code)
	case code == errAlready && c.options.Version <= 11:
		return fail(0, "%s: service already loaded", arg)
	case c.options.Version <= 10:
		return fail(0, "%s: %s", arg, errorTexts[code])
	case code == errSession && c.options.Version >= 12: // the one failure that shows in the exit code
		return fail(code, "Load failed: %s", errorText(code))
	default:
		return c.failedAsUser("Load", "bootstrap")
	}
}

// loadFailed109 is for OS X 10.9, which exits 1 only when nothing was found.
func loadFailed109(arg string, code int) answer {
	switch code {
	case errBadMode:
		return fail(0, "launchctl: Dubious permissions on file (skipping): %s", arg)
	case errAlready:
		def, _ := readDefinition(arg) // it could be read a moment ago
		return fail(0, "%s: Already loaded", def.Label)
	default:
		return fail(1, "nothing found to load")
	}
}

// failedAsUser is what newer systems say of any failure, to root as well.
func (c *call) failedAsUser(what, instead string) answer {
	a := fail(0, "%s failed: %s", what, errorText(errIO))
	if c.options.Version >= 12 {
		a.Stderr += fmt.Sprintf("Try running `launchctl %s` as root for richer errors.\n", instead)
	}
	return a
}

// wrongFolder warns of a daemon's plist as a user, which then is not loaded, and of an agent's as root, which fails.
func (c *call) wrongFolder(arg, instead string) (warning answer, ok bool) {
	path := c.abs(arg)
	want, who, got := "LaunchAgents", "user", "LaunchDaemons"
	if c.isRoot() {
		want, who, got = got, "root", want
	}
	if c.options.Version < 11 || c.options.Legacy || !strings.Contains(path, "/"+got+"/") {
		return answer{}, false
	}
	warning = fail(0, "Warning: Expecting a %s path since the command was ran as %s. Got %s instead.\n"+
		"`launchctl %s` is a recommended alternative.", want, who, got, instead)
	if c.isRoot() {
		what := map[string]string{"bootstrap": "Load", "bootout": "Unload"}[instead]
		warning.Stderr += c.failedAsUser(what, instead).Stderr
	}
	return warning, true
}

func (c *call) unloadOne(arg string, write bool) answer {
	warning, isOther := c.wrongFolder(arg, "bootout")
	if isOther {
		return warning
	}
	d, path := c.own(), c.abs(arg)
	if write {
		c.overridePath(d, path, true)
	}
	j := c.byPath(d, path)
	switch {
	case j != nil:
		c.launchd.remove(j)
		return answer{}
	case c.options.Legacy || c.options.Version <= 10: // unverified
		return fail(0, "%s: %s", arg, errorTexts[errNoService])
	default:
		return c.failedAsUser("Unload", "bootout")
	}
}

func (c *call) overridePath(d domain, path string, disabled bool) {
	if def, err := readDefinition(path); err == nil {
		c.override(d, def.Label, disabled)
	}
}

// byLabel finds the job that a verb without a target means, in the caller's own domain.
func (c *call) byLabel(label string) (*job, answer) {
	j := c.jobs[c.own().String()+"/"+label]
	if j == nil {
		return nil, fail(errNoService, `Could not find service "%s" in domain for port`, label)
	}
	return j, answer{}
}

// onLabel runs a verb that takes one label.
func (c *call) onLabel(do func(*job)) answer {
	if len(c.args) != 1 {
		return badUsage(c.usage)
	}
	j, missing := c.byLabel(c.args[0])
	if j == nil {
		return missing
	}
	do(j)
	return answer{}
}

// start, stop, remove and kill are here for completeness; their messages are unverified.
func start(c *call) answer {
	return c.onLabel(func(j *job) {
		if j.proc == nil {
			c.spawn(j, "non-ipc demand")
		}
	})
}

func stop(c *call) answer   { return c.onLabel(c.terminate) }
func remove(c *call) answer { return c.onLabel(c.launchd.remove) }

var signals = map[string]syscall.Signal{
	"HUP": syscall.SIGHUP, "INT": syscall.SIGINT, "TERM": syscall.SIGTERM, "KILL": syscall.SIGKILL,
}

func kill(c *call) answer {
	if len(c.args) != 2 {
		return badUsage(c.usage)
	}
	sig, known := signals[strings.TrimPrefix(c.args[0], "SIG")]
	if n, err := strconv.Atoi(c.args[0]); err == nil {
		sig, known = syscall.Signal(n), true
	}
	if !known {
		return badUsage(c.usage)
	}
	c.args = c.args[1:]
	d, label, wrong := c.target()
	if wrong != nil {
		return *wrong
	}
	if code := c.lookUpForChange(d); code != 0 {
		return fail(code, "Could not signal service: %s", errorText(code))
	}
	j := c.jobs[d.String()+"/"+label]
	if j == nil || j.proc == nil {
		return fail(errNoProcess, "No process to signal.")
	}
	_ = syscall.Kill(j.proc.pid, sig) // it may just have ended
	return answer{}
}

func list(c *call) answer {
	switch len(c.args) {
	case 0:
		return show(c.listTable())
	case 1:
		j, missing := c.byLabel(c.args[0])
		if j == nil {
			return missing
		}
		return show(c.listJob(j))
	default:
		return badUsage(c.usage)
	}
}

func (c *call) listTable() string {
	var b strings.Builder
	b.WriteString("PID\tStatus\tLabel\n")
	for _, j := range c.jobsIn(c.own()) {
		pid := "-"
		if j.proc != nil {
			pid = strconv.Itoa(j.proc.pid)
		}
		fmt.Fprintf(&b, "%s\t%d\t%s\n", pid, j.exit.number(), j.Label)
	}
	return b.String()
}

// number is the exit code, or minus the signal.
func (e exit) number() int {
	if e.status.Signaled() {
		return -int(e.status.Signal())
	}
	return e.status.ExitStatus()
}

// listJob is the old dictionary form, in which LastExitStatus is the raw wait status.
func (c *call) listJob(j *job) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, "\t"+format+";\n", args...) }
	text := func(key, value string) {
		if value != "" {
			line(`"%s" = "%s"`, key, value)
		}
	}
	b.WriteString("{\n")
	text("StandardOutPath", j.StandardOutPath)
	text("LimitLoadToSessionType", map[string]string{"system": "System", "gui": "Aqua", "user": "Background"}[j.domain.kind])
	text("StandardErrorPath", j.StandardErrorPath)
	text("Label", j.Label)
	line(`"OnDemand" = %t`, !j.keepsAlive())
	line(`"LastExitStatus" = %d`, j.exit.status)
	if j.proc != nil {
		line(`"PID" = %d`, j.proc.pid)
	}
	text("Program", j.program())
	if len(j.ProgramArguments) > 0 {
		b.WriteString("\t\"ProgramArguments\" = (\n")
		for _, arg := range j.ProgramArguments {
			fmt.Fprintf(&b, "\t\t\"%s\";\n", arg)
		}
		b.WriteString("\t);\n")
	}
	b.WriteString("};\n")
	return b.String()
}
