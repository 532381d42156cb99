package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ollama-bind/ollama-bind/internal/doctor"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/internal/sandbox"
)

// The commands that stories have beside testscript's own, with their arguments.
var commands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"mac":        cmdMac,        // [flags]: a Mac with a running service; sets $HOST, $PORT, $PLIST, $AGENTS, $APP, $OLLAMA
	"fault":      cmdFault,      // NAME [ARG]: switches a fault of the sandbox on
	"exits":      cmdExits,      // CODE PROGRAM…: runs it; --json has to meet its schema
	"json":       cmdJSON,       // PATH VALUE of the JSON on stdout: layers.plist.state ok
	"same":       cmdSame,       // FIXTURE: the plist holds exactly its bytes
	"listens":    cmdListens,    // loopback|outside: the service can be reached there
	"changed":    cmdChanged,    // VERB…: what launchctl was told to change; then forgets it
	"hold":       cmdHold,       // ADDRESS: a process outside launchd takes the port; sets $HOLDER
	"calls":      cmdCalls,      // N: launchctl was called at most so often; then forgets
	"advised":    cmdAdvised,    // follows the advice of status; see TestAdvice
	"stamp":      cmdStamp,      // remembers inode, times and bytes of the plist
	"stamped":    cmdStamped,    // wants them unchanged
	"backups":    cmdBackups,    // N
	"launchctl":  cmdLaunchctl,  // ARG…: talks to launchd as somebody else would
	"readme":     cmdReadme,     // the README shows what is on stdout
	"start":      cmdStart,      // PROGRAM…: in the background, into stdout.txt and stderr.txt
	"finish":     cmdFinish,     // CODE: waits for it; --json has to meet its schema
	"interrupt":  cmdInterrupt,  // SIGNAL CODE: signals it first
	"await":      cmdAwait,      // VERB: until launchctl is told that
	"awaitplist": cmdAwaitPlist, // FIXTURE: until the plist is as that
	"edit":       cmdEdit,       // FIXTURE: writes it over the plist
	"regenerate": cmdRegenerate, // as Homebrew writes the plist
	"second":     cmdSecond,     // LABEL: loads a second service
	"chown":      cmdChown,      // UID PATH
	"linked":     cmdLinked,     // the plist is still a link
	"mode":       cmdMode,       // OCTAL FILE
	"replace":    cmdReplace,    // OLD NEW FILE
	"tamper":     cmdTamper,     // OLD NEW in all receipts
	"unfinish":   cmdUnfinish,   // all runs so far look as if they had been killed
	"badenv":     cmdBadEnv,     // FILE TEXT with Go's escapes
	"relabel":    cmdRelabel,    // LABEL: the service's name from now on
	"waitgone":   cmdWaitGone,
	"engine":     cmdEngine,     // PRODUCT [-down]: desktop, linux or rancher (see internal/sandbox/docker)
	"container":  cmdContainer,  // NAME [flags]: runs one
	"containers": cmdContainers, // NAMES: these and no others are there
	"agent":      cmdAgent,      // LABEL [flags] COMMAND…: a hand-written plist, loaded; sets $PLIST, $LABEL
	"app":        cmdApp,        // VERB [ARG]: Ollama.app; see internal/sandbox/app
	"reboot":     cmdReboot,     // waits for Ollama to answer again

	"release": func(ts *testscript.TestScript, neg bool, args []string) { tale(ts).release() },
	"waitlistening": func(ts *testscript.TestScript, neg bool, args []string) {
		ts.Check(theMac(ts).WaitVersion(net.JoinHostPort("127.0.0.1", ts.Getenv("PORT")), 20*time.Second))
	},
	"awaitdown": func(ts *testscript.TestScript, neg bool, args []string) {
		eventually(ts, "the service is down", func() bool { return theMac(ts).JobPID(tale(ts).label) == 0 })
	},
	"localise": func(ts *testscript.TestScript, neg bool, args []string) { // FROM TO, as it stands on this Mac
		ts.Check(os.WriteFile(ts.MkAbs(args[1]), theMac(ts).Localise([]byte(ts.ReadFile(args[0]))), 0o644))
	},
	"setbrew": func(ts *testscript.TestScript, neg bool, args []string) { ts.Check(theMac(ts).SetBrew(args[0])) },
	"heal":    func(ts *testscript.TestScript, neg bool, args []string) { theMac(ts).ClearFaults() },
	"image": func(ts *testscript.TestScript, neg bool, args []string) { // NAME [TOOL…]
		theMac(ts).Docker.AddImage(args[0], args[1:]...)
	},
	"forget": func(ts *testscript.TestScript, neg bool, args []string) { theMac(ts).ResetLog() },
}

