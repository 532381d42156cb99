package launchctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The test binary poses as the programs that Exec runs: this variable says as which.
const poseAs = "LAUNCHCTL_TEST_POSE_AS"

func TestMain(m *testing.M) {
	if pose := os.Getenv(poseAs); pose != "" {
		os.Exit(poses[pose](os.Args[1:]))
	}
	os.Exit(m.Run())
}

var poses = map[string]func(args []string) int{
	// report says what it was given, and fails with the first argument.
	"report": func(args []string) int {
		stdin, err := io.ReadAll(os.Stdin)
		fmt.Printf("LC_ALL=%s stdin=%q,%v pgid=%t args=%q\n",
			os.Getenv("LC_ALL"), stdin, err, syscall.Getpgrp() == os.Getpid(), args)
		fmt.Fprint(os.Stderr, "  first\nsecond\n\n")
		code, _ := strconv.Atoi(args[0])
		return code
	},
	// chatter writes more than is kept to standard error, then fails.
	"chatter": func([]string) int {
		fmt.Fprint(os.Stderr, "begin", strings.Repeat("x", 100<<10))
		return 3
	},
	// flood writes more than is allowed, then waits to be killed.
	"flood": func([]string) int {
		_, _ = os.Stdout.WriteString(strings.Repeat("x", 2*maxStdout))
		time.Sleep(time.Minute)
		return 0
	},
	// hang waits to be killed.
	"hang": func(args []string) int {
		hold(args[0])
		select {}
	},
	// parent starts a hang that inherits its output, then hangs too.
	"parent": func(args []string) int {
		startChild(args[0], "hang")
		hold(args[0])
		select {}
	},
	// leaver starts a service that inherits its output, and ends well.
	"leaver": func(args []string) int {
		startChild(args[0], "service")
		fmt.Println("done")
		return 0
	},
	// service answers whatever the test says, until the test hangs up.
	"service": func(args []string) int {
		conn := hold(args[0])
		_, _ = io.Copy(conn, conn)
		return 0
	},
	// suicide ends by a signal.
	"suicide": func([]string) int {
		_ = syscall.Kill(os.Getpid(), syscall.SIGTERM)
		select {}
	},
}

// hold connects to the test and keeps the connection for as long as the
// process lives: when the test reads its end, the process is gone.
func hold(address string) net.Conn {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		panic(err)
	}
	return conn
}

// startChild starts this program in a pose and returns when it is up.
func startChild(address, pose string) {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	cmd := exec.Command(self, address)
	cmd.Env = append(os.Environ(), poseAs+"="+pose)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		panic(err)
	}
	conn := hold(address)
	defer conn.Close()
	_, _ = conn.Read(make([]byte, 1)) // the test answers when the child has called
}

// posing makes the test binary pose when it is run, and returns its path.
func posing(t *testing.T, pose string) string {
	t.Helper()
	t.Setenv(poseAs, pose)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return self
}

// watch listens for processes that hold; see there.
func watch(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// accept waits for one process that holds.
func accept(t *testing.T, l net.Listener) net.Conn {
	t.Helper()
	conn, err := l.Accept()
	if err != nil {
		t.Error(err)
		return nil
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// wantGone fails the test unless the process that holds is gone soon.
func wantGone(t *testing.T, conn net.Conn) {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	_, err := conn.Read(make([]byte, 1))
	var timeout net.Error
	if err == nil || errors.As(err, &timeout) && timeout.Timeout() {
		t.Errorf("a process survived: %v", err)
	}
}

func TestExecRun(t *testing.T) {
	self := posing(t, "report")
	out, err := Exec{}.Run(t.Context(), self, "0", "a b", "$HOME;")
	want := `LC_ALL=C stdin="",<nil> pgid=true args=["0" "a b" "$HOME;"]` + "\n"
	if err != nil || string(out) != want {
		t.Errorf("got  %s, %v\nwant %s", out, err, want)
	}

	out, err = Exec{}.Run(t.Context(), self, "5")
	var exit *ExitError
	if !errors.As(err, &exit) || exit.Code != 5 || exit.Stderr != "first\nsecond" || exit.Signal != 0 {
		t.Errorf("%#v", err)
	} else if got := strings.Join(exit.Args, " "); got != self+" 5" {
		t.Errorf("argv %q", got)
	}
	if !strings.Contains(string(out), "LC_ALL=C") {
		t.Errorf("standard output of a failed program: %q", out)
	}
}

func TestExecFails(t *testing.T) {
	tests := map[string]ExitError{
		"suicide": {Code: -1, Signal: syscall.SIGTERM},
		"chatter": {Code: 3, Stderr: "begin" + strings.Repeat("x", maxStderr-len("begin"))},
	}
	for pose, want := range tests {
		_, err := Exec{}.Run(t.Context(), posing(t, pose))
		var exit *ExitError
		if !errors.As(err, &exit) || exit.Code != want.Code || exit.Signal != want.Signal || exit.Stderr != want.Stderr {
			t.Errorf("%s: %#v", pose, err)
		}
	}
}

func TestExecStdoutCap(t *testing.T) {
	const bound = 10 * time.Second // the flood does not end by itself before
	start := time.Now()
	out, err := Exec{Deadline: bound}.Run(t.Context(), posing(t, "flood"))
	if took := time.Since(start); took >= bound {
		t.Errorf("took %s", took)
	}
	if err == nil || !strings.Contains(err.Error(), "too much output: more than 4194304 bytes") {
		t.Errorf("%v", err)
	}
	if len(out) != maxStdout {
		t.Errorf("%d bytes", len(out))
	}
}

func TestExecDeadline(t *testing.T) {
	l := watch(t)
	start := time.Now()
	_, err := Exec{Deadline: 300 * time.Millisecond}.Run(t.Context(), posing(t, "hang"), l.Addr().String())
	if !errors.Is(err, ErrNoAnswer) || errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), ": stopped after ") {
		t.Errorf("%v", err)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("took %s", took)
	}
	// Over before the program is started.
	_, err = Exec{Deadline: time.Nanosecond}.Run(t.Context(), posing(t, "hang"), l.Addr().String())
	if !errors.Is(err, ErrNoAnswer) || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

// One lost answer must leave time to ask again, in the shortest of the steps.
func TestDefaultDeadline(t *testing.T) {
	if shortest := min(stepCeiling, exitSlack); 2*defaultDeadline > shortest {
		t.Errorf("two programs take %s, a step %s", 2*defaultDeadline, shortest)
	}
}

// A context that ends before the deadline wins, and says so.
func TestExecContextDeadline(t *testing.T) {
	l := watch(t)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := Exec{}.Run(ctx, posing(t, "hang"), l.Addr().String())
	if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrNoAnswer) || !strings.Contains(err.Error(), "stopped after") {
		t.Errorf("%v", err)
	}
	if _, err := (Exec{}).Run(ctx, posing(t, "hang"), l.Addr().String()); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrNoAnswer) {
		t.Errorf("started after its time: %v", err)
	}
}

