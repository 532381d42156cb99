package sandbox

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// verb is a subcommand of launchctl.
type verb struct {
	usage   string
	modern  bool // not in OS X 10.9
	changes bool // changes something
	run     func(*call) answer
}

// verbs is filled in by init, because help, which is one of them, lists them.
var (
	verbs     map[string]verb
	verbNames []string
)

func init() {
	verbs = map[string]verb{
		"bootstrap":      {"bootstrap <domain-target> [service-path1, service-path2,...]", true, true, bootstrap},
		"bootout":        {"bootout [--wait] <domain-target> [service-path1, service-path2,...] | <service-target>", true, true, bootout},
		"kickstart":      {"kickstart [-k] [-p] [-s] <service-target>", true, true, kickstart},
		"enable":         {"enable <service-target>", true, true, enable},
		"disable":        {"disable <service-target>", true, true, disable},
		"kill":           {"kill <signal> <service-target>", true, true, kill},
		"print":          {"print <domain-target> | <service-target>", true, false, printTarget},
		"print-disabled": {"print-disabled <domain-target>", true, false, printDisabled},
		"load":           {"load [-wF] <service-path, service-path2, ...>", false, true, load},
		"unload":         {"unload [-wF] <service-path, service-path2, ...>", false, true, unload},
		"list":           {"list [service-name]", false, false, list},
		"start":          {"start <service-name>", false, true, start},
		"stop":           {"stop <service-name>", false, true, stop},
		"remove":         {"remove <service-name>", false, true, remove},
		"setenv":         {"setenv <key> <value>", false, true, setenv},
		"unsetenv":       {"unsetenv <key>", false, true, unsetenv},
		"getenv":         {"getenv <key>", false, false, getenv},
		"managername":    {"managername", false, false, managerName},
		"manageruid":     {"manageruid", false, false, managerUID},
		"error":          {"error [posix|mach|bootstrap] <code>", true, false, errorNumber},
		"help":           {"help [subcommand]", false, false, func(*call) answer { return show(help()) }},
	}
	for name := range verbs {
		verbNames = append(verbNames, name)
	}
	slices.Sort(verbNames)
}

// isChange tells whether a logged command changes something. A submitted job does, though submit is none of the verbs here.
func isChange(line string) bool {
	name, _, _ := strings.Cut(line, " ")
	return verbs[name].changes || name == "submit"
}

// call is one command of launchctl. It runs with launchd locked.
type call struct {
	*launchd
	request
	args  []string // after the verb
	usage string
}

// answer answers a stand-in's request; hang means that it is to get none.
func (l *launchd) answer(r request) (a answer, hang bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	name := r.Tool
	if r.Tool == "launchctl" {
		if len(r.Args) == 0 {
			return show(help()), false
		}
		l.record(r.Args)
		name = r.Args[0]
	}
	if l.faults.onVerb("hang", name) {
		return answer{}, true
	}
	if a, ok := l.faults.canned(name); ok {
		return a, false
	}
	switch r.Tool {
	case "launchctl":
		return l.launchctl(r), false
	case "brew":
		return answer{Pass: true, Homebrew: l.homebrewFor(r)}, false
	default:
		return answer{Pass: true}, false
	}
}

func (l *launchd) launchctl(r request) answer {
	name := r.Args[0]
	v, ok := verbs[name]
	if !ok || v.modern && l.options.Legacy {
		a := fail(1, "Unrecognized subcommand: %s", name)
		a.Stdout = help()
		return a
	}
	return v.run(&call{launchd: l, request: r, args: r.Args[1:], usage: v.usage})
}

// isRoot tells whether this caller has root's privileges.
func (c *call) isRoot() bool {
	if c.options.Caller == CallerReal {
		return c.EUID == 0
	}
	return c.options.Caller == CallerRoot
}

// own is the caller's own domain, which the verbs without a target mean.
func (c *call) own() domain {
	switch {
	case c.isRoot():
		return domain{kind: "system"}
	case c.gui() && !c.options.SSH:
		return domain{"gui", c.options.UID}
	default:
		return domain{"user", c.options.UID}
	}
}

// option takes an option off the arguments, and tells whether it was there.
func (c *call) option(name string) bool {
	i := slices.Index(c.args, name)
	if i >= 0 {
		c.args = slices.Delete(slices.Clone(c.args), i, i+1)
	}
	return i >= 0
}

func (c *call) abs(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(c.Dir, path)
}

// parseTarget reads a domain or service target.
func parseTarget(s string) (d domain, label string, ok bool) {
	kind, rest, _ := strings.Cut(s, "/")
	switch kind {
	case "system":
		return domain{kind: kind}, rest, true
	case "gui", "user":
		number, label, _ := strings.Cut(rest, "/")
		uid, err := strconv.Atoi(number)
		return domain{kind, uid}, label, err == nil
	default:
		return domain{}, "", false
	}
}

