package main

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"
)

func init() {
	commands["tinydisk"] = cmdTinyDisk
	conditions["mounts"] = canMount
}

// cmdTinyDisk moves what is in a folder onto a disk of its own with next to no
// room, and fills it up.
func cmdTinyDisk(ts *testscript.TestScript, neg bool, args []string) {
	dir := ts.MkAbs(args[0])
	files := map[string][]byte{}
	entries, err := os.ReadDir(dir)
	ts.Check(err)
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		ts.Check(err)
		files[e.Name()] = data
	}
	ts.Check(mount(dir))
	ts.Defer(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	for name, data := range files {
		ts.Check(os.WriteFile(filepath.Join(dir, name), data, 0o644))
	}
	ts.Check(fill(filepath.Join(dir, "filler")))
}

func mount(dir string) error {
	return syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=16k,mode=700")
}

// canMount tries, because root in a container may not.
func canMount() bool {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		return false
	}
	defer os.Remove(dir)
	return mount(dir) == nil && syscall.Unmount(dir, 0) == nil
}

func fill(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for {
		if _, err := f.Write(make([]byte, 512)); errors.Is(err, syscall.ENOSPC) {
			return nil
		} else if err != nil {
			return err
		}
	}
}
