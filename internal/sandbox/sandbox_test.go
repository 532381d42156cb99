package sandbox

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"howett.net/plist"
)

// envOwner makes the test executable an owner of a Mac that waits to be killed.
const envOwner = "SANDBOX_TEST_OWNER"

func TestMain(m *testing.M) {
	Main()
	if dir := os.Getenv(envOwner); dir != "" {
		ownerMain(dir)
	}
	os.Exit(m.Run())
}

const label = "homebrew.mxcl.ollama"

// timeout bounds what should happen at once.
const timeout = 15 * time.Second

// agent is a plist such as Homebrew writes; extra are further keys, env the environment, one KEY=VALUE each.
func agent(extra string, env ...string) []byte {
	var vars strings.Builder
	for _, kv := range env {
		k, v, _ := strings.Cut(kv, "=")
		fmt.Fprintf(&vars, "\t\t<key>%s</key>\n\t\t<string>%s</string>\n", k, v)
	}
	return []byte(`<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
	<key>EnvironmentVariables</key>
	<dict>
` + vars.String() + `	</dict>
	<key>Label</key>
	<string>some.label</string>
` + extra + `	<key>ProgramArguments</key>
	<array>
		<string>/opt/homebrew/opt/ollama/bin/ollama</string>
		<string>serve</string>
	</array>
	<key>StandardErrorPath</key>
	<string>/opt/homebrew/var/log/ollama.log</string>
	<key>StandardOutPath</key>
	<string>/opt/homebrew/var/log/ollama.log</string>
	<key>WorkingDirectory</key>
	<string>/opt/homebrew/var</string>
</dict>
</plist>
`)
}

const (
	keepAlive    = "\t<key>KeepAlive</key>\n\t<true/>\n"
	runAtLoad    = "\t<key>RunAtLoad</key>\n\t<true/>\n"
	everySession = "\t<key>LimitLoadToSessionType</key>\n\t<array><string>Aqua</string><string>Background</string></array>\n"
	brewKeys     = keepAlive + everySession + runAtLoad
)

// userOptions are those of an ordinary user with the number that the captures have, and a short throttle.
func userOptions() Options {
	return Options{UID: 501, Caller: CallerUser, Throttle: 50 * time.Millisecond}
}

