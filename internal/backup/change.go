package backup

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Change is one file to replace, make or remove.
type Change struct {
	Layer string
	File  File
	After []byte      // nil: remove the file
	Mode  fs.FileMode // of the file afterwards
	// Folders come and go with the file, outermost first. One that holds anything else
	// stays.
	Folders []string
}

// Clean is [filepath.Clean] for a path with links in it: a ".." after a link counts
// from where the link leads.
func Clean(path string) string {
	if i := strings.LastIndex(path+"/", "/../"); i >= 0 {
		if real, err := filepath.EvalSymlinks(path[:i+len("/..")]); err == nil {
			path = real + path[i+len("/.."):]
		}
	}
	return filepath.Clean(path)
}

// MissingFolders lists the missing folders of path, outermost first: they have to be
// made before the file.
func MissingFolders(path string) []string {
	var missing []string
	for dir := filepath.Dir(path); dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		missing = append(missing, dir)
	}
	slices.Reverse(missing)
	return missing
}

// Apply makes the change. If it fails, part of it may have been done; Revert takes that
// back.
func (c Change) Apply() error { return c.put(c.File, c.After, c.Mode) }

// Revert takes the change back. It leaves alone what Apply did not get to, and a file
// that was changed since; for that the error wraps ErrChanged.
func (c Change) Revert() error {
	now, err := ReadAbsent(c.File.Path)
	switch {
	case err != nil:
		return err
	case same(now, c.File.Data, c.File.Mode, c.File.Absent):
		if now.Absent {
			DropFolders(c.File.Path, c.Folders)
		}
		return nil
	case !same(now, c.After, c.Mode, c.After == nil):
		return &fs.PathError{Op: "restore", Path: c.File.Path, Err: ErrChanged}
	case c.File.Absent:
		return c.put(now, nil, 0)
	}
	return c.put(now, c.File.Data, c.File.Mode)
}

// same reports whether now has these bytes and this mode, or both are absent.
func same(now File, data []byte, mode fs.FileMode, absent bool) bool {
	if now.Absent || absent {
		return now.Absent == absent
	}
	return now.Mode == mode && bytes.Equal(now.Data, data)
}

// put replaces or makes the file, or removes it if data is nil.
func (c Change) put(f File, data []byte, mode fs.FileMode) error {
	if data != nil {
		if err := makeFolders(c.Folders, 0o755); err != nil {
			return err
		}
		return f.Replace(data, mode)
	}
	if !f.Absent {
		if err := f.Remove(); err != nil {
			return err
		}
	}
	DropFolders(f.Path, c.Folders)
	return nil
}

// makeFolders makes missing folders, and syncs each: a file in a folder that a power
// cut takes away is gone, however well it was synced. An existing folder may come from
// a run that was killed before it could sync it.
func makeFolders(dirs []string, mode fs.FileMode) error {
	for _, dir := range dirs {
		if err := os.Mkdir(dir, mode); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if err := syncDir(filepath.Dir(dir)); err != nil {
			return err
		}
	}
	return nil
}

// DropFolders removes those folders of path that are empty. Leaving one is no failure,
// and a link is never removed: somebody made it.
func DropFolders(path string, folders []string) {
	for _, dir := range slices.Backward(folders) {
		if !strings.HasPrefix(path, dir+string(filepath.Separator)) {
			return
		}
		if err := syscall.Rmdir(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return
		}
	}
}
