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
	"syscall"

	"github.com/ollama-bind/ollama-bind/internal/lazyregexp"
)

// MaxSize bounds what Read takes in. It is an outer bound: whoever reads the
// bytes may want far fewer.
const MaxSize = 16 << 20

// What keeps a file from being read or replaced.
var (
	ErrNotRegular = errors.New("not a regular file")
	ErrTooLarge   = fmt.Errorf("larger than %d MiB", MaxSize>>20)
	ErrChanged    = errors.New("the file has been changed by somebody else in the meantime")
)

// File is a file as it was read: the bytes, and what a replacement keeps.
type File struct {
	Path string // as it was asked for
	Real string // the same with symbolic links resolved
	// Absent is set where there was no file; then all below is empty.
	Absent bool
	Data   []byte
	Mode   fs.FileMode // permission bits
	UID    int
	GID    int

	info fs.FileInfo
}

// ReadAbsent is Read for a file that need not be there. A link that leads
// nowhere is an error all the same: who put it there wanted something else.
func ReadAbsent(path string) (File, error) {
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return File{Path: path, Real: path, Absent: true}, nil
	}
	return Read(path)
}

// Read reads a regular file, following symbolic links. It never waits for a
// writer, as opening a FIFO would.
func Read(path string) (File, error) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return File{}, err
	}
	info, err := os.Lstat(real)
	if err != nil {
		return File{}, err
	}
	if !info.Mode().IsRegular() {
		return File{}, &fs.PathError{Op: "read", Path: path, Err: ErrNotRegular}
	}
	data, info, err := readRegular(real)
	if err != nil {
		return File{}, err
	}
	uid, gid := owner(info)
	return File{Path: path, Real: real, Data: data, Mode: info.Mode().Perm(), UID: uid, GID: gid, info: info}, nil
}

// readRegular opens without following a link and without blocking, and looks
// again at what it got: the path may have changed hands since it was looked at.
func readRegular(real string) ([]byte, fs.FileInfo, error) {
	f, err := os.OpenFile(real, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, &fs.PathError{Op: "read", Path: real, Err: ErrNotRegular}
	}
	data, err := io.ReadAll(io.LimitReader(f, MaxSize+1))
	if err == nil && len(data) > MaxSize {
		err = &fs.PathError{Op: "read", Path: real, Err: ErrTooLarge}
	}
	return data, info, err
}

func owner(info fs.FileInfo) (uid, gid int) {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(st.Uid), int(st.Gid)
	}
	return -1, -1
}

// Replace puts data and mode in place of what f was read as, atomically: a
// reader sees the old file or the new one, and after a power cut one of the two
// is there. When the file is no longer what was read, nothing is written and the
// error wraps ErrChanged.
//
// The new file has the old one's owner; a symbolic link stays a link. Extended
// attributes and ACLs are not carried over.
func (f File) Replace(data []byte, mode fs.FileMode) error {
	if f.Absent {
		return f.create(data, mode)
	}
	temp, err := f.writeBeside(data, mode)
	if err != nil {
		return err
	}
	defer os.Remove(temp) // fails after the rename, as it should
	if err := f.unchanged(); err != nil {
		return err
	}
	if err := os.Rename(temp, f.Real); err != nil {
		return err
	}
	return syncDir(filepath.Dir(f.Real))
}

// create puts a file where there was none. Its folder has to be there.
func (f File) create(data []byte, mode fs.FileMode) error {
	temp, err := f.writeBeside(data, mode)
	if err != nil {
		return err
	}
	defer os.Remove(temp)
	// A link, unlike a rename, fails where somebody has put a file meanwhile.
	if err := os.Link(temp, f.Real); errors.Is(err, fs.ErrExist) {
		return &fs.PathError{Op: "create", Path: f.Path, Err: ErrChanged}
	} else if err != nil {
		return err
	}
	return syncDir(filepath.Dir(f.Real))
}

// Remove takes the file away, unless it is no longer what was read; then the
// error wraps ErrChanged.
func (f File) Remove() error {
	sweep(filepath.Dir(f.Real), temporaryFile)
	if err := f.unchanged(); err != nil {
		return err
	}
	if err := os.Remove(f.Real); err != nil {
		return err
	}
	return syncDir(filepath.Dir(f.Real))
}

// writeBeside writes a temporary file into f's own folder. Its name is hidden
// and does not end in .plist: launchd loads every *.plist it finds there.
func (f File) writeBeside(data []byte, mode fs.FileMode) (name string, err error) {
	sweep(filepath.Dir(f.Real), temporaryFile)
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
	if _, err := temp.Write(data); err != nil {
		return "", err
	}
	if err := temp.Sync(); err != nil {
		return "", err
	}
	return temp.Name(), temp.Close()
}

// The names that os.CreateTemp and os.MkdirTemp make of our patterns.
var (
	temporaryFile    = lazyregexp.New(`^\.ollama-bind-\d+\.tmp$`)
	unfinishedBackup = lazyregexp.New(`^\.unfinished-\d+$`)
)

// sweep removes what a run that was killed has left in dir, and nothing else.
// Whoever calls it holds the lock, so no other run is still at work on any of it.
func sweep(dir string, ours *lazyregexp.Regexp) {
	for _, path := range litter(dir, ours) {
		os.RemoveAll(path) // what cannot be removed does no harm
	}
}

func litter(dir string, ours *lazyregexp.Regexp) (all []string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	for _, e := range entries {
		if ours.MatchString(e.Name()) && e.IsDir() == (ours == unfinishedBackup) {
			all = append(all, filepath.Join(dir, e.Name()))
		}
	}
	return all
}

// Litter reports whether a run that was killed has left a temporary file beside
// the file at path.
func Litter(path string) bool { return len(litter(folderOf(path), temporaryFile)) > 0 }

// Sweep removes it. The caller holds the lock.
func Sweep(path string) { sweep(folderOf(path), temporaryFile) }

// folderOf is where the file really is, if it is a link.
func folderOf(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	return filepath.Dir(path)
}

// dress gives temp the mode and the owner that the replacement shall have.
func (f File) dress(temp *os.File, mode fs.FileMode) error {
	if f.Absent {
		return temp.Chmod(mode.Perm())
	}
	info, err := temp.Stat()
	if err != nil {
		return err
	}
	if uid, gid := owner(info); uid != f.UID || gid != f.GID {
		// launchd asks for the owner alone, and a user may not give a file
		// to a group that he is not in: losing the group is no reason to stop.
		if err := temp.Chown(f.UID, f.GID); err != nil && uid != f.UID {
			return err
		}
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

// syncDir makes a rename in dir last. Some file systems cannot sync a folder;
// there the rename is as safe as it gets.
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
