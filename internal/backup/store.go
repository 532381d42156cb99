package backup

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ollama-bind/ollama-bind/internal/lazyregexp"
)

// StateDirVariable moves the state folder, for tests and for people who keep
// such things elsewhere.
const StateDirVariable = "OLLAMA_BIND_STATE_DIR"

// receiptVersion is the version of the receipt's form that this program writes
// and reads.
const receiptVersion = 1

const (
	receiptName = "receipt.json"
	doneName    = "done"
	voidName    = "void"
)

// What can be wrong with a backup.
var (
	ErrNoBackup = errors.New("no such backup")
	ErrDamaged  = errors.New("the backup is damaged")
	ErrUnsafe   = errors.New("not a folder that only its owner can write to")
	ErrRelative = errors.New("not a full path")
	ErrNotUTF8  = errors.New("a path that is not UTF-8 cannot be written down")
)

// Receipt says what one change did, so that it can be taken back.
type Receipt struct {
	SchemaVersion int       `json:"schema_version"`
	ID            string    `json:"id"`
	Created       time.Time `json:"created"`
	Command       string    `json:"command"` // that made the change
	Host          string    `json:"host"`    // OLLAMA_HOST that it set; empty if it took it out
	Label         string    `json:"label"`
	Domain        string    `json:"domain"`        // where launchd held the job; empty if nowhere
	SocketBefore  string    `json:"socket_before"` // where the job listened; empty if nowhere
	WasUp         bool      `json:"was_up"`        // whether the service answered
	Undoes        string    `json:"undoes"`        // ID of the backup that a rollback went back to
	Supersedes    string    `json:"supersedes"`    // ID of a backup that this one has taken over
	Files         []Saved   `json:"files"`

	// Done is set when the change was carried out to its end.
	Done bool `json:"-"`
	// Void is set when a rollback has found nothing left of the change.
	Void bool `json:"-"`
	// Err is set, and all but ID empty, when the receipt could not be read.
	Err error `json:"-"`
}

// Saved is one file of a backup. Its bytes lie beside the receipt, in a file
// named after the layer. A hash is empty where there was, or is, no file.
type Saved struct {
	Layer   string      `json:"layer"`
	Path    string      `json:"path"`
	Mode    fs.FileMode `json:"mode"` // before
	Before  string      `json:"sha256_before"`
	After   string      `json:"sha256_after"`
	Folders []string    `json:"folders,omitempty"` // that came or went with it, the outermost first
}

// Created is set when the change has made the file.
func (s Saved) Created() bool { return s.Before == "" }

// Store is the state folder.
type Store struct {
	Dir string
}

// DefaultStore is the folder that StateDirVariable names, or else the one in the
// user's configuration folder (~/Library/Application Support on a Mac).
func DefaultStore() (Store, error) {
	if dir := os.Getenv(StateDirVariable); dir != "" {
		if !filepath.IsAbs(dir) {
			return Store{}, fmt.Errorf("%s=%q: %w", StateDirVariable, dir, ErrRelative)
		}
		return Store{dir}, nil
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return Store{}, fmt.Errorf("finding the state folder: %w", err)
	}
	return Store{filepath.Join(ownDir(dir), "ollama-bind")}, nil
}

// ownDir is dir, or for a root that works in the home of somebody else, as under
// sudo on a Mac, the same folder in root's own home: each would lock the other
// out of a shared one.
func ownDir(dir string) string {
	home, err := os.UserHomeDir()
	if err != nil || os.Geteuid() != 0 {
		return dir
	}
	info, err := os.Stat(home)
	if err != nil {
		return dir
	}
	if uid, _ := owner(info); uid == 0 {
		return dir
	}
	root, err := user.LookupId("0")
	rest, inside := strings.CutPrefix(dir, home)
	if err != nil || !inside {
		return dir
	}
	return root.HomeDir + rest
}

func (s Store) backups() string { return filepath.Join(s.Dir, "backups") }

// Save keeps the bytes that changes are about to replace, and fills in the
// receipt's ID, time and files. The backup appears complete or not at all.
func (s Store) Save(r Receipt, changes []Change) (Receipt, error) {
	if err := s.prepare(); err != nil {
		return Receipt{}, fmt.Errorf("preparing the backup folder: %w", err)
	}
	r.SchemaVersion = receiptVersion
	r.Created = time.Now().UTC().Truncate(time.Millisecond)
	r.ID = newID(r.Created)
	r.Files = nil
	for _, c := range changes {
		if !utf8.ValidString(c.File.Path) { // in JSON it would become another one, which no rollback finds
			return Receipt{}, &fs.PathError{Op: "back up", Path: c.File.Path, Err: ErrNotUTF8}
		}
		r.Files = append(r.Files, c.saved())
	}
	if err := s.write(r, changes); err != nil {
		return Receipt{}, fmt.Errorf("writing the backup: %w", err)
	}
	return r, nil
}

// newID sorts by time, and does not collide when two are made at once.
func newID(t time.Time) string {
	var random [4]byte
	rand.Read(random[:]) // never fails: crypto/rand ends the program first
	return t.Format("20060102T150405.000Z") + "-" + hex.EncodeToString(random[:])
}

var idForm = lazyregexp.New(`^\d{8}T\d{6}\.\d{3}Z-[0-9a-f]{8}$`)