func TestExecCancelKillsGroup(t *testing.T) {
	l := watch(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	self := posing(t, "parent")
	done := make(chan error, 1)
	go func() {
		_, err := Exec{Deadline: time.Minute}.Run(ctx, self, l.Addr().String())
		done <- err
	}()
	first, second := accept(t, l), accept(t, l) // the child and its parent
	for _, conn := range []net.Conn{first, second} {
		_, _ = conn.Write([]byte("."))
	}
	third := accept(t, l) // the parent, now hanging
	start := time.Now()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("took %s", took)
	}
	for _, conn := range []net.Conn{first, second, third} {
		wantGone(t, conn)
	}
}

// A program that ends well has ended, even if another holds its output; and what it left
// running, like a service that it was asked to start, is left alone.
func TestExecLeftChild(t *testing.T) {
	l := watch(t)
	self := posing(t, "leaver")
	type result struct {
		out []byte
		err error
	}
	done := make(chan result, 1)
	go func() {
		out, err := Exec{Deadline: time.Minute}.Run(t.Context(), self, l.Addr().String())
		done <- result{out, err}
	}()
	conns := []net.Conn{accept(t, l), accept(t, l)}
	for _, conn := range conns {
		_, _ = conn.Write([]byte("."))
	}
	if r := <-done; r.err != nil || string(r.out) != "done\n" {
		t.Errorf("%q, %v", r.out, r.err)
	}
	alive := 0
	for _, conn := range conns {
		_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := conn.Read(make([]byte, 1)); err == nil {
			alive++ // the leaver's own end is closed, the service's answers
		}
	}
	if alive != 1 {
		t.Errorf("%d processes answer after the program has ended, want the one that it started", alive)
	}
}

func TestLookup(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	program := filepath.Join(dir, "lsof")
	write := func(path string, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(path, []byte("not run"), mode); err != nil {
			t.Fatal(err)
		}
	}
	place := filepath.Join(t.TempDir(), "lsof")
	old := places["lsof"]
	places["lsof"] = place
	defer func() { places["lsof"] = old }()

	check := func(name, want string) {
		t.Helper()
		got, err := Lookup(name)
		if got != want || want == "" && (!errors.Is(err, ErrNoTool) || !strings.Contains(err.Error(), name)) {
			t.Errorf("%s: %q, %v; want %q", name, got, err, want)
		}
	}
	check("lsof", "")
	write(program, 0o644)
	check("lsof", "") // not executable
	write(place, 0o755)
	check("lsof", place)
	if err := os.Chmod(program, 0o755); err != nil {
		t.Fatal(err)
	}
	check("lsof", program)
	check(place, place)
	check(dir, "")
	check("no-such-program", "")
	if places["launchctl"] != "/bin/launchctl" || old != "/usr/sbin/lsof" {
		t.Error("not where macOS keeps them")
	}
}

func TestExecNoTool(t *testing.T) {
	if _, err := (Exec{}).Run(t.Context(), "no-such-program"); !errors.Is(err, ErrNoTool) {
		t.Errorf("missing: %v", err)
	}
	// Its interpreter is missing, or is no program: only the attempt shows it.
	script, text := filepath.Join(t.TempDir(), "script"), filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for interpreter, reason := range map[string]error{"/no/such/interpreter": fs.ErrNotExist, text: fs.ErrPermission} {
		if err := os.WriteFile(script, []byte("#!"+interpreter+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		if _, err := (Exec{}).Run(t.Context(), script); !errors.Is(err, ErrNoTool) || !errors.Is(err, reason) {
			t.Errorf("interpreter %s: %v", interpreter, err)
		}
	}
}
