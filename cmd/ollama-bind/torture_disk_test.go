//go:build torture

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
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
	"unicode"
	"unicode/utf8"

	"github.com/ollama-bind/ollama-bind/internal/sandbox"
)

func init() {
	tortures = append(tortures, torture{"folders", tortureFolders}, torture{"limits", tortureLimits}, torture{"meddling", tortureMeddling})
}

const (
	kindDisk   = "a disk that is full, read-only or limited"
	kindFolder = "a folder or file that is not what it was"
)

// still is a home with a LaunchAgent that launchd has not loaded. A run there
// changes files and nothing else, so that hundreds of them take seconds: its
// launchctl and lsof are scripts that know of nothing.
type still struct {
	root    string // holds all of it
	program string
	home    string
	plist   string
	env     string // Homebrew's env file
	state   string
	vars    []string
	port    int
	before  []byte              // the plist
	as      *syscall.Credential // who runs the program; nil for the one who runs the test
	setup   string              // shell commands that go before the program
}

// stillLabel is the label of the plist.
const stillLabel = "sh.brew.ollama"

// newStill makes one, in which nobody listens on the port.
func newStill(t *testing.T) *still {
	t.Helper()
	return newStillOn(t, freePort(t))
}

// newStillOn is newStill with a port on which somebody may listen.
func newStillOn(t *testing.T, port int) *still {
	t.Helper()
	// Other users can enter the folder. It is in memory where that is to be had, since
	// the disk's own slowness proves nothing.
	root, err := os.MkdirTemp("/dev/shm", "torture-")
	if err != nil {
		root, err = os.MkdirTemp("", "torture-")
	}
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(root) })
	must(t, os.Chmod(root, 0o755))
	program := filepath.Join(root, "ollama-bind")
	must(t, linkProgram(program))
	return newStillAt(t, root, program, port)
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func newStillAt(t *testing.T, root, program string, port int) *still {
	t.Helper()
	s := &still{root: root, program: program, port: port, home: filepath.Join(root, "home"), state: filepath.Join(root, "state")}
	s.plist = filepath.Join(s.home, "Library", "LaunchAgents", stillLabel+".plist")
	s.env = filepath.Join(s.home, ".homebrew", "services", "ollama.env")
	bin := filepath.Join(root, "bin")
	s.vars = []string{"PATH=" + bin, "HOME=" + s.home, "DAEMONS=" + filepath.Join(root, "daemons"), "APP=" + filepath.Join(root, "Ollama.app"),
		"OLLAMA_BIND_STATE_DIR=" + s.state, "TMPDIR=" + root}
	data := readFixture(t, "plists/brew-arm64-env.plist")
	data = bytes.Replace(data, []byte("homebrew.mxcl.ollama"), []byte(stillLabel), 1)
	s.before = bytes.Replace(data, []byte("\t\t<key>OLLAMA_KV"), fmt.Appendf(nil, "\t\t<key>OLLAMA_HOST</key>\n\t\t<string>127.0.0.1:%d</string>\n\t\t<key>OLLAMA_KV", port), 1)
	must(t, os.MkdirAll(bin, 0o755))
	must(t, os.WriteFile(filepath.Join(bin, "launchctl"), []byte("#!/bin/sh\necho 'Could not find service' >&2\nexit 113\n"), 0o755))
	must(t, os.WriteFile(filepath.Join(bin, "lsof"), []byte("#!/bin/sh\nexit 1\n"), 0o755))
	s.reset(t)
	return s
}

// put writes a file, and the folders above it if they are not there.
func put(t *testing.T, path, text string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, []byte(text), 0o644))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// linkProgram puts the program where other users find it too.
func linkProgram(to string) error {
	from := sandbox.Program(name)
	if os.Link(from, to) == nil {
		return nil
	}
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	syscall.ForkLock.RLock() // or a process forked meanwhile keeps it open for writing, and nobody can run it
	defer syscall.ForkLock.RUnlock()
	return os.WriteFile(to, data, 0o755)
}