// target reads the only argument as a service target.
func (c *call) target() (d domain, label string, wrong *answer) {
	if len(c.args) != 1 {
		a := badUsage(c.usage)
		return d, "", &a
	}
	d, label, ok := parseTarget(c.args[0])
	if !ok || label == "" {
		a := badTarget(c.usage)
		return d, "", &a
	}
	return d, label, nil
}

// lookUp tells whether the caller can reach a domain: 0, 112, 125, or 1 for another user's.
func (c *call) lookUp(d domain) int {
	switch {
	case d.kind == "system":
		return 0
	case d.uid == c.options.UID:
		if d.kind == "gui" && !c.gui() {
			return errUnsupported
		}
		return 0
	case !slices.Contains(c.options.Others, d.uid):
		return errNoDomain
	case c.isRoot():
		return 0
	default:
		return errNotPermitted
	}
}

// lookUpForChange is lookUp for the verbs that change a domain: another user's is one that does not support it, and the system's is root's.
func (c *call) lookUpForChange(d domain) int {
	code := c.lookUp(d)
	switch {
	case d.kind == "system" && !c.isRoot():
		return errNotPermitted
	case code == errNotPermitted:
		return errUnsupported
	default:
		return code
	}
}

func bootstrap(c *call) answer {
	if len(c.args) < 2 {
		return badUsage(c.usage)
	}
	d, label, ok := parseTarget(c.args[0])
	if !ok || label != "" {
		return badTarget(c.usage)
	}
	switch code := c.lookUpForChange(d); code {
	case 0:
	case errNoDomain:
		return noDomain(d)
	case errNotPermitted: // only launchd's log would tell; unverified
		return c.bootstrapFailed("", errIO)
	default:
		return c.bootstrapFailed("", code)
	}
	var a answer
	for _, arg := range c.args[1:] {
		// With several paths the last failure counts; unverified.
		if failed := c.bootstrapOne(d, c.abs(arg)); failed.Code != 0 {
			a = failed
		}
	}
	return a
}

func (c *call) bootstrapOne(d domain, path string) answer {
	if c.faults.take("bootstrap-eio") {
		return c.bootstrapFailed(path, errIO)
	}
	if c.faults.take("bootstrap-37") {
		return fail(errAlready, "Bootstrap failed: %s", errorText(errAlready))
	}
	code := c.load(d, path)
	if code == 0 {
		return answer{}
	}
	c.note("%s: bootstrap into %s failed: %s", path, d, errorText(code))
	return c.bootstrapFailed(path, code)
}

// bootstrapFailed says what the caller is told of a failure: root the reason, others not much.
func (c *call) bootstrapFailed(path string, code int) answer {
	if code == errAlready && c.options.Version <= 11 {
		return fail(code, "%s: service already loaded", path)
	}
	shown := c.isRoot() || code == errNotPermitted || code == errUnsupported || code == errDisabled && c.options.Disabled119
	if !shown {
		code = errIO
	}
	a := fail(code, "Bootstrap failed: %s", errorText(code))
	switch {
	case c.isRoot() && hasPathLine(code):
		a.Stderr = path + ": " + errorTexts[code] + "\n" + a.Stderr
	case !shown && c.options.Version >= 12:
		a.Stderr += "Try re-running the command as root for richer errors.\n"
	}
	return a
}

// hasPathLine tells whether root gets a line with the path as well. Seen for 119 and 122, unverified for the others.
func hasPathLine(code int) bool { return code >= errPropertyList && code <= errBadMode }

func bootout(c *call) answer {
	wait := c.option("--wait")
	if len(c.args) == 0 || wait && c.options.Version < 26 {
		return badUsage(c.usage)
	}
	d, label, ok := parseTarget(c.args[0])
	if !ok {
		return badTarget(c.usage)
	}
	if wait && label == "" && len(c.args) != 2 {
		// The text is in Apple's binary, the exit code is unverified.
		return fail(errUsage, "--wait can only be used for booting-out a single service.")
	}
	switch code := c.lookUpForChange(d); code {
	case 0:
	case errNoDomain:
		return noDomain(d)
	default:
		return bootoutFailed(code)
	}
	switch {
	case label != "":
		return c.bootoutJob(c.jobs[d.String()+"/"+label], errNoProcess, wait)
	case len(c.args) == 1:
		return c.bootoutDomain(d)
	default:
		return c.bootoutPaths(d, c.args[1:], wait)
	}
}

