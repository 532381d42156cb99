package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"github.com/ollama-bind/ollama-bind/internal/backup"
	"github.com/ollama-bind/ollama-bind/internal/bind"
	"github.com/ollama-bind/ollama-bind/internal/homebrew"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/launchctl"
	"github.com/ollama-bind/ollama-bind/plistfix"
)

const (
	plistPath = "/Users/a b/Library/LaunchAgents/sh.brew.ollama.plist"
	envPath   = "/Users/a b/.homebrew/services/ollama.env"
	secret    = "hunter2-hunter2"
)

// patient is the case that all is judged for.
func patient() *Case {
	return &Case{
		Machine: bind.Machine{UID: 501, Home: "/Users/a b", Daemons: "/Library/LaunchDaemons"},
		Goal:    bind.GoalFor(ollama.Host{Port: 11434}, true),
		System:  "darwin",
		Getenv:  func(string) string { return "" },
	}
}

// bound is a state in which nothing is wrong.
func bound() bind.State {
	value := "0.0.0.0:11434"
	return bind.State{
		Agent: bind.Agent{
			Candidate: homebrew.Candidate{Label: "sh.brew.ollama", Plist: plistPath},
			Loaded:    true,
			Target:    launchctl.Target{Domain: "gui/501", Label: "sh.brew.ollama"},
		},
		Brew:    homebrew.Installation{Prefix: "/opt/homebrew", Repository: "/opt/homebrew", Known: true, HonoursEnvFile: true},
		EnvFile: bind.EnvFile{File: backup.File{Path: envPath, Data: []byte("OLLAMA_HOST=0.0.0.0:11434\n"), Mode: 0o644, UID: 501}, Value: &value},
		Plist: bind.Plist{
			File:  backup.File{Path: plistPath, Data: []byte("<plist/>"), Mode: 0o644, UID: 501},
			Agent: plistfix.Agent{Label: "sh.brew.ollama", EnvironmentVariables: env(value), StandardErrorPath: "/opt/homebrew/var/log/ollama.log"},
		},
		Job: bind.Job{Loaded: true, Job: launchctl.Job{PID: 6574, State: "running", Environment: env(value), Runs: 1, LastExit: "(never exited)"}},
		Socket: bind.Socket{
			Port:       11434,
			Listeners:  []launchctl.Listener{listener(6574, "*:11434")},
			APIVersion: "0.36.0",
		},
	}
}

func env(host string) map[string]string {
	return map[string]string{"OLLAMA_API_KEY": secret, "OLLAMA_HOST": host}
}

// without is an environment that has no address for Ollama.
func without() map[string]string { return map[string]string{"OLLAMA_API_KEY": secret} }

func listener(pid int, address string) launchctl.Listener {
	return launchctl.Listener{PID: pid, Command: "ollama", User: "alice", Family: "IPv6", Address: address}
}

// setHost gives all layers a value, or none.
func setHost(s *bind.State, value string) {
	s.EnvFile.File.Data, s.EnvFile.Value = nil, nil
	s.EnvFile.File.Absent = true
	s.Plist.Agent.EnvironmentVariables, s.Job.Environment = without(), without()
	if value != "" {
		setValue(s, value)
	}
}

func setValue(s *bind.State, value string) {
	s.EnvFile.File = backup.File{Path: envPath, Data: []byte("OLLAMA_HOST=" + value + "\n"), Mode: 0o644, UID: 501}
	s.EnvFile.Value = &value
	s.Plist.Agent.EnvironmentVariables, s.Job.Environment = env(value), env(value)
}

func empty(s *bind.State) { setValue(s, "") }

type change = func(*bind.State)

func host(value string) change { return func(s *bind.State) { setHost(s, value) } }

func unload(s *bind.State) { s.Agent.Loaded, s.Job = false, bind.Job{} }

func stop(s *bind.State) {
	unload(s)
	s.Socket.Listeners = nil
}

func crash(exit string) change {
	return func(s *bind.State) {
		s.Job.PID, s.Job.Runs, s.Job.LastExit = 0, 7, exit
		s.Socket.Listeners = nil
	}
}

