package launchd

import (
	"fmt"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/ollama-bind/ollama-bind/internal/sandbox/fault"
	"github.com/ollama-bind/ollama-bind/internal/sandbox/standin"
)

// job is a service that launchd knows.
type job struct {
	Definition
	domain domain
	path   string

	inherited map[string]string // the domain's environment at the last start
	env       map[string]string // the plist's, unless a fault dropped it
	state     string
	cause     string // why it was started last
	runs      int
	started   time.Time
	lastExit  exit
	pended    string // why launchd keeps a start back
	fresh     bool   // was loaded since the program was replaced
	failed    bool   // the last start failed

	proc     *Process
	respawn  *time.Timer
	killer   *time.Timer
	opened   bool // goes with its process
	removing bool
	restart  bool // kickstart -k waits for the process to end
}

// Causes of a start, and states, as print shows them.
const (
	atLoad   = "speculative"
	byHand   = "non-ipc demand"
	keptUp   = "inefficient"
	atExit   = "spawn scheduled"
	sentTERM = "SIGTERMed"
	sentKILL = "SIGKILLed"
)

// key is where the job stands in Launchd.jobs.
func (j *job) key() string { return j.domain.String() + "/" + j.Label }

// exit is how the last run ended.
type exit struct {
	ended  bool
	status syscall.WaitStatus
}

// exitConfig is what launchd notes for a job that it could not start: it ended with
// 78, EX_CONFIG.
var exitConfig = exit{ended: true, status: 78 << 8}

// load registers the plist's job in a domain and starts it if it is to be. It returns
// the error number. Locked.
func (l *Launchd) load(d domain, path string) int {
	if code := l.checkFile(d, path); code != 0 {
		return code
	}
	def, err := ReadDefinition(path)
	if err != nil {
		l.note("%s: %v", path, err)
		return errPropertyList
	}
	if code := l.checkDefinition(d, def); code != 0 {
		return code
	}
	j := &job{Definition: def, domain: d, path: path, state: "not running"}
	j.inherited = maps.Clone(l.env[d])
	j.fresh = l.faults.On("stale-signature")
	if !l.faults.On("drop-environment") {
		j.env = def.EnvironmentVariables
	}
	l.jobs[j.key()] = j
	switch {
	case !j.startsAtLoad() || l.faults.On("never-spawn"):
	case l.faults.On("pended"):
		j.pended = atLoad
	default:
		l.spawn(j, atLoad)
	}
	return 0
}

// checkFile looks at what launchd wants of the plist's file. Links are followed.
func (l *Launchd) checkFile(d domain, path string) int {
	info, err := os.Stat(path)
	if err != nil {
		return errNoFile
	}
	owner := int(info.Sys().(*syscall.Stat_t).Uid)
	// The one who runs the test stands for the user, and for root.
	mayOwn := owner == 0 || owner == os.Geteuid() || d.kind != "system" && owner == d.uid
	if !mayOwn || info.Mode().Perm()&0o022 != 0 {
		return errBadMode
	}
	inode, _ := fault.Inode(path)
	marked, _ := l.faults.Arg("quarantined")
	if inode == marked || l.faults.On("mode-refused") && info.Mode().Perm()&0o004 == 0 {
		return errIO
	}
	return 0
}

func (l *Launchd) checkDefinition(d domain, def Definition) int {
	switch {
	case def.Label == "":
		return errNoLabel
	case def.Program == "" && len(def.ProgramArguments) == 0:
		return errNoProgram
	case l.jobs[d.String()+"/"+def.Label] != nil:
		return errAlready
	case l.isDisabled(d, def.Label):
		return errDisabled
	case !def.allowedIn(d):
		return errSession
	}
	return 0
}

// spawn starts the job's program. Locked.
func (l *Launchd) spawn(j *job, cause string) {
	if j.respawn != nil {
		j.respawn.Stop()
	}
	j.runs++
	j.started = time.Now()
	j.cause, j.pended = cause, ""
	j.inherited = maps.Clone(l.env[j.domain])
	p, err := l.startJob(j)
	if j.failed = err != nil; j.failed {
		l.note("%s: could not spawn: %v", j.key(), err)
		j.lastExit = exitConfig
		l.afterExit(j)
		return
	}
	j.proc = p
	j.state = "running"
}