// told is what a story's commands share.
type told struct {
	mac     *sandbox.Mac
	label   string
	stamp   stamp
	running *exec.Cmd
	release func() // of the held port
}

const toldKey = "told"

func tale(ts *testscript.TestScript) *told { return ts.Value(toldKey).(*told) }

func setup(env *testscript.Env) error {
	programs := filepath.Dir(sandbox.Program(name))
	env.Setenv("PROGRAM_DIR", programs)
	refusing, err := refusingTools(env.WorkDir)
	if err != nil {
		return err
	}
	env.Setenv("PATH", programs+string(filepath.ListSeparator)+refusing)
	env.Setenv("HOME", filepath.Join(env.WorkDir, "home"))
	env.Setenv("DAEMONS", filepath.Join(env.WorkDir, "daemons"))
	env.Setenv("APP", filepath.Join(env.WorkDir, "Ollama.app"))
	env.Setenv("HOMEBREW_PREFIX", filepath.Join(env.WorkDir, "mac", "opt", "homebrew")) // never the machine's own
	env.Setenv("OLLAMA_BIND_STATE_DIR", filepath.Join(env.WorkDir, "state"))
	env.Values[toldKey] = new(told)
	return nil
}

// refusingTools makes tools that do nothing, for the end of every PATH: if the sandbox
// has none, the program must not find the machine's own.
func refusingTools(work string) (dir string, err error) {
	dir = filepath.Join(work, "refusing")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", err
	}
	for _, tool := range []string{"launchctl", "lsof", "brew", "socketfilterfw", "docker", "podman", "nerdctl",
		"ps", "pgrep", "pkill", "open", "osascript", "sqlite3"} {
		script := "#!/bin/sh\necho this story has no Mac >&2\nexit 1\n"
		if err := os.WriteFile(filepath.Join(dir, tool), []byte(script), 0o755); err != nil {
			return "", err
		}
	}
	return dir, nil
}

var conditions = map[string]func() bool{
	"root":              func() bool { return os.Geteuid() == 0 },
	"sqlite3":           hasApp,
	"outside":           func() bool { return len(doctor.Addresses()) > 0 },
	"default-port-free": func() bool { return sandbox.IsFree(11434) },
	"mounts":            func() bool { return false }, // where nobody knows how
}

func condition(cond string) (bool, error) {
	is, ok := conditions[cond]
	if !ok {
		return false, fmt.Errorf("unknown condition %q", cond)
	}
	return is(), nil
}

func theMac(ts *testscript.TestScript) *sandbox.Mac {
	m := tale(ts).mac
	if m == nil {
		ts.Fatalf("this story has no mac yet")
	}
	return m
}

func plistPath(ts *testscript.TestScript) string { return ts.Getenv("PLIST") }

