package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/ollama-bind/ollama-bind/internal/backup"
	"github.com/ollama-bind/ollama-bind/internal/container"
	"github.com/ollama-bind/ollama-bind/internal/homebrew"
	"github.com/ollama-bind/ollama-bind/internal/lsof"
	"github.com/ollama-bind/ollama-bind/internal/ollama"
	"github.com/ollama-bind/ollama-bind/internal/service"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

// well is what is seen of a Mac on which nothing is wrong.
func well(t *testing.T) Seen {
	t.Helper()
	m := &mac{port: closed(t)}
	q := m.question(t)
	s := Seen{Facts: q.observe(t.Context()), environment: q.Getenv}
	s.Goal, s.AtLogin = service.GoalFor(ollama.Host{Port: 11434}, true), true
	s.State.Settings[0].File.UID, s.State.Settings[1].File.UID = 501, 501
	s.State.NotOllama, s.State.Settings[1].Agent.StandardErrorPath = false, "/var/log/ollama.log"
	setHost(&s, "0.0.0.0:11434")
	s.State.Socket = service.Socket{Port: 11434, Listeners: list("*:11434"), APIVersion: "0.36.0"}
	s.listeners, s.answers = s.State.Socket.Listeners, answers("0.36.0", "0.36.0")
	return s
}

// answers are what Ollama says on loopback and on other addresses, as versions;
// "" for none.
func answers(loopback string, others ...string) []answer {
	all := []answer{at("127.0.0.1", loopback)}
	for i, version := range others {
		all = append(all, at(fmt.Sprint("192.168.1.", 5+i), version))
	}
	return all
}

func at(ip, version string) answer {
	a := answer{address: netip.AddrPortFrom(netip.MustParseAddr(ip), 11434), version: version}
	if version == "" {
		a.err = syscall.ECONNREFUSED
	}
	return a
}

// list are listeners: the first is the service's.
func list(addresses ...string) (all []lsof.Listener) {
	for i, a := range addresses {
		all = append(all, lsof.Listener{PID: 6574 + i, Command: "ollama", User: "alice", Family: "IPv6", Address: a})
	}
	return all
}

// setHost gives all layers a value.
func setHost(s *Seen, value string) {
	env := map[string]string{ollama.Variable: value, "TOKEN": secret}
	for i := range s.State.Settings {
		s.State.Settings[i].Value, s.State.Settings[i].Agent.EnvironmentVariables = &value, env
	}
	s.State.Settings[0].File.Data = []byte("OLLAMA_HOST=" + value + "\n")
	s.State.Job.Environment = env
}

type change = func(*Seen)

func unset(s *Seen) {
	for i := range s.State.Settings {
		s.State.Settings[i].Value, s.State.Settings[i].Agent.EnvironmentVariables = nil, nil
	}
	s.State.Job.Environment = nil
}

func unload(s *Seen) {
	s.State.Service.Loaded, s.State.Job = false, service.Job{}
	quiet(s)
}

func quiet(s *Seen) {
	s.State.Socket = service.Socket{Port: 11434, APIErr: syscall.ECONNREFUSED}
	s.listeners, s.answers = nil, answers("", "")
}

func crash(exit string) change {
	return func(s *Seen) {
		s.State.Job.PID, s.State.Job.Runs, s.State.Job.LastExit = 0, 7, exit
		quiet(s)
	}
}

func plistErr(err error) change {
	return func(s *Seen) {
		s.State.Settings[1] = service.Setting{Layer: service.PlistLayer, Err: err, File: backup.File{Path: s.State.Service.Plist}}
	}
}

func nowhere(s *Seen) {
	unload(s)
	plistErr(fs.ErrNotExist)(s)
	s.State.Service.Chosen, s.State.Service.Label = service.ByPlist, ""
}

func stranger(s *Seen) {
	s.State.Socket.Listeners = []lsof.Listener{{PID: 7, Command: "nginx", Address: "127.0.0.1:11434"}}
	s.listeners = s.State.Socket.Listeners
}