// reset makes everything as it was at first.
func (s *still) reset(t *testing.T) {
	t.Helper()
	must(t, os.RemoveAll(s.home))
	must(t, os.RemoveAll(s.state))
	put(t, s.plist, string(s.before))
	if s.as != nil {
		must(t, os.Mkdir(s.state, 0o700))
		must(t, errors.Join(s.giveAway(s.home), s.giveAway(s.state)))
	}
}

// giveAway gives all below a path to the user who runs the program.
func (s *still) giveAway(path string) error {
	if s.as == nil {
		return nil
	}
	return filepath.WalkDir(path, func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(path, int(s.as.Uid), int(s.as.Gid)))
	})
}

func (s *still) wanted() string { return fmt.Sprintf("0.0.0.0:%d", s.port) }

// after is the plist as fix leaves it.
func (s *still) after() []byte {
	return bytes.Replace(s.before, fmt.Appendf(nil, "127.0.0.1:%d", s.port), []byte(s.wanted()), 1)
}

// patience is what --timeout says in most cases, and slack what may come on top:
// the time to undo, a last look, and a busy machine.
const (
	patienceHere = 4 * time.Second
	slackHere    = 10 * time.Second
)

// fix writes the files; there is no service to restart.
func (s *still) fix(more ...string) outcome {
	return s.run(append([]string{"fix", "--no-restart", "--host", s.wanted(), "--timeout", patienceHere.String()}, more...)...)
}

func (s *still) rollback(more ...string) outcome {
	return s.run(append([]string{"rollback", "--timeout", patienceHere.String()}, more...)...)
}

func (s *still) run(args ...string) outcome {
	path := s.program
	if s.setup != "" {
		args = append([]string{"-c", s.setup + `; exec "$0" "$@"`, path}, args...)
		path = "/bin/sh"
	}
	return finish(s.vars, s.root, s.as, path, args...)
}

// finish runs a program to its end, or kills it when it hangs.
func finish(vars []string, dir string, as *syscall.Credential, path string, args ...string) outcome {
	ctx, cancel := context.WithTimeout(context.Background(), patienceHere+slackHere)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env, cmd.Dir, cmd.WaitDelay = vars, dir, time.Second
	if as != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	}
	return ended(cmd)
}

// decent is what holds for every run: a documented exit code, in time, with
// words that can be pasted.
func decent(o outcome) error { return decentIn(o, patienceHere) }

// decentIn is decent for another --timeout.
func decentIn(o outcome, timeout time.Duration) error {
	all := o.stdout + o.stderr
	switch {
	case o.code == exitUsage:
		return fmt.Errorf("wrong usage: %.600s", all)
	case o.took > timeout+slackHere:
		return fmt.Errorf("it took %s", o.took)
	case o.code == exitFailed && !strings.Contains(o.stderr, "ollama-bind: error: "):
		return fmt.Errorf("exit 1 without a word: %q", all)
	}
	return errors.Join(documented(o), unprintable(all), pasteable(o))
}

// hintLine finds what a person is told to type.
var hintLine = regexp.MustCompile(`(?m)^(?:ollama-bind: hint|would run|to take it back|to bind it again| *hint):? +(.*)$`)

// pasteable gives every hint to a shell that has no programs: a hint that is
// whole does nothing there.
func pasteable(o outcome) error {
	for _, found := range hintLine.FindAllStringSubmatch(o.stdout+o.stderr, -1) {
		hint := found[1]
		if strings.Contains(hint, "'~/") {
			return fmt.Errorf("a ~ in quotes leads nowhere: %s", hint)
		}
		verdict, known := hints.Load(hint)
		if !known {
			verdict = pasted(hint)
			hints.Store(hint, verdict)
		}
		if verdict != "" {
			return errors.New(verdict.(string))
		}
	}
	return nil
}

// hints are what came of those that were tried already.
var hints sync.Map

// pasted says what is wrong with a hint, nothing if it is whole.
func pasted(hint string) string {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		return err.Error()
	}
	defer os.RemoveAll(dir)
	if out, err := exec.Command("/bin/sh", "-n", "-c", hint).CombinedOutput(); err != nil {
		return fmt.Sprintf("no shell takes the hint %q: %s", hint, out)
	}
	cmd := exec.Command("/bin/sh", "-c", hint)
	cmd.Dir, cmd.Env = dir, []string{"PATH=/nonexistent"}
	cmd.Run() // finds none of its programs
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		return fmt.Sprintf("the hint does more than it says: %q made %s", hint, left[0].Name())
	}
	return ""
}