func cmdMac(ts *testscript.TestScript, neg bool, args []string) {
	o := sandbox.Options{BrewPause: 10 * time.Millisecond}
	flags := flag.NewFlagSet("mac", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	label := flags.String("label", "homebrew.mxcl.ollama", "")
	plist := flags.String("plist", "brew-arm64-env", "")
	stopped := flags.Bool("stopped", false, "the plist is there, and nothing is loaded")
	empty := flags.Bool("empty", false, "no service at all")
	flags.BoolVar(&o.NoGUI, "nogui", false, "")
	flags.BoolVar(&o.SSH, "ssh", false, "")
	flags.StringVar(&o.Brew, "brew", "", "")
	flags.IntVar(&o.Port, "port", 0, "")
	flags.BoolVar(&o.Root, "root", false, "launchctl is run by root")
	flags.BoolVar(&o.OwnLsof, "ownlsof", false, "the machine's own lsof where it has one, not the stand-in, which is much quicker")
	flags.DurationVar(&o.ExitTimeout, "exittimeout", 0, "")
	flags.DurationVar(&o.AppSecond, "appsecond", 0, "")
	throttle := flags.Duration("throttle", time.Second, "")
	ts.Check(flags.Parse(args))
	o.Throttle = *throttle

	m, err := sandbox.Start(ts.MkAbs("mac"), o)
	ts.Check(err)
	ts.Defer(m.Close)
	tale(ts).mac = m
	tale(ts).label = *label
	path := ts.Getenv("PATH")
	for _, pair := range m.Env() {
		key, value, _ := strings.Cut(pair, "=")
		ts.Setenv(key, value)
	}
	ts.Setenv("PATH", m.Bin()+string(filepath.ListSeparator)+path)
	ts.Setenv("DAEMONS", m.Daemons())
	ts.Setenv("APP", filepath.Join(m.Applications(), "Ollama.app"))
	ts.Setenv("BUNDLE", ts.Getenv("APP"))
	ts.Setenv("OLLAMA", filepath.Join(m.Prefix(), "opt", "ollama", "bin", "ollama"))
	ts.Setenv("PORT", strconv.Itoa(m.Port))
	ts.Setenv("HOST", fmt.Sprintf("0.0.0.0:%d", m.Port))
	ts.Setenv("AGENTS", m.Agents())
	ts.Setenv("DOMAIN", m.Domain())
	ts.Setenv("LABEL", *label)
	ts.Setenv("PLIST", filepath.Join(m.Agents(), *label+".plist"))
	if *empty {
		return
	}
	data, err := os.ReadFile(fixture(*plist))
	ts.Check(err)
	_, err = m.Install(*label, data)
	ts.Check(err)
	if !*stopped {
		ts.Check(m.StartService(*label))
	}
	m.ResetLog()
}

func fixture(name string) string {
	return filepath.Join("..", "..", "fixtures", "plists", name+".plist")
}

func cmdFault(ts *testscript.TestScript, neg bool, args []string) {
	theMac(ts).Fault(args[0], strings.Join(args[1:], " "))
}

func cmdExits(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := exitOf(ts.Exec(args[1], args[2:]...))
	if got != want {
		ts.Fatalf("%s: exit %d, want %d", strings.Join(args[1:], " "), got, want)
	}
	checkPiped(ts)
	checkJSON(ts, args[1:], got, ts.ReadFile("stdout"))
}

func exitOf(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	return -1
}

func cmdJSON(ts *testscript.TestScript, neg bool, args []string) {
	var doc any
	d := json.NewDecoder(strings.NewReader(ts.ReadFile("stdout")))
	if err := d.Decode(&doc); err != nil {
		ts.Fatalf("stdout is no JSON: %v", err)
	}
	if _, err := d.Token(); err != io.EOF {
		ts.Fatalf("stdout holds more than one JSON object")
	}
	got := dig(doc, strings.Split(args[0], "."))
	if (got == args[1]) == neg {
		ts.Fatalf("%s is %s, want %s", args[0], got, args[1])
	}
}

// dig finds a value; layers, checks, targets and so on are found by name.
func dig(doc any, path []string) string {
	if len(path) == 0 {
		if text, ok := doc.(string); ok {
			return text
		}
		text, _ := json.Marshal(doc)
		return string(text)
	}
	switch v := doc.(type) {
	case map[string]any:
		inner, ok := v[path[0]]
		if !ok {
			return "absent"
		}
		return dig(inner, path[1:])
	case []any:
		for i, inner := range v {
			named, _ := inner.(map[string]any)
			for _, name := range []any{strconv.Itoa(i), named["name"], named["id"], named["container"], named["host"]} {
				if name == path[0] {
					return dig(inner, path[1:])
				}
			}
		}
	}
	return "absent"
}

// localised is a fixture as it stands on this Mac, under the service's label.
func localised(ts *testscript.TestScript, name string) []byte {
	data, err := os.ReadFile(fixture(name))
	ts.Check(err)
	data = theMac(ts).Localise(data)
	return bytes.Replace(data, []byte("homebrew.mxcl.ollama"), []byte(tale(ts).label), 1)
}

func cmdSame(ts *testscript.TestScript, neg bool, args []string) {
	want := localised(ts, args[0])
	got, err := os.ReadFile(plistPath(ts))
	ts.Check(err)
	if bytes.Equal(got, want) == neg {
		ts.Fatalf("the plist is not as %s:\n%s", args[0], got)
	}
}

// cmdListens tries the port as a client would. What is reachable under another
// address than 127.0.0.1 cannot be bound to 127.0.0.1 alone.
func cmdListens(ts *testscript.TestScript, neg bool, args []string) {
	m := theMac(ts)
	var addresses []string
	switch args[0] {
	case "loopback":
		addresses = []string{"127.0.0.1"}
	case "outside":
		addresses = elsewhere()
	default:
		ts.Fatalf("listens loopback|outside")
	}
	reached := false
	for _, ip := range addresses {
		_, err := ollama.Version(context.Background(), net.JoinHostPort(ip, strconv.Itoa(m.Port)), 5*time.Second)
		reached = reached || err == nil
	}
	if reached == neg {
		ts.Fatalf("reached at %v: %v", addresses, reached)
	}
}

func elsewhere() []string {
	ips := []string{"::1", "127.0.0.2"} // the second on Linux only
	all, err := net.InterfaceAddrs()
	if err != nil {
		return ips
	}
	for _, a := range all {
		if ip, _, err := net.ParseCIDR(a.String()); err == nil && ip.IsGlobalUnicast() {
			ips = append(ips, ip.String())
		}
	}
	return ips
}

func cmdChanged(ts *testscript.TestScript, neg bool, args []string) {
	m := theMac(ts)
	var verbs []string
	for _, line := range m.Changes() {
		verbs = append(verbs, strings.Fields(line)[0])
	}
	m.ResetLog()
	if got, want := strings.Join(verbs, " "), strings.Join(args, " "); got != want {
		ts.Fatalf("launchctl was told %q, want %q", got, want)
	}
}

func cmdHold(ts *testscript.TestScript, neg bool, args []string) {
	m := theMac(ts)
	pid, stop, err := m.HoldPort(m.Port, args[0])
	ts.Check(err)
	ts.Defer(stop)
	ts.Setenv("HOLDER", strconv.Itoa(pid))
	tale(ts).release = stop
}

// stamp is everything by which a write would show.
type stamp struct {
	inode   uint64
	changed time.Time
	mode    os.FileMode
	data    string
}

func takeStamp(ts *testscript.TestScript) stamp {
	info, err := os.Lstat(plistPath(ts))
	ts.Check(err)
	data, err := os.ReadFile(plistPath(ts))
	ts.Check(err)
	return stamp{info.Sys().(*syscall.Stat_t).Ino, info.ModTime(), info.Mode(), string(data)}
}

func cmdCalls(ts *testscript.TestScript, neg bool, args []string) {
	most, err := strconv.Atoi(args[0])
	ts.Check(err)
	log := theMac(ts).Log()
	if told := slices.IndexFunc(log, func(line string) bool { return strings.HasPrefix(line, "bootout") }); told >= 0 {
		log = append(log[:told], slices.Compact(log[told:])...) // how often it waits is the machine's affair
	}
	if len(log) > most {
		ts.Fatalf("%d calls of launchctl, want %d at most:\n%v", len(log), most, log)
	}
	theMac(ts).ResetLog()
}

func cmdStamp(ts *testscript.TestScript, neg bool, args []string) {
	tale(ts).stamp = takeStamp(ts)
}

func cmdStamped(ts *testscript.TestScript, neg bool, args []string) {
	if was, is := tale(ts).stamp, takeStamp(ts); was != is {
		ts.Fatalf("the plist was touched: %+v, then %+v", was, is)
	}
}

func cmdBackups(ts *testscript.TestScript, neg bool, args []string) {
	all, err := filepath.Glob(filepath.Join(ts.Getenv("OLLAMA_BIND_STATE_DIR"), "backups", "*", "receipt.json"))
	ts.Check(err)
	if got := strconv.Itoa(len(all)); got != args[0] {
		ts.Fatalf("%s backups, want %s: %v", got, args[0], all)
	}
}

// cmdLaunchctl talks to the sandbox's launchd as another program would.
func cmdLaunchctl(ts *testscript.TestScript, neg bool, args []string) {
	_, stderr, code := theMac(ts).Launchctl(args...)
	if (code != 0) != neg {
		ts.Fatalf("launchctl %s: exit %d: %s", strings.Join(args, " "), code, stderr)
	}
	theMac(ts).ResetLog()
}

// cmdReadme wants the README to show what is on stdout, as it is on a Mac.
func cmdReadme(ts *testscript.TestScript, neg bool, args []string) {
	shown := strings.ReplaceAll(ts.ReadFile("stdout"), ts.Getenv("PORT"), "11434")
	shown = regexp.MustCompile(`pid \d+`).ReplaceAllString(shown, "pid 6574")
	shown = strings.ReplaceAll(shown, ts.Getenv("DOMAIN"), "gui/501")
	page, err := os.ReadFile("../../README.md")
	ts.Check(err)
	words := func(text string) string { return strings.Join(strings.Fields(text), " ") }
	if !strings.Contains(words(string(page)), words(shown)) {
		ts.Fatalf("the README does not show this:\n%s", shown)
	}
}

// cmdStart runs a program in the background, for cmdInterrupt.
func cmdStart(ts *testscript.TestScript, neg bool, args []string) {
	path := filepath.Join(ts.Getenv("PROGRAM_DIR"), args[0])
	cmd := exec.Command(path, args[1:]...)
	cmd.Dir = ts.Getenv("WORK")
	cmd.Env = environment(ts)
	var err error
	cmd.Stdout, err = os.Create(ts.MkAbs("stdout.txt"))
	ts.Check(err)
	cmd.Stderr, err = os.Create(ts.MkAbs("stderr.txt"))
	ts.Check(err)
	theMac(ts).ResetLog()
	ts.Check(cmd.Start())
	tale(ts).running = cmd
	ts.Defer(func() { cmd.Process.Kill() })
}

// environment is a story's own, for programs that testscript does not start.
func environment(ts *testscript.TestScript) []string {
	var env []string
	for _, key := range []string{"PATH", "HOME", "DAEMONS", "TMPDIR", "OLLAMA_BIND_STATE_DIR",
		"TERM", "LANG", "LC_ALL", "NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"} {
		env = append(env, key+"="+ts.Getenv(key))
	}
	for _, pair := range theMac(ts).Env() {
		if strings.HasPrefix(pair, "SANDBOX_") {
			env = append(env, pair)
		}
	}
	return env
}

var signals = map[string]syscall.Signal{"INT": syscall.SIGINT, "TERM": syscall.SIGTERM, "HUP": syscall.SIGHUP, "KILL": syscall.SIGKILL,
	"QUIT": syscall.SIGQUIT, "ABRT": syscall.SIGABRT, "TSTP": syscall.SIGTSTP}

func cmdInterrupt(ts *testscript.TestScript, neg bool, args []string) {
	cmd := tale(ts).running
	ts.Check(cmd.Process.Signal(signals[args[0]]))
	cmdFinish(ts, neg, args[1:])
}

func cmdFinish(ts *testscript.TestScript, neg bool, args []string) {
	cmd := tale(ts).running
	got := exitOf(cmd.Wait())
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("exit %d, want %s; stderr:\n%s", got, args[0], ts.ReadFile("stderr.txt"))
	}
	checkJSON(ts, cmd.Args, got, ts.ReadFile("stdout.txt"))
}

