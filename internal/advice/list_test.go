package advice

import (
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/ollama-bind/ollama-bind/internal/backup"
	"github.com/ollama-bind/ollama-bind/internal/homebrew"
	"github.com/ollama-bind/ollama-bind/internal/lsof"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/internal/rebind"
	"github.com/ollama-bind/ollama-bind/internal/service"
	"github.com/ollama-bind/ollama-bind/launchctl"
	"github.com/ollama-bind/ollama-bind/plistfix"
)

const (
	plistPath = "/Users/a b/Library/LaunchAgents/sh.brew.ollama.plist"
	envPath   = "/Users/a b/.homebrew/services/ollama.env"
	logPath   = "/opt/homebrew/var/log/ollama.log"
	value     = "0.0.0.0:11434"
	daemons   = "/Library/LaunchDaemons"
	secret    = "hunter2-hunter2"
)

// Homebrew's service, one written by hand, and an ollama serve in a terminal.
var brew, agent, terminal, ollamaApp service.Service

func TestMain(m *testing.M) {
	home, err := os.MkdirTemp("", "advice")
	if err != nil {
		panic(err)
	}
	brew = onDisk(home, "sh.brew.ollama", false)
	agent = onDisk(home, "my.ollama", true)
	typed, err := service.Machine{Home: filepath.Join(home, "none"), Daemons: home, UID: 501, Launchd: launchctl.Client{Runner: typing{}}}.
		Observe(context.Background(), service.Subject{}, service.Goal{Host: ollama.Host{Name: "127.0.0.1", Port: 1}})
	if err != nil {
		panic(err)
	}
	terminal = typed.Service
	bundle := filepath.Join(home, "Applications", "Ollama.app")
	err = errors.Join(os.MkdirAll(bundle+"/Contents/MacOS", 0o700), os.WriteFile(bundle+"/Contents/MacOS/Ollama", nil, 0o600))
	if err != nil {
		panic(err)
	}
	found, err := service.Machine{Home: filepath.Join(home, "none"), Daemons: home, Applications: filepath.Dir(bundle), UID: 501, Launchd: launchctl.Client{Runner: nothing{}}}.
		Observe(context.Background(), service.Subject{}, service.Goal{Host: ollama.Host{Name: "127.0.0.1", Port: 1}})
	if err != nil {
		panic(err)
	}
	ollamaApp = found.Service
	ollamaApp.Bundle, ollamaApp.Loaded = "/x y/Ollama.app", true
	code := m.Run()
	os.RemoveAll(home)
	os.Exit(code)
}

// onDisk is a service of which there is a plist: what kind it is, only
// package service can say.
func onDisk(home, label string, chosen bool) service.Service {
	path := filepath.Join(home, "Library", "LaunchAgents", label+".plist")
	doc := `<plist version="1.0"><dict><key>Label</key><string>` + label + `</string></dict></plist>`
	err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(doc), 0o600))
	m := service.Machine{Home: home, Daemons: daemons, UID: 501, Launchd: launchctl.Client{Runner: nothing{}}}
	var subject service.Subject
	if chosen {
		subject.Plist = path
	}
	s, err2 := m.Observe(context.Background(), subject, service.Goal{Host: ollama.Host{Name: "127.0.0.1", Port: 1}})
	if err = errors.Join(err, err2); err != nil {
		panic(err)
	}
	s.Service.Domains = nil
	return s.Service
}

// nothing is a launchd without jobs.
type nothing struct{}

func (nothing) Run(_ context.Context, name string, _ ...string) ([]byte, error) {
	if name == "launchctl" {
		return nil, &launchctl.ExitError{Code: 113}
	}
	return nil, nil
}

// typing is a launchd without jobs, and an ollama in a terminal.
type typing struct{ nothing }

func (s typing) Run(ctx context.Context, name string, args ...string) ([]byte, error) {
	if name == "lsof" {
		return []byte("p7\ncollama\nf3\ntIPv4\nPTCP\nn127.0.0.1:1\nTST=LISTEN\n"), nil
	}
	return s.nothing.Run(ctx, name, args...)
}