// unprintable looks for what a terminal would act upon.
func unprintable(text string) error {
	for i, r := range text {
		bad := r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 || unicode.Is(unicode.Bidi_Control, r) || r == 0x2028 || r == 0x2029 ||
			r == utf8.RuneError && !strings.HasPrefix(text[i:], "\ufffd")
		if bad {
			return fmt.Errorf("%U at byte %d of %q", r, i, text[max(0, i-40):min(len(text), i+40)])
		}
	}
	return nil
}

// look remembers all below the home.
func (s *still) look() world { return readWorld(s.home) }

// differ says what is not the same.
func differ(was, is world) error {
	path := was.differs(is)
	if path == "" {
		return nil
	}
	return fmt.Errorf("%s is not what it was: %v, then %v", path, was[path], is[path])
}

var litterNames = regexp.MustCompile(`^\.(ollama-bind|unfinished)-`)

// clean wants no temporary files.
func (s *still) clean() error {
	for path := range readWorld(s.home, s.state) {
		if litterNames.MatchString(filepath.Base(path)) {
			return fmt.Errorf("litter: %s", path)
		}
	}
	return nil
}

func (s *still) backups() int {
	all, _ := os.ReadDir(filepath.Join(s.state, "backups"))
	return len(slices.DeleteFunc(all, func(e fs.DirEntry) bool {
		return !exists(filepath.Join(s.state, "backups", e.Name(), "receipt.json"))
	}))
}

// untouched wants a run that failed to have left no trace.
func (s *still) untouched(o outcome, was world) error {
	if o.code == exitOK {
		return fmt.Errorf("it says that it worked: %s", o.stdout)
	}
	return errors.Join(decent(o), differ(was, s.look()), s.clean())
}

// spares is untouched, unless the run worked.
func (s *still) spares(o outcome, was world) error {
	if o.code == exitOK {
		return decent(o)
	}
	return s.untouched(o, was)
}

// same wants both files to be as they were.
func (s *still) same(was world) error {
	now := s.look()
	return differ(world{s.plist: was[s.plist], s.env: was[s.env]}, world{s.plist: now[s.plist], s.env: now[s.env]})
}

// rolledBack wants a rollback to have worked, or to have left no trace.
func (s *still) rolledBack(o outcome, was world) error {
	if data, _ := os.ReadFile(s.plist); o.code == exitOK && !bytes.Equal(data, s.before) {
		return errors.New("it is not rolled back")
	}
	return s.spares(o, was)
}

// either wants all of it or nothing.
func (s *still) either(o outcome, was world) error {
	if o.code != exitOK {
		if n := s.backups(); n != 0 {
			return errors.Join(s.untouched(o, was), fmt.Errorf("%d backups of nothing", n))
		}
		return s.untouched(o, was)
	}
	return errors.Join(decent(o), s.fixed())
}

// fixed wants both files to have the value, and one backup of them.
func (s *still) fixed() error {
	plist, env := s.look()[s.plist].data, s.look()[s.env].data
	switch {
	case plist != string(s.after()):
		return fmt.Errorf("the plist is not as it should be: %s", plist)
	case env != "OLLAMA_HOST="+s.wanted()+"\n":
		return fmt.Errorf("the env file is not as it should be: %q", env)
	case s.backups() != 1:
		return fmt.Errorf("%d backups", s.backups())
	}
	return s.clean()
}

// heals wants the next run, with nothing in its way, to do all of it.
func (s *still) heals() error {
	o := s.fix()
	if o.code != exitOK {
		return fmt.Errorf("the next run is not better: exit %d: %s", o.code, o.stderr)
	}
	return s.fixed()
}

// place is something odd that stands where the program expects a file or folder.
type place struct {
	name string
	make func(path string) error
}