func of(listeners ...string) change {
	return func(s *Seen) {
		s.listeners = list(listeners...)
		for i := range s.listeners {
			s.listeners[i].PID = 6574
		}
		s.State.Socket.Listeners = s.listeners
	}
}

func inShell(name, value string) change {
	return func(s *Seen) { s.environment = func(n string) string { return map[string]string{name: value}[n] } }
}

func answering(loopback string, others ...string) change {
	return func(s *Seen) { s.answers = answers(loopback, others...) }
}

const app = "/Applications/Ollama.app"

// second is what listens besides the service, and what ps shows of it.
func second(address string, parent int, program string) change {
	return func(s *Seen) {
		s.listeners = list("*:11434", address)
		s.processes = map[int]process{6574: {1, "/opt/homebrew/opt/ollama/bin/ollama"}, 6575: {parent, program}}
	}
}

func TestFindings(t *testing.T) {
	const old = "homebrew.mxcl.ollama"
	tailscale := append(answers("0.36.0", "0.36.0"), at("2001:db8::7", "0.36.0"), at("100.64.0.7", "0.36.0"))
	for _, tc := range []struct {
		check, name string
		change      change
		status      Status
		text        string // a part of the summary, or else of the evidence
		fix         string // a part of the fix
	}{
		{"platform", "", nil, OK, "launchd is here", ""},
		{"agent-found", "", nil, OK, "sh.brew.ollama", ""},
		{"agent-found", "of root", func(s *Seen) { s.State.Service.Daemon = true }, OK, "whole machine", ""},
		{"agent-found", "named", func(s *Seen) { s.State.Service.Chosen = service.ByPlist }, OK, "named", ""},
		{"agent-found", "named, and not there", nowhere, Fail, "no plist", "ls -l "},
		{"job-loaded", "named, and not there", nowhere, Skip, "no plist", ""},
		{"label", "", nil, OK, "sh.brew.ollama", ""},
		{"label", "old", func(s *Seen) { s.State.Service.Label, s.State.Settings[1].Agent.Label = old, old }, OK, "replaces", ""},
		{"label", "named", func(s *Seen) { s.State.Service.Chosen = service.ByPlist }, OK, "of the plist that was named", ""},
		{"two-jobs", "", nil, OK, "only one", ""},
		{"two-jobs", "a second file", func(s *Seen) { s.others = []homebrew.Candidate{{Plist: "/a b"}} }, Warn, "second plist", "rm '/a b'"},
		{"two-jobs", "a second file of root's", func(s *Seen) { s.others = []homebrew.Candidate{{Plist: "/a", Daemon: true}} }, Warn, "", "sudo rm /a"},
		{"two-jobs", "two", func(s *Seen) { s.State.Service.Rival = &service.Rival{Target: s.State.Service.Target} }, Fail, "two services", "launchctl bootout gui/501/"},
		{"job-loaded", "", nil, OK, "process 6574", ""},
		{"job-loaded", "not", unload, Fail, "not loaded", "brew services start ollama"},
		{"job-loaded", "unclear", func(s *Seen) { s.State.Job = service.Job{Err: launchctl.ErrNoAnswer} }, Skip, "no answer", ""},
		{"disabled", "", nil, OK, "nothing keeps", ""},
		{"disabled", "unclear", func(s *Seen) { s.disabledErr = launchctl.ErrFormat }, Skip, "not understood", ""},
		{"last-exit", "first run", nil, OK, "without a break", ""},
		{"last-exit", "up again", func(s *Seen) { s.State.Job.LastExit, s.State.Job.Runs = "2", 3 }, Warn, "ended with 2", "tail -n 20 /var/log/ollama.log"},
		{"last-exit", "ended", func(s *Seen) { crash("0")(s); s.State.Job.Runs = 1 }, OK, "does not run now", ""},
		{"last-exit", "looping", crash("1"), Fail, "does not stay up (last exit: 1)", "tail"},
		{"last-exit", "what 78 means", crash("78: EX_CONFIG"), Fail, "could not start it at all", "tail"},
		{"last-exit", "the log", func(s *Seen) { crash("1")(s); s.State.LogError = "Error: in use" }, Fail, "/var/log/ollama.log: Error: in use", "tail"},
		{"plist-parses", "", nil, OK, "understands", ""},
		{"plist-permissions", "", nil, OK, "yours", ""},
		{"plist-permissions", "unread", plistErr(fs.ErrNotExist), Skip, "not be read", ""},
		{"value-in-env-file", "", nil, OK, "0.0.0.0:11434", ""},
		{"value-in-env-file", "skipped by Homebrew", func(s *Seen) { s.State.Settings[0].File.Mode = 0o664 }, Warn, "others can write", "chmod go-w "},
		{"value-in-env-file", "empty", func(s *Seen) { setHost(s, "") }, OK, "empty", ""},
		{"value-in-env-file", "old Homebrew", func(s *Seen) { s.State.Settings[0].Use = service.TooOld }, Skip, "older than 6.0.15", ""},
		{"value-in-env-file", "none", func(s *Seen) { s.State.Settings = s.State.Settings[1:] }, Skip, "Homebrew's services only", ""},
		{"value-in-plist", "", nil, OK, "0.0.0.0:11434", ""},
		{"value-in-plist", "unread", plistErr(fs.ErrNotExist), Skip, "not be read", ""},
		{"value-in-job", "", nil, OK, "0.0.0.0:11434", ""},
		{"value-in-job", "not loaded", unload, Skip, "not loaded", ""},
		{"launchctl-getenv", "", nil, OK, "not set", ""},
		{"launchctl-getenv", "set", func(s *Seen) { s.getenv = "0.0.0.0" }, Warn, "until the next reboot", "launchctl unsetenv OLLAMA_HOST"},
		{"value-traps", "", nil, OK, "nothing that", ""},
		{"value-traps", "where", func(s *Seen) { setHost(s, "*:11434") }, Fail, "sh.brew.ollama.plist: ", "ollama-bind fix"},
		{"listeners", "all", of("*:11434"), OK, "*:11434, all interfaces", ""},
		{"listeners", "loopback", of("127.0.0.1:11434"), Warn, "listens on 127.0.0.1:11434", "ollama-bind fix"},
		{"listeners", "nobody", unload, Fail, "nothing listens on port 11434", "brew services start ollama"},
		{"listeners", "unseen", func(s *Seen) { s.listeners = nil }, Warn, "another user's", "sudo lsof -nP -iTCP:11434"},
		{"listeners", "lsof fails", func(s *Seen) { s.listenersErr = launchctl.ErrFormat }, Skip, "not understood", ""},
		{"owner-is-job", "", nil, OK, "own process, 6574", ""},
		{"owner-is-job", "held", stranger, Fail, "held by nginx (pid 7)", "ps -p 7"},
		{"owner-is-job", "nobody", unload, Skip, "nothing listens", ""},
		{"owner-is-job", "no lsof", func(s *Seen) { s.State.Socket = service.Socket{Err: launchctl.ErrNoTool} }, Skip, "no lsof", ""},
		{"second-ollama", "none", nil, OK, "the only one", ""},
		{"second-ollama", "the app is there", func(s *Seen) { s.app = app }, OK, "if you start Ollama.app", ""},
		{"second-ollama", "the app fights", func(s *Seen) { s.app, s.State.Job.Runs = app, 9 }, Warn, "a guess", "pkill -x Ollama"},
		{"second-ollama", "the app runs", second("127.0.0.1:11434", 5, app+"/Contents/Resources/ollama"), Fail, "127.0.0.1:11434, process 6575", "pkill -x Ollama"},
		{"second-ollama", "in a terminal", second("127.0.0.1:11434", 400, "ollama"), Fail, "process 6575", "ps -p 6575"},
		{"second-ollama", "on another port", second("127.0.0.1:8080", 400, "ollama"), Warn, "127.0.0.1:8080", "ps -p 6575"},
		{"second-ollama", "the worst first", func(s *Seen) { s.listeners = list("*:11434", "*:9", "127.0.0.1:11434") }, Fail, "process 6576", "ps -p 6576"},
		{"second-ollama", "a child", second("127.0.0.1:50123", 6574, "ollama"), OK, "the only one", ""},
		{"second-ollama", "perhaps a child", func(s *Seen) { s.listeners, s.processesErr = list("*:11434", "*:5"), errors.New("hangs") }, OK, "the only one", ""},
		{"second-ollama", "stopped", func(s *Seen) { unload(s); s.listeners = list("*:11434") }, Fail, "process 6574", "ps -p 6574"},
		{"second-ollama", "no service", func(s *Seen) { s.Err, s.State = noService, service.State{} }, OK, "the only one", ""},
		{"api-version", "", nil, OK, "Ollama 0.36.0 answers", ""},
		{"api-version", "elsewhere", answering("", "0.36.0"), OK, "at 192.168.1.5:11434, and not on loopback", ""},
		{"api-from-own-address", "both", answering("0.36.0", "", "0.36.0"), OK, "192.168.1.6:11434", ""},
		{"api-from-own-address", "loopback alone", answering("0.36.0", ""), OK, "loopback alone", ""},
		{"api-from-own-address", "no network", answering("0.36.0"), Skip, "no other address", ""},
		{"api-from-own-address", "silent", answering("", ""), Skip, "does not answer", ""},
		{"lasting", "", nil, OK, "stays", ""},
		{"lasting", "nothing set", unset, Skip, "nothing can be lost", ""},
		{"state-folder", "", nil, OK, "can be kept", ""},
		{"homebrew-version", "", func(s *Seen) { s.State.Settings[0].Use = service.Heeded }, OK, "6.0.15 or later", ""},
		{"homebrew-version", "old", func(s *Seen) { s.State.Settings[0].Use = service.TooOld }, Warn, "older than 6.0.15", "brew update"},
		{"homebrew-version", "unknown", func(s *Seen) { s.State.Settings[0].Use = service.Unasked }, Skip, "not found", ""},
		{"homebrew-version", "of root", func(s *Seen) { s.State.Settings[0].Use = service.NotForRoot }, Skip, "root", ""},
		{"homebrew-version", "none", func(s *Seen) { s.State.Settings = s.State.Settings[1:] }, Skip, "not Homebrew's", ""},
		{"firewall-state", "off", func(s *Seen) { s.firewall = "off" }, OK, "off", ""},
		{"firewall-state", "on", func(s *Seen) { s.firewall = "on" }, OK, "on: it never filters loopback", ""},
		{"firewall-state", "all", func(s *Seen) { s.firewall = blocksAll }, Warn, "block all", "open "},
		{"firewall-state", "unknown", nil, Skip, "could not be asked", ""},
		{"exposed-addresses", "loopback", answering("0.36.0", ""), OK, "nobody but this Mac", ""},
		{"exposed-addresses", "one", nil, Warn, "one address of this machine can", "ollama-bind fix --host 127.0.0.1:11434"},
		{"exposed-addresses", "its name", func(s *Seen) { s.interfaces = map[netip.Addr]string{s.answers[1].address.Addr(): "en0"} }, Warn, "en0 192.168.1.5, private", "fix"},
		{"exposed-addresses", "global", func(s *Seen) { s.answers = tailscale }, Warn, "one of 3 addresses of this machine, also by global IPv6, can use", "fix"},
		{"exposed-addresses", "a VPN", func(s *Seen) { s.answers = tailscale }, Warn, "global IPv6\n100.64.0.7, VPN, such as Tailscale", "fix"},
		{"client-env", "unset", nil, OK, "asks 127.0.0.1:11434, which answers", ""},
		{"client-env", "wildcard", inShell("OLLAMA_HOST", "0.0.0.0"), OK, "asks 127.0.0.1:11434", ""},
		{"client-env", "another machine", inShell("OLLAMA_HOST", "gpu.lan"), Warn, "asks gpu.lan:11434", "unset OLLAMA_HOST"},
		{"client-env", "a service elsewhere", answering("", "0.36.0"), Warn, "and not 192.168.1.5:11434", "export OLLAMA_HOST=192.168.1.5:11434"},
		{"client-env", "down", answering("", ""), Skip, "does not answer", ""},
		{"client-env", "down, and misled", func(s *Seen) { inShell("OLLAMA_HOST", "gpu.lan")(s); s.answers = answers("") }, Warn, "gpu.lan", "unset OLLAMA_HOST"},
		{"client-env", "proxied", inShell("http_proxy", "http://me:"+secret+"@proxy"), OK, "--noproxy", ""},
	} {
		s := well(t)
		if tc.change != nil {
			tc.change(&s)
		}
		f := byID(Run(s, Checks()))[tc.check]
		text := tc.text
		if strings.Contains(f.Evidence, text) {
			text = ""
		}
		expect(t, tc.check+" "+tc.name, f, tc.status, text, tc.fix)
	}
}

