package sandbox

import (
	"context"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Faults that have tests beside what they disturb: slow-bootout, ignore-term, no-gui-domain (sandbox_test.go).

func TestFaultBootstrap(t *testing.T) {
	t.Parallel()
	m := newMac(t, userOptions())
	path := install(t, m, agent(brewKeys))
	m.Fault("bootstrap-eio", "2")
	m.Fault("bootstrap-37", "1")
	wantExit(t, m, 5, "bootstrap", "gui/501", path)
	wantExit(t, m, 5, "bootstrap", "gui/501", path)
	_, stderr, code := m.Launchctl("bootstrap", "gui/501", path)
	if code != 37 || stderr != "Bootstrap failed: 37: Operation already in progress\n" {
		t.Errorf("bootstrap-37: %d %q", code, stderr)
	}
	mustRun(t, m, "bootstrap", "gui/501", path)
}

func TestFaultNeverSpawn(t *testing.T) {
	t.Parallel()
	m := newMac(t, userOptions())
	path := install(t, m, agent(brewKeys))
	m.Fault("never-spawn", "")
	mustRun(t, m, "bootstrap", "gui/501", path)
	out := mustRun(t, m, "print", "gui/501/"+label)
	for _, line := range []string{"\tstate = not running\n", "\truns = 0\n", "\tlast exit code = (never exited)\n"} {
		if !strings.Contains(out, line) {
			t.Errorf("no %q in:\n%s", line, out)
		}
	}
	mustRun(t, m, "kickstart", "gui/501/"+label)
	check(t, m.WaitVersion(m.at("127.0.0.1"), timeout))
}

func TestFaultHang(t *testing.T) {
	t.Parallel()
	m := newMac(t, userOptions())
	m.Fault("hang", "print")
	m.Fault("hang", "lsof")
	for _, argv := range [][]string{{"launchctl", "print", "gui/501"}, {"lsof", "-iTCP"}} {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		cmd := exec.CommandContext(ctx, filepath.Join(m.Bin(), argv[0]), argv[1:]...)
		cmd.Env = m.Env()
		err := cmd.Run()
		if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
			t.Errorf("%v ended by itself: %v", argv, err)
		}
	}
	mustRun(t, m, "managername")
	m.ClearFaults()
	mustRun(t, m, "print", "gui/501")
}

func TestFaultAnswers(t *testing.T) {
	t.Parallel()
	m := newMac(t, userOptions())
	m.Fault("garbage", "print")
	m.Fault("garbage", "lsof")
	m.Fault("exit-code", "bootout:150:Boot-out failed: 150: Operation not permitted")
	for _, argv := range [][]string{{"launchctl", "print", "gui/501/x"}, {"lsof", "-iTCP"}} {
		if stdout, _, code := m.Run(argv[0], argv[1:]...); code != 0 || !strings.Contains(stdout, "{{ =>") {
			t.Errorf("%v: %d %q", argv, code, stdout)
		}
	}
	_, stderr, code := m.Launchctl("bootout", "gui/501/x")
	if code != 150 || stderr != "Boot-out failed: 150: Operation not permitted\n" {
		t.Errorf("exit-code: %d %q", code, stderr)
	}
	m.Fault("exit-code", "lsof:1:")
	m.ClearFaults()
	m.Fault("exit-code", "lsof:1:")
	if stdout, stderr, code := m.Run("lsof", "-iTCP"); code != 1 || stdout+stderr != "" {
		t.Errorf("lsof: %d %q %q", code, stdout, stderr)
	}
}

func TestFaultDropEnvironment(t *testing.T) {
	t.Parallel()
	m := newMac(t, userOptions())
	m.Fault("drop-environment", "")
	install(t, m, agent(brewKeys, "OLLAMA_HOST=0.0.0.0:11434"))
	check(t, m.StartService(label))
	if !strings.Contains(readLog(t, m), "Listening on 127.0.0.1:") {
		t.Error("OLLAMA_HOST was passed on")
	}
	if strings.Contains(mustRun(t, m, "print", "gui/501/"+label), "OLLAMA_HOST") {
		t.Error("OLLAMA_HOST is printed")
	}
}

func TestFaultExitAtOnce(t *testing.T) {
	t.Parallel()
	m := newMac(t, userOptions())
	m.Fault("exit-at-once", "Error: no such library")
	path := install(t, m, agent(brewKeys))
	mustRun(t, m, "bootstrap", "gui/501", path)
	waitUntil(t, "two runs", func() bool { return strings.Count(readLog(t, m), "Error: no such library\n") >= 2 })
	waitUntil(t, "exit code 1", func() bool {
		return strings.Contains(mustRun(t, m, "print", "gui/501/"+label), "\tlast exit code = 1\n")
	})
	m.ClearFaults()
	check(t, m.WaitVersion(m.at("127.0.0.1"), timeout))
}

func TestFaultDeaf(t *testing.T) {
	t.Parallel()
	m := newMac(t, userOptions())
	m.Fault("deaf", "")
	mustRun(t, m, "bootstrap", "gui/501", install(t, m, agent(brewKeys)))
	check(t, m.WaitListening(m.at("127.0.0.1"), timeout))
	conn, err := net.Dial("tcp", m.at("127.0.0.1"))
	check(t, err)
	defer conn.Close()
	_, err = conn.Write([]byte("GET / HTTP/1.0\r\n\r\n"))
	check(t, err)
	check(t, conn.SetReadDeadline(time.Now().Add(300*time.Millisecond)))
	if n, err := conn.Read(make([]byte, 1)); n != 0 || !isTimeout(err) {
		t.Errorf("read %d bytes, %v", n, err)
	}
}

func isTimeout(err error) bool {
	e, ok := err.(net.Error)
	return ok && e.Timeout()
}

func TestFaultSlowStart(t *testing.T) {
	t.Parallel()
	m := newMac(t, userOptions())
	m.Fault("slow-start", "300ms")
	began := time.Now()
	mustRun(t, m, "bootstrap", "gui/501", install(t, m, agent(brewKeys)))
	check(t, m.WaitListening(m.at("127.0.0.1"), timeout))
	if since := time.Since(began); since < 300*time.Millisecond {
		t.Errorf("listens after %v", since)
	}
}

func TestFaultWrongBind(t *testing.T) {
	t.Parallel()
	m := newMac(t, userOptions())
	m.Fault("wrong-bind", "")
	install(t, m, agent(brewKeys, "OLLAMA_HOST=0.0.0.0:11434"))
	check(t, m.StartService(label))
	if !strings.Contains(readLog(t, m), "Listening on 127.0.0.1:") {
		t.Errorf("log:\n%s", readLog(t, m))
	}
	if !strings.Contains(mustRun(t, m, "print", "gui/501/"+label), "OLLAMA_HOST => 0.0.0.0") {
		t.Error("OLLAMA_HOST is not printed")
	}
}

func TestFaultsAreChecked(t *testing.T) {
	t.Parallel()
	for _, f := range [][2]string{{"no-such-fault", ""}, {"slow-start", "soon"}, {"bootstrap-eio", ""}, {"hang", ""}, {"deaf", "yes"},
		{"exit-code", "print"}, {"exit-code", "print:999:x"}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("fault %q was taken", f)
				}
			}()
			newFaults().set(f[0], f[1])
		}()
	}
}
