package backup

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

// Lock keeps other runs of this program from changing anything until unlock is
// called. When another run holds the lock, waiting is told its process ID (0 if
// unknown) once, and Lock waits until ctx ends.
//
// It locks a file of its own: a rename would slip the property list itself out
// from under its lock.
func (s Store) Lock(ctx context.Context, waiting func(pid int)) (unlock func(), err error) {
	if err := s.prepare(); err != nil {
		return nil, fmt.Errorf("preparing the state folder: %w", err)
	}
	path := filepath.Join(s.Dir, "lock")
	// Whatever else somebody has put there is neither followed nor waited for.
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "lock", Path: path, Err: ErrNotRegular}
	}
	lock := flock.New(path, flock.SetPermissions(0o600),
		flock.SetFlag(os.O_CREATE|os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK))
	got, err := lock.TryLock()
	if err == nil && !got {
		waiting(holder(path))
		_, err = lock.TryLockContext(ctx, 50*time.Millisecond)
	}
	if err != nil {
		return nil, fmt.Errorf("waiting for another run of ollama-bind: %w", err)
	}
	if err := os.WriteFile(path, fmt.Appendln(nil, os.Getpid()), 0o600); err != nil {
		lock.Close()
		return nil, fmt.Errorf("signing the lock: %w", err)
	}
	return func() { lock.Close() }, nil
}

func holder(path string) (pid int) {
	if f, err := Read(path); err == nil {
		pid, _ = strconv.Atoi(strings.TrimSpace(string(f.Data)))
	}
	return pid
}
