//go:build torture && (amd64 || arm64)

package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

func init() { trace = ptraced }

// What package syscall does not know.
const (
	ptraceGetSyscallInfo = 0x420e
	ptraceExitKill       = 0x100000
	waitNoThread         = 0x20000000 // nothing that another thread has started or traces
	waitAll              = 0x40000000
	syscallStop          = syscall.SIGTRAP | 0x80
	atFDCWD              = -100
	atRemoveDir          = 0x200
	cloneVfork           = 0x4000
	waitNoReap           = 0x1000000
	sysClone3            = 435
)

// Where the numbers differ and package syscall has none.
var sysRenameat2 = map[string]uint64{"amd64": 316, "arm64": 276}[runtime.GOARCH]

// syscallInfo is struct ptrace_syscall_info.
type syscallInfo struct {
	op     uint8
	_      [3]uint8
	_      uint32
	_, _   uint64
	number uint64 // on the way in; the result on the way out
	args   [6]uint64
	_      uint64
}

// tracee is a program being traced, with all its threads. What it starts is not.
type tracee struct {
	pid      int
	mem      *os.File
	watch    watcher
	threads  map[int]*step // what each is in the middle of
	children []int
	killed   bool
	free     bool                  // nobody watches any more
	failing  map[int]syscall.Errno // the threads whose call is skipped, and what they get for it
}

// ptraced runs a command to its end, or to where watch ends it. watch is asked
// when the kernel is about to do a step, and again when it has done it; the
// program's thread stands still meanwhile.
func ptraced(cmd *exec.Cmd, watch watcher) (traced, error) {
	runtime.LockOSThread() // only the thread that starts the program may trace it
	defer runtime.UnlockOSThread()
	said, err := os.CreateTemp("", "said-")
	if err != nil {
		return traced{}, err
	}
	defer os.Remove(said.Name())
	defer said.Close()
	nothing, err := os.Open(os.DevNull)
	if err != nil {
		return traced{}, err
	}
	defer nothing.Close()
	start := time.Now()
	p, err := os.StartProcess(cmd.Path, cmd.Args, &os.ProcAttr{
		Env: cmd.Env, Files: []*os.File{nothing, said, said}, Sys: &syscall.SysProcAttr{Ptrace: true, Setpgid: true},
	})
	if err != nil {
		return traced{}, err
	}
	defer p.Release()
	defer time.AfterFunc(longest, func() { syscall.Kill(p.Pid, syscall.SIGKILL) }).Stop()
	t := &tracee{pid: p.Pid, watch: watch, threads: map[int]*step{}, failing: map[int]syscall.Errno{}}
	status, err := t.follow()
	text, _ := os.ReadFile(said.Name())
	o := outcome{code: status.ExitStatus(), stdout: string(text), stderr: string(text), took: time.Since(start)}
	return traced{outcome: o, killed: t.killed, children: t.children}, err
}

func (t *tracee) follow() (syscall.WaitStatus, error) {
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(t.pid, &status, waitAll, nil); err != nil || !status.Stopped() {
		return status, fmt.Errorf("waiting for the program to start: %v, %v", status, err)
	}
	options := syscall.PTRACE_O_TRACESYSGOOD | syscall.PTRACE_O_TRACECLONE | ptraceExitKill
	if err := syscall.PtraceSetOptions(t.pid, options); err != nil {
		syscall.Kill(t.pid, syscall.SIGKILL)
		syscall.Wait4(t.pid, &status, waitAll, nil)
		return status, fmt.Errorf("tracing: %w", err)
	}
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", t.pid))
	if err != nil {
		return status, err
	}
	defer mem.Close()
	t.mem, t.threads[t.pid] = mem, nil
	t.resume(t.pid, 0)
	for {
		// The group holds the program's threads, and nothing else that this
		// thread could be told about: other tests start processes, too.
		tid, err := syscall.Wait4(-t.pid, &status, waitAll|waitNoThread, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return status, fmt.Errorf("waiting for the program: %w", err)
		case !status.Stopped() && tid == t.pid:
			return status, nil
		case status.Stopped():
			t.stopped(tid, status)
		}
	}
}

func (t *tracee) stopped(tid int, status syscall.WaitStatus) {
	_, known := t.threads[tid]
	switch signal := status.StopSignal(); {
	case signal == syscallStop:
		t.atSyscall(tid)
		t.resume(tid, 0)
	case signal == syscall.SIGSTOP && !known: // a new thread
		t.threads[tid] = nil
		t.resume(tid, 0)
	case signal == syscall.SIGTRAP:
		t.resume(tid, 0)
	default:
		t.resume(tid, signal)
	}
}

func (t *tracee) resume(tid int, signal syscall.Signal) {
	if t.free {
		syscall.PtraceCont(tid, int(signal))
		return
	}
	syscall.PtraceSyscall(tid, int(signal))
}

func (t *tracee) atSyscall(tid int) {
	var info syscallInfo
	_, _, errno := syscall.RawSyscall6(syscall.SYS_PTRACE, ptraceGetSyscallInfo, uintptr(tid), unsafe.Sizeof(info), uintptr(unsafe.Pointer(&info)), 0, 0)
	switch {
	case errno != 0 || t.killed || t.free:
	case info.op == 1:
		if s := t.entering(&info); s != nil {
			t.threads[tid] = s
			t.ask(tid, *s, beforeIt)
		}
	case info.op == 2 && t.threads[tid] != nil:
		s := t.threads[tid]
		t.threads[tid] = nil
		if errno, ok := t.failing[tid]; ok {
			delete(t.failing, tid)
			setResult(tid, errno)
			return
		}
		t.leaving(s, &info)
		t.ask(tid, *s, afterIt)
	}
}