// bound are facts in which nothing is wrong.
func bound() *Facts {
	f := &Facts{Goal: service.GoalFor(ollama.Host{Port: 11434}, true), UID: 501, System: "darwin", AtLogin: true}
	one := brew
	one.Plist, one.Loaded, one.Target = plistPath, true, launchctl.Target{Domain: "gui/501", Label: brew.Label}
	f.State = service.State{
		Service: one,
		Settings: []service.Setting{
			{Layer: service.EnvFileLayer, File: backup.File{Path: envPath, Mode: 0o644, UID: 501}},
			{Layer: service.PlistLayer, File: backup.File{Path: plistPath, Data: []byte("<plist/>"), Mode: 0o644, UID: 501},
				Agent: plistfix.Agent{Label: brew.Label, StandardErrorPath: logPath}},
		},
		Job:    service.Job{Loaded: true, Job: launchctl.Job{PID: 6574, Path: plistPath, Runs: 1, LastExit: "(never exited)"}},
		Socket: service.Socket{Port: 11434, Listeners: []lsof.Listener{listener(6574, "*:11434")}, APIVersion: "0.36.0"},
	}
	setAll(f, value)
	return f
}

func listener(pid int, address string) lsof.Listener {
	return lsof.Listener{PID: pid, Command: "ollama", Address: address}
}

func env(host string) map[string]string {
	return map[string]string{"TOKEN": secret, "OLLAMA_HOST": host}
}

func setAll(f *Facts, host string) {
	setEnvFile(f, "OLLAMA_HOST="+host+"\n")
	setPlist(f, env(host))
	f.State.Job.Environment = env(host)
}

func setEnvFile(f *Facts, text string) {
	one := &f.State.Settings[0]
	one.File.Data = []byte(text)
	one.Agent.EnvironmentVariables, one.Err = homebrew.ParseEnv(one.File.Data)
	one.Value = valueIn(one.Agent.EnvironmentVariables)
}

func setPlist(f *Facts, env map[string]string) {
	one := &f.State.Settings[1]
	one.Agent.EnvironmentVariables, one.Value = env, valueIn(env)
}

func valueIn(env map[string]string) *string {
	if value, ok := env[ollama.Variable]; ok {
		return &value
	}
	return nil
}

func plistErr(err error) change {
	return func(f *Facts) { f.State.Settings[len(f.State.Settings)-1].Err = err }
}

func envErr(err error) change {
	return func(f *Facts) {
		f.State.Settings[0] = service.Setting{Layer: service.EnvFileLayer, File: backup.File{Path: envPath}, Err: err}
	}
}

func noEnvFile(f *Facts) { envErr(nil)(f); f.State.Settings[0].File.Absent = true }

func unload(f *Facts) {
	f.State.Service.Loaded, f.State.Job = false, service.Job{}
	silence(f)
}

func silence(f *Facts) {
	f.State.Socket.Listeners, f.State.Socket.APIVersion, f.State.Socket.APIErr = nil, "", syscall.ECONNREFUSED
}

func down(runs int, exit string) change {
	return func(f *Facts) {
		f.State.Job.PID, f.State.Job.Runs, f.State.Job.LastExit = 0, runs, exit
		silence(f)
	}
}

func deaf(f *Facts) { f.State.Socket.APIVersion, f.State.Socket.APIErr = "", errors.New("timed out") }

func unseen(f *Facts) { f.State.Socket.Listeners, f.State.Socket.Unseen = nil, true }

func hidden(f *Facts) { f.State.Service.Daemon = true; unseen(f) }

func onLoopback(f *Facts) { f.State.Socket.Listeners[0].Address = "127.0.0.1:11434" }

func byHand(f *Facts) {
	agent := agent
	agent.Plist, agent.Loaded, agent.Target = "/Users/a b/x.plist", true, launchctl.Target{Domain: "gui/501", Label: "my.ollama"}
	f.State.Service, f.State.Settings = agent, f.State.Settings[1:]
	f.State.Settings[0].Agent.Label, f.State.Job.Path = "my.ollama", agent.Plist
}