func unclear(s *bind.State) { s.Job = bind.Job{Err: errors.New("launchctl: no answer")} }

// nowhere is a property list that was named, and is not there.
func nowhere(s *bind.State) {
	unload(s)
	s.Agent.Chosen, s.Agent.Label, s.Plist = true, "", bind.Plist{Err: gone}
}

var gone = &fs.PathError{Op: "open", Path: plistPath, Err: syscall.ENOENT}

// TestState is about the checks that go by the four layers.
func TestState(t *testing.T) {
	for _, tc := range []struct {
		check  string
		name   string
		change change
		status Status
		text   string // a part of the summary
		fix    string // a part of the fix
	}{
		{"agent-found", "", nil, OK, "sh.brew.ollama", ""},
		{"agent-found", "of root", func(s *bind.State) { s.Agent.Daemon = true }, OK, "whole machine", ""},
		{"agent-found", "named", func(s *bind.State) { s.Agent.Chosen = true }, OK, "named", ""},
		{"agent-found", "uninstalled", func(s *bind.State) { s.NoProgram = true }, Fail, "program is gone", "brew install ollama"},

		{"label", "", nil, OK, "sh.brew.ollama", ""},
		{"label", "old", func(s *bind.State) {
			s.Agent.Label, s.Plist.Agent.Label = "homebrew.mxcl.ollama", "homebrew.mxcl.ollama"
		}, OK, "replaces", ""},
		{"label", "other than loaded", func(s *bind.State) { s.Plist.Agent.Label = "homebrew.mxcl.ollama" }, Fail, "launchd loaded it as", "restart"},
		{"label", "unknown", func(s *bind.State) { s.Plist.Agent.Label = "my.ollama"; unload(s) }, Fail, `"my.ollama"`, "--plist '/Users/a b/"},
		{"label", "named", func(s *bind.State) {
			s.Agent.Label, s.Plist.Agent.Label, s.Agent.Chosen = "my.ollama", "my.ollama", true
		}, OK, "my.ollama", ""},

		{"job-loaded", "", nil, OK, "process 6574", ""},
		{"job-loaded", "not", stop, Fail, "not loaded", "brew services start ollama"},
		{"job-loaded", "not, of root", func(s *bind.State) { stop(s); s.Agent.Daemon = true }, Fail, "not loaded", "sudo brew services start ollama"},
		{"job-loaded", "not, of another kind", func(s *bind.State) { stop(s); s.Agent.Label = "my.ollama" }, Fail, "not loaded", "launchctl bootstrap gui/$(id -u) '/Users"},
		{"job-loaded", "not, and the port is held", func(s *bind.State) { unload(s); s.Socket.Listeners[0].PID = 7 }, Fail, "not loaded", "ps -p 7 "},
		{"job-loaded", "down, and the port is held", func(s *bind.State) {
			crash("1")(s)
			s.Socket.Listeners = []launchctl.Listener{listener(7, "127.0.0.1:11434")}
		}, Fail, "does not run (last exit: 1)", "ps -p 7 "},
		{"job-loaded", "down", crash("1"), Fail, "does not run (last exit: 1)", "tail -n 20 /opt/homebrew/var/log/ollama.log"},
		{"job-loaded", "unclear", unclear, Skip, "no answer", ""},

		{"plist-parses", "", nil, OK, "", ""},
		{"plist-parses", "gone under the job", func(s *bind.State) { s.Plist = bind.Plist{Err: gone} }, Fail, "gone", "stop ollama && brew services start"},
		{"plist-parses", "gone", func(s *bind.State) { s.Plist = bind.Plist{Err: gone}; unload(s) }, Fail, "no property list", "start"},
		{"plist-parses", "broken", func(s *bind.State) { s.Plist.Err = errors.New("line 4: no end") }, Fail, "line 4", "plutil -lint '/Users/a b/"},

		{"plist-permissions", "", nil, OK, "yours", ""},
		{"plist-permissions", "unread", func(s *bind.State) { s.Plist = bind.Plist{Err: gone} }, Skip, "not be read", ""},
		{"plist-permissions", "writable", func(s *bind.State) { s.Plist.File.Mode = 0o664 }, Fail, "others can write", "chmod go-w '/Users/a b/"},
		{"plist-permissions", "of another", func(s *bind.State) { s.Plist.File.UID = 502 }, Fail, "somebody else", "sudo chown 501"},
		{"plist-permissions", "of root", func(s *bind.State) { s.Plist.File.UID = 0 }, Warn, "root", "sudo chown 501"},
		{"plist-permissions", "a daemon's", func(s *bind.State) { s.Plist.File.UID = 0; s.Agent.Daemon = true }, OK, "sudo", ""},

		{"value-in-env-file", "", nil, OK, "0.0.0.0:11434", ""},
		{"value-in-env-file", "nowhere", host(""), OK, "not set", ""},
		{"value-in-env-file", "in the plist alone", func(s *bind.State) { s.EnvFile = bind.EnvFile{File: backup.File{Path: envPath, Absent: true}} }, Warn, "drops it", "ollama-bind fix"},
		{"value-in-env-file", "skipped by Homebrew", func(s *bind.State) { s.EnvFile.File.Mode = 0o664 }, Warn, "others can write", "chmod go-w '/Users/a b/"},
		{"value-in-env-file", "empty", empty, OK, "empty", ""},
		{"value-in-env-file", "broken", func(s *bind.State) { s.EnvFile.Err = &homebrew.EnvError{Reason: "a byte order mark", Line: 1} }, Fail,
			"not as Homebrew and launchd need it: line 1: a byte order mark", "cat -v '/Users/a b/"},
		{"value-in-env-file", "not for us", func(s *bind.State) { s.EnvFile.Err = &fs.PathError{Op: "open", Path: envPath, Err: syscall.EACCES} }, Fail,
			"may fail on it at its next restart of the service: permission denied", "ls -ld '/Users/a b/"},
		{"value-in-env-file", "a dangling link", func(s *bind.State) { s.EnvFile = bind.EnvFile{File: backup.File{Path: envPath}, Err: gone} }, Warn,
			"a link that leads nowhere, which Homebrew ignores", "ls -l '/Users/a b/"},
		{"value-in-env-file", "a folder", func(s *bind.State) {
			s.EnvFile = bind.EnvFile{File: backup.File{Path: envPath}, Err: fmt.Errorf("reading: %w", backup.ErrNotRegular)}
		}, Warn, "no file, so Homebrew ignores it", "ls -ld '/Users/a b/"},
		{"value-in-env-file", "broken, old Homebrew", func(s *bind.State) {
			s.EnvFile.Err, s.Brew.HonoursEnvFile = errors.New("line 1: a byte order mark"), false
		}, Skip, "this Homebrew ignores it", ""},
		{"value-in-env-file", "in no one place", func(s *bind.State) {
			s.EnvFile = bind.EnvFile{Err: errors.New("HOME gives no full path for it")}
		}, Skip, "no full path", ""},
		{"value-in-env-file", "old Homebrew", func(s *bind.State) { s.Brew.HonoursEnvFile = false }, Skip, "older than 6.0.15", ""},
		{"value-in-env-file", "not Homebrew's", func(s *bind.State) { s.Agent.Chosen, s.Agent.Label = true, "my.ollama" }, Skip, "Homebrew's services only", ""},

		{"value-in-plist", "", nil, OK, "all interfaces", ""},
		{"value-in-plist", "in other words", func(s *bind.State) { s.Plist.Agent.EnvironmentVariables = env("[::]") }, OK, "[::]", ""},
		{"value-in-plist", "nowhere", host(""), Warn, "loopback alone", "ollama-bind probe"},
		{"value-in-plist", "empty", empty, Warn, "empty: Ollama listens on loopback alone", "ollama-bind probe"},
		{"value-in-plist", "with the port held", func(s *bind.State) { setHost(s, ""); s.Socket.Listeners[0].PID = 7 }, Warn, "loopback alone", "ps -p 7"},
		{"value-in-plist", "by nobody knows whom", func(s *bind.State) { setHost(s, ""); unclear(s) }, Warn, "loopback alone", "ollama-bind probe"},
		{"value-in-plist", "loopback", host("127.0.0.1"), Warn, "loopback alone", "ollama-bind probe"},
		{"value-in-plist", "on another port", host("127.0.0.1:8080"), Warn, "loopback alone",
			"ollama-bind probe --host 0.0.0.0:8080, and only if it says rebind-needed: ollama-bind fix --host 0.0.0.0:8080"},
		{"value-in-plist", "one address", host("192.168.1.5"), Warn, "one address", "ollama-bind probe"},
		{"value-in-plist", "not taken over", func(s *bind.State) { s.Plist.Agent.EnvironmentVariables = without() }, Fail, "not set, but Homebrew's env file says 0.0.0.0:11434", "ollama-bind fix"},
		{"value-in-plist", "another", func(s *bind.State) { s.Plist.Agent.EnvironmentVariables = env("127.0.0.1:8080") }, Fail, "127.0.0.1:8080, but", "ollama-bind fix"},
		{"value-in-plist", "an env file that does not count", func(s *bind.State) {
			s.Plist.Agent.EnvironmentVariables = without()
			s.Brew.HonoursEnvFile = false
		}, Warn, "loopback alone", ""},
		{"value-in-plist", "unread", func(s *bind.State) { s.Plist = bind.Plist{Err: gone} }, Skip, "not be read", ""},

		{"value-in-job", "", nil, OK, "all interfaces", ""},
		{"value-in-job", "nowhere", host(""), Warn, "loopback alone", "ollama-bind probe"},
		{"value-in-job", "older than the file", func(s *bind.State) { s.Job.Environment = without() }, Fail, "not set, but the property list says 0.0.0.0:11434", "ollama-bind fix"},
		{"value-in-job", "left by a restart", func(s *bind.State) { s.Plist.Agent.EnvironmentVariables = without() }, Fail, "0.0.0.0:11434, but the property list says not set", "ollama-bind fix"},
		{"value-in-job", "with the file gone", func(s *bind.State) { s.Plist = bind.Plist{Err: gone} }, OK, "all interfaces", ""},
		{"value-in-job", "by setenv", func(s *bind.State) { setHost(s, ""); s.Job.InheritedEnvironment = env("0.0.0.0:8080") }, Warn, "gone after the next reboot",
			"launchctl unsetenv OLLAMA_HOST && ollama-bind fix --host 0.0.0.0:8080"},
		{"value-in-job", "not loaded", unload, Skip, "not loaded", ""},
		{"value-in-job", "unclear", unclear, Skip, "no answer", ""},
		{"value-in-job", "old launchctl", func(s *bind.State) { s.Job.Environment = nil }, Skip, "does not show", ""},

		{"agent-found", "named, and not there", nowhere, Fail, "no property list", "ls -l '/Users/a b/Library/LaunchAgents'"},
		{"plist-parses", "named, and not there", nowhere, Fail, "no property list", "ls -l '/Users/a b/Library/LaunchAgents'"},
		{"job-loaded", "named, and not there", nowhere, Skip, "no property list", ""},
		{"label", "named, and not there", nowhere, Skip, "no property list", ""},

		{"lasting", "", nil, OK, "stays", ""},
		{"lasting", "nothing set", host(""), Skip, "nothing can be lost", ""},
		{"lasting", "not in the env file", func(s *bind.State) { s.EnvFile = bind.EnvFile{File: backup.File{Path: envPath, Absent: true}} }, Warn, "without the setting", "ollama-bind fix"},
		{"lasting", "old Homebrew", func(s *bind.State) { s.Brew.HonoursEnvFile = false }, Warn, "ignores the env file", "brew update && ollama-bind fix"},
		{"lasting", "of root", func(s *bind.State) { s.Agent.Daemon = true }, Warn, "sudo", ""},

		{"homebrew-version", "", nil, OK, "6.0.15 or later", ""},
		{"homebrew-version", "old", func(s *bind.State) { s.Brew.HonoursEnvFile = false }, Warn, "older than 6.0.15", "brew update"},
		{"homebrew-version", "unknown", func(s *bind.State) { s.Brew.Known = false }, Skip, "not found", ""},
		{"homebrew-version", "none", func(s *bind.State) { s.Brew = homebrew.Installation{} }, Skip, "not Homebrew's", ""},
	} {
		s := bound()
		if tc.change != nil {
			tc.change(&s)
		}
		f := stateJudges[tc.check](patient(), s)
		expect(t, tc.check+" "+tc.name, f, tc.status, tc.text, tc.fix)
	}
}

