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
	saved, err := os.MkdirTemp(ts.MkAbs("."), "saved")
	ts.Check(err)
	ts.Check(os.CopyFS(saved, os.DirFS(dir)))
	ts.Check(mount(dir))
	ts.Defer(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	ts.Check(os.CopyFS(dir, os.DirFS(saved)))
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