func (t *tracee) ask(tid int, s step, side side) {
	switch signal := t.watch(s, side); {
	case signal == 0:
	case signal == letGo:
		t.free = true
	case signal < letGo: // see failWith
		if skipCall(tid) == nil {
			t.failing[tid] = syscall.Errno(-signal - failBase)
		}
	default:
		t.killed = signal == syscall.SIGKILL
		syscall.Kill(t.pid, signal)
	}
}

// What is done to an open file, and to one or two paths.
var (
	toOpen = map[uint64]string{
		syscall.SYS_WRITE: "write", syscall.SYS_PWRITE64: "write", syscall.SYS_WRITEV: "write",
		syscall.SYS_FTRUNCATE: "truncate", syscall.SYS_FSYNC: "sync", syscall.SYS_FDATASYNC: "sync",
		syscall.SYS_FLOCK: "flock", syscall.SYS_FCHMOD: "chmod", syscall.SYS_FCHOWN: "chown",
	}
	toPath = map[uint64]string{
		syscall.SYS_OPENAT: "create", syscall.SYS_MKDIRAT: "mkdir", syscall.SYS_UNLINKAT: "unlink",
		syscall.SYS_FCHMODAT: "chmod", syscall.SYS_FCHOWNAT: "chown",
	}
	toPaths = map[uint64]string{
		syscall.SYS_RENAMEAT: "rename", sysRenameat2: "rename", syscall.SYS_LINKAT: "link",
	}
)

// entering tells what a thread is about to do, nil if it changes nothing.
func (t *tracee) entering(info *syscallInfo) *step {
	a := info.args
	if verb, ok := toOpen[info.number]; ok {
		return t.file(step{verb: verb, path: t.open(a[0]), fd: int(a[0])})
	}
	if verb, ok := toPaths[info.number]; ok {
		return t.file(step{verb: verb, path: t.path(a[0], a[1]), to: t.path(a[2], a[3])})
	}
	if verb, ok := toPath[info.number]; ok {
		s := step{verb: verb, path: t.path(a[0], a[1])}
		switch {
		case verb == "create" && a[2]&syscall.O_CREAT == 0:
			return nil
		case verb == "create":
			s.emptied = a[2]&syscall.O_TRUNC != 0
		case verb == "unlink" && a[2]&atRemoveDir != 0:
			s.verb = "rmdir"
		}
		return t.file(s)
	}
	switch info.number {
	case syscall.SYS_CLONE, sysClone3:
		if t.cloneFlags(info)&cloneVfork != 0 {
			return &step{verb: "start"}
		}
	case syscall.SYS_KILL: // not a look, and not at the commands that it has started
		if a[1] != 0 && int32(a[0]) > 0 {
			return &step{verb: "signal"}
		}
	case syscall.SYS_WAIT4:
		return &step{verb: "end"}
	case syscall.SYS_WAITID:
		if a[3]&waitNoReap == 0 {
			return &step{verb: "end"}
		}
	}
	return nil
}

// leaving completes a step with what came of it.
func (t *tracee) leaving(s *step, info *syscallInfo) {
	s.failed = byte(info.args[0]) != 0
	switch {
	case s.failed:
	case s.verb == "start":
		child := int(info.number)
		t.children = append(t.children, child)
		words, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", child))
		s.path = strings.ReplaceAll(strings.Trim(string(words), "\x00"), "\x00", " ")
	case s.verb == "write" || s.verb == "truncate":
		s.data, _ = os.ReadFile(fmt.Sprintf("/proc/%d/fd/%d", t.pid, s.fd))
	case s.verb == "create" || s.verb == "chmod" || s.verb == "mkdir":
		if info, err := os.Lstat(s.path); err == nil {
			s.mode = info.Mode()
		}
	}
}

func (t *tracee) cloneFlags(info *syscallInfo) uint64 {
	if info.number != sysClone3 {
		return info.args[0]
	}
	var word [8]byte
	t.mem.ReadAt(word[:], int64(info.args[0]))
	return binary.LittleEndian.Uint64(word[:])
}

// file is the step, unless it is about a pipe, a socket or a device.
func (t *tracee) file(s step) *step {
	device := strings.HasPrefix(s.path, "/dev/") && !strings.HasPrefix(s.path, "/dev/shm/")
	if !strings.HasPrefix(s.path, "/") || device || strings.HasPrefix(filepath.Base(s.path), "said-") {
		return nil
	}
	return &s
}

// open is the path of an open file.
func (t *tracee) open(fd uint64) string {
	path, _ := os.Readlink("/proc/" + strconv.Itoa(t.pid) + "/fd/" + strconv.Itoa(int(fd)))
	return path
}

// path reads one from the program's memory.
func (t *tracee) path(dirfd, address uint64) string {
	var text []byte
	for chunk := make([]byte, 256); ; {
		n, _ := t.mem.ReadAt(chunk, int64(address)+int64(len(text)))
		if end := bytes.IndexByte(chunk[:n], 0); end >= 0 || n == 0 {
			text = append(text, chunk[:max(end, 0)]...)
			break
		}
		text = append(text, chunk[:n]...)
	}
	path := string(text)
	switch {
	case strings.HasPrefix(path, "/"):
		return path
	case int32(dirfd) == atFDCWD:
		cwd, _ := os.Readlink("/proc/" + strconv.Itoa(t.pid) + "/cwd")
		return filepath.Join(cwd, path)
	}
	return filepath.Join(t.open(dirfd), path)
}