func bootoutFailed(code int) answer { return fail(code, "Boot-out failed: %s", errorText(code)) }

// bootoutJob returns at once, while the job's process may still live; the job is there until it has ended.
func (c *call) bootoutJob(j *job, missing int, wait bool) answer {
	if j == nil {
		return bootoutFailed(missing)
	}
	dying := j.proc != nil
	c.remove(j)
	if wait {
		c.wait(j.gone)
	}
	if dying && c.options.Version < 12 {
		return bootoutFailed(errInProgress)
	}
	return answer{}
}

func (c *call) bootoutPaths(d domain, paths []string, wait bool) (a answer) {
	for _, path := range paths {
		if failed := c.bootoutJob(c.byPath(d, c.abs(path)), errIO, wait); failed.Code != 0 {
			a = failed
		}
	}
	return a
}

// bootoutDomain takes every job out; a Mac would log the user out as well.
func (c *call) bootoutDomain(d domain) answer {
	for _, j := range c.jobsIn(d) {
		c.remove(j)
	}
	return answer{}
}

// byPath finds a job by its plist: the label in it counts, or else where the job was loaded from.
func (c *call) byPath(d domain, path string) *job {
	if def, err := readDefinition(path); err == nil {
		if j := c.jobs[d.String()+"/"+def.Label]; j != nil {
			return j
		}
	}
	return c.findPath(d, path)
}

func kickstart(c *call) answer {
	again, printPID := c.option("-k"), c.option("-p")
	c.option("-s")
	d, label, wrong := c.target()
	if wrong != nil {
		return *wrong
	}
	switch code := c.lookUpForChange(d); code {
	case 0:
	case errNoDomain:
		return noDomain(d)
	default:
		return fail(code, `Could not kickstart service "%s": %s`, label, errorText(code))
	}
	j := c.jobs[d.String()+"/"+label]
	if j == nil {
		return noService(d, label)
	}
	if j.proc != nil && (!again || j.removing) {
		return answer{Code: errAlready}
	}
	c.startAgain(j)
	if !printPID || j.proc == nil {
		return answer{}
	}
	pid := strconv.Itoa(j.proc.pid)
	if c.Terminal {
		return show("service spawned with pid: " + pid + "\n")
	}
	return show(pid + "\n")
}

// startAgain starts the job at once, whatever its throttle says (studies disagree whether a Mac does: unverified), and ends the process
// that it has first.
func (c *call) startAgain(j *job) {
	p := j.proc
	if p == nil {
		c.spawn(j, "non-ipc demand")
		return
	}
	j.restart = true
	c.terminate(j)
	c.wait(p.done)
}

func enable(c *call) answer  { return c.setDisabled(false) }
func disable(c *call) answer { return c.setDisabled(true) }

// setDisabled writes the database. It does so for a user who is not logged in at the screen too; unverified.
func (c *call) setDisabled(disabled bool) answer {
	d, label, wrong := c.target()
	if wrong != nil {
		return *wrong
	}
	name := "enable"
	if disabled {
		name = "disable"
	}
	switch code := c.lookUpForChange(d); {
	case code == errNoDomain:
		return noDomain(d)
	case code == errNotPermitted || code != 0 && d.uid != c.options.UID:
		return fail(errNotPermitted, "Could not %s service: %s", name, errorText(errNotPermitted))
	}
	c.override(d, label, disabled)
	return answer{}
}

// errorNumber explains a number; the kind that may stand before it makes no difference here.
func errorNumber(c *call) answer {
	if len(c.args) == 0 {
		return badUsage(c.usage)
	}
	code, err := strconv.Atoi(c.args[len(c.args)-1])
	if err != nil {
		return badUsage(c.usage)
	}
	return show(errorText(code) + "\n")
}

func managerName(c *call) answer {
	names := map[string]string{"system": "System", "gui": "Aqua", "user": "Background"}
	return show(names[c.own().kind] + "\n")
}

func managerUID(c *call) answer { return show(strconv.Itoa(c.own().uid) + "\n") }

func setenv(c *call) answer {
	if len(c.args) != 2 {
		return badUsage(c.usage)
	}
	d := c.own()
	if c.env[d] == nil {
		c.env[d] = map[string]string{}
	}
	c.env[d][c.args[0]] = c.args[1]
	return answer{}
}

func unsetenv(c *call) answer {
	if len(c.args) != 1 {
		return badUsage(c.usage)
	}
	delete(c.env[c.own()], c.args[0])
	return answer{}
}

func getenv(c *call) answer {
	if len(c.args) != 1 {
		return badUsage(c.usage)
	}
	return show(c.env[c.own()][c.args[0]] + "\n")
}
