//go:build torture

package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ollama-bind/ollama-bind/internal/backup"
	"github.com/ollama-bind/ollama-bind/internal/sandbox"
)

func init() {
	tortures = append(tortures,
		torture{"killed at every step", killAtSteps},
		torture{"killed at a random moment", killAtRandom},
		torture{"interrupted at every step", interruptAtSteps},
		torture{"plist changed by somebody else at every step", meddleAtSteps})
}

// The rows of the kills.
const (
	killedFix      = "killed at a step of fix"
	killedRollback = "killed at a step of rollback"
	killedAtRandom = "killed at a random moment"
	interrupted    = "SIGINT/SIGTERM/SIGHUP at a step"
)

// step is one thing that the program does to the world: to a file or a folder,
// or that it starts an external command, or hears of its end.
type step struct {
	verb    string // create write truncate sync chmod chown flock rename link unlink rmdir mkdir start end
	path    string // or the command
	to      string // of a rename or a link
	emptied bool   // by create
	fd      int
	data    []byte // what the file holds now, after write and truncate
	mode    fs.FileMode
	failed  bool
}

func (s step) String() string {
	where := filepath.Base(s.path)
	switch {
	case s.verb == "start":
		words := strings.SplitN(s.path, " ", 4)
		where = strings.Join(words[:min(2, len(words))], " ")
	case s.to != "":
		where += " to " + filepath.Base(s.to)
	}
	return strings.TrimSpace(s.verb + " " + where)
}

func (s step) isCommand() bool { return s.verb == "start" || s.verb == "end" }

type side int

const (
	beforeIt side = iota
	afterIt
)

func (s side) String() string { return [...]string{"before", "after"}[s] }

// watcher is asked at both sides of every step which signal the program shall
// get there, 0 for none.
type watcher func(step, side) syscall.Signal

// letGo is no signal: the program runs on, and nobody watches.
const letGo syscall.Signal = -1

// failWith is no signal either: the step is not done, and the program gets an error
// for it.
func failWith(errno syscall.Errno) syscall.Signal { return -failBase - syscall.Signal(errno) }

const failBase = 1000

// skipCall and setResult do that, where somebody knows how.
var (
	skipCall  func(tid int) error
	setResult func(tid int, errno syscall.Errno) error
)

// traced is how a run ended that was watched.
type traced struct {
	outcome
	killed   bool  // by the watcher
	children []int // the external commands that were started
}

// trace runs a command under the eyes of a watcher. It is nil where nobody knows
// how: see torture_trace_linux_test.go.
var trace func(*exec.Cmd, watcher) (traced, error)

// canTrace makes sure that this machine lets programs be traced; a container may
// forbid it.
var canTrace = sync.OnceValue(func() error {
	if trace == nil {
		return errors.New("this system has no ptrace as Linux has it")
	}
	cmd := exec.Command(sandbox.Program(name), "version")
	cmd.Env = []string{}
	_, err := trace(cmd, func(step, side) syscall.Signal { return 0 })
	return err
})

// mustTrace says what is left out where the program cannot be traced.
func mustTrace(t *testing.T) {
	t.Helper()
	if err := canTrace(); err != nil {
		t.Skipf("cannot stop the program at a step (%v): random moments have to do", err)
	}
}

// world is what lies under some folders.
type world map[string]thing

type thing struct {
	mode fs.FileMode // with the bit of a folder
	data string      // or where a link leads
}

func readWorld(dirs ...string) world {
	w := world{}
	for _, dir := range dirs {
		filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err != nil {
				return nil
			}
			info, err := e.Info()
			if err != nil {
				return nil
			}
			one := thing{mode: info.Mode()}
			switch {
			case info.Mode().IsRegular() && info.Size() < 1<<20:
				data, _ := os.ReadFile(path)
				one.data = string(data)
			case info.Mode()&fs.ModeSymlink != 0:
				one.data, _ = os.Readlink(path)
			}
			w[path] = one
			return nil
		})
	}
	return w
}

