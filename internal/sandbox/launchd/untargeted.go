package launchd

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/ollama-bind/ollama-bind/internal/sandbox/standin"
)

// The older verbs name no domain: they mean the caller's own.

// load exits 0 even when it fails, but for one failure. -w, -F, several paths, and the
// warnings about the wrong folder are not modelled.
func load(c *call) standin.Answer {
	d, path := c.own(), c.abs(c.args[0])
	code := c.load(d, path)
	if code != 0 {
		c.note("%s: load into %s failed: %s", path, d, errorText(code))
	}
	switch code {
	case 0:
		return standin.Answer{}
	case errSession:
		return standin.Fail(code, "Load failed: %s", errorText(code))
	default:
		return failedQuietly("Load", "bootstrap")
	}
}

// unload finds the job by its plist: the label in it counts, or else where the job was
// loaded from.
func unload(c *call) standin.Answer {
	d, path := c.own(), c.abs(c.args[0])
	def, _ := ReadDefinition(path) // without one the path has to do
	for _, j := range c.jobsIn(d) {
		if j.Label == def.Label || j.path == path {
			c.remove(j)
			return standin.Answer{}
		}
	}
	return failedQuietly("Unload", "bootout")
}

// failedQuietly is what is said of any failure, to root as well.
func failedQuietly(what, instead string) standin.Answer {
	return standin.Fail(0, "%s failed: %s\n"+
		"Try running `launchctl %s` as root for richer errors.",
		what, errorText(errIO), instead)
}

// list shows the caller's domain, or those lines of one job that brew reads.
func list(c *call) standin.Answer {
	if len(c.args) == 0 {
		return show(c.listTable())
	}
	j := c.jobs[c.own().String()+"/"+c.args[0]]
	if j == nil {
		return standin.Fail(errNoService,
			`Could not find service "%s" in domain for port`, c.args[0])
	}
	var b strings.Builder
	fmt.Fprintf(&b, "{\n\t\"Label\" = \"%s\";\n", j.Label)
	fmt.Fprintf(&b, "\t\"LastExitStatus\" = %d;\n", j.lastExit.status)
	if j.proc != nil {
		fmt.Fprintf(&b, "\t\"PID\" = %d;\n", j.proc.PID)
	}
	return show(b.String() + "};\n")
}

func (c *call) listTable() string {
	var b strings.Builder
	b.WriteString("PID\tStatus\tLabel\n")
	for _, j := range c.jobsIn(c.own()) {
		pid := "-"
		if j.proc != nil {
			pid = strconv.Itoa(j.proc.PID)
		}
		fmt.Fprintf(&b, "%s\t%d\t%s\n", pid, j.lastExit.number(), j.Label)
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