// oddities are what can stand in a file's place.
var oddities = []place{
	{"a FIFO", func(p string) error { return syscall.Mkfifo(p, 0o644) }},
	{"a folder", func(p string) error { return os.Mkdir(p, 0o755) }},
	{"a socket", makeSocket},
	{"a link to /dev/zero", func(p string) error { return os.Symlink("/dev/zero", p) }},
	{"a link to /dev/full", func(p string) error { return os.Symlink("/dev/full", p) }},
	{"a link to /dev/null", func(p string) error { return os.Symlink("/dev/null", p) }},
	{"a link to a tty", func(p string) error { return os.Symlink("/dev/tty", p) }},
	{"a link to a FIFO", linkToFIFO},
	{"a link to itself", func(p string) error { return os.Symlink(filepath.Base(p), p) }},
	{"a link to nothing", func(p string) error { return os.Symlink("nothing-here", p) }},
	{"a link to /proc", func(p string) error { return os.Symlink("/proc", p) }}, // where root cannot write either
	{"a file that nobody may read", func(p string) error { return os.WriteFile(p, []byte("x"), 0) }},
	{"an empty file", func(p string) error { return os.WriteFile(p, nil, 0o644) }},
	{"a huge file", hugeFile},
	{"noise", func(p string) error { return os.WriteFile(p, []byte("\x00\xff\x1b[2J\u202e<plist"), 0o644) }},
}

func makeSocket(path string) error {
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	return syscall.Bind(fd, &syscall.SockaddrUnix{Name: path})
}

func linkToFIFO(path string) error {
	if err := syscall.Mkfifo(path+".fifo", 0o644); err != nil {
		return err
	}
	return os.Symlink(path+".fifo", path)
}

func hugeFile(path string) error {
	if err := os.WriteFile(path, []byte("<?xml"), 0o644); err != nil {
		return err
	}
	return os.Truncate(path, 1<<40)
}

// tortureFolders puts something odd in every place that the program looks at.
func tortureFolders(t *testing.T, c *chamber) {
	s := newStill(t)
	for i, odd := range oddities {
		if c.short && i%6 != 0 {
			continue
		}
		s.oddInPlace(t, c, odd)
	}
	s.users(t, c)
	s.names(t, c)
	s.homes(t, c)
	s.links(t, c)
}

// replaceBy puts something else in a path's place.
func replaceBy(path string, odd place) error {
	if err := errors.Join(os.RemoveAll(path), os.MkdirAll(filepath.Dir(path), 0o700)); err != nil {
		return err
	}
	return odd.make(path)
}

func (s *still) oddInPlace(t *testing.T, c *chamber, odd place) {
	for where, path := range map[string]string{"the plist": s.plist, "the env file": s.env} {
		for _, run := range []func() outcome{func() outcome { return s.fix() }, func() outcome { return s.run("status") },
			func() outcome { return s.fix("--json", "--plist", s.plist) }} {
			s.reset(t)
			must(t, replaceBy(path, odd))
			was := s.look()
			o := run()
			err := s.either(o, was)
			if o.code == exitOK { // status and doctor leave all as it is, and some env files will do
				err = decent(o)
			}
			c.count(t, kindFolder, odd.name+" in place of "+where, err)
		}
		if odd.name == "a link to nothing" || where == "the env file" && odd.name != "noise" {
			continue
		}
		s.reset(t)
		s.fix()
		must(t, replaceBy(path, odd))
		was := s.look()
		c.count(t, kindFolder, "rollback with "+odd.name+" in place of "+where, s.untouched(s.rollback(), was))
	}
	for _, name := range []string{"lock", "backups", ""} {
		s.reset(t)
		must(t, replaceBy(filepath.Join(s.state, name), odd))
		c.count(t, kindFolder, odd.name+" in the state folder's "+name, s.either(s.fix(), s.look()))
	}
	for _, name := range []string{"receipt.json", "plist", "env-file", "done"} {
		s.reset(t)
		s.fix()
		all, _ := filepath.Glob(filepath.Join(s.state, "backups", "*"))
		path := filepath.Join(all[0], name)
		if name == "env-file" {
			must(t, os.WriteFile(path, nil, 0o600))
		}
		must(t, replaceBy(path, odd))
		was := s.look()
		for _, args := range [][]string{{"rollback", "--list"}, {"rollback"}} {
			o := s.run(args...)
			err := decent(o)
			if args[0] == "rollback" && len(args) == 1 && name != "done" && name != "env-file" {
				err = s.untouched(o, was)
			}
			c.count(t, kindFolder, strings.Join(args, " ")+" with "+odd.name+" as the backup's "+name, err)
		}
	}
}

