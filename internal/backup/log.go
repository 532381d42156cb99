package backup

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Backups is the folder with a folder for each backup.
func (s Store) Backups() string { return s.backups() }

// KeepLog writes what a run did beside the receipt of its backup. A run that kept no
// backup replaces last.log in the state folder. It returns the path.
func (s Store) KeepLog(id, text string) (string, error) {
	if err := s.prepare(); err != nil {
		return "", err
	}
	path := filepath.Join(s.Dir, "last.log")
	if id != "" {
		path = filepath.Join(s.backups(), id, "log")
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	return path, writeSynced(path, []byte(text))
}
