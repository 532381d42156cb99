package doctor

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"github.com/ollama-bind/ollama-bind/internal/bind"
	"github.com/ollama-bind/ollama-bind/launchctl"
)

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

func TestListeners(t *testing.T) {
	list := func(addresses ...string) (all []launchctl.Listener) {
		for i, a := range addresses {
			all = append(all, listener(6574+i, a))
		}
		return all
	}
	expect(t, "all", judgeListeners(11434, list("*:11434"), true, nil), OK, "*:11434, all interfaces", "")
	expect(t, "loopback", judgeListeners(11434, list("127.0.0.1:11434"), true, nil), Warn, "loopback alone", "")
	expect(t, "both", judgeListeners(11434, list("127.0.0.1:11434", "*:11434"), true, nil), OK, "all interfaces", "")
	expect(t, "one", judgeListeners(11434, list("192.168.1.5:11434"), true, nil), Warn, "one address", "")
	expect(t, "nobody", judgeListeners(11434, nil, false, nil), Fail, "nothing listens on port 11434", "")
	expect(t, "unseen", judgeListeners(11434, nil, true, nil), Warn, "another user's", "sudo lsof -nP -iTCP:11434")
	expect(t, "no lsof", judgeListeners(11434, nil, true, fmt.Errorf("lsof: %w", launchctl.ErrNoTool)), Skip, "no lsof", "")
	expect(t, "lsof fails", judgeListeners(11434, nil, true, launchctl.ErrFormat), Skip, "not understood", "")
	if got := on(11434, list("*:11434", "*:8080")); len(got) != 1 {
		t.Errorf("on one port: %v", got)
	}
}

func TestOwner(t *testing.T) {
	judge := func(change change) Finding {
		s := bound()
		change(&s)
		return judgeOwner(s, 11434)
	}
	expect(t, "own", judge(func(*bind.State) {}), OK, "own process, 6574", "")
	expect(t, "other", judge(func(s *bind.State) { s.Socket.Listeners[0].PID = 7 }), Fail, "held by ollama (pid 7)", "ps -p 7")
	expect(t, "beside", judge(func(s *bind.State) {
		s.Socket.Listeners = append(s.Socket.Listeners, listener(7, "127.0.0.1:11434"))
	}), Fail, "held by ollama (pid 7)", "ps -p 7")
	expect(t, "not loaded", judge(unload), Fail, "held by", "ps -p 6574")
	expect(t, "root's", judge(func(s *bind.State) { s.Socket.Listeners, s.Socket.Unseen = nil, true }), Fail, "another user", "sudo lsof")
	expect(t, "a service of root's, seen by another", judge(func(s *bind.State) {
		s.Agent.Daemon, s.Socket.Listeners, s.Socket.Unseen = true, nil, true
	}), Skip, "root alone", "")
	expect(t, "a service of root's that is down", judge(func(s *bind.State) {
		s.Agent.Daemon, s.Job.PID, s.Socket.Listeners, s.Socket.Unseen = true, 0, nil, true
	}), Fail, "another user", "sudo lsof")
	expect(t, "for a property list that is not there", judge(nowhere), Skip, "no property list", "")
	expect(t, "nobody", judge(crash("1")), Skip, "nothing listens", "")
	expect(t, "unclear", judge(unclear), Skip, "no answer", "")
	expect(t, "no lsof", judge(func(s *bind.State) { s.Socket = bind.Socket{Err: launchctl.ErrNoTool} }), Skip, "no lsof", "")
}

