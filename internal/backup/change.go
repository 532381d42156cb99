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

// Change is one file that is about to be replaced, made or removed.
type Change struct {
	Layer string
	File  File
	After []byte      // nil: the file shall not be there
	Mode  fs.FileMode // that the file has afterwards
	// Folders come and go with the file, the outermost first. One that holds
	// anything else stays.
	Folders []string
}

// Clean is [filepath.Clean] for a path that may lead through links: where the
// folder is there, ".." behind a link leads to where it leads the system.
func Clean(path string) string {
	if i := strings.LastIndex(path+"/", "/../"); i >= 0 {
		if real, err := filepath.EvalSymlinks(path[:i+len("/..")]); err == nil {
			path = real + path[i+len("/.."):]
		}
	}
	return filepath.Clean(path)
}

// MissingFolders lists those of path's folders that are not there, the outermost
// first: they have to be made before the file.
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

// Apply makes the change. Where it fails, something of it may have been done;
// Revert takes that back.
func (c Change) Apply() error { return c.put(c.File, c.After, c.Mode) }

// Revert takes the change back. A change that was not made is left at that; a
// file that somebody else has changed since is left to them, and the error wraps
// ErrChanged.
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

// same reports whether now has these bytes and this mode, or is absent as well.
func same(now File, data []byte, mode fs.FileMode, absent bool) bool {
	if now.Absent || absent {
		return now.Absent == absent
	}
	return now.Mode == mode && bytes.Equal(now.Data, data)
}

// put replaces or makes the file, or removes it where data is nil.
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

// makeFolders makes those that are not there, and makes each last: what lies in
// a folder that a power cut takes away is gone, however well it was synced. One
// that is there may be from a run that was killed before it could sync it.
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

// DropFolders removes those of the folders that the file at path would lie in and
// that are empty. It is no failure to leave one, and a link is not removed: it is
// somebody's own.
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