// write fills a hidden folder and renames it when all is on disk.
func (s Store) write(r Receipt, changes []Change) error {
	sweep(s.backups(), unfinishedBackup)
	temp, err := os.MkdirTemp(s.backups(), ".unfinished-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp) // finds nothing after the rename
	for _, c := range changes {
		if c.File.Absent {
			continue
		}
		if err := writeSynced(filepath.Join(temp, c.Layer), c.File.Data); err != nil {
			return err
		}
	}
	receipt, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := writeSynced(filepath.Join(temp, receiptName), append(receipt, '\n')); err != nil {
		return err
	}
	if err := syncDir(temp); err != nil {
		return err
	}
	if err := os.Rename(temp, filepath.Join(s.backups(), r.ID)); err != nil {
		return err
	}
	return syncDir(s.backups())
}

func writeSynced(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return f.Close()
}

// List returns every backup, the newest first. One that cannot be read is
// listed with its Err.
func (s Store) List() ([]Receipt, error) {
	entries, err := os.ReadDir(s.backups())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing backups: %w", err)
	}
	var all []Receipt
	for _, e := range slices.Backward(entries) { // ReadDir sorts by name, and names start with the time
		if !idForm.MatchString(e.Name()) {
			continue
		}
		r, err := s.Load(e.Name())
		if err != nil {
			r = Receipt{ID: e.Name(), Err: err}
		}
		all = append(all, r)
	}
	return all, nil
}

// Load reads the receipt of one backup.
func (s Store) Load(id string) (Receipt, error) {
	if !idForm.MatchString(id) {
		return Receipt{}, fmt.Errorf("backup %q: %w", id, ErrNoBackup)
	}
	f, err := Read(filepath.Join(s.backups(), id, receiptName))
	if errors.Is(err, fs.ErrNotExist) {
		return Receipt{}, fmt.Errorf("backup %q: %w", id, ErrNoBackup)
	}
	if err != nil {
		return Receipt{}, fmt.Errorf("backup %q: %w", id, err)
	}
	var r Receipt
	if err := json.Unmarshal(f.Data, &r); err != nil {
		return Receipt{}, fmt.Errorf("backup %q: %w: %w", id, ErrDamaged, err)
	}
	if r.SchemaVersion != receiptVersion || r.ID != id || len(r.Files) == 0 {
		return Receipt{}, fmt.Errorf("backup %q: %w: its receipt is not in a form that this version writes", id, ErrDamaged)
	}
	_, err = os.Lstat(filepath.Join(s.backups(), id, doneName))
	r.Done = err == nil
	_, err = os.Lstat(filepath.Join(s.backups(), id, voidName))
	r.Void = err == nil
	return r, nil
}

// Finish notes that the change of a backup was carried out to its end, so that a
// later run can tell it from one that was killed.
func (s Store) Finish(id string) error { return s.mark(id, doneName) }

// Void notes that nothing is left of the change of a backup: somebody else has
// taken it back.
func (s Store) Void(id string) error { return s.mark(id, voidName) }

func (s Store) mark(id, name string) error {
	if !idForm.MatchString(id) {
		return fmt.Errorf("backup %q: %w", id, ErrNoBackup)
	}
	return writeSynced(filepath.Join(s.backups(), id, name), nil)
}

// Bytes returns what f held before the change of r, nil if it was not there.
func (s Store) Bytes(r Receipt, f Saved) ([]byte, error) {
	if f.Created() {
		return nil, nil
	}
	saved, err := Read(filepath.Join(s.backups(), r.ID, filepath.Base(f.Layer)))
	if err != nil {
		return nil, fmt.Errorf("backup %q: %w: %w", r.ID, ErrDamaged, err)
	}
	if Sum(saved.Data) != f.Before {
		return nil, fmt.Errorf("backup %q: %w: %s has other bytes than were saved", r.ID, ErrDamaged, f.Layer)
	}
	return saved.Data, nil
}

// prepare makes the state folder and the one for backups, for the owner's eyes
// only: property lists can hold secrets.
func (s Store) prepare() error {
	if err := makeFolders(MissingFolders(filepath.Join(s.Dir, "backups")), 0o700); err != nil {
		return err
	}
	if err := checkOwned(s.Dir); err != nil {
		return err
	}
	if err := makeFolders([]string{s.backups()}, 0o700); err != nil {
		return err
	}
	return checkOwned(s.backups())
}

func checkOwned(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	uid, _ := owner(info)
	if !info.IsDir() || uid != os.Geteuid() || info.Mode().Perm()&0o022 != 0 {
		return &fs.PathError{Op: "use", Path: dir, Err: ErrUnsafe}
	}
	return nil
}

// Litter reports whether a run that was killed has left anything in the store.
func (s Store) Litter() bool { return len(litter(s.backups(), unfinishedBackup)) > 0 }

// Sweep removes it. The caller holds the lock.
func (s Store) Sweep() { sweep(s.backups(), unfinishedBackup) }

// Remove drops a backup that turned out not to be needed.
func (s Store) Remove(id string) error {
	if !idForm.MatchString(id) {
		return fmt.Errorf("backup %q: %w", id, ErrNoBackup)
	}
	return os.RemoveAll(filepath.Join(s.backups(), id))
}
