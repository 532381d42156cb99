package sandbox

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// launchd is the state of the Mac's launchd. One mutex guards all of it; methods whose comment says "locked" expect it held.
type launchd struct {
	options Options
	dir     string
	home    string
	toolEnv []string // what the stand-ins that run as jobs need

	ctx    context.Context // done when the Mac is closed
	cancel context.CancelFunc
	wg     sync.WaitGroup // one a process

	mu       sync.Mutex
	jobs     map[string]*job              // by domain/label
	disabled map[domain]map[string]bool   // the database: true is disabled, false enabled by hand
	env      map[domain]map[string]string // set by setenv
	faults   faults
	homebrew homebrew
	log      []string
	procs    map[int]*process
	nextID   int // of coalitions
}

// domain is a launchd domain: gui/501, user/501 or system.
type domain struct {
	kind string
	uid  int
}

func (d domain) String() string {
	if d.kind == "system" {
		return d.kind
	}
	return d.kind + "/" + strconv.Itoa(d.uid)
}

// job is a service that launchd knows.
type job struct {
	definition
	domain domain
	path   string

	inherited map[string]string // the domain's environment at the last start
	env       map[string]string // the plist's, unless a fault dropped it
	state     string
	reason    string // why it was started last
	runs      int
	started   time.Time
	exit      exit
	coalition int

	proc     *process
	respawn  *time.Timer
	killer   *time.Timer
	removing bool
	restart  bool          // kickstart -k waits for the process to end
	gone     chan struct{} // closed when launchd has forgotten the job
}

// key is where the job stands in launchd.jobs.
func (j *job) key() string { return j.domain.String() + "/" + j.Label }

// exit is how the last run ended.
type exit struct {
	ended  bool
	status syscall.WaitStatus
}

// exitConfig is what launchd notes for a job that it could not start: it ended with 78, EX_CONFIG.
var exitConfig = exit{ended: true, status: 78 << 8}

// process is a living process that the Mac started, a job's or another.
type process struct {
	pid  int
	done chan struct{} // closed when it has ended and launchd has taken note
}

// kill ends the process with its children, and waits.
func (p *process) kill() {
	select {
	case <-p.done: // by now the number may be somebody else's
	default:
		signalGroup(p.pid, syscall.SIGKILL)
		<-p.done
	}
}

// signalGroup ignores errors: a group that is gone is what the callers want.
func signalGroup(pid int, sig syscall.Signal) { _ = syscall.Kill(-pid, sig) }

func newLaunchd(dir, home string, o Options) *launchd {
	l := &launchd{
		options:  o,
		dir:      dir,
		home:     home,
		jobs:     map[string]*job{},
		disabled: map[domain]map[string]bool{},
		env:      map[domain]map[string]string{},
		faults:   newFaults(),
		procs:    map[int]*process{},
		nextID:   1622,
	}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	for _, kind := range []string{"gui", "user"} {
		l.env[domain{kind, o.UID}] = map[string]string{"SSH_AUTH_SOCK": "/var/run/com.apple.launchd.XXXXXXXXXX/Listeners"}
	}
	return l
}

// passToJobs says what jobs get in their environment besides launchd's own, for the stand-ins among them.
func (l *launchd) passToJobs(env []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.toolEnv = env
}

// start starts a program in a process group of its own; ended is called, locked, when it has ended. Locked.
func (l *launchd) start(cmd *exec.Cmd, ended func(syscall.WaitStatus)) (*process, error) {
	if l.ctx.Err() != nil {
		return nil, errors.New("the Mac is closed")
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{pid: cmd.Process.Pid, done: make(chan struct{})}
	l.procs[p.pid] = p
	l.wg.Go(func() {
		_ = cmd.Wait() // the state says how it ended
		signalGroup(p.pid, syscall.SIGKILL)
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.procs, p.pid)
		ended(cmd.ProcessState.Sys().(syscall.WaitStatus))
		close(p.done)
	})
	return p, nil
}

// startOutside starts an ollama that is no job.
func (l *launchd) startOutside(program string, env []string, log *os.File) (*process, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	cmd := exec.Command(program, "serve")
	cmd.Env = env
	cmd.Stdout, cmd.Stderr = log, log
	return l.start(cmd, func(syscall.WaitStatus) {})
}

// spawn starts the job's program. Locked.
func (l *launchd) spawn(j *job, reason string) {
	if j.respawn != nil {
		j.respawn.Stop()
	}
	j.runs++
	j.started = time.Now()
	j.reason = reason
	j.inherited = maps.Clone(l.env[j.domain])
	p, err := l.startJob(j)
	if err != nil {
		l.note("%s: could not spawn: %v", j.key(), err)
		j.exit = exitConfig
		l.afterExit(j)
		return
	}
	j.proc = p
	j.state = "running"
}

