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

// Lock keeps other runs of this program from changing anything until unlock is called.
// If another run holds the lock, waiting is told its process ID (0 if unknown) once,
// and Lock waits until ctx ends. It locks a file of its own: a rename would pull the
// plist out from under its lock.
//
// It locks a file of its own: a rename would slip the plist itself out
// from under its lock.
func (s Store) Lock(ctx context.Context, waiting func(pid int)) (unlock func(), err error) {
	if err := s.prepare(); err != nil {
		return nil, fmt.Errorf("preparing the state folder: %w", err)
	}
	path := filepath.Join(s.Dir, "lock")
	// Anything else at that path is neither followed nor waited for.
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "lock", Path: path, Err: ErrNotRegular}
	}
	lock := flock.New(path, flock.SetPermissions(0o600),
		flock.SetFlag(os.O_CREATE|os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK))
	if err := take(ctx, lock, func() { waiting(holder(path)) }); err != nil {
		return nil, err
	}
	if err := os.WriteFile(path, fmt.Appendln(nil, os.Getpid()), 0o600); err != nil {
		lock.Close()
		return nil, fmt.Errorf("signing the lock: %w", err)
	}
	return func() { lock.Close() }, nil
}

// LockFolder keeps runs with another state folder from changing anything in path's
// folder. It leaves nothing behind: it locks the folder itself. A missing folder, or
// one that cannot be locked, is ignored.
func LockFolder(ctx context.Context, path string, waiting func(pid int)) (unlock func(), err error) {
	lock := flock.New(filepath.Dir(path), flock.SetFlag(os.O_RDONLY|syscall.O_NONBLOCK))
	err = take(ctx, lock, func() { waiting(0) })
	if err != nil && ctx.Err() != nil {
		return nil, err
	}
	return func() { lock.Close() }, nil
}

// take waits for a lock until ctx ends, and says so first.
func take(ctx context.Context, lock *flock.Flock, waiting func()) error {
	got, err := lock.TryLock()
	if err == nil && !got {
		waiting()
		_, err = lock.TryLockContext(ctx, 50*time.Millisecond)
	}
	if err != nil {
		return fmt.Errorf("waiting for another run of ollama-bind: %w", err)
	}
	return nil
}

func holder(path string) (pid int) {
	if f, err := Read(path); err == nil {
		pid, _ = strconv.Atoi(strings.TrimSpace(string(f.Data)))
	}
	return pid
}