var stateJudges = map[string]func(*Case, bind.State) Finding{
	"agent-found": judgeAgent, "label": judgeLabel, "job-loaded": judgeLoaded, "plist-parses": judgePlist,
	"plist-permissions": judgePermissions, "value-in-env-file": judgeEnvFile, "value-in-plist": judgePlistValue,
	"value-in-job": judgeJobValue, "lasting": judgeLasting, "homebrew-version": judgeHomebrew,
}

// expect also holds a finding against what all of them promise.
func expect(t *testing.T, name string, f Finding, status Status, text, fix string) {
	t.Helper()
	if f.Status != status || !strings.Contains(f.Summary, text) || !strings.Contains(f.Fix, fix) || fix == "" && status == OK && f.Fix != "" {
		t.Errorf("%s: %s, %q, fix %q; want %s, %q, fix %q", name, f.Status, f.Summary, f.Fix, status, text, fix)
	}
	whole := f.Summary + f.Evidence + f.Fix
	if strings.Contains(whole, secret) {
		t.Errorf("%s shows a secret: %+v", name, f)
	}
	if f.Summary == "" || strings.Contains(f.Summary+f.Fix, "\n") || strings.HasSuffix(f.Summary, ".") || strings.HasSuffix(f.Evidence, "\n") {
		t.Errorf("%s is not said as all is: %+v", name, f)
	}
}

