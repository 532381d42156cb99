package backup

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
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
	lock := flock.New(path, flock.SetPermissions(0o600))
	got, err := lock.TryLock()
	if err == nil && !got {
		waiting(holder(path))
		_, err = lock.TryLockContext(ctx, 50*time.Millisecond)
	}
	if err != nil {
		return nil, fmt.Errorf("waiting for another run of ollama-bind: %w", err)
	}
	if err := os.WriteFile(path, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600); err != nil {
		lock.Close()
		return nil, fmt.Errorf("signing the lock: %w", err)
	}
	return func() { lock.Close() }, nil
}

func holder(path string) (pid int) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	pid, err = strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0
	}
	return pid
}