// startJob fails where launchd ends a job with 78. Locked.
func (l *launchd) startJob(j *job) (*process, error) {
	if !filepath.IsAbs(j.program()) {
		return nil, fmt.Errorf("%s: bare program name", j.program())
	}
	cmd := &exec.Cmd{Path: j.program(), Args: j.argv(), Env: l.environment(j), Dir: j.WorkingDirectory}
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
	return l.start(cmd, func(status syscall.WaitStatus) { l.exited(j, status) })
}

func openLog(path string) (*os.File, error) {
	if path == "" {
		path = os.DevNull
	}
	return os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
}

// environment is all that the job's process gets. Locked.
func (l *launchd) environment(j *job) []string {
	env := map[string]string{"PATH": defaultPath, "HOME": l.home}
	maps.Copy(env, j.inherited)
	maps.Copy(env, j.env)
	env["XPC_SERVICE_NAME"] = j.Label
	var list []string
	for _, k := range slices.Sorted(maps.Keys(env)) {
		list = append(list, k+"="+env[k])
	}
	return append(append(list, l.toolEnv...), envParent+"="+strconv.Itoa(os.Getpid()), envFaults+"="+l.faults.forOllama())
}

// exited takes note of a job's end. Locked.
func (l *launchd) exited(j *job, status syscall.WaitStatus) {
	j.proc = nil
	if j.killer != nil {
		j.killer.Stop()
	}
	j.exit = exit{ended: true, status: status}
	switch {
	case j.removing:
		l.forget(j)
	case j.restart:
		j.restart = false
		l.spawn(j, "non-ipc demand")
	default:
		l.afterExit(j)
	}
}

// afterExit starts the job again if it is to be kept alive, at the earliest when it has had its minimum runtime. Locked.
func (l *launchd) afterExit(j *job) {
	if !j.wantsRespawn(j.exit.status) || l.ctx.Err() != nil {
		j.state = "not running"
		return
	}
	wait := max(0, l.throttle(j)-time.Since(j.started))
	if wait > 0 {
		l.note("%s: service only ran for %d seconds. Pushing respawn out by %d seconds.",
			j.key(), int(time.Since(j.started).Seconds()), seconds(wait))
	}
	j.state = "spawn scheduled"
	var timer *time.Timer
	timer = time.AfterFunc(wait, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		// Stopping a timer that has just fired does not stop this function.
		if j.respawn == timer && j.state == "spawn scheduled" {
			l.spawn(j, "inefficient")
		}
	})
	j.respawn = timer
}

func (l *launchd) throttle(j *job) time.Duration {
	return secondsOr(j.ThrottleInterval, l.options.Throttle)
}

func (l *launchd) exitTimeout(j *job) time.Duration {
	return secondsOr(j.ExitTimeOut, l.options.ExitTimeout)
}

func secondsOr(n *int, d time.Duration) time.Duration {
	if n == nil {
		return d
	}
	return time.Duration(*n) * time.Second
}

// seconds rounds up, so that a test's fractions of a second do not look like nothing.
func seconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }

// terminate asks the job's process to end, and kills it when the exit timeout is over. Locked.
func (l *launchd) terminate(j *job) {
	p := j.proc
	if p == nil || j.state == "SIGTERMed" || j.state == "SIGKILLed" {
		return
	}
	j.state = "SIGTERMed"
	ifAlive := func(f func()) func() {
		return func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			if j.proc == p {
				f()
			}
		}
	}
	time.AfterFunc(l.faults.duration("slow-bootout"), ifAlive(func() { _ = syscall.Kill(p.pid, syscall.SIGTERM) }))
	timeout := l.exitTimeout(j)
	if timeout == 0 { // launchd.plist(5): 0 means without limit
		return
	}
	l.note("%s: sent SIGTERM, scheduling cleanup in %d sec", j.key(), seconds(timeout))
	j.killer = time.AfterFunc(timeout, ifAlive(func() {
		j.state = "SIGKILLed"
		signalGroup(p.pid, syscall.SIGKILL)
	}))
}