// ran is a service that Homebrew runs from a file that is gone.
func ran(f *Facts) {
	path := "/private/tmp/sh.brew.ollama123.plist"
	f.State.Service.Plist, f.State.Job.Path = path, path
	f.State.Settings[1] = service.Setting{Layer: service.PlistLayer, Use: service.NoFile, File: backup.File{Path: path}, Err: gonePlist}
}

// byApp is an Ollama.app whose switch is off.
func byApp(f *Facts) {
	off := "off"
	f.State.Service, f.State.Job.Path = ollamaApp, ""
	f.State.Settings = []service.Setting{{Layer: service.SettingLayer, Text: &off, File: backup.File{Path: "/db.sqlite", UID: 501}}}
}

func jobOf(path string) change { return func(f *Facts) { f.State.Job.Path = path } }

func rival(domain launchctl.Domain, plist string) change {
	return func(f *Facts) {
		f.State.Service.Rival = &service.Rival{Target: launchctl.Target{Domain: domain, Label: "homebrew.mxcl.ollama"}, Plist: plist}
	}
}

type change = func(*Facts)

func of(changes ...change) change {
	return func(f *Facts) {
		for _, c := range changes {
			c(f)
		}
	}
}

// Which of these plans an item blocks.
const (
	all      = "idle edit reload rollback restore"
	fixes    = "idle edit reload"
	restarts = "reload restore"
)

func plans(f Facts) map[string]rebind.Plan {
	plist := backup.Change{Layer: service.PlistLayer}
	return map[string]rebind.Plan{
		"idle":     {Command: "fix", Goal: f.Goal, State: f.State},
		"edit":     {Command: "fix", Goal: f.Goal, State: f.State, Edits: []backup.Change{plist}},
		"reload":   {Command: "fix", Goal: f.Goal, State: f.State, Reload: true},
		"rollback": {Command: "rollback", Goal: f.Goal, State: f.State, Edits: []backup.Change{plist}},
		"restore":  {Command: "rollback", Goal: f.Goal, State: f.State, Edits: []backup.Change{{Layer: service.EnvFileLayer}}, Reload: true},
	}
}

// badStore has a state folder in which nothing can be kept.
func badStore(err error) change {
	return func(f *Facts) { f.StoreErr = &fs.PathError{Op: "use", Path: "/a b", Err: err} }
}

var gonePlist = &fs.PathError{Op: "open", Path: plistPath, Err: syscall.ENOENT}