// users are about who may do what. They need root, to become somebody else.
func (s *still) users(t *testing.T, c *chamber) {
	if os.Geteuid() != 0 {
		return
	}
	nobody := &syscall.Credential{Uid: 65534, Gid: 65534}
	sealed := map[string]string{
		"LaunchAgents": filepath.Dir(s.plist), "the home": s.home, "the plist": s.plist,
		"the env file's folder": filepath.Dir(s.env), "the env file": s.env, "the state folder": s.state,
		"the backups": filepath.Join(s.state, "backups"), "the lock": filepath.Join(s.state, "lock"),
	}
	for where, path := range sealed {
		for _, mode := range []fs.FileMode{0, 0o111, 0o444, 0o555} {
			s.as = nobody
			s.reset(t)
			put(t, s.env, "A=b\n")
			must(t, os.MkdirAll(filepath.Join(s.state, "backups"), 0o700))
			must(t, os.WriteFile(filepath.Join(s.state, "lock"), nil, 0o600))
			must(t, errors.Join(s.giveAway(s.home), s.giveAway(s.state)))
			was := s.look()
			must(t, os.Chmod(path, mode))
			o := s.fix()
			os.Chmod(path, was[path].mode.Perm()|0o700)
			if was[path].mode.IsRegular() {
				os.Chmod(path, was[path].mode.Perm())
			}
			err := s.spares(o, was)
			c.count(t, kindFolder, fmt.Sprintf("%s with mode %04o, as nobody", where, mode), err)
		}
	}
	s.as = nil
	s.owners(t, c)
}

// owners are about files that belong to others, for root and for them.
func (s *still) owners(t *testing.T, c *chamber) {
	for _, path := range []string{s.plist, s.env} {
		for _, as := range []*syscall.Credential{nil, {Uid: 65534, Gid: 65534}} {
			for _, args := range [][]string{{"fix"}, {"rollback"}, {"rollback", "--force"}} {
				s.as = as
				s.reset(t)
				s.fix()
				if args[0] == "fix" {
					put(t, s.plist, string(s.before))
					put(t, s.env, "A=b\n")
					must(t, errors.Join(s.giveAway(s.plist), s.giveAway(s.env)))
				}
				must(t, os.Chown(path, 4711, 4711))
				was := s.look()
				var o outcome
				if args[0] == "fix" {
					o = s.fix()
				} else {
					o = s.rollback(args[1:]...)
				}
				err := s.untouched(o, was)
				if err == nil && !strings.Contains(o.stderr, "belongs to user 4711") {
					err = fmt.Errorf("it does not say whose file it is: %s", o.stderr)
				}
				c.count(t, "an attack", strings.Join(args, " ")+" on somebody else's "+filepath.Base(path), err)
			}
		}
	}
	s.as = nil
}

// names are paths that a program may stumble over.
var names = []string{
	"a b", "a'b", `a"b`, "a$HOME", "$(touch pwned)", "`touch pwned`", "a;touch pwned", "a|b", "a&b", "-n", "--", "~", "a\nb", "a\tb", "\x1b[2J", "a\rb",
	"\xff\xfe", "\u202egnp", "*", "?", "[a]", "a\\b", "ü", "日本", "#a", "!a", "{a,b}", "(a)", "<a>", "\u009b31m", "\x7f", strings.Repeat("x", 200),
}

