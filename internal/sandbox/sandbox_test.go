package sandbox

import (
	"bufio"
	"fmt"
	"net"
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
)

// envOwner makes the test executable an owner of a Mac that waits to be killed.
const envOwner = "SANDBOX_TEST_OWNER"

func TestMain(m *testing.M) {
	if dir, programs, is := strings.Cut(os.Getenv(envOwner), ":"); is {
		built = programs
		ownerMain(dir)
	}
	RunTests(m)
}

const label = "homebrew.mxcl.ollama"

// timeout bounds what should happen at once.
const timeout = 15 * time.Second

// agent is a plist such as Homebrew writes; extra are further keys, env the
// environment, one KEY=VALUE each.
func agent(extra string, env ...string) []byte {
	var vars strings.Builder
	for _, kv := range env {
		k, v, _ := strings.Cut(kv, "=")
		fmt.Fprintf(&vars, "<key>%s</key><string>%s</string>\n", k, v)
	}
	return []byte(`<?xml version="1.0" encoding="UTF-8"?>
<plist version="1.0">
<dict>
	<key>EnvironmentVariables</key>
	<dict>` + vars.String() + `</dict>
	<key>Label</key>
	<string>some.label</string>
	` + extra + `
	<key>ProgramArguments</key>
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
	keepAlive    = "<key>KeepAlive</key><true/>"
	runAtLoad    = "<key>RunAtLoad</key><true/>"
	everySession = "<key>LimitLoadToSessionType</key>" +
		"<array><string>Aqua</string><string>Background</string></array>"
	brewKeys = keepAlive + everySession + runAtLoad
)

// userOptions are those of an ordinary user with the number that the captures have, and
// with little patience.
func userOptions() Options {
	const soon = 50 * time.Millisecond
	return Options{UID: 501, Throttle: soon, BrewPause: soon / 5}
}

func newMac(t *testing.T, o Options) *Mac {
	t.Helper()
	m, err := Start(t.TempDir(), o)
	check(t, err)
	t.Cleanup(m.Close)
	return m
}

func install(t *testing.T, m *Mac, data []byte) string {
	t.Helper()
	path, err := m.Install(label, data)
	check(t, err)
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
		t.Fatalf("launchctl %s: exit %d, want %d: %s",
			strings.Join(args, " "), got, code, stderr)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func mustContain(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in:\n%s", part, text)
		}
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

// newPID waits for the job to have another process.
func newPID(t *testing.T, m *Mac, not int) (pid int) {
	t.Helper()
	waitUntil(t, "a new process", func() bool {
		pid = m.JobPID(label)
		return pid != 0 && pid != not
	})
	return pid
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

// wildcard is how this machine shows a listener on all addresses: [::], or 0.0.0.0
// where there is no IPv6.
func wildcard(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "0.0.0.0:0")
	check(t, err)
	defer l.Close()
	return strings.TrimRight(l.Addr().String(), "0123456789")
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
	for _, reload := range [][]string{
		{"bootout " + target, "bootstrap " + m.Domain() + " " + path},
		{"unload " + path, "load " + path},
	} {
		mustRun(t, m, strings.Fields(reload[0])...)
		check(t, m.WaitGone(label, timeout))
		mustRun(t, m, strings.Fields(reload[1])...)
		mustContain(t, mustRun(t, m, "print", target),
			"\t\tOLLAMA_HOST => "+m.at("0.0.0.0")+"\n")
	}
}

func TestKeepAliveAndThrottle(t *testing.T) {
	t.Parallel()
	m := newMac(t, userOptions())
	throttle := "<key>ThrottleInterval</key><integer>1</integer>"
	install(t, m, agent(brewKeys+throttle))
	began := time.Now()
	check(t, m.StartService(label))
	pid := m.JobPID(label)
	check(t, syscall.Kill(pid, syscall.SIGKILL))
	newPID(t, m, pid)
	if since := time.Since(began); since < time.Second {
		t.Errorf("started again after %v", since)
	}
	mustContain(t, mustRun(t, m, "print", m.Domain()+"/"+label), "\truns = 2\n",
		"\tlast terminating signal = Killed: 9\n", "\tminimum runtime = 1\n")
}

func TestUnstartableProgram(t *testing.T) {
	t.Parallel()
	for name, change := range map[string][2]string{
		"missing":     {"/opt/homebrew/opt/ollama/bin/ollama", "/nonexistent/ollama"},
		"bare name":   {"/opt/homebrew/opt/ollama/bin/ollama", "ollama"},
		"log":         {"/opt/homebrew/var/log/ollama.log", "/nonexistent/ollama.log"},
		"working dir": {"/opt/homebrew/var<", "/nonexistent<"},
	} {
		m := newMac(t, userOptions())
		plist := strings.ReplaceAll(string(agent(runAtLoad)), change[0], change[1])
		mustRun(t, m, "bootstrap", m.Domain(), install(t, m, []byte(plist)))
		out := mustRun(t, m, "print", m.Domain()+"/"+label)
		if !strings.Contains(out, "\tlast exit code = 78: EX_CONFIG\n") {
			t.Errorf("%s:\n%s", name, out)
		}
	}
}

func TestDisabledJob(t *testing.T) {
	t.Parallel()
	m := newMac(t, userOptions())
	path := install(t, m, agent(brewKeys))
	target := m.Domain() + "/" + label
	mustRun(t, m, "disable", target)
	wantExit(t, m, 5, "bootstrap", m.Domain(), path)
	want := "\n\tdisabled services = {\n\t\t\"" + label + "\" => disabled\n\t}\n" +
		"\tlogin item associations = {\n\t}\n"
	if diff := cmp.Diff(want, mustRun(t, m, "print-disabled", m.Domain())); diff != "" {
		t.Error(diff)
	}
	mustRun(t, m, "enable", target)
	mustRun(t, m, "bootstrap", m.Domain(), path)
	mustContain(t, mustRun(t, m, "print-disabled", "user/501"), `" => enabled`)
}

// Root is told why a plist is refused, and a user is not.
func TestRefusedPlists(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		change func(path string) error
		code   int
		text   string
	}{
		{func(p string) error { return os.Chmod(p, 0o664) }, 122,
			"Path had bad ownership/permissions"},
		{os.Remove, 2, "No such file or directory"},
		{write("<plist><dict>"), 109, "Invalid property list"},
		{write("<plist><dict></dict></plist>"), 110, "Invalid or missing service identifier"},
		{write("<plist><dict><key>Label</key><string>x</string></dict></plist>"), 111,
			"Invalid or missing Program/ProgramArguments"},
	} {
		for _, root := range []bool{false, true} {
			o := userOptions()
			o.Root = root
			m := newMac(t, o)
			path := install(t, m, agent(brewKeys))
			check(t, c.change(path))
			code, want := 5, "Bootstrap failed: 5: Input/output error\n"+
				"Try re-running the command as root for richer errors.\n"
			if root {
				code, want = c.code, fmt.Sprintf("Bootstrap failed: %d: %s\n", c.code, c.text)
			}
			_, stderr, got := m.Launchctl("bootstrap", "gui/501", path)
			if got != code || !strings.HasSuffix(stderr, want) {
				t.Errorf("root %t: %d %q", root, got, stderr)
			}
		}
	}
}