func TestAskedPort(t *testing.T) {
	c, s := patient(), bound()
	c.Asked, c.Goal = true, bind.GoalFor(ollama.Host{Port: 8080}, true)
	expect(t, "another port", judgePlistValue(c, s), Fail, "another port than the wanted 0.0.0.0:8080", "ollama-bind fix --host 0.0.0.0:8080")
	c.Asked = false
	expect(t, "nobody asked", judgePlistValue(c, s), OK, "", "")
	c.Asked = true
	setHost(&s, "")
	expect(t, "not set", judgePlistValue(c, s), Warn, "loopback alone", measureFirst(s, 8080))
}

func TestPlatform(t *testing.T) {
	missing := fmt.Errorf("launchctl: %w", launchctl.ErrNoTool)
	judge := func(system string, err error) Finding {
		return judgePlatform(system, "0.0.0.0:11434", "/bin/launchctl", err)
	}
	expect(t, "mac", judge("darwin", nil), OK, "launchd is here", "")
	expect(t, "a sandbox", judge("linux", nil), OK, "launchd is here", "")
	expect(t, "broken mac", judge("darwin", missing), Fail, "not to be found", "PATH")
	expect(t, "linux", judge("linux", missing), Warn, "systemd runs Ollama, as a rule", "sudo systemctl edit ollama && sudo systemctl restart ollama")
	if f := judge("linux", missing); !strings.Contains(f.Evidence, "[Service]\nEnvironment=\"OLLAMA_HOST=0.0.0.0:11434\"") {
		t.Errorf("what to put into the drop-in: %q", f.Evidence)
	}
	expect(t, "windows", judge("windows", missing), Warn, "Windows", "setx OLLAMA_HOST 0.0.0.0:11434")
	expect(t, "elsewhere", judge("freebsd", missing), Warn, "no launchd", "OLLAMA_HOST=0.0.0.0:11434")
}