func (s *still) names(t *testing.T, c *chamber) {
	for i, odd := range names {
		if c.short && i%8 != 0 {
			continue
		}
		root := filepath.Join(s.root, odd)
		if os.Mkdir(root, 0o755) != nil {
			continue // this file system has no such names
		}
		odd := newStillAt(t, root, s.program, s.port)
		was := odd.look()
		c.count(t, kindFolder, fmt.Sprintf("a home called %q: fix", names[i]), odd.either(odd.fix(), was))
		c.count(t, kindFolder, fmt.Sprintf("a home called %q: doctor", names[i]), decent(odd.run("doctor")))
		c.count(t, kindFolder, fmt.Sprintf("a home called %q: status", names[i]), decent(odd.run("status", "--host", s.wanted())))
		o := odd.rollback()
		err := decent(o)
		if o.code == exitOK && err == nil {
			err = differ(was, odd.look())
		}
		c.count(t, kindFolder, fmt.Sprintf("a home called %q: rollback", names[i]), err)
		must(t, os.WriteFile(odd.plist, []byte("<plist"), 0o666))
		c.count(t, kindFolder, fmt.Sprintf("a home called %q: doctor on what is broken", names[i]), decent(odd.run("doctor")))
		c.count(t, kindFolder, fmt.Sprintf("a home called %q: fix of what is broken", names[i]), decent(odd.fix("--plist", odd.plist)))
		named := filepath.Join(root, names[i]+".plist")
		if os.WriteFile(named, s.before, 0o644) == nil {
			o := odd.fix("--plist=" + named)
			err := decent(o)
			if data, _ := os.ReadFile(named); o.code == exitOK && !bytes.Equal(data, s.after()) {
				err = errors.Join(err, errors.New("it is not fixed"))
			}
			c.count(t, kindFolder, fmt.Sprintf("--plist %q", names[i]), err)
		}
	}
}

// homes are values of HOME, and of what leads to the env file, that lead nowhere or are
// not written plainly.
func (s *still) homes(t *testing.T, c *chamber) {
	long := "/" + strings.Repeat(strings.Repeat("y", 200)+"/", 30)
	for _, home := range []string{"HOME=", "HOME=relative", "HOME=.", "HOME=..", "HOME=/", "HOME=//", "HOME=" + s.root + "/gone", "HOME=/dev/null",
		"HOME=" + s.plist, "HOME=" + long, "HOME=/" + strings.Repeat("z", 300), "HOME=~", "NOHOME=1", "HOME=" + s.home + "/", "HOME=" + s.home + "/../home", "HOME=/proc/self",
		"HOME=" + s.root + "//./home//", "XDG_CONFIG_HOME=" + s.home + "//x/./y/../z", "HOMEBREW_XDG_CONFIG_HOME=" + s.home + "/../home/x/"} {
		for _, args := range [][]string{{"fix", "--no-restart"}, {"fix", "--no-restart", "--no-persist", "--plist", s.plist}, {"status"}, {"rollback"}, {"rollback", "--list"}} {
			s.reset(t)
			was := s.look()
			vars := slices.DeleteFunc(slices.Clone(s.vars), func(v string) bool { return strings.HasPrefix(v, "HOME=") && !strings.Contains(home, "XDG") })
			if args[0] == "fix" {
				args = append(args, "--host", s.wanted())
			}
			o := finish(append(vars, home), s.root, nil, s.program, args...)
			err := decent(o)
			if o.code != exitOK {
				err = errors.Join(err, differ(was, s.look()), s.clean())
			} else if args[0] == "fix" { // what it accepts, rollback takes back
				back := finish(append(vars, home), s.root, nil, s.program, "rollback")
				err = errors.Join(err, decent(back), differ(was, s.look()))
			}
			c.count(t, kindFolder, fmt.Sprintf("%.40s %s", home, args[0]), err)
		}
	}
}

// links are files with more than one name.
func (s *still) links(t *testing.T, c *chamber) {
	s.reset(t)
	other := filepath.Join(s.home, "other")
	must(t, os.Link(s.plist, other))
	err := s.either(s.fix(), s.look())
	if data, _ := os.ReadFile(other); !bytes.Equal(data, s.before) {
		err = errors.Join(err, errors.New("the other name of the file has other bytes now"))
	}
	c.count(t, kindFolder, "a hard link", err)

	for _, depth := range []int{1, 5, 39, 300} {
		s.reset(t)
		real := filepath.Join(s.home, "real")
		must(t, os.Rename(s.plist, real))
		last := real
		for i := range depth - 1 {
			next := filepath.Join(s.home, strconv.Itoa(i))
			must(t, os.Symlink(last, next))
			last = next
		}
		must(t, os.Symlink(last, s.plist))
		was := s.look()
		o := s.fix()
		err := decent(o)
		if data, _ := os.ReadFile(real); o.code == exitOK && !bytes.Equal(data, s.after()) {
			err = errors.Join(err, errors.New("the file behind the links is not fixed"))
		}
		if info, _ := os.Lstat(s.plist); info == nil || info.Mode()&fs.ModeSymlink == 0 {
			err = errors.Join(err, errors.New("the link is gone"))
		}
		c.count(t, kindFolder, fmt.Sprintf("%d links in a row", depth), err)
		if o.code == exitOK {
			o := s.rollback()
			c.count(t, kindFolder, fmt.Sprintf("%d links in a row: rollback", depth), errors.Join(decent(o), differ(was, s.look())))
		}
	}
}