func newMac(t *testing.T, o Options) *Mac {
	t.Helper()
	m, err := Start(t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

func install(t *testing.T, m *Mac, data []byte) string {
	t.Helper()
	path, err := m.Install(label, data)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// mustRun runs launchctl and wants success.
func mustRun(t *testing.T, m *Mac, args ...string) string {
	t.Helper()
	stdout, stderr, code := m.Launchctl(args...)
	if code != 0 || stderr != "" {
		t.Fatalf("launchctl %s: exit %d: %s", strings.Join(args, " "), code, stderr)
	}
	return stdout
}

// wantExit runs launchctl and wants that exit code.
func wantExit(t *testing.T, m *Mac, code int, args ...string) {
	t.Helper()
	if _, stderr, got := m.Launchctl(args...); got != code {
		t.Fatalf("launchctl %s: exit %d, want %d: %s", strings.Join(args, " "), got, code, stderr)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// service starts the agent of brewKeys and returns its pid.
func service(t *testing.T, m *Mac, env ...string) int {
	t.Helper()
	install(t, m, agent(brewKeys, env...))
	check(t, m.StartService(label))
	return m.JobPID(label)
}

func (m *Mac) at(host string) string { return fmt.Sprintf("%s:%d", host, m.Port) }

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

func waitUntil(t *testing.T, what string, ok func() bool) {
	t.Helper()
	check(t, poll(timeout, func() error {
		if !ok() {
			return fmt.Errorf("timed out: %s", what)
		}
		return nil
	}))
}

func readLog(t *testing.T, m *Mac) string {
	t.Helper()
	return readFile(t, filepath.Join(m.Prefix(), "var", "log", "ollama.log"))
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	check(t, err)
	return string(data)
}

// wildcard is how this machine shows a listener on all addresses: [::], or 0.0.0.0 where there is no IPv6.
func wildcard(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "0.0.0.0:0")
	check(t, err)
	defer l.Close()
	host, _, err := net.SplitHostPort(l.Addr().String())
	check(t, err)
	return strings.TrimSuffix(net.JoinHostPort(host, ""), ":")
}

func TestEnvironmentReachesTheProcess(t *testing.T) {
	t.Parallel()
	m := newMac(t, userOptions())
	service(t, m)
	if log := readLog(t, m); !strings.Contains(log, fmt.Sprintf("Listening on 127.0.0.1:%d (version 0.33.0)", m.Port)) {
		t.Errorf("log without OLLAMA_HOST:\n%s", log)
	}
	mustRun(t, m, "bootout", m.Domain()+"/"+label)
	check(t, m.WaitGone(label, timeout))

	service(t, m, "OLLAMA_HOST=0.0.0.0:11434")
	if log := readLog(t, m); !strings.Contains(log, fmt.Sprintf("Listening on %s:%d", wildcard(t), m.Port)) {
		t.Errorf("log with OLLAMA_HOST:\n%s", log)
	}
}

func TestSetenvReachesJobsStartedLater(t *testing.T) {
	t.Parallel()
	m := newMac(t, userOptions())
	service(t, m)
	mustRun(t, m, "setenv", "OLLAMA_HOST", "0.0.0.0")
	target := m.Domain() + "/" + label
	if strings.Contains(mustRun(t, m, "print", target), "OLLAMA_HOST") {
		t.Error("the running job shows the new variable")
	}
	mustRun(t, m, "kickstart", "-k", target)
	check(t, m.WaitVersion(m.at("127.0.0.1"), timeout))
	inherited := "\tinherited environment = {\n\t\tOLLAMA_HOST => 0.0.0.0\n\t\tSSH_AUTH_SOCK"
	if out := mustRun(t, m, "print", target); !strings.Contains(out, inherited) {
		t.Errorf("print after kickstart:\n%s", out)
	}
	if !strings.Contains(readLog(t, m), "Listening on "+wildcard(t)+":") {
		t.Error("the new process did not get the variable")
	}
	if got := mustRun(t, m, "getenv", "OLLAMA_HOST"); got != "0.0.0.0\n" {
		t.Errorf("getenv: %q", got)
	}
	mustRun(t, m, "unsetenv", "OLLAMA_HOST")
	if got := mustRun(t, m, "getenv", "OLLAMA_HOST"); got != "\n" {
		t.Errorf("getenv after unsetenv: %q", got)
	}
}

func TestOnlyReloadReadsThePlist(t *testing.T) {
	t.Parallel()
	m := newMac(t, userOptions())
	pid := service(t, m)
	path := install(t, m, agent(brewKeys, "OLLAMA_HOST=0.0.0.0:11434"))
	target := m.Domain() + "/" + label
	mustRun(t, m, "kickstart", "-k", target)
	if next := m.JobPID(label); next == pid || next == 0 {
		t.Fatalf("pid %d after kickstart -k of %d", next, pid)
	}
	if strings.Contains(mustRun(t, m, "print", target), "OLLAMA_HOST") {
		t.Error("kickstart -k read the plist")
	}
	mustRun(t, m, "bootout", target)
	check(t, m.WaitGone(label, timeout))
	mustRun(t, m, "bootstrap", m.Domain(), path)
	if !strings.Contains(mustRun(t, m, "print", target), "\t\tOLLAMA_HOST => "+m.at("0.0.0.0")+"\n") {
		t.Error("bootstrap did not read the plist")
	}
}

func TestBootoutIsAsynchronous(t *testing.T) {
	t.Parallel()
	o := userOptions()
	o.ExitTimeout = time.Hour
	m := newMac(t, o)
	pid := service(t, m)
	target := m.Domain() + "/" + label
	m.Fault("slow-bootout", "1h")
	mustRun(t, m, "bootout", target)
	if !alive(pid) || !strings.Contains(mustRun(t, m, "print", target), "\tstate = SIGTERMed\n") {
		t.Error("the job was gone at once")
	}
	mustRun(t, m, "bootout", target)
	_, stderr, code := m.Launchctl("bootstrap", m.Domain(), filepath.Join(m.Agents(), label+".plist"))
	want := "Bootstrap failed: 5: Input/output error\nTry re-running the command as root for richer errors.\n"
	if code != 5 || stderr != want {
		t.Errorf("bootstrap during teardown: %d %q", code, stderr)
	}
	if log := readFile(t, filepath.Join(m.Dir(), "launchd.log")); !strings.Contains(log, "failed: 37: Operation already in progress") {
		t.Errorf("launchd's log:\n%s", log)
	}
	check(t, syscall.Kill(pid, syscall.SIGTERM))
	check(t, m.WaitGone(label, timeout))
	wantExit(t, m, 113, "print", target)
	wantExit(t, m, 3, "bootout", target)
}

func TestBootoutWaits(t *testing.T) {
	t.Parallel()
	m := newMac(t, userOptions())
	service(t, m)
	m.Fault("slow-bootout", "200ms")
	mustRun(t, m, "bootout", "--wait", m.Domain()+"/"+label)
	if m.Loaded(label) {
		t.Error("still loaded after --wait")
	}
}

func TestStubbornJobIsKilled(t *testing.T) {
	t.Parallel()
	o := userOptions()
	o.ExitTimeout = 200 * time.Millisecond
	m := newMac(t, o)
	m.Fault("ignore-term", "")
	pid := service(t, m)
	began := time.Now()
	mustRun(t, m, "bootout", m.Domain()+"/"+label)
	check(t, m.WaitGone(label, timeout))
	if alive(pid) || time.Since(began) < o.ExitTimeout {
		t.Errorf("gone after %v, alive: %t", time.Since(began), alive(pid))
	}
}

func TestKeepAliveAndThrottle(t *testing.T) {
	t.Parallel()
	m := newMac(t, userOptions())
	throttle := "\t<key>ThrottleInterval</key>\n\t<integer>1</integer>\n"
	install(t, m, agent(brewKeys+throttle))
	began := time.Now()
	check(t, m.StartService(label))
	pid := m.JobPID(label)
	check(t, syscall.Kill(pid, syscall.SIGKILL))
	_, err := m.WaitPID(label, pid, timeout)
	check(t, err)
	if since := time.Since(began); since < time.Second {
		t.Errorf("started again after %v", since)
	}
	out := mustRun(t, m, "print", m.Domain()+"/"+label)
	for _, line := range []string{"\truns = 2\n", "\tlast terminating signal = Killed: 9\n", "\tminimum runtime = 1\n"} {
		if !strings.Contains(out, line) {
			t.Errorf("no %q in:\n%s", line, out)
		}
	}
}

func TestConditionalKeepAlive(t *testing.T) {
	t.Parallel()
	m := newMac(t, userOptions())
	install(t, m, agent("\t<key>KeepAlive</key>\n\t<dict><key>SuccessfulExit</key><false/></dict>\n"+runAtLoad))
	check(t, m.StartService(label))
	pid := m.JobPID(label)
	check(t, syscall.Kill(pid, syscall.SIGKILL))
	pid, err := m.WaitPID(label, pid, timeout)
	check(t, err)
	check(t, m.WaitVersion(m.at("127.0.0.1"), timeout))
	check(t, syscall.Kill(pid, syscall.SIGTERM))
	waitUntil(t, "not running", func() bool {
		out := mustRun(t, m, "print", m.Domain()+"/"+label)
		return strings.Contains(out, "\tstate = not running\n") && strings.Contains(out, "\tlast exit code = 0\n") &&
			strings.Contains(out, "\tsemaphores = {\n\t\tsuccessful exit => 0\n\t}\n")
	})
}

func TestUnstartableProgram(t *testing.T) {
	t.Parallel()
	for name, change := range map[string][2]string{
		"missing":     {"/opt/homebrew/opt/ollama/bin/ollama", "/nonexistent/ollama"},
		"bare name":   {"/opt/homebrew/opt/ollama/bin/ollama", "ollama"},
		"log":         {"/opt/homebrew/var/log/ollama.log", "/nonexistent/ollama.log"},
		"working dir": {"/opt/homebrew/var<", "/nonexistent<"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMac(t, userOptions())
			path := install(t, m, []byte(strings.ReplaceAll(string(agent(runAtLoad)), change[0], change[1])))
			mustRun(t, m, "bootstrap", m.Domain(), path)
			if out := mustRun(t, m, "print", m.Domain()+"/"+label); !strings.Contains(out, "\tlast exit code = 78: EX_CONFIG\n") {
				t.Errorf("print:\n%s", out)
			}
		})
	}
}

func TestDisabledJob(t *testing.T) {
	t.Parallel()
	m := newMac(t, userOptions())
	path := install(t, m, agent(brewKeys))
	target := m.Domain() + "/" + label
	mustRun(t, m, "disable", target)
	wantExit(t, m, 5, "bootstrap", m.Domain(), path)
	want := "\n\tdisabled services = {\n\t\t\"" + label + "\" => disabled\n\t}\n\tlogin item associations = {\n\t}\n"
	if diff := cmp.Diff(want, mustRun(t, m, "print-disabled", m.Domain())); diff != "" {
		t.Error(diff)
	}
	mustRun(t, m, "enable", target)
	mustRun(t, m, "bootstrap", m.Domain(), path)
	if got := mustRun(t, m, "print-disabled", "user/501"); !strings.Contains(got, `" => enabled`) {
		t.Errorf("print-disabled of the other domain:\n%s", got)
	}
}

func TestLoadWritesTheDatabase(t *testing.T) {
	t.Parallel()
	m := newMac(t, userOptions())
	path := install(t, m, agent(brewKeys))
	mustRun(t, m, "load", "-w", path)
	mustRun(t, m, "unload", "-w", path)
	check(t, m.WaitGone(label, timeout))
	if _, stderr, code := m.Launchctl("load", path); code != 0 || !strings.HasPrefix(stderr, "Load failed: 5") || m.Loaded(label) {
		t.Errorf("load of a disabled job: %d %q", code, stderr)
	}
	mustRun(t, m, "load", "-w", path)
	if !m.Loaded(label) {
		t.Error("load -w did not load")
	}
}

func TestRefusedPlists(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(path string) error
		root   string // what root is told
		code   int
	}{
		{"group-writable", func(p string) error { return os.Chmod(p, 0o664) }, "P: Path had bad ownership/permissions\nBootstrap failed: 122: Path had bad ownership/permissions\n", 122},
		{"missing", os.Remove, "Bootstrap failed: 2: No such file or directory\n", 2},
		{"malformed", write("<plist><dict>"), "P: Invalid property list\nBootstrap failed: 109: Invalid property list\n", 109},
		{"no label", write("<plist><dict></dict></plist>"), "P: Invalid or missing service identifier\nBootstrap failed: 110: Invalid or missing service identifier\n", 110},
		{"no program", write("<plist><dict><key>Label</key><string>x</string></dict></plist>"),
			"P: Invalid or missing Program/ProgramArguments\nBootstrap failed: 111: Invalid or missing Program/ProgramArguments\n", 111},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, caller := range []Caller{CallerUser, CallerRoot} {
				o := userOptions()
				o.Caller = caller
				m := newMac(t, o)
				path := install(t, m, agent(brewKeys))
				check(t, c.change(path))
				want, wantCode := strings.ReplaceAll(c.root, "P:", path+":"), c.code
				if caller == CallerUser {
					want, wantCode = "Bootstrap failed: 5: Input/output error\nTry re-running the command as root for richer errors.\n", 5
				}
				if _, stderr, code := m.Launchctl("bootstrap", "gui/501", path); code != wantCode || stderr != want {
					t.Errorf("caller %d: %d %q", caller, code, stderr)
				}
			}
		})
	}
}