// remove takes the job out, at once if it has no process, else when that has ended. Locked.
func (l *launchd) remove(j *job) {
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
func (l *launchd) forget(j *job) {
	if j.respawn != nil {
		j.respawn.Stop()
	}
	j.state = "gone"
	delete(l.jobs, j.key())
	close(j.gone)
}

// load registers the plist's job in a domain and starts it if it is to be. It returns the error number. Locked.
func (l *launchd) load(d domain, path string) int {
	if code := l.checkFile(d, path); code != 0 {
		return code
	}
	def, err := readDefinition(path)
	if err != nil {
		l.note("%s: %v", path, err)
		return errPropertyList
	}
	if code := l.checkDefinition(d, def); code != 0 {
		return code
	}
	j := &job{definition: def, domain: d, path: path, state: "not running", gone: make(chan struct{}), coalition: l.nextID}
	l.nextID += 2
	j.inherited = maps.Clone(l.env[d])
	if !l.faults.on("drop-environment") {
		j.env = def.EnvironmentVariables
	}
	l.jobs[j.key()] = j
	if j.startsAtLoad() && !l.faults.on("never-spawn") {
		l.spawn(j, "speculative")
	}
	return 0
}

// checkFile looks at what launchd wants of the plist's file. Links are followed.
func (l *launchd) checkFile(d domain, path string) int {
	info, err := os.Stat(path)
	if err != nil {
		return errNoFile
	}
	owner := int(info.Sys().(*syscall.Stat_t).Uid)
	// Whoever runs the test stands for the user, and for root.
	mayOwn := owner == 0 || owner == os.Geteuid() || d.kind != "system" && owner == d.uid
	if !mayOwn || info.Mode().Perm()&0o022 != 0 {
		return errBadMode
	}
	return 0
}

func (l *launchd) checkDefinition(d domain, def definition) int {
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

// database says where a domain's overrides are kept: gui/UID and user/UID share theirs.
func database(d domain) domain {
	if d.kind == "gui" {
		d.kind = "user"
	}
	return d
}

func (l *launchd) isDisabled(d domain, label string) bool { return l.disabled[database(d)][label] }

// override writes the database of disabled jobs. Locked.
func (l *launchd) override(d domain, label string, disabled bool) {
	d = database(d)
	if l.disabled[d] == nil {
		l.disabled[d] = map[string]bool{}
	}
	l.disabled[d][label] = disabled
}

// jobsIn returns the jobs of a domain by label. Locked.
func (l *launchd) jobsIn(d domain) []*job {
	var list []*job
	for _, key := range slices.Sorted(maps.Keys(l.jobs)) {
		if l.jobs[key].domain == d {
			list = append(list, l.jobs[key])
		}
	}
	return list
}

// find returns the job of that label in whatever domain, one with a process first. Locked.
func (l *launchd) find(label string) *job {
	var found *job
	for _, key := range slices.Sorted(maps.Keys(l.jobs)) {
		if j := l.jobs[key]; j.Label == label && (found == nil || found.proc == nil) {
			found = j
		}
	}
	return found
}

// findPath returns the job that was loaded from the path. Locked.
func (l *launchd) findPath(d domain, path string) *job {
	for _, j := range l.jobsIn(d) {
		if j.path == path {
			return j
		}
	}
	return nil
}

// wait lets go of the lock until the channel is closed or the Mac is. Locked.
func (l *launchd) wait(done <-chan struct{}) {
	l.mu.Unlock()
	defer l.mu.Lock()
	select {
	case <-done:
	case <-l.ctx.Done():
	}
}

func (l *launchd) jobPID(label string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if j := l.find(label); j != nil && j.proc != nil {
		return j.proc.pid
	}
	return 0
}

func (l *launchd) loaded(label string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.find(label) != nil
}

func (l *launchd) processes() []int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(maps.Keys(l.procs))
}

func (l *launchd) hasGUI() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.gui()
}

// gui tells whether the user is logged in at the screen. Locked.
func (l *launchd) gui() bool { return !l.options.NoGUI && !l.faults.on("no-gui-domain") }

func (l *launchd) setFault(name, arg string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults.set(name, arg)
}

func (l *launchd) clearFaults() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults = newFaults()
}

func (l *launchd) commands() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.log)
}

func (l *launchd) resetLog() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.log = nil
}

// record logs a launchctl command. Locked.
func (l *launchd) record(args []string) {
	line := strings.Join(args, " ")
	l.log = append(l.log, line)
	appendLine(filepath.Join(l.dir, "launchctl.log"), line)
}

// note writes to launchd's own log. Locked.
func (l *launchd) note(format string, args ...any) {
	appendLine(filepath.Join(l.dir, "launchd.log"), fmt.Sprintf(format, args...))
}

// appendLine ignores errors: the logs are for people, and a test may have removed the folder.
func appendLine(path, line string) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return
	}
	defer f.Close()
	_, _ = fmt.Fprintln(f, line)
}

// close kills everything and waits for it.
func (l *launchd) close() {
	l.mu.Lock()
	l.cancel()
	for pid := range l.procs {
		signalGroup(pid, syscall.SIGKILL)
	}
	for _, j := range l.jobs {
		if j.respawn != nil {
			j.respawn.Stop()
		}
	}
	l.mu.Unlock()
	l.wg.Wait()
}
