package backup

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestReplace(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o077))
	path := write(t, "old")
	if err := read(t, path).Replace([]byte("new"), 0o644); err != nil {
		t.Fatal(err)
	}
	now := read(t, path)
	if string(now.Data) != "new" || now.Mode != 0o644 || now.UID != os.Geteuid() {
		t.Errorf("got %q, mode %o, owner %d", now.Data, now.Mode, now.UID)
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Errorf("beside the file: %v, %v", entries, err)
	}
}

// TestReplaceRefusesChanges has somebody else at work between reading and
// replacing, in every way in which it can be noticed.
func TestReplaceRefusesChanges(t *testing.T) {
	for name, meddle := range map[string]func(path string) error{
		"edited in place": func(path string) error {
			return os.WriteFile(path, []byte("theirs"), 0o644)
		},
		"edited to the same length": func(path string) error {
			return os.WriteFile(path, []byte("OLD"), 0o644)
		},
		"replaced by the same bytes": func(path string) error {
			if err := os.WriteFile(path+".new", []byte("old"), 0o644); err != nil {
				return err
			}
			return os.Rename(path+".new", path)
		},
		"removed": os.Remove,
		"replaced by a link": func(path string) error {
			if err := os.Rename(path, path+".moved"); err != nil {
				return err
			}
			return os.Symlink(path+".moved", path)
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := write(t, "old")
			f := read(t, path)
			if err := meddle(path); err != nil {
				t.Fatal(err)
			}
			if err := f.Replace([]byte("ours"), 0o644); !errors.Is(err, ErrChanged) {
				t.Errorf("got %v, want ErrChanged", err)
			}
			if got, err := os.ReadFile(path); err == nil && string(got) == "ours" {
				t.Error("replaced all the same")
			}
			noTemporaryFile(t, filepath.Dir(path))
		})
	}
}

func TestReadRefuses(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	big := filepath.Join(dir, "big")
	if err := os.WriteFile(big, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(big, maxSize+1); err != nil {
		t.Fatal(err)
	}
	loop := filepath.Join(dir, "loop")
	if err := os.Symlink(loop, loop); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]error{
		dir:                          ErrNotRegular,
		fifo:                         ErrNotRegular,
		"/dev/null":                  ErrNotRegular,
		big:                          errTooLarge,
		filepath.Join(dir, "absent"): fs.ErrNotExist,
	} {
		if _, err := Read(path); !errors.Is(err, want) {
			t.Errorf("Read(%s): %v, want %v", path, err, want)
		}
	}
	if _, err := Read(loop); err == nil {
		t.Error("read a link to itself")
	}
}

func write(t *testing.T, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "a.plist")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, path string) File {
	t.Helper()
	f, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func chmod(t *testing.T, path string, mode fs.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Chmod(path, 0o700) })
}

func noTemporaryFile(t *testing.T, dir string) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(dir, ".ollama-bind-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestReplaceKeepsAttributes(t *testing.T) {
	path := write(t, "old")
	if err := unix.Setxattr(path, "user.note", []byte("mine"), 0); err != nil {
		t.Skipf("no extended attributes here: %v", err)
	}
	f := read(t, path)
	if err := f.Replace([]byte("new"), f.Mode); err != nil {
		t.Fatal(err)
	}
	value := make([]byte, 16)
	n, err := unix.Getxattr(path, "user.note", value)
	if err != nil || string(value[:n]) != "mine" {
		t.Errorf("the attribute is %q, %v", value[:max(n, 0)], err)
	}
}