// restore makes the folders be as they were.
func (w world) restore(dirs ...string) error {
	now := readWorld(dirs...)
	for path := range now {
		if _, ok := w[path]; !ok {
			os.RemoveAll(path)
		}
	}
	for _, path := range pathsOf(w) {
		then := w[path]
		switch {
		case now[path] == then:
		case then.mode.IsDir():
			if err := os.MkdirAll(path, then.mode.Perm()); err != nil {
				return err
			}
		default:
			if err := os.WriteFile(path, []byte(then.data), then.mode.Perm()); err != nil {
				return err
			}
			os.Chmod(path, then.mode.Perm())
		}
	}
	return nil
}

func pathsOf(w world) []string {
	return slices.Sorted(maps.Keys(w))
}

func (w world) under(dir string) world {
	part := world{}
	for path, t := range w {
		if path == dir || strings.HasPrefix(path, dir+"/") {
			part[path] = t
		}
	}
	return part
}

// differs names the first path in which two worlds differ.
func (w world) differs(other world) string {
	for _, path := range append(pathsOf(w), pathsOf(other)...) {
		if w[path] != other[path] {
			return path
		}
	}
	return ""
}

// stage is a state of the whole Mac.
type stage struct {
	world
	listens string
}

// theatre is a victim that can be put on any stage of any cast.
type theatre struct {
	*victim
	envFile string
	now     string // where the job is known to listen; "" if nobody knows
	casts   map[string]cast
	took    time.Duration // that fix takes
}

// cast is what fix makes of a Mac.
type cast struct{ original, fixed, dropped stage }

// The env files that there may be before, beside none at all.
const otherLines = "# mine\nOLLAMA_KEEP_ALIVE=1h\nexport OLLAMA_DEBUG=\"1\"\n"

func newTheatre(t *testing.T) *theatre {
	t.Helper()
	v := &theatre{victim: newVictim(t, "brew-arm64-env"), now: loopback, casts: map[string]cast{}}
	v.envFile = v.EnvFile()
	for _, text := range []string{"", otherLines} {
		v.casts[text] = v.newCast(t, text)
	}
	return v
}

// newCast finds out what fix makes of the Mac with an env file.
func (v *theatre) newCast(t *testing.T, envFile string) cast {
	t.Helper()
	if old, ok := v.casts[""]; ok {
		must(t, v.become(old.original))
	}
	if envFile != "" {
		put(t, v.envFile, envFile)
	}
	c := cast{original: v.stage()}
	start := time.Now()
	if o := v.run(v.fix()...); o.code != 0 {
		t.Fatalf("fix: exit %d: %s", o.code, o.stderr)
	}
	v.took, v.now = time.Since(start), outside
	c.fixed = v.stage()
	c.dropped = stage{readWorld(v.dirs()...), loopback}
	c.dropped.world[v.plist] = c.original.world[v.plist]
	return c
}

func (v *theatre) dirs() []string { return []string{v.Home(), v.state} }

// enough is the --timeout of commands that are watched at every step, which takes
// its time when others are at work.
const enough = 60 * time.Second

func (v *theatre) fix() []string {
	return []string{"fix", "--timeout", enough.String(), "--host", v.host}
}

func (v *theatre) rollback() []string { return []string{"rollback", "--timeout", enough.String()} }

func (v *theatre) stage() stage { return stage{readWorld(v.dirs()...), v.now} }

// Where the service listens.
const (
	loopback = "loopback"
	outside  = "outside"
	nowhere  = "nowhere"
)

// become puts the Mac on a stage. The job is started again only if it must.
func (v *theatre) become(s stage) error {
	if err := s.restore(v.dirs()...); err != nil {
		return err
	}
	v.ResetLog()
	if v.now == s.listens && v.Loaded(v.label) && v.reach() == s.listens {
		return nil
	}
	v.now = ""
	if err := v.restart(); err != nil {
		return err
	}
	v.now = s.listens
	return nil
}

// scene is a command on a stage.
type scene struct {
	name   string
	row    string // of the table, when it is killed
	lines  string // of the env file
	before func(cast) stage
	after  func(cast) stage
}

func original(c cast) stage { return c.original }
func fixed(c cast) stage    { return c.fixed }
func dropped(c cast) stage  { return c.dropped }