// startJob fails where launchd ends a job with 78. Locked.
func (l *Launchd) startJob(j *job) (*Process, error) {
	if l.stale(j) {
		return nil, fmt.Errorf("%s: not the program that was loaded", j.program())
	}
	if !filepath.IsAbs(j.program()) {
		return nil, fmt.Errorf("%s: bare program name", j.program())
	}
	cmd := &exec.Cmd{
		Path: j.program(), Args: j.argv(), Env: l.environment(j), Dir: j.WorkingDirectory,
	}
	out, err := openLog(j.StandardOutPath)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	errOut, err := openLog(j.StandardErrorPath)
	if err != nil {
		return nil, err
	}
	defer errOut.Close()
	cmd.Stdout, cmd.Stderr = out, errOut
	return l.startProcess(cmd, func(status syscall.WaitStatus) { l.exited(j, status) })
}

// stale reports whether launchd has noted another signature for the job's program. Locked.
func (l *Launchd) stale(j *job) bool { return !j.fresh && l.faults.On("stale-signature") }

func openLog(path string) (*os.File, error) {
	if path == "" {
		path = os.DevNull
	}
	return os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
}

// environment is all that the job's process gets. Locked.
func (l *Launchd) environment(j *job) []string {
	env := map[string]string{"PATH": defaultPath, "HOME": l.options.Home}
	maps.Copy(env, j.inherited)
	maps.Copy(env, j.env)
	env["XPC_SERVICE_NAME"] = j.Label
	var list []string
	for _, k := range slices.Sorted(maps.Keys(env)) {
		list = append(list, k+"="+env[k])
	}
	list = append(list, l.toolEnv...)
	return append(list, standin.EnvFaults+"="+l.faults.ForOllama())
}

// exited takes note of a job's end. Locked.
func (l *Launchd) exited(j *job, status syscall.WaitStatus) {
	j.proc = nil
	if j.killer != nil {
		j.killer.Stop()
	}
	j.lastExit = exit{ended: true, status: status}
	switch {
	case j.removing, j.opened:
		l.forget(j)
	case j.restart:
		j.restart = false
		l.spawn(j, byHand)
	default:
		l.afterExit(j)
	}
}

// afterExit starts the job again if it is to be kept alive, at the earliest when it
// has had its minimum runtime. Locked.
func (l *Launchd) afterExit(j *job) {
	if !j.keepsAliveAfter(j.lastExit.status) || l.ctx.Err() != nil {
		j.state = "not running"
		return
	}
	if l.faults.On("pended") {
		j.state, j.pended = "not running", keptUp
		return
	}
	ran := time.Since(j.started)
	wait := max(0, secondsOr(j.ThrottleInterval, l.options.Throttle)-ran)
	if wait > 0 {
		l.note("%s: service only ran for %d seconds. Pushing respawn out by %d seconds.",
			j.key(), int(ran.Seconds()), seconds(wait))
	}
	j.state = atExit
	var timer *time.Timer
	timer = time.AfterFunc(wait, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		// Stopping a timer that has just fired does not stop this function.
		if j.respawn == timer && j.state == atExit {
			l.spawn(j, keptUp)
		}
	})
	j.respawn = timer
}

func secondsOr(n *int, d time.Duration) time.Duration {
	if n == nil {
		return d
	}
	return time.Duration(*n) * time.Second
}

// seconds rounds up, so that a test's fractions of a second do not look like nothing.
func seconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }

// terminate asks the job's process to end, and kills it when the exit timeout is over.
// Locked.
func (l *Launchd) terminate(j *job) {
	p := j.proc
	if p == nil || j.state == sentTERM || j.state == sentKILL {
		return
	}
	j.state = sentTERM
	l.ifAliveAfter(l.faults.Duration("slow-bootout"), j, p, func() {
		_ = syscall.Kill(p.PID, syscall.SIGTERM)
	})
	timeout := secondsOr(j.ExitTimeOut, l.options.ExitTimeout)
	if timeout == 0 { // launchd.plist(5): 0 means without limit
		return
	}
	l.note("%s: sent SIGTERM, scheduling cleanup in %d sec", j.key(), seconds(timeout))
	j.killer = l.ifAliveAfter(timeout, j, p, func() {
		j.state = sentKILL
		signalGroup(p.PID, syscall.SIGKILL)
	})
}

// ifAliveAfter does something, locked, after a time if the job still has the process.
func (l *Launchd) ifAliveAfter(
	wait time.Duration, j *job, p *Process, do func(),
) *time.Timer {
	return time.AfterFunc(wait, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if j.proc == p {
			do()
		}
	})
}

// remove takes the job out, at once if it has no process, else when that has ended.
// Locked.
func (l *Launchd) remove(j *job) {
	if j.removing {
		return
	}
	j.removing = true
	if j.proc == nil {
		l.forget(j)
		return
	}
	l.terminate(j)
}

// forget drops the job. Locked.
func (l *Launchd) forget(j *job) {
	if j.respawn != nil {
		j.respawn.Stop()
	}
	j.state = "gone"
	delete(l.jobs, j.key())
}