// tortureLimits runs the program under the limits that a shell can set.
func tortureLimits(t *testing.T, c *chamber) {
	s := newStill(t)
	var limits []string
	for blocks := range 8 {
		limits = append(limits, fmt.Sprintf("ulimit -f %d", blocks))
	}
	for files := 6; files < 48; files += 3 {
		limits = append(limits, fmt.Sprintf("ulimit -n %d", files))
	}
	for _, mask := range []string{"000", "002", "077", "177", "277", "377", "777"} {
		limits = append(limits, "umask "+mask)
	}
	limits = append(limits, "ulimit -t 20", "ulimit -c 0", "exec <&-", "ulimit -s 256", "trap '' HUP INT TERM")
	for _, limit := range limits {
		s.reset(t)
		s.setup = limit
		was := s.look()
		o := s.fix()
		c.count(t, kindDisk, limit+": fix", s.limitedTo(o, was, s.either))
		s.setup = ""
		c.count(t, kindDisk, limit+": the next fix", s.heals())
		s.setup = limit
		was = s.look()
		o = s.rollback()
		c.count(t, kindDisk, limit+": rollback", s.limitedTo(o, was, s.rolledBack))
		s.setup = ""
	}
}

// limitedTo lets Go's runtime die before anything was begun: without a few open
// files there is no program.
func (s *still) limitedTo(o outcome, was world, judge func(outcome, world) error) error {
	if o.code == 2 && strings.Contains(o.stderr, "fatal error: runtime: ") {
		return differ(was, s.look())
	}
	return errors.Join(judge(o, was), s.private())
}

// private wants what is kept to be for the owner's eyes alone.
func (s *still) private() error {
	for path, f := range readWorld(s.state) {
		if mode := f.mode.Perm(); mode&0o077 != 0 {
			return fmt.Errorf("%s has mode %04o", path, mode)
		}
	}
	return nil
}

// newStillBeside has an Ollama listen that we answer for.
func newStillBeside(t *testing.T, answer http.HandlerFunc) *still {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	return newStillOn(t, server.Listener.Addr().(*net.TCPAddr).Port)
}

// tortureMeddling has somebody else at work while the program is: between its
// reading a file and its writing it, it asks Ollama, which is us.
func tortureMeddling(t *testing.T, c *chamber) {
	var mu sync.Mutex
	asked, at, meddle := 0, 0, func() {}
	s := newStillBeside(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if asked++; asked == at {
			meddle()
		}
		fmt.Fprint(w, `{"version":"0.1.2"}`)
	})
	for _, file := range []string{"plist", "env"} {
		for i, m := range meddlings {
			if c.short && i%6 != 0 {
				continue
			}
			for _, command := range []string{"fix", "rollback", "rollback --force"} {
				turns := []int{1, 2} // which fix asks before it looks at the files again
				if command != "fix" {
					turns = []int{3, 4} // the ones before, it sees
				}
				for _, turn := range turns {
					s.reset(t)
					if command != "fix" {
						s.fix()
					}
					path := s.plist
					if file == "env" {
						path = s.env
					}
					var then world
					mu.Lock()
					asked, at, meddle = 0, turn, func() { m.do(s, path); then = s.look() }
					mu.Unlock()
					var o outcome
					if command == "fix" {
						o = s.fix()
					} else {
						o = s.rollback(strings.Fields(command)[1:]...)
					}
					told := command == "rollback --force" // it reads the file after that, and was told not to care
					c.count(t, kindFolder, fmt.Sprintf("%s: %s %s at question %d", command, file, m.name, turn), s.meddled(o, then, path, told))
				}
			}
		}
	}
}