func write(text string) func(string) error {
	return func(path string) error { return os.WriteFile(path, []byte(text), 0o644) }
}

func TestBinaryPlist(t *testing.T) {
	t.Parallel()
	m := newMac(t, userOptions())
	var v any
	_, err := plist.Unmarshal(agent(brewKeys, "OLLAMA_HOST=0.0.0.0:11434"), &v)
	check(t, err)
	data, err := plist.Marshal(v, plist.BinaryFormat)
	check(t, err)
	path := install(t, m, data)
	check(t, m.StartService(label))
	written, err := os.ReadFile(path)
	check(t, err)
	if !isBinary(written) || !strings.Contains(mustRun(t, m, "print", m.Domain()+"/"+label), m.at("0.0.0.0")) {
		t.Errorf("%q", written)
	}
}

func TestLocalise(t *testing.T) {
	t.Parallel()
	m := newMac(t, userOptions())
	for _, prefix := range []string{"/opt/homebrew", "/usr/local", m.Prefix()} {
		got := string(m.Localise([]byte("<string>" + prefix + "/var</string> 0.0.0.0:11434 11434\r\n")))
		if want := fmt.Sprintf("<string>%s/var</string> 0.0.0.0:%d 11434\r\n", m.Prefix(), m.Port); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := m.Localise([]byte("bplist00 broken /opt/homebrew")); string(got) != "bplist00 broken /opt/homebrew" {
		t.Errorf("broken binary: %q", got)
	}
}

func TestSystemDomainIsRoots(t *testing.T) {
	t.Parallel()
	m := newMac(t, userOptions())
	path := filepath.Join(m.Daemons(), label+".plist")
	check(t, os.WriteFile(path, m.Localise(agent(brewKeys)), 0o644))
	wantExit(t, m, 5, "bootstrap", "system", path)
	wantExit(t, m, 1, "bootout", "system/"+label)
	wantExit(t, m, 1, "kickstart", "system/"+label)
	wantExit(t, m, 1, "enable", "system/"+label)
	wantExit(t, m, 113, "print", "system/"+label)

	o := userOptions()
	o.Caller = CallerRoot
	root := newMac(t, o)
	path = filepath.Join(root.Daemons(), "some.label.plist")
	check(t, os.WriteFile(path, root.Localise(agent(brewKeys)), 0o644))
	mustRun(t, root, "bootstrap", "system", path)
	check(t, root.WaitVersion(root.at("127.0.0.1"), timeout))
	out := mustRun(t, root, "print", "system/some.label")
	if !strings.Contains(out, "\ttype = LaunchDaemon\n") || !strings.Contains(out, "\tdomain = system\n") {
		t.Errorf("print:\n%s", out)
	}
	if got := mustRun(t, root, "managername"); got != "System\n" {
		t.Errorf("managername: %q", got)
	}
}

func TestSessions(t *testing.T) {
	t.Parallel()
	o := userOptions()
	o.SSH = true
	m := newMac(t, o)
	install(t, m, agent(brewKeys))
	check(t, m.StartService(label))
	if got := mustRun(t, m, "managername"); got != "Background\n" {
		t.Errorf("managername over ssh: %q", got)
	}
	if got := mustRun(t, m, "list"); strings.Contains(got, label) {
		t.Errorf("list over ssh shows the gui domain:\n%s", got)
	}
	m.Fault("no-gui-domain", "")
	wantExit(t, m, 125, "print", "gui/501")
	wantExit(t, m, 125, "kickstart", "gui/501/"+label)
	if m.Domain() != "user/501" {
		t.Errorf("domain: %s", m.Domain())
	}
	m.ClearFaults()
	mustRun(t, m, "print", "gui/501/"+label)
}

func TestLogAndChanges(t *testing.T) {
	t.Parallel()
	m := newMac(t, userOptions())
	path := install(t, m, agent(brewKeys))
	m.Launchctl("print", "gui/501")
	m.Launchctl("bootstrap", "gui/501", path)
	m.Launchctl("frobnicate")
	m.Launchctl("kickstart", "-p", "gui/501/"+label)
	m.Launchctl()
	want := []string{"print gui/501", "bootstrap gui/501 " + path, "frobnicate", "kickstart -p gui/501/" + label}
	if diff := cmp.Diff(want, m.Log()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{want[1], want[3]}, m.Changes()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(strings.Join(want, "\n")+"\n", readFile(t, filepath.Join(m.Dir(), "launchctl.log"))); diff != "" {
		t.Error(diff)
	}
	m.ResetLog()
	if log := m.Log(); len(log) != 0 {
		t.Errorf("after ResetLog: %q", log)
	}
}

func TestHoldPort(t *testing.T) {
	t.Parallel()
	m := newMac(t, userOptions())
	pid, stop, err := m.HoldPort(m.Port, "")
	check(t, err)
	if !slices.Contains(m.Processes(), pid) {
		t.Errorf("%d is not among %v", pid, m.Processes())
	}
	if _, _, err := m.HoldPort(m.Port, "127.0.0.1"); err == nil {
		t.Error("two processes hold one port")
	}
	path := install(t, m, agent(brewKeys))
	mustRun(t, m, "bootstrap", m.Domain(), path)
	refused := fmt.Sprintf("Error: listen tcp 127.0.0.1:%d: bind: address already in use\n", m.Port)
	waitUntil(t, "address already in use", func() bool { return strings.Contains(readLog(t, m), refused) })
	waitUntil(t, "exit code 1", func() bool {
		return strings.Contains(mustRun(t, m, "print", m.Domain()+"/"+label), "\tlast exit code = 1\n")
	})
	stop()
	stop()
	if alive(pid) {
		t.Error("the holder lives on")
	}
	check(t, m.WaitVersion(m.at("127.0.0.1"), timeout))
}

func TestCloseLeavesNothing(t *testing.T) {
	t.Parallel()
	m := newMac(t, userOptions())
	m.Fault("ignore-term", "")
	service(t, m)
	port, err := m.FreePort()
	check(t, err)
	_, _, err = m.HoldPort(port, "")
	check(t, err)
	m.Fault("hang", "print")
	hung := exec.Command(filepath.Join(m.Bin(), "launchctl"), "print", m.Domain())
	hung.Env = m.Env()
	check(t, hung.Start())
	waitUntil(t, "the hanging command arrives", func() bool { return slices.Contains(m.Log(), "print "+m.Domain()) })
	pids := m.Processes()
	if len(pids) != 2 {
		t.Errorf("processes: %v", pids)
	}
	m.Close()
	m.Close()
	for _, pid := range pids {
		if alive(pid) {
			t.Errorf("%d lives on", pid)
		}
	}
	if err := hung.Wait(); err == nil {
		t.Error("the hanging command succeeded")
	}
	if len(m.Processes()) != 0 {
		t.Errorf("processes after Close: %v", m.Processes())
	}
}

// ownerMain starts a service that does not end on SIGTERM, prints its pid, and waits.
func ownerMain(dir string) {
	o := userOptions()
	m, err := Start(dir, o)
	if err == nil {
		m.Fault("ignore-term", "")
		if _, err = m.Install(label, agent(brewKeys)); err == nil {
			err = m.StartService(label)
		}
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(m.JobPID(label))
	select {}
}

func TestNothingOutlivesAKilledOwner(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	check(t, err)
	owner := exec.Command(self)
	owner.Env = append(os.Environ(), envOwner+"="+t.TempDir())
	out, err := owner.StdoutPipe()
	check(t, err)
	check(t, owner.Start())
	line, _ := bufio.NewReader(out).ReadString('\n')
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		_ = owner.Process.Kill()
		t.Fatalf("owner says %q", line)
	}
	check(t, owner.Process.Kill())
	_ = owner.Wait()
	waitUntil(t, "the service ends", func() bool { return !running(pid) })
}

// running also takes a zombie, which an init that does not collect orphans leaves, for ended.
func running(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return runtime.GOOS != "linux" && alive(pid)
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(state, "Z")
}

func TestOllamaAnswers(t *testing.T) {
	t.Parallel()
	m := newMac(t, userOptions())
	_, stop, err := m.HoldPort(m.Port, "")
	check(t, err)
	defer stop()
	for _, c := range []struct {
		method, path, host string
		code               int
		body               string
	}{
		{"GET", "/", "", 200, "Ollama is running"},
		{"HEAD", "/", "", 200, ""},
		{"GET", "/api/version", "", 200, `{"version":"0.33.0"}`},
		{"GET", "/api/tags", "", 200, tagsBody},
		{"GET", "/v1/models", "", 200, modelsBody},
		{"GET", "/nothing", "", 404, "404 page not found"},
		{"POST", "/api/version", "", 404, "404 page not found"},
		{"GET", "/", "host.docker.internal:11434", 200, "Ollama is running"},
		{"GET", "/", "192.168.1.7", 200, "Ollama is running"},
		{"GET", "/", "ollama.example.com", 403, ""},
		{"GET", "/", "8.8.8.8:11434", 403, ""},
	} {
		code, body := get(t, c.method, "http://"+m.at("127.0.0.1")+c.path, c.host)
		if code != c.code || body != c.body {
			t.Errorf("%s %s of %q: %d %q", c.method, c.path, c.host, code, body)
		}
	}
	port, err := m.FreePort()
	check(t, err)
	_, stop, err = m.HoldPort(port, "0.0.0.0")
	check(t, err)
	defer stop()
	if code, _ := get(t, "GET", "http://"+loopback(port)+"/", "ollama.example.com"); code != 200 {
		t.Errorf("a wildcard bind checks the host: %d", code)
	}
}

func get(t *testing.T, method, url, host string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	check(t, err)
	req.Host = host
	resp, err := direct.Do(req)
	check(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	check(t, err)
	return resp.StatusCode, string(body)
}

func TestOllamaVersion(t *testing.T) {
	t.Parallel()
	m := newMac(t, userOptions())
	out, err := exec.Command(m.ollama(), "--version").Output()
	if err != nil || string(out) != "ollama version is 0.33.0\n" {
		t.Errorf("%q %v", out, err)
	}
}

func TestParseHost(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"": "127.0.0.1:11434", "  ": "127.0.0.1:11434",
		"127.0.0.1": "127.0.0.1:11434", "localhost": "localhost:11434", "127.0.0.1:11434": "127.0.0.1:11434",
		"0.0.0.0": "0.0.0.0:11434", "0.0.0.0:11434": "0.0.0.0:11434", `"0.0.0.0:11434"`: "0.0.0.0:11434",
		" '0.0.0.0' ": "0.0.0.0:11434", "0.0.0.0:": "0.0.0.0:11434", "0.0.0.0:abc": "0.0.0.0:11434",
		":11434": ":11434", "::": "[::]:11434", "[::]": "[::]:11434", "[::]:11434": "[::]:11434",
		"0.0.0.0:8080": "0.0.0.0:8080", "http://0.0.0.0": "0.0.0.0:80", "https://0.0.0.0": "0.0.0.0:443",
		"http://0.0.0.0:11434": "0.0.0.0:11434", "0.0.0.0:11434/v1": "0.0.0.0:11434", "0.0.0.0:0": "0.0.0.0:0",
		"11434": "11434:11434", "*:11434": "*:11434", "host.docker.internal:11434": "host.docker.internal:11434",
		"0.0.0.0:66000": "0.0.0.0:11434", "0.0.0.0:-1": "0.0.0.0:11434", "http://0.0.0.0:x": "0.0.0.0:80",
	} {
		if got := parseHost(value, "11434").String(); got != want {
			t.Errorf("%q: got %s, want %s", value, got, want)
		}
	}
}

func TestOllamaHostListens(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ value, want string }{
		{"localhost", "127.0.0.1:PORT"},
		{"&quot;0.0.0.0:11434&quot;", "ANY:PORT"},
		{"::", "ANY:PORT"},
		{":11434", "ANY:PORT"},
		{"0.0.0.0:abc", "ANY:PORT"},
		{"http://0.0.0.0:11434/v1", "ANY:PORT"},
	} {
		t.Run(c.value, func(t *testing.T) {
			t.Parallel()
			m := newMac(t, userOptions())
			service(t, m, "OLLAMA_HOST="+c.value)
			log, want := readLog(t, m), "Listening on "+strings.NewReplacer("ANY", wildcard(t), "PORT", strconv.Itoa(m.Port)).Replace(c.want)
			if !strings.Contains(log, want) {
				t.Errorf("want %q in:\n%s", want, log)
			}
			if strings.Contains(c.value, "abc") && !strings.Contains(log, "invalid port, using default") {
				t.Errorf("no warning in:\n%s", log)
			}
		})
	}
	for _, value := range []string{"11434", "*:11434", "host.docker.internal:11434"} {
		t.Run(value, func(t *testing.T) {
			t.Parallel()
			m := newMac(t, userOptions())
			path := install(t, m, agent(runAtLoad, "OLLAMA_HOST="+value))
			mustRun(t, m, "bootstrap", m.Domain(), path)
			waitUntil(t, "no such host", func() bool { return strings.HasSuffix(readLog(t, m), ": no such host\n") })
		})
	}
}