func TestNoAgent(t *testing.T) {
	p := &bind.Problem{ID: "no-agent", Hint: "brew services start ollama", Err: errors.New("no service")}
	expect(t, "nothing", judgeNoAgent(p, answers("", ""), "measure"), Fail, "no Homebrew service", "brew services start ollama")
	expect(t, "the app", judgeNoAgent(p, answers("0.36.0", ""), "measure"), Warn, "answers at 127.0.0.1:11434", "measure")
}

func TestTwoJobs(t *testing.T) {
	s := bound()
	other := homebrew.Candidate{Plist: "/Users/a b/Library/LaunchAgents/homebrew.mxcl.ollama.plist"}
	expect(t, "one", judgeTwoJobs(s, nil), OK, "only one", "")
	expect(t, "a second file", judgeTwoJobs(s, []homebrew.Candidate{other}), Warn, "second property list", "rm '/Users/a b/")
	root := homebrew.Candidate{Plist: "/Library/LaunchDaemons/sh.brew.ollama.plist", Daemon: true}
	expect(t, "a second file of root's", judgeTwoJobs(s, []homebrew.Candidate{root}), Warn, "", "sudo rm /Library/LaunchDaemons/")
	s.Agent.Rival = &bind.Rival{Target: launchctl.Target{Domain: "gui/501", Label: "homebrew.mxcl.ollama"}, Plist: other.Plist}
	expect(t, "two", judgeTwoJobs(s, []homebrew.Candidate{other}), Fail, "two services",
		"launchctl bootout gui/501/homebrew.mxcl.ollama && rm '/Users/a b/Library/LaunchAgents/homebrew.mxcl.ollama.plist'")
	s.Agent.Rival.Domain = launchctl.System
	expect(t, "two, one of root's", judgeTwoJobs(s, nil), Fail, "two services", "sudo launchctl bootout system/")
}