var noService = &service.Error{ID: service.NoService, Err: errors.New("no service")}

// TestFirst is what to start with.
func TestFirst(t *testing.T) {
	reaching := func(results ...container.Result) *container.Report {
		r := &container.Report{Found: container.Found{Runtimes: []container.Runtime{{Tool: "docker"}}}}
		for _, result := range results {
			r.URLs = append(r.URLs, container.ClientURL{
				Hosts:     []container.HostResult{{Host: "a"}, {Host: "b", Loopback: container.ListenerResult{Result: result}}},
				Diagnosis: container.Diagnosis{Verdict: container.Reachable},
			})
		}
		return r
	}
	forwarded := func(s *Seen) { of("127.0.0.1:11434")(s); s.Report = reaching(container.OK, container.OK) }
	for name, tc := range map[string]struct {
		change    change
		id        string
		listeners Status
	}{
		"well":                {func(*Seen) {}, "", OK},
		"on loopback":         {of("127.0.0.1:11434"), "listens-elsewhere", Warn},
		"which will do":       {forwarded, "", OK},
		"with something else": {func(s *Seen) { forwarded(s); s.Disabled = true }, "disabled", OK},
		"not for all":         {func(s *Seen) { forwarded(s); s.Report = reaching(container.OK, container.Refused) }, "listens-elsewhere", Warn},
		"not reached": {func(s *Seen) {
			forwarded(s)
			s.local.Rebind, s.Report.URLs[0].Diagnosis.Verdict = "cure", container.RebindNeeded
		}, reaches, OK},
		"the service first": {func(s *Seen) { unload(s); s.Report = reaching(container.Refused) }, "not-loaded", Fail},
		"no service":        {func(s *Seen) { s.Err, s.answers = noService, answers("") }, service.NoService, OK},
	} {
		s := well(t)
		tc.change(&s)
		switch first := First(s); {
		case first == nil && tc.id != "", first != nil && first.ID != tc.id:
			t.Errorf("%s: %+v, want %q", name, first, tc.id)
		}
		if f := byID(Run(s, Checks()))["listeners"]; f.Status != tc.listeners {
			t.Errorf("%s: %+v, want %s", name, f, tc.listeners)
		}
	}
	s := well(t)
	s.Err = noService
	expect(t, "the app", byID(Run(s, Checks()))["agent-found"], Warn, "held by ollama (pid 6574)", "ollama-bind probe")
}