// cmdAwait waits until launchctl has been told a verb.
func cmdAwait(ts *testscript.TestScript, neg bool, args []string) {
	eventually(ts, "launchctl is told to "+args[0], func() bool {
		for _, line := range theMac(ts).Log() {
			if strings.HasPrefix(line, args[0]) {
				return true
			}
		}
		return false
	})
}

func cmdAwaitPlist(ts *testscript.TestScript, neg bool, args []string) {
	want := localised(ts, args[0])
	eventually(ts, "the plist is as "+args[0], func() bool {
		got, err := os.ReadFile(plistPath(ts))
		return err == nil && bytes.Equal(got, want)
	})
}

func eventually(ts *testscript.TestScript, what string, is func() bool) {
	deadline := time.Now().Add(20 * time.Second)
	for !is() {
		if time.Now().After(deadline) {
			ts.Fatalf("waited in vain until %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func cmdEdit(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(os.WriteFile(plistPath(ts), localised(ts, args[0]), 0o644))
}

// cmdRegenerate does to the file what `brew services` does: it removes it and
// writes a new one from the formula.
func cmdRegenerate(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(os.Remove(plistPath(ts)))
	cmdEdit(ts, neg, []string{"brew-arm64-env"})
}

func cmdSecond(ts *testscript.TestScript, neg bool, args []string) {
	m := theMac(ts)
	data, err := os.ReadFile(fixture("brew-arm64-env"))
	ts.Check(err)
	path, err := m.Install(args[0], data)
	ts.Check(err)
	cmdLaunchctl(ts, false, []string{"bootstrap", m.Domain(), path})
}

func cmdChown(ts *testscript.TestScript, neg bool, args []string) {
	uid, err := strconv.Atoi(args[0])
	ts.Check(err)
	ts.Check(os.Chown(args[1], uid, -1))
}

func cmdLinked(ts *testscript.TestScript, neg bool, args []string) {
	info, err := os.Lstat(plistPath(ts))
	ts.Check(err)
	if info.Mode()&os.ModeSymlink == 0 {
		ts.Fatalf("the plist is no link any more")
	}
}

func cmdWaitGone(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(theMac(ts).WaitGone(tale(ts).label, 20*time.Second))
}

func cmdMode(ts *testscript.TestScript, neg bool, args []string) {
	info, err := os.Stat(args[1])
	ts.Check(err)
	if got := fmt.Sprintf("%o", info.Mode().Perm()); got != args[0] {
		ts.Fatalf("%s has mode %s, want %s", args[1], got, args[0])
	}
}

func cmdBadEnv(ts *testscript.TestScript, neg bool, args []string) {
	text, err := strconv.Unquote(`"` + args[1] + `"`)
	ts.Check(err)
	ts.Check(os.MkdirAll(filepath.Dir(args[0]), 0o755))
	ts.Check(os.WriteFile(args[0], []byte(text), 0o644))
}

func cmdRelabel(ts *testscript.TestScript, neg bool, args []string) {
	tale(ts).label = args[0]
	ts.Setenv("LABEL", args[0])
	ts.Setenv("PLIST", filepath.Join(theMac(ts).Agents(), args[0]+".plist"))
}

func cmdReplace(ts *testscript.TestScript, neg bool, args []string) {
	text := ts.ReadFile(args[2])
	if !strings.Contains(text, args[0]) {
		ts.Fatalf("%s does not hold %q", args[2], args[0])
	}
	ts.Check(os.WriteFile(args[2], []byte(strings.ReplaceAll(text, args[0], args[1])), 0o644))
}

func cmdTamper(ts *testscript.TestScript, neg bool, args []string) {
	all, err := filepath.Glob(filepath.Join(ts.Getenv("OLLAMA_BIND_STATE_DIR"), "backups", "*", "receipt.json"))
	ts.Check(err)
	for _, receipt := range all {
		cmdReplace(ts, neg, []string{args[0], args[1], receipt})
	}
}

func cmdUnfinish(ts *testscript.TestScript, neg bool, args []string) {
	all, err := filepath.Glob(filepath.Join(ts.Getenv("OLLAMA_BIND_STATE_DIR"), "backups", "*", "[dv]o*"))
	ts.Check(err)
	if len(all) == 0 {
		ts.Fatalf("no run was finished so far")
	}
	for _, mark := range all {
		ts.Check(os.Remove(mark))
	}
}

func cmdEngine(ts *testscript.TestScript, neg bool, args []string) {
	e := sandbox.Engine{Product: args[0], Down: len(args) == 2 && args[1] == "-down"}
	if len(args) == 3 && args[1] == "-remote" {
		e.Remote = args[2]
	}
	ts.Check(theMac(ts).StartEngine(e))
}

func cmdContainer(ts *testscript.TestScript, neg bool, args []string) {
	c := sandbox.Container{Name: args[0], Image: "app:1"}
	flags := flag.NewFlagSet("container", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	for name, all := range map[string]*[]string{"env": &c.Env, "host": &c.ExtraHosts} {
		flags.Func(name, "", func(value string) error { *all = append(*all, value); return nil })
	}
	flags.Func("label", "", func(pair string) error {
		name, value, _ := strings.Cut(pair, "=")
		if c.Labels == nil {
			c.Labels = map[string]string{}
		}
		c.Labels[name] = value
		return nil
	})
	flags.StringVar(&c.Network, "network", "bridge", "")
	flags.StringVar(&c.Image, "image", c.Image, "")
	tools := flags.String("tools", "curl", "")
	flags.BoolVar(&c.Stopped, "stopped", false, "")
	ts.Check(flags.Parse(args[1:]))
	if *tools != "" {
		c.Tools = strings.Split(*tools, ",")
	}
	ts.Check(theMac(ts).Docker.Run(c))
}

func cmdContainers(ts *testscript.TestScript, neg bool, args []string) {
	if got := strings.Join(theMac(ts).Docker.Containers(), " "); got != strings.Join(args, " ") {
		ts.Fatalf("the containers are %q, want %q", got, args)
	}
}