// firsts has, for each item of the list in order, a state in which it is the first to
// hold.
var firsts = []struct {
	id     string
	change change
	text   string // a part of the message
	hint   string // how it begins
	blocks string
}{
	{"plist-missing", of(byHand, unload, plistErr(gonePlist)), "there is no plist /Users", "ls -l '/Users/a b'", fixes},
	{"plist-missing", plistErr(gonePlist), "launchd holds gui/501/sh.brew.ollama, but", "brew services stop ollama && brew services start ollama", fixes},
	{"plist-missing", of(plistErr(gonePlist), unload), "there is no plist", "brew services start ollama", fixes},
	{"state-folder", badStore(backup.ErrOpen), "kept in /a b: others can", "chmod go-w '/a b'", "edit reload rollback restore"},
	{"plist-missing", of(ran, func(f *Facts) { f.Goal.Persist = false; onLoopback(f) }), "only Homebrew's env file can", "ollama-bind fix", fixes},
	{"plist-malformed", plistErr(&plistfix.Error{}), "reading /Users/a b/", "brew services restart ollama && ollama-bind fix", fixes},
	{"plist-not-a-file", plistErr(backup.ErrNotRegular), "reading /Users/a b/", "ls -ld '/Users/a b/", all},
	{"plist-unreadable", plistErr(&fs.PathError{Op: "open", Path: plistPath, Err: syscall.EACCES}), ".plist: permission denied", "ls -le '/Users/a b/", all},
	{"not-ollama", func(f *Facts) { f.State.NotOllama = true }, "does not run Ollama", "plutil -p '/Users/a b/", fixes},
	{"managed-elsewhere", func(f *Facts) { f.State.Settings[1].Keeper = service.HomeManager }, `services.ollama.host = "0.0.0.0"`, "home-manager switch", "edit reload"},
	{"serve-host-flag", func(f *Facts) { f.State.Settings[1].HostFlag = &service.Line{Path: "/s", Number: 3} },
		"line 3 of /s has `ollama serve --host`", "grep -n -e host /s", fixes},
	{"sets-it-itself", func(f *Facts) {
		f.State.Settings[1].Override = &service.Line{Path: "/s", Number: 3, Value: "127.0.0.1"}
	},
		"sets OLLAMA_HOST=127.0.0.1, in line 3 of /s", "grep -n -e OLLAMA_HOST /s", fixes},
	{"not-installed", func(f *Facts) { f.State.NoProgram = true }, "program is gone", "brew install ollama && brew services restart ollama", restarts},
	{"needs-root", hidden, "runs as root (pid 6574)", "sudo ollama-bind status", ""},
	{"not-owner", func(f *Facts) { f.State.Settings[1].File.UID = 502 }, "belongs to user 502, and this runs as user 501", "sudo chown 501 '/Users/a b/", all},
	{"not-owner", func(f *Facts) {
		f.State.Settings[1].File.UID, f.State.Service.Shared = 0, true
	}, "belongs to user 0", "sudo ollama-bind fix", all},
	{"whose-agent", func(f *Facts) { f.State.Settings[1].File.UID, f.State.Service.Shared, f.UID = 0, true, 0 },
		"nobody has typed sudo", "SUDO_UID=$(stat -f %u /dev/console) ollama-bind fix", restarts},
	{"plist-writable", func(f *Facts) { f.State.Settings[1].File.Mode = 0o664 }, "by others (mode 0664)", "chmod go-w '/Users/a b/", fixes},
	{"foreign-label", func(f *Facts) { f.State.Settings[1].Agent.Label = "x" }, `the label "x", which is not`, "ollama-bind fix --plist '/Users/a b/", fixes},
	{"label-mismatch", func(f *Facts) { f.State.Settings[1].Agent.Label = "homebrew.mxcl.ollama" }, "launchd loaded it as", "brew services restart ollama", fixes},
	{"other-plist", jobOf("/elsewhere.plist"), "from /elsewhere.plist, not from", "ollama-bind fix --plist /elsewhere.plist", all},
	{"two-jobs", rival("gui/501", "/b c.plist"), "two services", "launchctl bootout gui/501/homebrew.mxcl.ollama && rm '/b c.plist'", "edit reload"},
	{"app-would-take-port", func(f *Facts) {
		f.State.Service.Others = []service.Service{ollamaApp}
	}, "takes the port within a second", "pkill -x Ollama", restarts},
	{"app-host", of(byApp, func(f *Facts) { f.Goal = service.GoalFor(ollama.ParseHost("127.0.0.1:11434"), true) }), "and nowhere else", "ollama-bind fix", fixes},
	{"app-by-hand", of(byApp, func(f *Facts) { f.State.Settings[0].Use = service.UpdateWaits }), "update of Ollama.app waits",
		"pkill -x Ollama && sleep 3 && open -g -j -a '/x y/Ollama.app' --args hidden", "edit reload"},
	{"app-must-stop", of(byApp, func(f *Facts) { f.Command = "fix" }), "--no-restart forbids", "ollama-bind fix", ""},
	{"several-services", func(f *Facts) {
		other := agent
		other.Loaded, other.Target = true, launchctl.Target{Domain: "gui/501", Label: "my.ollama"}
		f.State.Service.Others = []service.Service{other}
	}, "several services want one port", "launchctl disable gui/501/my.ollama && launchctl bootout gui/501/my.ollama && ollama-bind fix --service brew", restarts},
	{"terminal", func(f *Facts) { f.State.Service, f.State.Settings = terminal, nil }, "the ollama of process 6574", "kill 6574 && sleep 1 && OLLAMA_HOST=0.0.0.0:11434 ollama serve", restarts},
	{"launchctl-failed", func(f *Facts) { f.State.Job = service.Job{Err: errors.New("hangs")} }, "asking launchd for the Ollama job: hangs",
		"launchctl print gui/501/sh.brew.ollama", "reload rollback restore"},
	{"lsof-silent", func(f *Facts) { f.State.Socket = service.Socket{Err: launchctl.ErrNoAnswer, APIVersion: "1"} },
		"neither lsof nor netstat", "mount -v | grep -v apfs", restarts},
	{"lsof-failed", func(f *Facts) { f.State.Socket = service.Socket{Err: launchctl.ErrNoTool, APIVersion: "1"} },
		"listeners on port 11434: ", "lsof -nP -iTCP:11434 -sTCP:LISTEN", restarts},
	{"port-held", func(f *Facts) { f.State.Socket.Listeners[0].PID = 7 }, "held by ollama (pid 7), which is not the Homebrew service", "ps -p 7 ", restarts},
	{"env-file-malformed", envErr(&homebrew.EnvError{Reason: "a byte order mark", Line: 1}), "need it: line 1: a byte order mark", `cat -v '/Users/a b/.homebrew/services/ollama.env'`, fixes},
	{"env-file-nowhere", func(f *Facts) { envErr(errors.New("HOME is odd"))(f); f.State.Settings[0].File.Path = "" }, "HOME is odd", "ollama-bind fix --no-persist", fixes},
	{"env-file-dangling", envErr(gonePlist), "leads nowhere", "ls -l '/Users/a b/", fixes},
	{"env-file-unreadable", envErr(&fs.PathError{Err: syscall.EACCES}), "ollama.env: permission denied", "ls -ld '/Users/a b/", fixes + " restore"},
	{"not-owner", func(f *Facts) { f.State.Settings[0].File.UID = 0 }, "ollama.env belongs to user 0", "sudo chown 501 '/Users/a b/.home", fixes + " restore"},
	{"app-switch-off", of(byApp, func(f *Facts) { f.State.Job.Environment = map[string]string{} }, onLoopback), "Expose Ollama to the network", "ollama-bind fix", ""},
	{"not-loaded", unload, "has not loaded", "brew services start ollama", ""},
	{"stale-signature", of(down(9, "78: EX_CONFIG"), func(f *Facts) { f.State.Job.Properties = []string{"has LWCR", "needs LWCR update"} }),
		"(last exit: 78: EX_CONFIG): its program is not the one", "ollama-bind fix", ""},
	{"held-back", of(down(1, "Killed: 9"), func(f *Facts) { f.State.Job.Pended = "inefficient" }),
		"nondemand spawn = inefficient", "launchctl kickstart gui/501/sh.brew.ollama", ""},
	{"not-restarted", of(ran, onLoopback), "only Homebrew can restart it", "brew services restart ollama", ""},
	{"crash-looping", down(9, "1"), "does not stay up (last exit: 1)", "tail -n 20 " + logPath, ""},
	{"not-running", down(1, "0"), "does not run it", "launchctl kickstart gui/501/sh.brew.ollama", ""},
	{"value-trap", func(f *Facts) { setPlist(f, env("*:11434")) }, "star", "ollama-bind fix", ""},
	{"no-answer", deaf, "listens on *:11434, but does not answer: timed out", "tail -n 20 " + logPath, ""},
	{"listens-elsewhere", onLoopback, "listens on 127.0.0.1:11434, not on *:11434", "ollama-bind fix", ""},
	{"lasting-not-read", func(f *Facts) { setPlist(f, nil) }, "is not set in the plist, but 0.0.0.0:11434 in", "ollama-bind fix", ""},
	{"job-older", func(f *Facts) { f.State.Job.Environment = nil }, "runs with not set, but its plist says " + value, "ollama-bind fix", ""},
	{"inherited", func(f *Facts) {
		noEnvFile(f)
		setPlist(f, nil)
		f.State.Job.Environment, f.State.Job.InheritedEnvironment = nil, env("0.0.0.0")
	}, "from launchctl setenv", "ollama-bind fix", ""},
	{"plist-differs", func(f *Facts) { setAll(f, "127.0.0.1:11434") }, "comes back with that", "ollama-bind fix", ""},
	{"disabled", func(f *Facts) { f.Disabled = true }, "disabled", "launchctl enable gui/501/sh.brew.ollama", ""},
	{"not-lasting", noEnvFile, "without the setting: fix puts it into", "ollama-bind fix", ""},
	{"app-schema", of(byApp, func(f *Facts) {
		on := "0.0.0.0"
		f.State.Settings[0].Value, f.State.Settings[0].Use = &on, service.Newer
	}), "than is known (19)", "open -a '/x y/Ollama.app'", ""},
	{"value-suspicious", func(f *Facts) { setEnvFile(f, "OLLAMA_HOST="+value+"\nOLLAMA_HOSTS=x\n") }, "remove OLLAMA_HOSTS from " + envPath + ", line 2", "cat -v '/Users/a b/", ""},
}