func TestDisabled(t *testing.T) {
	c, s := patient(), bound()
	expect(t, "none", judgeDisabled(c, s, nil, nil), OK, "", "")
	expect(t, "enabled", judgeDisabled(c, s, map[string]bool{"sh.brew.ollama": false}, nil), OK, "", "")
	expect(t, "another", judgeDisabled(c, s, map[string]bool{"homebrew.mxcl.ollama": true}, nil), OK, "", "")
	expect(t, "disabled", judgeDisabled(c, s, map[string]bool{"sh.brew.ollama": true}, nil), Fail, "disabled", "launchctl enable gui/501/sh.brew.ollama")
	s.Agent.Target.Domain = "user/501"
	expect(t, "over ssh", judgeDisabled(c, s, map[string]bool{"sh.brew.ollama": true}, nil), Fail, "", "launchctl enable user/501/")
	unload(&s)
	expect(t, "not loaded", judgeDisabled(c, s, map[string]bool{"sh.brew.ollama": true}, nil), Fail, "", "launchctl enable gui/501/")
	expect(t, "unclear", judgeDisabled(c, s, nil, launchctl.ErrFormat), Skip, "", "")
	nowhere(&s)
	expect(t, "named, and not there", judgeDisabled(c, s, nil, nil), Skip, "no property list", "")
}

func TestLastExit(t *testing.T) {
	const logged = "Error: listen tcp 0.0.0.0:11434: bind: address already in use"
	judge := func(change change) Finding {
		s := bound()
		change(&s)
		return judgeLastExit(s, logged)
	}
	expect(t, "first run", judge(func(*bind.State) {}), OK, "without end", "")
	expect(t, "restarted", judge(func(s *bind.State) { s.Job.LastExit = "Terminated: 15" }), OK, "Terminated: 15", "")
	expect(t, "up again", judge(func(s *bind.State) { s.Job.LastExit, s.Job.Runs = "2", 3 }), Warn, "ended with 2", "tail -n 20 /opt/homebrew/var/log/ollama.log")
	expect(t, "ended", judge(crash("0")), Warn, "does not run now", "launchctl kickstart gui/501/sh.brew.ollama")
	expect(t, "looping", judge(crash("1")), Fail, "does not stay up; last exit: 1", "tail")
	if f := judge(crash("78: EX_CONFIG")); !strings.Contains(f.Evidence, "could not start it at all") || !strings.Contains(f.Evidence, logged) || !strings.Contains(f.Evidence, "7 times") {
		t.Errorf("evidence of a crash: %q", f.Evidence)
	}
	expect(t, "not loaded", judge(unload), Skip, "not loaded", "")
	expect(t, "unclear", judge(unclear), Skip, "no answer", "")
	expect(t, "no log", judge(func(s *bind.State) { crash("1")(s); s.Plist.Agent.StandardErrorPath = "" }), Fail, "", "launchctl kickstart gui/501/")
	expect(t, "root's", judge(func(s *bind.State) { crash("0")(s); s.Agent.Target.Domain = launchctl.System }), Warn, "", "sudo launchctl kickstart system/")
}