func TestSecond(t *testing.T) {
	service := bind.Job{Loaded: true, Job: launchctl.Job{PID: 6574, Runs: 1}}
	looping := bind.Job{Loaded: true, Job: launchctl.Job{PID: 6574, Runs: 9}}
	app := map[int]process{6574: {1, "/opt/homebrew/opt/ollama/bin/ollama"}, 7: {5, "/Applications/Ollama.app/Contents/Resources/ollama"}}
	for name, tc := range map[string]struct {
		v      view
		status Status
		text   string
		fix    string
	}{
		"none":              {view{job: service}, OK, "no other one", ""},
		"the service":       {view{job: service, listeners: []launchctl.Listener{listener(6574, "*:11434")}}, OK, "no other one", ""},
		"the app is there":  {view{job: service, app: bundle}, OK, "Ollama.app, if it is started", ""},
		"the app fights":    {view{job: looping, app: bundle}, Warn, "a guess", "quit app"},
		"often started":     {view{job: looping}, OK, "no other one", ""},
		"the app runs":      {view{job: service, running: app, app: bundle, listeners: []launchctl.Listener{listener(6574, "*:11434"), listener(7, "127.0.0.1:11434")}}, Fail, "127.0.0.1:11434, process 7", "quit app"},
		"on another port":   {view{job: service, running: app, listeners: []launchctl.Listener{listener(7, "127.0.0.1:8080")}}, Warn, "127.0.0.1:8080, process 7", ""},
		"in a terminal":     {view{job: service, running: map[int]process{7: {400, "ollama"}}, listeners: []launchctl.Listener{listener(7, "127.0.0.1:11434")}}, Fail, "process 7", "ps -p 7"},
		"the worst first":   {view{job: service, running: app, listeners: []launchctl.Listener{listener(8, "127.0.0.1:9"), listener(7, "127.0.0.1:11434")}}, Fail, "process 7", ""},
		"a child":           {view{job: service, running: map[int]process{9: {6574, "ollama"}}, listeners: []launchctl.Listener{listener(6574, "*:11434"), listener(9, "127.0.0.1:50123")}}, OK, "no other one", ""},
		"perhaps a child":   {view{job: service, blind: true, listeners: []launchctl.Listener{listener(6574, "*:11434"), listener(9, "127.0.0.1:50123")}}, OK, "no other one", ""},
		"stopped":           {view{job: bind.Job{}, listeners: []launchctl.Listener{listener(7, "127.0.0.1:11434")}}, Fail, "process 7", "ps -p 7"},
		"no service":        {view{unmanaged: true, listeners: []launchctl.Listener{listener(7, "*:11434")}}, OK, "no other one", ""},
		"two, no service":   {view{unmanaged: true, listeners: []launchctl.Listener{listener(7, "*:11434"), listener(8, "127.0.0.1:11434")}}, Fail, "process 8", "ps -p 8"},
		"another program's": {view{job: service, listeners: []launchctl.Listener{{PID: 8, Command: "nginx", Address: "*:8080"}}}, OK, "no other one", ""},
	} {
		tc.v.port = 11434
		expect(t, name, tc.v.judge(), tc.status, tc.text, tc.fix)
	}
}

func TestParseProcesses(t *testing.T) {
	got := parseProcesses([]byte("  6574     1 /opt/homebrew/opt/ollama/bin/ollama\n    7  5 /Applications/My Ollama.app/x\nnoise\n"))
	if len(got) != 2 || got[6574] != (process{1, "/opt/homebrew/opt/ollama/bin/ollama"}) || got[7] != (process{5, "/Applications/My Ollama.app/x"}) {
		t.Errorf("%+v", got)
	}
}

func TestVersion(t *testing.T) {
	if _, ok := judgeVersion(answers("", "")); ok {
		t.Error("silence is an answer")
	}
	f, _ := judgeVersion(answers("0.36.0", ""))
	expect(t, "loopback", f, OK, "Ollama 0.36.0 answers", "")
	f, _ = judgeVersion(answers("", "0.36.0"))
	expect(t, "elsewhere", f, OK, "at 192.168.1.5:11434, and not on loopback", "")
}