func TestPlatform(t *testing.T) {
	for system, text := range map[string]string{"linux": "systemd usually runs Ollama", "windows": "quit Ollama", "plan9": ""} {
		s := well(t)
		s.System, s.getenvErr = system, launchctl.ErrNoTool
		s.Err = &service.Error{ID: "no-launchctl", Err: errors.New("this machine has no launchctl")}
		f := byID(Run(s, Checks()))["platform"]
		if expect(t, system, f, Warn, "no launchctl", " "); !strings.Contains(f.Evidence, text) {
			t.Errorf("%s: %+v", system, f)
		}
	}
}

func TestKinds(t *testing.T) {
	for kind, ips := range map[string]string{
		"private": "10.0.0.1 172.16.0.1 fd12::1", "VPN, such as Tailscale": "100.64.0.1 100.127.255.254 fd7a:115c:a1e0::1",
		"public IPv4": "100.128.0.1 203.0.113.9", globalIPv6: "2a00::1",
	} {
		for ip := range strings.FieldsSeq(ips) {
			if got := kindOf(netip.MustParseAddr(ip)); got != kind {
				t.Errorf("%s is %s, want %s", ip, got, kind)
			}
		}
	}
}

func TestAdvisories(t *testing.T) {
	for version, want := range map[string]struct {
		status Status
		text   string
	}{
		"0.40.2": {OK, "public records of 2026-10-09 name none for 0.40.2"}, "0.35.0": {OK, "none"}, "v0.33.3": {OK, "none"},
		"0.34.2": {Warn, "CVE-2026-103663"}, "0.35.0-rc1": {Warn, "CVE-2026-103663"}, "0.34.1": {OK, "none"},
		"0.33.2": {Warn, "a security hole: CVE-2026-85180"}, "0.31.1": {Warn, "2 security holes, among them CVE-2026-85180"},
		"0.29.0": {Warn, "a security hole: CVE-2026-86289"}, "0.31.2-rc0": {Warn, "2 security holes"},
		"0.20.2": {Warn, "2 security holes"}, "0.20.3": {Warn, "a security hole: CVE-2026-86289"}, "0.20.2+build": {Warn, "CVE-2026-86289"},
		"0.17.1": {Warn, "2 security holes"}, "0.17.1-rc0": {Warn, "3 security holes"}, "0.14.2": {Warn, "4 security holes"},
		"0.3.14": {Warn, "5 security holes"}, "0.1.28": {Warn, "10 security holes"}, "1.0.0": {OK, "none"},
		"0.0.0": {Skip, "not a release"}, "0.0.0-dev": {Skip, "not a release"}, "main": {Skip, "not a release"},
		"1.2": {Skip, "not a release"}, "0.x.1": {Skip, "not a release"}, "99999999999999999999.0.0": {Skip, "not a release"},
	} {
		s := well(t)
		s.answers = answers(version)
		f := knownHoles(s)
		if expect(t, version, f, want.status, want.text, ""); !strings.Contains(f.Evidence, "password") || (f.Fix == "") == (f.Status == Warn) {
			t.Errorf("%s: %+v", version, f)
		}
	}
	s := well(t)
	s.now = advisoriesAsOf.AddDate(1, 0, 1)
	expect(t, "a year later", knownHoles(s), Skip, "is of 2026-10-09, too old to be believed", "")
	s.answers = answers("0.34.2")
	expect(t, "a year later, and affected", knownHoles(s), Warn, "CVE-2026-103663", "")
	for _, a := range advisories {
		_, fixed := parseRelease(a.fixed)
		_, last := parseRelease(a.last)
		if fixed == last || a.what == "" {
			t.Errorf("%s: when was it fixed?", a.id)
		}
	}
}

type canned string

func (c canned) Run(context.Context, string, ...string) ([]byte, error) { return []byte(c), nil }

func TestFirewallState(t *testing.T) {
	five, err := os.ReadFile("../../fixtures/captures/socketfilterfw-five-getters-2023.txt")
	if err != nil {
		t.Fatal(err)
	}
	for answer, want := range map[string]string{
		string(five):                          "on", // whatever the other getters say
		"Firewall is disabled. (State = 0)\n": "off",
		"Firewall is enabled. (State = 1)\n":  "on",
		"Firewall is enabled. (State = 2)\n":  "on (state 2)",
		"Firewall is blocking all non-essential incoming connections. (State = 2)": blocksAll,
		"what?": "",
	} {
		if got := Firewall(t.Context(), canned(answer)); got != want {
			t.Errorf("%q: %q, want %q", answer, got, want)
		}
	}
}