func TestGetenv(t *testing.T) {
	expect(t, "unset", judgeGetenv(bind.State{}, "", nil), OK, "not set", "")
	expect(t, "set", judgeGetenv(bind.State{}, "0.0.0.0", nil), Warn, "until the next reboot", "launchctl unsetenv OLLAMA_HOST && ollama-bind fix")
	expect(t, "no launchctl", judgeGetenv(bind.State{}, "", fmt.Errorf("x: %w", launchctl.ErrNoTool)), Skip, "no launchctl", "")
	expect(t, "failed", judgeGetenv(bind.State{}, "", launchctl.ErrNoAnswer), Skip, "no answer", "")
}

func TestTraps(t *testing.T) {
	own := []netip.Addr{netip.MustParseAddr("192.168.1.5")}
	for value, want := range map[string]struct {
		status Status
		text   string
	}{
		"0.0.0.0:11434": {OK, ""}, "[::]": {OK, ""}, "127.0.0.1": {OK, ""}, "localhost:8080": {OK, ""}, ":11434": {OK, ""},
		`"0.0.0.0:11434"`: {Warn, "quotes"}, // in the env file, where Homebrew keeps them
		"0.0.0.0/v1":      {OK, ""}, "http://0.0.0.0:11434": {OK, ""}, "192.168.1.5:11434": {OK, ""},
		"http://0.0.0.0": {Fail, "port, 80 or 443"}, "11434": {Fail, "port alone"}, "0.0.0.0:0": {Fail, "random"},
		"*:11434": {Fail, "star"}, "127.0.0.1,192.168.1.5": {Fail, "list"},
		"0.0.0.0:abc": {Warn, "no port between"}, ":66000": {Warn, "no port between"}, "mac.local": {Warn, "looked up"},
		"0.0.0.0:11434 # lan": {Warn, "comment"},
		"10.8.0.3:11434":      {Fail, "not an address of this machine"},
	} {
		s := bound()
		setHost(&s, value)
		f := judgeTraps(patient(), s, own)
		if f.Status != want.status || !strings.Contains(f.Summary+f.Evidence, want.text) {
			t.Errorf("%s: %+v, want %s, %q", value, f, want.status, want.text)
		}
		if (f.Status == Fail) != (f.Fix == "ollama-bind fix") && f.Status != Warn {
			t.Errorf("%s: fix %q", value, f.Fix)
		}
	}
}