var scenes = []scene{
	{"fix", killedFix, "", original, fixed},
	{"fix beside other lines", killedFix, otherLines, original, fixed},
	{"fix after brew dropped it", killedFix, "", dropped, fixed},
	{"rollback", killedRollback, "", fixed, original},
	{"rollback beside other lines", killedRollback, otherLines, fixed, original},
}

// judge is a scene on a Mac: what may be found there.
type judge struct {
	*theatre
	scene
	cast
	before, after stage
}

func (s scene) on(v *theatre) judge {
	c := v.casts[s.lines]
	return judge{v, s, c, s.before(c), s.after(c)}
}

// args are the command line.
func (j judge) args() []string {
	if j.row == killedRollback {
		return j.rollback()
	}
	return j.fix()
}

// halfway says what is wrong with a world in which the command was ended
// somewhere: both files are as before or after, a file that is not as before is
// in a backup, and nothing lies around that anybody would load.
func (j judge) halfway(w world) error {
	if err := j.lost(w); err != nil {
		return err
	}
	for path, t := range w.under(j.Home()) {
		_, was := j.before.world[path]
		_, willBe := j.after.world[path]
		if !was && !willBe && !temporary.MatchString(filepath.Base(path)) {
			return fmt.Errorf("there is %s (%d bytes)", path, len(t.data))
		}
	}
	return nil
}

// temporary is how files are called that neither launchd nor brew reads.
var temporary = regexp.MustCompile(`^\.ollama-bind-\d+\.tmp$`)

// lost says which file is neither as before nor after, or cannot be brought back.
func (j judge) lost(w world) error {
	kept, err := backups(w, j.state)
	if err != nil {
		return err
	}
	for _, path := range []string{j.plist, j.envFile} {
		now, before := w[path], j.before.world[path]
		switch {
		case now == before:
		case now != j.after.world[path]:
			return fmt.Errorf("%s is neither as before nor as after: mode %v, %q", path, now.mode, now.data)
		case !slices.ContainsFunc(kept, func(r backup.Receipt) bool { return holds(r, path, before) }):
			return fmt.Errorf("%s was changed, and no backup has what it held", path)
		}
	}
	return nil
}

// holds reports whether a backup, which is complete, brings a file back.
func holds(r backup.Receipt, path string, before thing) bool {
	sum := ""
	if before.mode != 0 {
		sum = backup.Sum([]byte(before.data))
	}
	return slices.ContainsFunc(r.Files, func(f backup.Saved) bool {
		return f.Path == path && f.Before == sum && f.Mode == before.mode.Perm()
	})
}

var backupName = regexp.MustCompile(`^\d{8}T\d{6}\.\d{3}Z-[0-9a-f]{8}$`)

// backups reads those that the program would find. One that is not complete is
// an error.
func backups(w world, state string) ([]backup.Receipt, error) {
	var all []backup.Receipt
	for path := range w.under(filepath.Join(state, "backups")) {
		if !backupName.MatchString(filepath.Base(path)) {
			continue
		}
		var r backup.Receipt
		if err := json.Unmarshal([]byte(w[filepath.Join(path, "receipt.json")].data), &r); err != nil {
			return nil, fmt.Errorf("the backup %s is not complete: %w", path, err)
		}
		for _, f := range r.Files {
			saved, ok := w[filepath.Join(path, f.Layer)]
			if ok == f.Created() || ok && backup.Sum([]byte(saved.data)) != f.Before {
				return nil, fmt.Errorf("the backup %s is not complete: %s", path, f.Layer)
			}
		}
		all = append(all, r)
	}
	return all, nil
}

// next runs the command after the one that was killed, and says what is wrong
// then.
func (j judge) next(command string, thoroughly bool) error {
	want, args := j.fixed, j.fix()
	if command == "rollback" {
		want, args = j.original, j.rollback()
	}
	kept, _ := backups(readWorld(j.state), j.state)
	nothingKept := command == "rollback" && len(kept) == 0 // and nobody sweeps
	o := j.run(args...)
	if o.code != 0 {
		return fmt.Errorf("the next %s: exit %d: %s", command, o.code, o.stderr)
	}
	if err := j.arrived(want); err != nil {
		return fmt.Errorf("after the next %s: %w", command, err)
	}
	if err := j.litter(); err != nil && !nothingKept {
		return fmt.Errorf("after the next %s: %w", command, err)
	}
	if thoroughly && command == "fix" {
		if o := j.run("status", "--host", j.host); o.code != 0 {
			return fmt.Errorf("after the next fix: status: exit %d: %s%s", o.code, o.stdout, o.stderr)
		}
	}
	return nil
}