// meddled wants what somebody else has done to stay: a run that failed has
// changed nothing of it, one that worked has seen it before it read the file for
// the last time, or has left it as it is.
func (s *still) meddled(o outcome, then world, path string, told bool) error {
	if err := errors.Join(decent(o), s.clean()); err != nil {
		return err
	}
	if then == nil {
		return errors.New("nobody was asked, so nobody has meddled")
	}
	if o.code != exitOK {
		if err := differ(then, s.look()); err != nil {
			return fmt.Errorf("exit %d: %w: %s", o.code, err, o.stderr)
		}
		return nil
	}
	now := s.look()
	was := then[path]
	if strings.Contains(was.data, theirs) && !strings.Contains(now[path].data, theirs) && !told {
		return fmt.Errorf("somebody else's edit is lost: %s", now[path].data)
	}
	return nil
}

// theirs marks what somebody else has written.
const theirs = "written by somebody else"

// meddling is what somebody else does to a file.
type meddling struct {
	name string
	do   func(s *still, path string)
}

var meddlings = []meddling{
	{"edited", func(s *still, p string) { appendTo(p, "# "+theirs+"\n<!-- "+theirs+" -->\n") }},
	{"regenerated", func(s *still, p string) {
		data := vacate(p)
		os.WriteFile(p, append(data, "<!-- "+theirs+" -->\n"...), 0o644)
	}},
	{"touched", func(s *still, p string) { os.Chtimes(p, time.Now(), time.Now()) }},
	{"replaced by the same bytes", func(s *still, p string) {
		data, _ := os.ReadFile(p)
		os.MkdirAll(filepath.Dir(p), 0o755)
		os.WriteFile(p+".new", data, 0o644)
		os.Rename(p+".new", p)
	}},
	{"removed", func(s *still, p string) { os.Remove(p) }},
	{"truncated", func(s *still, p string) { os.Truncate(p, 0) }},
	{"folder removed", func(s *still, p string) { os.RemoveAll(filepath.Dir(p)) }},
	{"folder renamed", func(s *still, p string) { os.Rename(filepath.Dir(p), filepath.Dir(p)+".away") }},
	{"folder made a file", func(s *still, p string) {
		os.RemoveAll(filepath.Dir(p))
		os.MkdirAll(filepath.Dir(filepath.Dir(p)), 0o755)
		os.WriteFile(filepath.Dir(p), []byte(theirs), 0o644)
	}},
	{"made a link", func(s *still, p string) {
		other := filepath.Join(s.home, "victim")
		os.WriteFile(other, append(vacate(p), theirs...), 0o644)
		os.Symlink(other, p)
	}},
	{"folder made a link", func(s *still, p string) {
		other := filepath.Join(s.home, "victims")
		os.MkdirAll(other, 0o755)
		data, _ := os.ReadFile(p)
		os.WriteFile(filepath.Join(other, filepath.Base(p)), data, 0o644)
		os.RemoveAll(filepath.Dir(p))
		os.MkdirAll(filepath.Dir(filepath.Dir(p)), 0o755)
		os.Symlink(other, filepath.Dir(p))
	}},
	{"made a FIFO", func(s *still, p string) { vacate(p); syscall.Mkfifo(p, 0o644) }},
	{"made a folder", func(s *still, p string) { os.Remove(p); os.MkdirAll(p, 0o755) }},
	{"made a link to /dev/zero", func(s *still, p string) { vacate(p); os.Symlink("/dev/zero", p) }},
	{"mode changed", func(s *still, p string) { os.Chmod(p, 0o600) }},
	{"opened to others", func(s *still, p string) { os.Chmod(p, 0o666) }},
}

// vacate makes room for something else in a folder that is there.
func vacate(path string) (was []byte) {
	was, _ = os.ReadFile(path)
	os.Remove(path)
	os.MkdirAll(filepath.Dir(path), 0o755)
	return was
}

func appendTo(path, text string) {
	os.MkdirAll(filepath.Dir(path), 0o755)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return
	}
	defer f.Close()
	fmt.Fprint(f, text)
}
