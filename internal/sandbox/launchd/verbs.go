package launchd

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/ollama-bind/ollama-bind/internal/sandbox/standin"
)

// verb is a subcommand of launchctl.
type verb struct {
	usage string
	args  []int    // how many it may have
	flags []string // those that are known here
	first argument
	run   func(*call) standin.Answer
}

// argument says what a verb's first argument is.
type argument int

const (
	word argument = iota
	domainTarget
	serviceTarget
	anyTarget
)

var verbs = map[string]verb{
	"bootstrap": {usage: "bootstrap <domain-target> [service-path1, service-path2,...]",
		args: []int{2}, first: domainTarget, run: bootstrap},
	"bootout": {usage: "bootout <domain-target> [service-path1, service-path2,...] | " +
		"<service-target>", args: []int{1, 2}, first: anyTarget, run: bootout},
	"kickstart": {usage: "kickstart [-k] [-p] [-s] <service-target>", args: []int{1},
		flags: []string{"-k", "-p"}, first: serviceTarget, run: kickstart},
	"enable": {usage: "enable <service-target>", args: []int{1}, first: serviceTarget,
		run: func(c *call) standin.Answer { return c.setDisabled("enable", false) }},
	"disable": {usage: "disable <service-target>", args: []int{1}, first: serviceTarget,
		run: func(c *call) standin.Answer { return c.setDisabled("disable", true) }},
	"print": {usage: "print <domain-target> | <service-target>", args: []int{1},
		first: anyTarget, run: printService},
	"print-disabled": {usage: "print-disabled <domain-target>", args: []int{1},
		first: domainTarget, run: printDisabled},
	"load": {usage: "load [-wF] <service-path, service-path2, ...>", args: []int{1},
		run: load},
	"unload": {usage: "unload [-wF] <service-path, service-path2, ...>", args: []int{1},
		run: unload},
	"list":   {usage: "list [service-name]", args: []int{0, 1}, run: list},
	"setenv": {usage: "setenv <key> <value>", args: []int{2}, run: setenv},
	"getenv": {usage: "getenv <key>", args: []int{1}, run: getenv},
}

// IsChange reports whether a logged command may change something.
func IsChange(line string) bool {
	name, _, _ := strings.Cut(line, " ")
	return !slices.Contains([]string{"print", "print-disabled", "list", "getenv"}, name)
}

// call is one command of launchctl. It runs with launchd locked.
type call struct {
	*Launchd
	args  []string // after the verb, without flags
	flags []string
	dir   string
	root  bool

	// What the first argument names, where it is a target.
	domain domain
	label  string
	job    *job // nil where there is none
}