// arrived says in what the Mac is not on a stage, the program's own folder
// excepted.
func (j judge) arrived(want stage) error { return j.arrivedIn(readWorld(j.Home()), want) }

func (j judge) arrivedIn(w world, want stage) error {
	w = w.under(j.Home())
	if path := w.differs(want.under(j.Home())); path != "" {
		return fmt.Errorf("%s is not as it should be: %q, want %q", path, w[path].data, want.world[path].data)
	}
	if j.now = j.reach(); j.now != want.listens {
		return fmt.Errorf("the service listens %s, want %s", j.now, want.listens)
	}
	return nil
}

// play runs the scene under the eyes of a watcher.
func (j judge) play(w watcher) (traced, error) {
	if err := j.become(j.before); err != nil {
		return traced{}, err
	}
	j.now = ""
	return trace(j.program(j.args()...), w)
}

// rehearse runs the scene to its end and returns its steps.
func (j judge) rehearse(t *testing.T) []step {
	t.Helper()
	var steps []step
	r, err := j.play(func(s step, side side) syscall.Signal {
		if side == afterIt {
			steps = append(steps, s)
		}
		return 0
	})
	must(t, err)
	if r.code != 0 {
		t.Fatalf("%s: exit %d: %s", j.name, r.code, r.stderr)
	}
	must(t, j.arrived(j.after))
	return steps
}

// point is where a run of a scene is cut, and what comes after.
type point struct {
	scene
	step   int
	side   side
	delay  time.Duration // in place of a step
	signal syscall.Signal
	next   string
	name   string
}

// watcher gives the program the signal, and tells which step it was.
func (p point) watcher(hit *step) watcher {
	n := 0
	return func(s step, side side) syscall.Signal {
		if side == beforeIt {
			n++
		}
		if n-1 != p.step || side != p.side || hit.verb != "" {
			return 0
		}
		*hit = s
		return p.signal
	}
}

// points is every side of every step that did something. What lies between two
// steps is met twice, after the one and before the other: then with fix as the
// next command and with rollback. TORTURE_ALL=1 tries both after either side.
func (s scene) points(steps []step) []point {
	all := os.Getenv("TORTURE_ALL") != ""
	var points []point
	for i, step := range steps {
		if step.failed || s.lines != "" && step.isCommand() && !all {
			continue // an unlink of what is not there; a command that is as in the other scene
		}
		for _, side := range []side{beforeIt, afterIt} {
			for n, next := range []string{"fix", "rollback"} {
				if !all && n != int(side) {
					continue
				}
				points = append(points, point{scene: s, step: i, side: side, signal: syscall.SIGKILL, next: next,
					name: fmt.Sprintf("%s, killed %s step %d (%s), then %s", s.name, side, i+1, step, next)})
			}
		}
	}
	return points
}

// company is the Macs that share the cases of a torture.
type company []*theatre

func newCompany(t *testing.T, c *chamber) company {
	var all company
	for range c.some(2, 1) {
		all = append(all, newTheatre(t))
	}
	return all
}

// perform tries all points.
func (all company) perform(points []point, try func(judge, point)) {
	shareOut(all, points, func(v *theatre, p point) { try(p.on(v), p) })
}

func killAtSteps(t *testing.T, c *chamber) {
	mustTrace(t)
	macs := newCompany(t, c)
	var points []point
	for _, s := range scenes {
		steps := s.on(macs[0]).rehearse(t)
		all := s.points(steps)
		t.Logf("%s: %d steps, %d cases", s.name, len(steps), len(all))
		points = append(points, sample(c, all, 6)...)
	}
	macs.perform(points, func(j judge, p point) {
		if hit, err := j.killAt(p); hit {
			c.count(t, j.row, p.name, err)
		}
	})
}

