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
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// StateDirVariable moves the state folder, for tests and for people who keep such
// things elsewhere.
const StateDirVariable = "OLLAMA_BIND_STATE_DIR"

// receiptVersion is the version of the receipt's form that this program writes
// and reads.
const receiptVersion = 1

// What the folder of a backup holds beside the saved bytes. The last two are empty
// files.
const (
	receiptName = "receipt.json"
	doneName    = "done"
	voidName    = "void"
)

// What keeps backups from being used, or kept.
var (
	// ErrDamaged: a backup cannot be read, or its bytes are not those that were saved.
	ErrDamaged = errors.New("the backup is damaged")
	// ErrForeign and ErrOpen: others could put something into the state folder.
	ErrForeign  = errors.New("it belongs to somebody else")
	ErrOpen     = errors.New("others can write to it")
	errNoBackup = errors.New("no such backup")
)

// Receipt says what one change did, so that it can be taken back.
type Receipt struct {
	SchemaVersion int       `json:"schema_version"`
	ID            string    `json:"id"`
	Created       time.Time `json:"created"`
	Command       string    `json:"command"`       // that made the change
	Host          string    `json:"host"`          // OLLAMA_HOST that it set; empty if it took it out
	Label         string    `json:"label"`         // of the job; of an app, where it is
	Domain        string    `json:"domain"`        // where launchd held the job; empty if nowhere
	SocketBefore  string    `json:"socket_before"` // where the job listened; empty if nowhere
	WasUp         bool      `json:"was_up"`        // whether the service answered
	Disabled      bool      `json:"disabled"`      // whether launchd was told not to load the job
	Started       bool      `json:"started"`       // whether the change starts a job that was not loaded, or was stopped
	Undoes        string    `json:"undoes"`        // ID of the backup that a rollback went back to
	Supersedes    string    `json:"supersedes"`    // ID of a backup that this one replaces
	Files         []Saved   `json:"files"`

	// Done: the change was carried out to its end.
	Done bool `json:"-"`
	// Void: a rollback found nothing left of the change.
	Void bool `json:"-"`
	// Err says why the receipt could not be read; then only ID and Created are set.
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
	Folders []string    `json:"folders,omitempty"` // made or removed with it, outermost first
}

// Saved is what a receipt says about the change.
func (c Change) Saved() Saved {
	s := Saved{Layer: c.Layer, Path: c.File.Path, Mode: c.File.Mode, Folders: c.Folders}
	if !c.File.Absent {
		s.Before = Sum(c.File.Data)
	}
	if c.After != nil {
		s.After = Sum(c.After)
	}
	return s
}

// Created: the change made the file.
func (s Saved) Created() bool { return s.Before == "" }

// Store is the state folder.
type Store struct {
	Dir   string
	Moved bool // StateDirVariable named it
}

// DefaultStore is the folder that StateDirVariable names, or else the one in the
// user's configuration folder (~/Library/Application Support on a Mac).
func DefaultStore() (Store, error) {
	if dir := os.Getenv(StateDirVariable); dir != "" {
		if !filepath.IsAbs(dir) {
			return Store{}, fmt.Errorf("%s=%q: not a full path", StateDirVariable, dir)
		}
		return Store{dir, true}, nil
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return Store{}, fmt.Errorf("finding the state folder: %w", err)
	}
	return Store{Dir: filepath.Join(ownDir(dir), "ollama-bind")}, nil
}

// ownDir is dir. For root working in another user's home, as under sudo on a Mac, it is
// the same folder in root's own home: in a shared one, each would lock the other out.
func ownDir(dir string) string {
	home, homeErr := os.UserHomeDir()
	root, rootErr := user.LookupId("0")
	rest, inside := strings.CutPrefix(dir, home)
	if os.Geteuid() != 0 || homeErr != nil || rootErr != nil || !inside {
		return dir
	}
	info, err := os.Stat(home)
	if err != nil {
		return dir
	}
	if uid, _ := owner(info); uid == 0 {
		return dir
	}
	return root.HomeDir + rest
}

func (s Store) backups() string { return filepath.Join(s.Dir, "backups") }

// Save saves the bytes that changes are about to replace, and fills in the receipt's
// ID, time and files. The backup appears complete or not at all.
func (s Store) Save(r Receipt, changes []Change) (Receipt, error) {
	if err := s.prepare(); err != nil {
		return Receipt{}, fmt.Errorf("preparing the backup folder: %w", err)
	}
	r.SchemaVersion = receiptVersion
	r.Created = time.Now().UTC().Truncate(time.Millisecond)
	r.ID = newID(s.after(r.Created))
	r.Files = nil
	for _, c := range changes {
		if !utf8.ValidString(c.File.Path) { // JSON would alter it
			return Receipt{}, fmt.Errorf("a path that is not UTF-8 cannot be written down: %q", c.File.Path)
		}
		r.Files = append(r.Files, c.Saved())
	}
	if err := s.write(r, changes); err != nil {
		return Receipt{}, fmt.Errorf("writing the backup: %w", err)
	}
	return r, nil
}

// after is t, or just after the newest backup if the clock was set back: IDs tell which
// one came later, whatever the clock says.
func (s Store) after(t time.Time) time.Time {
	newest := time.Time{}
	for _, id := range s.ids() {
		newest = timeOf(id)
	}
	if t.After(newest) {
		return t
	}
	return newest.Add(time.Millisecond)
}