func TestList(t *testing.T) {
	if len(All(*bound())) != 0 || First(*bound()) != nil || Trouble(*bound()) != nil || !bound().Well() {
		t.Fatalf("what is well has advice: %+v", All(*bound()))
	}
	if len(firsts) != len(list) {
		t.Fatalf("%d states for %d items", len(firsts), len(list))
	}
	for i, tc := range firsts {
		f := bound()
		tc.change(f)
		if first := slices.IndexFunc(list, func(i item) bool { return i.when(*f) }); first != i {
			t.Errorf("state %d for %s: item %d holds first", i, tc.id, first)
			continue
		}
		advice := All(*f)
		expect(t, tc.id, advice[0], tc.id, tc.text, tc.hint)
		matters := advice[0].Level == Fail || !f.Well()
		if a := First(*f); (a != nil && *a == advice[0]) != matters {
			t.Errorf("%s: the first that matters is %+v", tc.id, a)
		}
		for _, later := range advice[1:] {
			if list[i].blocks != nil && later.Hint != "" {
				t.Errorf("%s has to go first, and %s has a hint", tc.id, later.ID)
			}
		}
		blocked(t, *f, tc.id, tc.blocks)
	}
}

// blocked holds Refusal against the plans that it is to refuse by the item.
func blocked(t *testing.T, f Facts, id, want string) {
	t.Helper()
	for name, p := range plans(f) {
		err := Refusal(f, p)
		if wanted := slices.Contains(strings.Fields(want), name); service.Is(err, id) != wanted {
			t.Errorf("%s, %s: %v, want it refused: %v", id, name, err, wanted)
		}
		var e *service.Error
		if errors.As(err, &e) && strings.Contains(e.Error(), "nothing was changed") != (e.Ending == service.Failed) {
			t.Errorf("%s, %s: %v ends as %d", id, name, err, e.Ending)
		}
	}
}