func write(text string) func(string) error {
	return func(path string) error { return os.WriteFile(path, []byte(text), 0o644) }
}

// A tool that hangs does so until it is killed, or until the Mac is closed.
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
	m.Fault("hang", "lsof")
	var hung []*exec.Cmd
	for _, argv := range [][]string{{"launchctl", "print", m.Domain()}, {"lsof"}} {
		cmd := exec.Command(filepath.Join(m.Bin(), argv[0]), argv[1:]...)
		cmd.Env = m.Env()
		check(t, cmd.Start())
		hung = append(hung, cmd)
	}
	waitUntil(t, "the hanging command arrives", func() bool {
		return slices.Contains(m.Log(), "print "+m.Domain())
	})
	mustRun(t, m, "list")
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
	for _, cmd := range hung {
		if err := cmd.Wait(); err == nil {
			t.Error("a hanging command succeeded")
		}
	}
	if len(m.Processes()) != 0 {
		t.Errorf("processes after Close: %v", m.Processes())
	}
}

// ownerMain starts a service that does not end on SIGTERM, prints its pid, and waits.
func ownerMain(dir string) {
	m, err := Start(dir, userOptions())
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
	owner.Env = append(os.Environ(), envOwner+"="+t.TempDir()+":"+built)
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

// running also takes a zombie, which an init that does not collect orphans leaves, for
// ended.
func running(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return runtime.GOOS != "linux" && alive(pid)
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(state, "Z")
}