// ids lists all backups, oldest first: ReadDir sorts by name.
func (s Store) ids() (all []string) {
	entries, _ := os.ReadDir(s.backups())
	for _, e := range entries {
		if idForm.MatchString(e.Name()) {
			all = append(all, e.Name())
		}
	}
	return all
}

const idTime = "20060102T150405.000Z"

// timeOf is the time in an ID, or the zero time.
func timeOf(id string) time.Time {
	t, _ := time.Parse(idTime, id[:len(idTime)])
	return t
}

// newID makes an ID that sorts by time, and does not collide with one made at the same
// moment.
func newID(t time.Time) string {
	var random [4]byte
	rand.Read(random[:]) // never fails: crypto/rand ends the program first
	return t.Format(idTime) + "-" + hex.EncodeToString(random[:])
}

var idForm = regexp.MustCompile(`^\d{8}T\d{6}\.\d{3}Z-[0-9a-f]{8}$`)

// write fills a hidden folder, and renames it once everything is on disk.
func (s Store) write(r Receipt, changes []Change) error {
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
	return finish(f, data)
}

// List returns every backup, newest first. One that cannot be read is listed with its
// Err.
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
			r = Receipt{ID: e.Name(), Created: timeOf(e.Name()), Err: err}
		}
		all = append(all, r)
	}
	return all, nil
}

// Find is the ID of the only backup whose ID begins with prefix.
func (s Store) Find(prefix string) (id string, err error) {
	found := slices.DeleteFunc(s.ids(), func(id string) bool { return !strings.HasPrefix(id, prefix) })
	switch {
	case len(found) == 0:
		return "", fmt.Errorf("backup %q: %w", prefix, errNoBackup)
	case len(found) > 1:
		return "", fmt.Errorf("backup %q: the IDs of %d backups begin with that", prefix, len(found))
	}
	return found[0], nil
}

// Load reads the receipt of one backup.
func (s Store) Load(id string) (Receipt, error) {
	r, err := s.load(id)
	if errors.Is(err, fs.ErrNotExist) {
		err = errNoBackup
	}
	if err != nil {
		return Receipt{}, fmt.Errorf("backup %q: %w", id, err)
	}
	return r, nil
}

func (s Store) load(id string) (r Receipt, err error) {
	if !idForm.MatchString(id) {
		return r, errNoBackup
	}
	folder := filepath.Join(s.backups(), id)
	f, err := Read(filepath.Join(folder, receiptName))
	if errors.Is(err, fs.ErrNotExist) && exists(folder) {
		return r, fmt.Errorf("%w: it has no receipt", ErrDamaged)
	}
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(f.Data, &r); err != nil {
		return r, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if r.SchemaVersion != receiptVersion || r.ID != id || len(r.Files) == 0 {
		return r, fmt.Errorf("%w: its receipt is not in a form that this version writes", ErrDamaged)
	}
	r.Done, r.Void = exists(filepath.Join(folder, doneName)), exists(filepath.Join(folder, voidName))
	return r, nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// Finish notes that a backup's change was carried out to its end, so a later run can
// tell it from one that was killed.
func (s Store) Finish(id string) error {
	return writeSynced(filepath.Join(s.backups(), id, doneName), nil)
}

// Void notes that nothing is left of a backup's change: somebody else took it back.
func (s Store) Void(id string) error {
	return writeSynced(filepath.Join(s.backups(), id, voidName), nil)
}

// Bytes returns what f held before the change of r, or nil if it did not exist.
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

// prepare makes the state folder and the one for backups, readable only by the owner:
// plists can hold secrets.
func (s Store) prepare() error {
	for _, dir := range []string{s.Dir, s.backups()} {
		if err := makeFolders(append(MissingFolders(dir), dir), 0o700); err != nil {
			return err
		}
		if err := ownFolder(dir); err != nil {
			return err
		}
	}
	return nil
}

// ownFolder says why dir is not the user's own folder. A link, say to another disk, is
// followed if both ends belong to the user.
func ownFolder(dir string) error {
	for _, look := range []func(string) (fs.FileInfo, error){os.Lstat, os.Stat} {
		info, err := look(dir)
		if err != nil {
			return err
		}
		link := info.Mode()&fs.ModeSymlink != 0
		switch uid, _ := owner(info); {
		case uid != os.Geteuid():
			err = ErrForeign
		case !link && !info.IsDir():
			err = syscall.ENOTDIR
		case !link && info.Mode().Perm()&0o022 != 0:
			err = ErrOpen
		}
		if err != nil {
			return &fs.PathError{Op: "use", Path: dir, Err: err}
		}
	}
	return nil
}

// Usable says why no backup could be kept here, as far as that shows without making
// anything.
func (s Store) Usable() error {
	for _, dir := range []string{s.Dir, s.backups()} {
		if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
			outermost := append(MissingFolders(dir), dir)[0]
			dir = filepath.Dir(outermost) // where it would be made
		} else if err := ownFolder(dir); err != nil {
			return err
		}
		if err := unix.Access(dir, unix.W_OK|unix.X_OK); err != nil {
			return &fs.PathError{Op: "use", Path: dir, Err: err}
		}
	}
	return nil
}

// Remove deletes a backup that is no longer needed. It disappears in one step; what a
// killed run leaves of it is litter.
func (s Store) Remove(id string) error {
	aside := filepath.Join(s.backups(), fmt.Sprintf(".unfinished-%d", time.Now().UnixNano()))
	if err := os.Rename(filepath.Join(s.backups(), id), aside); err != nil {
		return err
	}
	if err := syncDir(s.backups()); err != nil {
		return err
	}
	return os.RemoveAll(aside)
}
