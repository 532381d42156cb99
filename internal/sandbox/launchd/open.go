package launchd

import (
	"maps"
	"syscall"
	"time"
)

// submitted is what print says in place of a plist's path.
const submitted = "(submitted by smd.324)"

// Open starts a program as LaunchServices does: as a job of gui/UID without a plist,
// which goes with its process. It inherits env and nothing that was set by setenv.
func (l *Launchd) Open(label string, argv []string, env map[string]string) (*Process, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	def := Definition{Label: label, ProgramArguments: argv, EnvironmentVariables: env}
	j := &job{
		Definition: def, domain: domain{"gui", l.options.UID}, path: submitted,
		env: env, opened: true, state: "running", cause: byHand, runs: 1, started: time.Now(),
	}
	p, err := l.startJob(j)
	if err != nil {
		return nil, err
	}
	j.proc = p
	l.jobs[j.key()] = j
	return p, nil
}

// Submit loads a job of gui/UID as an app's login item is, from inside the app's bundle,
// and starts it at a login only. What is loaded or disabled stays as it is.
func (l *Launchd) Submit(def Definition, login bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := domain{"gui", l.options.UID}
	if l.options.NoGUI || l.checkDefinition(d, def) != 0 {
		return
	}
	j := &job{Definition: def, domain: d, path: submitted, state: "not running"}
	l.jobs[j.key()] = j
	if login {
		l.spawn(j, atLoad)
	}
}

// Shutdown kills all that launchd started, and forgets its jobs and what setenv set.
func (l *Launchd) Shutdown() {
	l.mu.Lock()
	var ending []*Process
	for pid, p := range l.procs {
		ending = append(ending, p)
		signalGroup(pid, syscall.SIGKILL)
	}
	for _, j := range l.jobs {
		j.removing = true
		if j.proc == nil {
			l.forget(j)
		}
	}
	for d := range l.env {
		maps.DeleteFunc(l.env[d], func(k, _ string) bool { return k != "SSH_AUTH_SOCK" })
	}
	l.mu.Unlock()
	for _, p := range ending {
		<-p.Done
	}
}

// Boot loads plists into the system domain or into the user's own, in the given order.
// What launchd refuses is in its log.
func (l *Launchd) Boot(system bool, plists []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := domain{kind: "system"}
	switch {
	case !system && l.options.NoGUI:
		d = domain{"user", l.options.UID}
	case !system:
		d = domain{"gui", l.options.UID}
	}
	for _, path := range plists {
		if code := l.load(d, path); code != 0 {
			l.note("%s: bootstrap into %s failed: %s", path, d, errorText(code))
		}
	}
}
