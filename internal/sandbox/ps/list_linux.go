package ps

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/ollama-bind/ollama-bind/internal/sandbox/standin"
)

// List lists the processes of the Mac with that server, by pid.
func List(server string) ([]Process, error) {
	folders, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var all []Process
	for _, f := range folders {
		pid, err := strconv.Atoi(f.Name())
		if err != nil || !on(server, pid) {
			continue
		}
		if p, ok := read(pid); ok {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b Process) int { return a.PID - b.PID })
	for i, p := range all {
		if !slices.ContainsFunc(all, func(o Process) bool { return o.PID == p.Parent }) {
			all[i].Parent = 1
		}
	}
	return all, nil
}

// on reports whether a process is on the Mac with that server.
func on(server string, pid int) bool { return bytes.Contains(environ(pid), macOf(server)) }

// OnAnother reports whether a process is on a Mac, and not on that one.
func OnAnother(server string, pid int) bool {
	env := environ(pid)
	return bytes.Contains(env, []byte(standin.EnvServer+"=")) && !bytes.Contains(env, macOf(server))
}

func macOf(server string) []byte { return []byte(standin.EnvServer + "=" + server + "\x00") }

// environ is nothing where it is not known.
func environ(pid int) []byte {
	env, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "environ"))
	return env
}

// read is not ok for what has ended, and for what others may not look at.
func read(pid int) (p Process, ok bool) {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	path, err := os.Readlink(filepath.Join(dir, "exe"))
	if err != nil {
		return p, false
	}
	env, err := words(filepath.Join(dir, "environ"))
	if err != nil {
		return p, false
	}
	args, err := words(filepath.Join(dir, "cmdline"))
	if err != nil {
		return p, false
	}
	info, err := os.Stat(dir)
	if err != nil {
		return p, false
	}
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return p, false
	}
	// The name before it may hold blanks and brackets.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	parent, err := strconv.Atoi(fields[1])
	if err != nil || fields[0] == "Z" {
		return p, false
	}
	return Process{
		PID: pid, Parent: parent, UID: int(info.Sys().(*syscall.Stat_t).Uid),
		Path: strings.TrimSuffix(path, " (deleted)"), Args: args, Env: env,
	}, true
}

// words are the strings of a file that ends each with a zero byte.
func words(path string) ([]string, error) {
	data, err := os.ReadFile(path)
	return strings.Split(strings.TrimSuffix(string(data), "\x00"), "\x00"), err
}