func expect(t *testing.T, name string, a Advice, id, text, hint string) {
	t.Helper()
	if a.ID != id || !strings.Contains(a.Message, text) || !strings.HasPrefix(a.Hint, hint) || hint == "" && a.Hint != "" {
		t.Errorf("%s: %+v; want %s, %q, %q", name, a, id, text, hint)
	}
	if a.Message == "" || strings.ContainsAny(a.Message, "\n") || strings.HasSuffix(a.Message, ".") || strings.Contains(a.Message, secret) {
		t.Errorf("%s is not said as all is: %q", name, a.Message)
	}
	isCommand(t, name, a.Hint)
}

var programs = regexp.MustCompile(`^(sudo (-u '#\d+' )?)?(ollama-bind|ollama|OLLAMA_HOST=\S+ ollama|SUDO_UID=\S+ -f %u /dev/console\) ollama-bind|brew|launchctl|systemctl|lsof|ls|ps|tail|cat|df|plutil|chmod|chown|open|export|unset|setx|rm|grep|mount|kill|pkill|sleep|home-manager|printf|tee|mkdir|docker|curl) ?`)

// isCommand checks that a hint can be pasted: it is one line of programs.
func isCommand(t *testing.T, name, hint string) {
	t.Helper()
	for _, part := range regexp.MustCompile(` (&&|\|\||\|) `).Split(hint, -1) {
		if hint != "" && !programs.MatchString(part) {
			t.Errorf("%s: %q is no command", name, part)
		}
	}
	if strings.Contains(hint, "\n") || strings.Contains(hint, " then ") || strings.Contains(hint, ", ") || strings.HasSuffix(hint, ".") {
		t.Errorf("%s: the hint is prose: %q", name, hint)
	}
}