// killAt is one case. hit is false where the run had fewer steps this time.
func (j judge) killAt(p point) (hit bool, err error) {
	var where step
	r, err := j.play(p.watcher(&where))
	if err != nil || !r.killed {
		return err != nil, err
	}
	waitFor(r.children)
	err = j.halfway(readWorld(j.dirs()...))
	if err == nil && p.step%4 == 1 {
		err = j.accuses()
	}
	err = cmp.Or(err, j.next(p.next, p.step%4 == 0))
	if err != nil {
		err = fmt.Errorf("killed %s %q: %w", p.side, where, err) // the order of steps varies a little
	}
	return true, err
}

// accuses wants nobody else to be blamed for what a run has left that was killed.
func (j judge) accuses() error {
	if j.before.world[j.plist] == j.dropped.world[j.plist] && j.row == killedFix && len(j.before.under(j.state)) > 0 {
		return nil // Homebrew has written the file
	}
	o := j.run("status", "--host", j.host)
	if blamed := blame.FindString(o.stdout); blamed != "" {
		return fmt.Errorf("status says %q of what it did itself", blamed)
	}
	return nil
}

var blame = regexp.MustCompile(`Homebrew has written.*|was (edited|deleted) since.*|has been stopped since.*`)

// waitFor waits until the external commands have ended that the program had
// started: nobody types the next command within a millisecond.
func waitFor(pids []int) {
	for _, pid := range pids {
		for range 2000 {
			stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
			if err != nil || bytes.Contains(stat, []byte(") Z ")) {
				break
			}
			time.Sleep(time.Millisecond)
		}
	}
}

func killAtRandom(t *testing.T, c *chamber) {
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("TORTURE_SEED"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		must(t, err)
		seed = n
	}
	t.Logf("TORTURE_SEED=%d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	macs := newCompany(t, c)
	points := make([]point, c.some(randomCases(), 20))
	for i := range points {
		p := point{scene: scenes[random.IntN(len(scenes))], next: []string{"fix", "rollback"}[random.IntN(2)]}
		p.delay = time.Duration(random.Int64N(int64(macs[0].took)))
		p.name = fmt.Sprintf("%s, killed after %s, then %s (TORTURE_SEED=%d)", p.scene.name, p.delay, p.next, seed)
		points[i] = p
	}
	macs.perform(points, func(j judge, p point) { c.count(t, killedAtRandom, p.name, j.killAfter(p)) })
}

// randomCases is more where there is nothing but random moments.
func randomCases() int {
	if canTrace() != nil {
		return 1500
	}
	return 200
}

// killAfter is one case. Nobody waits for the commands that were under way.
func (j judge) killAfter(p point) error {
	if err := j.become(j.before); err != nil {
		return err
	}
	j.now = ""
	cmd := j.program(j.args()...)
	if err := cmd.Start(); err != nil {
		return err
	}
	defer time.AfterFunc(p.delay, func() { cmd.Process.Kill() }).Stop()
	cmd.Wait()
	return cmp.Or(j.halfway(readWorld(j.dirs()...)), j.next(p.next, false))
}

func interruptAtSteps(t *testing.T, c *chamber) {
	mustTrace(t)
	macs := newCompany(t, c)
	var points []point
	for _, s := range scenes {
		all := s.interruptions(s.on(macs[0]).rehearse(t))
		points = append(points, sample(c, all, 3)...)
	}
	macs.perform(points, func(j judge, p point) {
		if hit, err := j.interruptAt(p); hit {
			c.count(t, interrupted, p.name, err)
		}
	})
}

var interrupts = []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP}

// interruptions is every external command, at its start and at its end, and
// every third step with files; beside other lines the latter only.
func (s scene) interruptions(steps []step) []point {
	var all []point
	for i, step := range steps {
		if step.failed || !step.isCommand() && i%3 != 0 || step.isCommand() && s.lines != "" {
			continue
		}
		signal := interrupts[len(all)%len(interrupts)]
		all = append(all, point{scene: s, step: i, side: afterIt, signal: signal,
			name: fmt.Sprintf("%s, %v after step %d (%s)", s.name, signal, i+1, step)})
	}
	return all
}