// Answer is what the launchctl executable does for a caller whose working folder is
// dir.
func (l *Launchd) Answer(args []string, dir string, root bool) standin.Answer {
	if len(args) == 0 || verbs[args[0]].run == nil {
		return notHere(args)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	v := verbs[args[0]]
	c := &call{Launchd: l, dir: dir, root: root}
	for _, arg := range args[1:] {
		switch {
		case slices.Contains(v.flags, arg):
			c.flags = append(c.flags, arg)
		case strings.HasPrefix(arg, "-"):
			return notHere(args)
		default:
			c.args = append(c.args, arg)
		}
	}
	if !slices.Contains(v.args, len(c.args)) {
		return badUsage(v.usage)
	}
	if v.first != word && !c.readTarget(v.first) {
		return badTarget(v.usage)
	}
	return v.run(c)
}

// readTarget reports whether the first argument is a target of that kind.
func (c *call) readTarget(want argument) bool {
	kind, rest, _ := strings.Cut(c.args[0], "/")
	c.domain = domain{kind: kind}
	switch kind {
	case "system":
		c.label = rest
	case "gui", "user":
		number, label, _ := strings.Cut(rest, "/")
		uid, err := strconv.Atoi(number)
		if err != nil {
			return false
		}
		c.domain.uid, c.label = uid, label
	default:
		return false
	}
	c.job = c.jobs[c.domain.String()+"/"+c.label]
	return want == anyTarget || (want == serviceTarget) == (c.label != "")
}

// own is the caller's own domain, which the verbs without a target mean.
func (c *call) own() domain {
	switch {
	case c.root:
		return domain{kind: "system"}
	case !c.options.NoGUI && !c.options.SSH:
		return domain{"gui", c.options.UID}
	default:
		return domain{"user", c.options.UID}
	}
}

func (c *call) abs(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(c.dir, path)
}

// otherUID is the number of the only other user of the Mac.
const otherUID = 502

// lookUp says whether the caller can reach the domain: 0, 112, 125, or 1 for another
// user's.
func (c *call) lookUp() int {
	switch d := c.domain; {
	case d.kind == "system":
		return 0
	case d.uid == c.options.UID:
		if d.kind == "gui" && c.options.NoGUI {
			return errUnsupported
		}
		return 0
	case d.uid != otherUID:
		return errNoDomain
	case c.root:
		return 0
	default:
		return errNotPermitted
	}
}

// lookUpForChange is lookUp for the verbs that change a domain: another user's is one
// that does not support it, and the system's is root's.
func (c *call) lookUpForChange() int {
	code := c.lookUp()
	switch {
	case c.domain.kind == "system" && !c.root:
		return errNotPermitted
	case code == errNotPermitted:
		return errUnsupported
	default:
		return code
	}
}

func bootstrap(c *call) standin.Answer {
	path := c.abs(c.args[1])
	switch code := c.lookUpForChange(); code {
	case 0:
	case errNoDomain:
		return c.noDomain()
	case errNotPermitted: // only launchd's log would tell; unverified
		return c.bootstrapFailed(path, errIO)
	default:
		return c.bootstrapFailed(path, code)
	}
	if c.faults.Take("bootstrap-eio") {
		return c.bootstrapFailed(path, errIO)
	}
	if c.faults.Take("bootstrap-37") {
		return standin.Fail(errAlready, "Bootstrap failed: %s", errorText(errAlready))
	}
	if c.faults.Take("bootstrap-noop") {
		return standin.Answer{}
	}
	code := c.load(c.domain, path)
	if code == 0 {
		return standin.Answer{}
	}
	c.note("%s: bootstrap into %s failed: %s", path, c.domain, errorText(code))
	return c.bootstrapFailed(path, code)
}

// bootstrapFailed says what the caller is told of a failure: root the reason, others
// not much.
func (c *call) bootstrapFailed(path string, code int) standin.Answer {
	shown := c.root || code == errNotPermitted || code == errUnsupported
	if !shown {
		code = errIO
	}
	a := standin.Fail(code, "Bootstrap failed: %s", errorText(code))
	switch {
	case c.root && hasPathLine(code):
		a.Stderr = path + ": " + errorTexts[code] + "\n" + a.Stderr
	case !shown:
		a.Stderr += "Try re-running the command as root for richer errors.\n"
	}
	return a
}

// hasPathLine reports whether root gets a line with the path as well. Seen for 119 and
// 122, unverified for the others.
func hasPathLine(code int) bool { return code >= errPropertyList && code <= errBadMode }

// bootout returns at once, while the job's process may still live; the job is there
// until it has ended.
func bootout(c *call) standin.Answer {
	if c.label == "" { // whole domains, and plists in them
		return notHere(append([]string{"bootout"}, c.args...))
	}
	code := c.lookUpForChange()
	switch {
	case code == errNoDomain:
		return c.noDomain()
	case code == 0 && c.job == nil:
		code = errNoProcess
	}
	if code != 0 {
		return standin.Fail(code, "Boot-out failed: %s", errorText(code))
	}
	c.remove(c.job)
	return standin.Answer{}
}

func kickstart(c *call) standin.Answer {
	switch code := c.lookUpForChange(); code {
	case 0:
	case errNoDomain:
		return c.noDomain()
	default:
		return standin.Fail(code,
			`Could not kickstart service "%s": %s`, c.label, errorText(code))
	}
	j := c.job
	if j == nil {
		return c.noService()
	}
	if j.proc != nil && (!slices.Contains(c.flags, "-k") || j.removing) {
		return standin.Answer{Code: errAlready}
	}
	c.startAgain(j)
	if !slices.Contains(c.flags, "-p") || j.proc == nil {
		return standin.Answer{}
	}
	return show(strconv.Itoa(j.proc.PID) + "\n") // for a terminal it says more
}

// startAgain starts the job at once, whatever its throttle says (studies disagree
// whether a Mac does: unverified), and ends the process that it has first.
func (c *call) startAgain(j *job) {
	p := j.proc
	if p == nil {
		c.spawn(j, byHand)
		return
	}
	j.restart = true
	c.terminate(j)
	c.mu.Unlock()
	defer c.mu.Lock()
	<-p.Done
}

// setDisabled writes the database. It does so for a user who is not logged in at the
// screen too; unverified.
func (c *call) setDisabled(verb string, disabled bool) standin.Answer {
	switch code := c.lookUpForChange(); {
	case code == errNoDomain:
		return c.noDomain()
	case code == errNotPermitted || code != 0 && c.domain.uid != c.options.UID:
		return standin.Fail(errNotPermitted,
			"Could not %s service: %s", verb, errorText(errNotPermitted))
	}
	c.override(c.domain, c.label, disabled)
	return standin.Answer{}
}

func setenv(c *call) standin.Answer {
	c.env[c.own()][c.args[0]] = c.args[1]
	return standin.Answer{}
}

func getenv(c *call) standin.Answer { return show(c.env[c.own()][c.args[0]] + "\n") }
