// Package backup replaces files atomically, and keeps what they held before so
// that it can be put back byte for byte.
package backup

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"syscall"
)

// maxSize bounds what Read accepts. Callers may want far less.
const maxSize = 16 << 20

// Reasons why a file cannot be read or replaced.
var (
	ErrNotRegular = errors.New("not a regular file")
	errTooLarge   = fmt.Errorf("larger than %d MiB", maxSize>>20)
	ErrChanged    = errors.New("the file has been changed by somebody else in the meantime")
)

// File is a file as it was read: the bytes, and what a replacement keeps.
type File struct {
	Path string // as the caller named it
	Real string // with symbolic links resolved
	// Absent: there was no file, and the fields below are empty.
	Absent bool
	Data   []byte
	Mode   fs.FileMode // permission bits
	UID    int
	GID    int
	// Links is how many names (hard links) the file has. A replacement takes over one.
	Links int

	info fs.FileInfo
}

// ReadAbsent is Read for a file that may be missing. A dangling link is still an error:
// its owner meant something else.
func ReadAbsent(path string) (File, error) {
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return File{Path: path, Real: path, Absent: true}, nil
	}
	return Read(path)
}

// Read reads a regular file, following symbolic links. Unlike an open of a FIFO, it
// never waits for a writer.
func Read(path string) (File, error) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return File{}, err
	}
	notRegular := &fs.PathError{Op: "read", Path: path, Err: ErrNotRegular}
	if info, err := os.Lstat(real); err != nil {
		return File{}, err
	} else if !info.Mode().IsRegular() { // opening a device can do something
		return File{}, notRegular
	}
	f, err := os.OpenFile(real, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return File{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return File{}, err
	}
	if !info.Mode().IsRegular() { // the path has been replaced since
		return File{}, notRegular
	}
	data, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return File{}, err
	}
	if len(data) > maxSize {
		return File{}, &fs.PathError{Op: "read", Path: real, Err: errTooLarge}
	}
	uid, gid := owner(info)
	return File{path, real, false, data, info.Mode().Perm(), uid, gid, links(info), info}, nil
}

func owner(info fs.FileInfo) (uid, gid int) {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(st.Uid), int(st.Gid)
	}
	return -1, -1
}

func links(info fs.FileInfo) int {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(st.Nlink)
	}
	return 1
}

// Replace puts data and mode in place of what f was read as, atomically: a reader sees
// the old file or the new one, and so does everyone after a power cut. If the file is
// no longer what was read, nothing is written and the error wraps ErrChanged. Its
// folder must exist.
//
// The new file has the old one's owner and extended attributes; a symbolic link stays a
// link. ACLs are not carried over, and another hard link keeps the old file.
func (f File) Replace(data []byte, mode fs.FileMode) error {
	temp, err := f.writeBeside(data, mode)
	if err != nil {
		return err
	}
	defer os.Remove(temp) // fails after a rename, as expected
	if f.Absent {
		// Unlike a rename, a link fails if another file has appeared.
		if err = os.Link(temp, f.Real); errors.Is(err, fs.ErrExist) {
			err = &fs.PathError{Op: "create", Path: f.Path, Err: ErrChanged}
		}
	} else if err = f.unchanged(); err == nil {
		err = os.Rename(temp, f.Real)
	}
	if err != nil {
		return err
	}
	return syncDir(filepath.Dir(f.Real))
}

// Remove deletes the file, unless it is no longer what was read; then the error wraps
// ErrChanged.
func (f File) Remove() error {
	if err := f.unchanged(); err != nil {
		return err
	}
	if err := os.Remove(f.Real); err != nil {
		return err
	}
	return syncDir(filepath.Dir(f.Real))
}

// writeBeside writes a temporary file into f's folder. Its name is hidden and does not
// end in .plist: launchd loads every *.plist it finds there.
func (f File) writeBeside(data []byte, mode fs.FileMode) (name string, err error) {
	temp, err := os.CreateTemp(filepath.Dir(f.Real), ".ollama-bind-*.tmp")
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			os.Remove(temp.Name())
		}
	}()
	defer temp.Close()
	if err := f.dress(temp, mode); err != nil {
		return "", err
	}
	return temp.Name(), finish(temp, data)
}

// finish writes the file and syncs it.
func finish(f *os.File, data []byte) error {
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := liftQuarantine(f); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return f.Close()
}

// The names that os.CreateTemp and os.MkdirTemp make from our patterns.
var (
	temporaryFile    = regexp.MustCompile(`^\.ollama-bind-\d+\.tmp$`)
	unfinishedBackup = regexp.MustCompile(`^\.unfinished-\d+$`)
)

// Litter lists what killed runs left in the store and beside the files at paths. Hold
// the lock before removing it: another run may still be using it.
func (s Store) Litter(paths ...string) []string {
	left := litter(s.backups(), unfinishedBackup)
	for _, path := range paths {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			path = real
		}
		left = append(left, litter(filepath.Dir(path), temporaryFile)...)
	}
	return left
}

func litter(dir string, ours *regexp.Regexp) (all []string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if ours.MatchString(e.Name()) && e.IsDir() == (ours == unfinishedBackup) {
			all = append(all, filepath.Join(dir, e.Name()))
		}
	}
	return all
}

// dress gives temp the mode and owner of the replacement.
func (f File) dress(temp *os.File, mode fs.FileMode) error {
	info, err := temp.Stat()
	if err != nil {
		return err
	}
	if uid, gid := owner(info); !f.Absent && (uid != f.UID || gid != f.GID) {
		// launchd checks only the owner, and users cannot give files to groups they are
		// not in: losing the group is no reason to stop.
		if err := temp.Chown(f.UID, f.GID); err != nil && uid != f.UID {
			return err
		}
	}
	if !f.Absent {
		keepAttributes(f.Real, temp)
	}
	return temp.Chmod(mode.Perm())
}

func (f File) unchanged() error {
	now, err := Read(f.Path)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrChanged, err)
	}
	if now.Real != f.Real || !os.SameFile(now.info, f.info) || !bytes.Equal(now.Data, f.Data) {
		return &fs.PathError{Op: "replace", Path: f.Path, Err: ErrChanged}
	}
	return nil
}

// syncDir makes a rename in dir durable. Some file systems cannot sync a folder; there
// the rename is as safe as it gets.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		return nil
	}
	return err
}

// Sum is the SHA-256 of data in hexadecimal.
func Sum(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