// TestTrouble is about what keeps Ollama from answering, and the ways to say it.
func TestTrouble(t *testing.T) {
	addresses := func(f *Facts) { f.Addresses = []netip.Addr{netip.MustParseAddr("10.1.1.1")} }
	loops := func(host string) change {
		return of(addresses, func(f *Facts) { setAll(f, host) }, down(9, "1"))
	}
	for name, tc := range map[string]struct {
		change         change
		id, text, hint string
	}{
		"answers, no pid":              {func(f *Facts) { f.State.Job = service.Job{Err: errors.New("hangs")} }, "", "", ""},
		"answers, no lsof":             {func(f *Facts) { f.State.Socket.Listeners, f.State.Socket.Err = nil, launchctl.ErrNoTool }, "", "", ""},
		"two jobs":                     {of(rival(launchctl.System, "/x"), silence), "two-jobs", "two services", "sudo launchctl bootout system/homebrew.mxcl.ollama && sudo rm /x"},
		"not loaded, of root":          {of(unload, func(f *Facts) { f.State.Service.Daemon = true }), "not-loaded", "", "sudo brew services start ollama"},
		"not loaded, by hand":          {of(byHand, unload), "not-loaded", "", "launchctl bootstrap gui/$(id -u) '/Users/a b/x.plist'"},
		"not loaded, nobody logged in": {of(byHand, unload, func(f *Facts) { f.State.Service.Domains = []launchctl.Domain{"user/501"} }), "not-loaded", "", "launchctl bootstrap user/501 '/Users"},
		"held, by a container":         {func(f *Facts) { f.State.Socket.Listeners[0].PID, f.State.Socket.Listeners[0].Command = 7, "com.docke" }, "port-held", "for a container that publishes the port", "docker ps --filter publish=11434"},
		"held, not loaded":             {func(f *Facts) { f.State.Job, f.State.Service.Loaded = service.Job{}, false }, "port-held", "(pid 6574)", "ps -p 6574"},
		"held by root":                 {unseen, "port-held", "another user", "sudo lsof -nP -iTCP:11434"},
		"held, by hand":                {of(byHand, func(f *Facts) { f.State.Socket.Listeners[0].PID = 7 }), "port-held", "which is not the LaunchAgent my.ollama", "ps -p 7"},
		"ended again":                  {down(5, "Terminated: 15"), "crash-looping", "last exit: Terminated: 15", "tail"},
		"starting":                     {silence, "no-answer", "runs (pid 6574), but does not listen on port 11434", "tail"},
		"deaf, no lsof":                {of(func(f *Facts) { f.State.Socket = service.Socket{Err: launchctl.ErrNoTool} }, deaf), "no-answer", "runs (pid 6574), but does not answer", "tail"},
		"no log":                       {of(deaf, func(f *Facts) { f.State.Settings[1].Agent.StandardErrorPath = "" }), "no-answer", "", "launchctl print gui/501/sh.brew.ollama"},
		"the log tells":                {of(down(9, "1"), func(f *Facts) { f.State.LogError = "Error: no such host" }), "crash-looping", "(last exit: 1); the last error in its log: Error: no such host", "tail"},
		"at no address of ours":        {loops("10.9.9.9"), "crash-looping", "not an address of this machine", "ollama-bind fix"},
		"at a variable":                {loops("${X}"), "crash-looping", "", "ollama-bind fix"},
		"at a name":                    {loops("mac.lan"), "crash-looping", "", "tail"},
	} {
		f := bound()
		tc.change(f)
		switch got := Trouble(*f); {
		case got != nil && tc.id != "":
			expect(t, name, *got, tc.id, tc.text, tc.hint)
		case got != nil || tc.id != "":
			t.Errorf("%s: %+v, want %q", name, got, tc.id)
		}
	}
	if Trouble(Facts{}) != nil {
		t.Error("there is trouble without a service")
	}
}