func TestServerOf(t *testing.T) {
	for name, tc := range map[string]struct {
		all               []answer
		loopback, outside bool
		bound             string
	}{
		"silent":   {answers("", ""), false, false, ""},
		"loopback": {answers("0.36.0", ""), true, false, ""},
		"all":      {answers("0.36.0", "0.36.0"), true, true, ""},
		"one":      {answers("", "", "0.36.0"), false, true, "192.168.1.6:11434"},
	} {
		s := serverOf(11434, tc.all)
		if s.Loopback != tc.loopback || s.Outside != tc.outside || s.Bound != tc.bound || s.Port != 11434 {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

// TestWhyDown: probe asks for it, so "ollama-bind probe" is no cure.
func TestWhyDown(t *testing.T) {
	noAgent := &bind.Problem{ID: "no-agent", Hint: "brew services start ollama", Err: errors.New("no service")}
	c := patient()
	if got := c.whyDown(bind.State{}, noAgent, 11434, answers("")); got.ID != "no-agent" || got.Hint != noAgent.Hint || !strings.Contains(got.Text, "nothing answers") {
		t.Errorf("nobody there: %+v", got)
	}
	c.System = "linux"
	if got := c.whyDown(bind.State{}, &bind.Problem{ID: "no-launchctl"}, 11434, answers("")); got.Hint != "sudo systemctl start ollama || ollama serve" {
		t.Errorf("on Linux: %+v", got)
	}
	noAgent.Hint = "ollama-bind probe"
	if got := c.whyDown(bind.State{}, noAgent, 11434, answers("")); got.Hint != "lsof -nP -iTCP:11434 -sTCP:LISTEN" {
		t.Errorf("somebody on another address: %+v", got)
	}
	noAgent.Hint = "brew services start ollama"
	deaf := answers("")
	deaf[0].err = errors.New("timed out")
	if got := c.whyDown(bind.State{}, noAgent, 11434, deaf); got.Hint != "lsof -nP -iTCP:11434 -sTCP:LISTEN" || !strings.Contains(got.Text, "somebody has port 11434") {
		t.Errorf("somebody there: %+v", got)
	}
}

func TestOwnAddress(t *testing.T) {
	expect(t, "both", judgeOwnAddress(answers("0.36.0", "", "0.36.0"), "rebind"), OK, "192.168.1.6:11434", "")
	expect(t, "loopback alone", judgeOwnAddress(answers("0.36.0", ""), "rebind"), Warn, "loopback alone", "rebind")
	expect(t, "no network", judgeOwnAddress(answers("0.36.0"), "rebind"), Skip, "no other address", "")
	expect(t, "silent", judgeOwnAddress(answers("", ""), "rebind"), Skip, "does not answer", "")
}

func TestClient(t *testing.T) {
	shell := func(pairs ...string) func(string) string {
		return func(name string) string {
			for i := 0; i < len(pairs); i += 2 {
				if pairs[i] == name {
					return pairs[i+1]
				}
			}
			return ""
		}
	}
	up, down, elsewhere := answers("0.36.0", "0.36.0"), answers("", ""), answers("", "0.36.0")
	expect(t, "unset", judgeClient(shell(), up), OK, "asks 127.0.0.1:11434, which answers", "")
	expect(t, "wildcard", judgeClient(shell("OLLAMA_HOST", "0.0.0.0"), up), OK, "asks 127.0.0.1:11434", "")
	expect(t, "own address", judgeClient(shell("OLLAMA_HOST", "192.168.1.5"), up), OK, "asks 192.168.1.5:11434", "")
	expect(t, "another port", judgeClient(shell("OLLAMA_HOST", "127.0.0.1:8080"), up), Warn, "asks 127.0.0.1:8080", "unset OLLAMA_HOST")
	expect(t, "web port", judgeClient(shell("OLLAMA_HOST", "http://127.0.0.1"), up), Warn, "asks 127.0.0.1:80", "unset OLLAMA_HOST")
	expect(t, "another machine", judgeClient(shell("OLLAMA_HOST", "gpu.lan:11434"), up), Warn, "asks gpu.lan:11434", "unset OLLAMA_HOST")
	expect(t, "a service elsewhere", judgeClient(shell(), elsewhere), Warn, "and not 192.168.1.5:11434", "export OLLAMA_HOST=192.168.1.5:11434")
	expect(t, "down", judgeClient(shell(), down), Skip, "does not answer", "")
	expect(t, "down, and misled", judgeClient(shell("OLLAMA_HOST", "gpu.lan"), down), Warn, "asks gpu.lan:11434", "unset OLLAMA_HOST")
	proxied := judgeClient(shell("http_proxy", "http://me:"+secret+"@proxy"), up)
	expect(t, "proxied", proxied, OK, "", "")
	if !strings.Contains(proxied.Evidence, "--noproxy") {
		t.Errorf("nothing on the proxy: %+v", proxied)
	}
	excepted := judgeClient(shell("http_proxy", "http://proxy", "no_proxy", "localhost,127.0.0.1"), up)
	if strings.Contains(excepted.Evidence, "proxy") {
		t.Errorf("a proxy that is not asked: %+v", excepted)
	}
}

func TestFirewall(t *testing.T) {
	expect(t, "off", judgeFirewall("off"), OK, "off", "")
	expect(t, "on", judgeFirewall("on"), OK, "on: it never filters loopback", "")
	expect(t, "all", judgeFirewall(bind.BlocksAll), Warn, "block all", "System Settings")
	expect(t, "unknown", judgeFirewall(""), Skip, "could not be asked", "")
}

func TestExposed(t *testing.T) {
	expect(t, "silent", judgeExposed(answers("", ""), nil, "close"), Skip, "does not answer", "")
	expect(t, "loopback", judgeExposed(answers("0.36.0", ""), nil, "close"), OK, "nobody but this Mac", "")
	interfaces := []Interface{{"en0", []netip.Addr{netip.MustParseAddr("192.168.1.5"), netip.MustParseAddr("2001:db8::7")}}}
	f := judgeExposed(answers("0.36.0", "0.36.0", ""), interfaces, "close")
	expect(t, "one", f, Warn, "one address of this machine", "close")
	if f.Evidence != "en0 192.168.1.5, private" {
		t.Errorf("evidence: %q", f.Evidence)
	}
	f = judgeExposed(append(answers("0.36.0", "0.36.0"), at("2001:db8::7", "0.36.0"), at("100.64.0.7", "0.36.0")), interfaces, "close")
	expect(t, "global", f, Warn, "one of 3 addresses of this machine, also by global IPv6, can use and change Ollama: it has no password", "close")
	if f.Evidence != "en0 192.168.1.5, private\nen0 2001:db8::7, global IPv6\n100.64.0.7, VPN, such as Tailscale" {
		t.Errorf("evidence: %q", f.Evidence)
	}
}

func TestKinds(t *testing.T) {
	for ip, want := range map[string]string{
		"10.0.0.1": "private", "192.168.64.1": "private", "172.16.0.1": "private", "fd12::1": "private",
		"100.64.0.1": "VPN, such as Tailscale", "100.127.255.254": "VPN, such as Tailscale", "fd7a:115c:a1e0::1": "VPN, such as Tailscale",
		"100.128.0.1": "public IPv4", "203.0.113.9": "public IPv4", "2a00::1": globalIPv6,
	} {
		if got := kindOf(netip.MustParseAddr(ip)); got != want {
			t.Errorf("%s is %s, want %s", ip, got, want)
		}
	}
}

func TestInterfaces(t *testing.T) {
	for _, i := range Interfaces() {
		for _, a := range i.Addresses {
			if nameOf(Interfaces(), a) == "" || a.Is4In6() {
				t.Errorf("%s has lost %s", i.Name, a)
			}
		}
	}
}

func TestAdvisories(t *testing.T) {
	for version, want := range map[string]struct {
		status Status
		text   string
	}{
		"0.36.0": {OK, "none that was known in 2026-11"}, "0.35.0": {OK, "none"}, "0.33.0-rc2": {OK, "none"}, "v0.33.0": {OK, "none"},
		"0.34.2": {Warn, "CVE-2026-103663"}, "0.35.0-rc1": {Warn, "CVE-2026-103663"}, "0.34.1": {OK, "none"},
		"0.20.2": {Warn, "CVE-2026-7020"}, "0.20.3": {OK, "none"}, "0.20.2+build": {Warn, "CVE-2026-7020"},
		"0.17.1": {Warn, "CVE-2026-7020"}, "0.17.1-rc0": {Warn, "2 security holes, among them CVE-2026-7482"},
		"0.9.9": {Warn, "2 security holes, among them CVE-2026-7482"}, "0.1.28": {Warn, "5 security holes"},
		"0.0.0": {Skip, "no release"}, "0.0.0-dev": {Skip, "no release"}, "": {Skip, "no release"}, "main": {Skip, "no release"},
		"1.2": {Skip, "no release"}, "0.x.1": {Skip, "no release"}, "1.0.0": {OK, "none"}, "99999999999999999999.0.0": {Skip, "no release"},
	} {
		f := judgeAdvisories(version, "upgrade")
		fix := ""
		if want.status == Warn {
			fix = "upgrade"
		}
		expect(t, version, f, want.status, want.text, fix)
		if !strings.Contains(f.Evidence, "password") {
			t.Errorf("%s: nothing on the password: %q", version, f.Evidence)
		}
	}
	for _, a := range advisories {
		_, fixed := parseVersion(a.fixed)
		_, after := parseVersion(a.after)
		if fixed == after || a.what == "" {
			t.Errorf("%s: when was it fixed?", a.id)
		}
	}
}