func TestWrongNames(t *testing.T) {
	for _, name := range []string{"OLLAMA", "OLLAMA_HOSTS", "ollama_host", "OLLAMA_PORT"} {
		s := bound()
		setHost(&s, "")
		s.Plist.Agent.EnvironmentVariables = map[string]string{name: secret}
		expect(t, name, judgeTraps(patient(), s, nil), Fail, name+" is no variable", "ollama-bind fix")
		s = bound()
		s.Plist.Agent.EnvironmentVariables[name] = secret
		expect(t, name+" as well", judgeTraps(patient(), s, nil), Warn, name+" is no variable", "remove "+name+" from "+plistPath+", and then: ollama-bind fix")
	}
	s := bound()
	s.Plist.Agent.EnvironmentVariables["OLLAMA_MODELS"] = secret
	expect(t, "one that there is", judgeTraps(patient(), s, nil), OK, "", "")
	s.EnvFile.File.Data = []byte("export OLLAMA_HOST=0.0.0.0\n")
	expect(t, "export", judgeTraps(patient(), s, nil), Warn, "export", "remove line 1 from "+envPath+", and then: ollama-bind fix")
	s.EnvFile.File.Data = []byte("OLLAMA_HOST=0.0.0.0\nOLLAMA_HOSTS=x\n")
	expect(t, "in the env file", judgeTraps(patient(), s, nil), Warn, "OLLAMA_HOSTS", "remove OLLAMA_HOSTS from "+envPath+", and then: ollama-bind fix")
	s = bound()
	setHost(&s, "0.0.0.0:11434 # lan")
	expect(t, "what fix takes for the same", judgeTraps(patient(), s, nil), Warn, "characters", "remove OLLAMA_HOST from "+envPath+", and then: ollama-bind fix")
	s.EnvFile = bind.EnvFile{}
	expect(t, "the same in the property list", judgeTraps(patient(), s, nil), Warn, "characters", "remove OLLAMA_HOST from "+plistPath+", and then: ollama-bind fix")
	s.Agent.Chosen = true
	expect(t, "in one that was named", judgeTraps(patient(), s, nil), Warn, "characters", "remove OLLAMA_HOST from "+plistPath+", and then: ollama-bind fix")
	s.Agent.Chosen = false
	setHost(&s, "127.0.0.1:8080")
	s.Plist.Agent.EnvironmentVariables["OLLAMA_HOSTS"] = secret
	expect(t, "where it is meant to be", judgeTraps(patient(), s, nil), Warn, "OLLAMA_HOSTS", "and then: ollama-bind fix --host 127.0.0.1:8080")
	asked := patient()
	asked.Asked = true
	expect(t, "where another address was asked for", judgeTraps(asked, s, nil), Warn, "OLLAMA_HOSTS", "and then: ollama-bind fix")
	if f := judgeTraps(asked, s, nil); strings.Contains(f.Fix, "127.0.0.1") {
		t.Errorf("another address was asked for: %+v", f)
	}
	s = bound()
	s.EnvFile, s.Job.Environment, s.Job.InheritedEnvironment = bind.EnvFile{}, without(), map[string]string{"OLLAMA_HOSTS": secret}
	if f := judgeTraps(patient(), s, nil); f.Status != Warn || f.Fix != "ollama-bind fix" {
		t.Errorf("fix goes before what is inherited: %+v", f)
	}
	setHost(&s, "mac.local")
	if f := judgeTraps(patient(), s, nil); strings.Contains(f.Fix, "remove") || !strings.HasPrefix(f.Fix, "ollama-bind fix") {
		t.Errorf("what fix changes: %+v", f)
	}
	s = bound()
	setHost(&s, "")
	s.Job.InheritedEnvironment = env("http://0.0.0.0")
	expect(t, "by setenv", judgeTraps(patient(), s, nil), Fail, "scheme", "ollama-bind fix")
}

func TestRebind(t *testing.T) {
	noLaunchd := &bind.Problem{ID: "no-launchctl"}
	for _, test := range []struct {
		system string
		err    error
		want   string
	}{
		{"darwin", nil, "ollama-bind fix"},
		{"darwin", &bind.Problem{ID: "launchctl-failed"}, "ollama-bind fix"},
		{"darwin", &bind.Problem{ID: "no-agent"}, `switch on "Expose Ollama to the network" in the settings of Ollama.app, or set OLLAMA_HOST=0.0.0.0:11434 where Ollama is started`},
		{"linux", noLaunchd, `sudo systemctl edit ollama, with Environment="OLLAMA_HOST=0.0.0.0:11434" below [Service], and sudo systemctl restart ollama`},
		{"windows", noLaunchd, "setx OLLAMA_HOST 0.0.0.0:11434, and start Ollama again"},
		{"plan9", noLaunchd, "set OLLAMA_HOST=0.0.0.0:11434 where Ollama is started"},
	} {
		if got := rebind(test.system, bind.State{}, 11434, test.err); got != test.want {
			t.Errorf("on %s with %v: %s, want %s", test.system, test.err, got, test.want)
		}
	}
	s := bound()
	s.Socket.Listeners[0].PID = 7
	if got := rebind("darwin", s, 11434, nil); !strings.HasPrefix(got, "ps -p 7 ") {
		t.Errorf("while somebody else has the port: %s", got)
	}
}