// interruptAt is one case. Interrupted, the command takes everything back and
// exits 130. Exit 0 is right only when launchctl and lsof were asked for nothing
// more by then: the proof was complete, and there was nothing left to interrupt.
func (j judge) interruptAt(p point) (hit bool, err error) {
	var where step
	var asked string
	at := p.watcher(&where)
	r, err := j.play(func(s step, side side) syscall.Signal {
		if where.verb != "" && side == afterIt && asksForProof.MatchString(s.path) {
			asked = s.path
		}
		return at(s, side)
	})
	if err != nil || where.verb == "" {
		return err != nil, err
	}
	switch {
	case r.took > enough:
		return true, fmt.Errorf("took %s", r.took)
	case r.code == exitInterrupted:
		return true, cmp.Or(j.arrived(j.before), j.cleared())
	case r.code == exitOK && asked == "":
		return true, j.arrived(j.after)
	case r.code == exitOK:
		return true, fmt.Errorf("went on, and asked for %q", asked)
	}
	return true, fmt.Errorf("exit %d: %s", r.code, r.stderr)
}

var asksForProof = regexp.MustCompile(`^(launchctl|lsof) `)

// cleared says what was left in the state folder by a command that has undone
// everything.
func (j judge) cleared() error {
	before := j.before.under(j.state)
	for path := range readWorld(j.state) {
		_, was := before[path]
		if base := filepath.Base(path); !was && base != "lock" && base != "last.log" && base != "backups" && path != j.state {
			return fmt.Errorf("%s is left", path)
		}
	}
	return nil
}

// meddleAtSteps has somebody else change the plist while the command is
// at work. That change must not be lost: neither to the command's own write nor
// to its undoing. Only between the last look at the file, which is no step, and
// the rename after it nothing can be done.
func meddleAtSteps(t *testing.T, c *chamber) {
	mustTrace(t)
	macs := newCompany(t, c)
	var points []point
	for _, s := range []scene{scenes[0], scenes[3]} {
		j := s.on(macs[0])
		all := j.meddlings(j.rehearse(t))
		points = append(points, sample(c, all, 1)...)
	}
	macs.perform(points, func(j judge, p point) {
		if hit, err := j.meddleAt(p); hit {
			c.count(t, "plist changed by somebody else at a step", p.name, err)
		}
	})
}

// meddlings are the steps up to the rename: every third, and all with the file
// that takes the place of the plist.
func (j judge) meddlings(steps []step) []point {
	var all []point
	for i, s := range steps {
		if s.to == j.plist {
			break
		}
		if beside := filepath.Dir(s.path) == filepath.Dir(j.plist); s.failed || !beside && i%3 != 0 {
			continue
		}
		all = append(all, point{scene: j.scene, step: i, name: fmt.Sprintf("%s, before step %d (%s)", j.name, i+1, s)})
	}
	return all
}

const mine = "<!-- mine -->\n"

func (j judge) meddleAt(p point) (hit bool, err error) {
	var where step
	at := p.watcher(&where)
	r, err := j.play(func(s step, side side) syscall.Signal {
		if before := where.verb; at(s, side) == 0 && where.verb != before {
			if s.to == j.plist {
				where = step{} // too late: the order of steps varies a little
				return letGo
			}
			j.meddle()
		}
		return 0
	})
	if err != nil || where.verb == "" {
		return err != nil, err
	}
	now := readWorld(j.Home())
	switch {
	case !strings.HasSuffix(now[j.plist].data, mine):
		return true, fmt.Errorf("exit %d, and what somebody else wrote is lost", r.code)
	case r.code == exitFailed && (now[j.envFile] != j.before.world[j.envFile] || j.reach() != j.before.listens):
		return true, fmt.Errorf("exit 1, and something is left half done: %s", r.stderr)
	case r.code != exitFailed && r.code != exitOK:
		return true, fmt.Errorf("exit %d: %s", r.code, r.stderr)
	}
	return true, nil
}

// meddle adds a comment, as an editor writes a file.
func (j judge) meddle() {
	data, _ := os.ReadFile(j.plist)
	os.WriteFile(j.plist+"~", append(data, mine...), 0o644)
	os.Rename(j.plist+"~", j.plist)
}
