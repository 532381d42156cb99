package backup

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestChangeMakesFileAndFolders(t *testing.T) {
	home := t.TempDir()
	path := filepath.Join(home, ".homebrew", "services", "ollama.env")
	c := creation(t, path)
	want := []string{filepath.Join(home, ".homebrew"), filepath.Join(home, ".homebrew", "services")}
	if diff := cmp.Diff(want, c.Folders); diff != "" {
		t.Fatalf("folders (-want +got):\n%s", diff)
	}
	if err := c.Apply(); err != nil {
		t.Fatal(err)
	}
	if got := read(t, path); string(got.Data) != "new" || got.Mode != 0o644 {
		t.Errorf("made %q, mode %o", got.Data, got.Mode)
	}
	if err := c.Revert(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(home); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if err := c.Revert(); err != nil {
		t.Errorf("reverting again: %v", err)
	}
}

func TestChangeKeepsOthersFolders(t *testing.T) {
	home := t.TempDir()
	path := filepath.Join(home, ".homebrew", "services", "ollama.env")
	c := creation(t, path)
	if err := c.Apply(); err != nil {
		t.Fatal(err)
	}
	neighbour := filepath.Join(home, ".homebrew", "brew.env")
	if err := os.WriteFile(neighbour, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.Revert(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(neighbour); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(filepath.Dir(path)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder that is empty again: %v", err)
	}
}

// TestChangeRevertsHalfDone is about a run that failed after making the folders.
func TestChangeRevertsHalfDone(t *testing.T) {
	home := t.TempDir()
	c := creation(t, filepath.Join(home, "a", "b", "c"))
	for _, dir := range c.Folders {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Revert(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(home); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestChangeDoesNotOverwriteNewcomer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ollama.env")
	c := creation(t, path)
	if err := os.WriteFile(path, []byte("theirs"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.Apply(); !errors.Is(err, ErrChanged) {
		t.Errorf("got %v, want ErrChanged", err)
	}
	if err := c.Revert(); !errors.Is(err, ErrChanged) {
		t.Errorf("reverting: %v, want ErrChanged", err)
	}
	if got := read(t, path); string(got.Data) != "theirs" {
		t.Errorf("the newcomer holds %q", got.Data)
	}
	noTemporaryFile(t, filepath.Dir(path))
}

func TestChangeRemoves(t *testing.T) {
	home := t.TempDir()
	path := filepath.Join(home, "services", "ollama.env")
	if err := creation(t, path).Apply(); err != nil {
		t.Fatal(err)
	}
	f := read(t, path)
	c := Change{Layer: "env-file", File: f, Folders: []string{filepath.Dir(path)}}
	if err := c.Apply(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(filepath.Dir(path)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("file or folder are still there: %v", err)
	}
	if err := c.Revert(); err != nil {
		t.Fatal(err)
	}
	if got := read(t, path); string(got.Data) != "new" || got.Mode != f.Mode {
		t.Errorf("brought back %q, mode %o", got.Data, got.Mode)
	}
}

func TestChangeOfModeAlone(t *testing.T) {
	path := write(t, "old")
	chmod(t, path, 0o664)
	f := read(t, path)
	c := Change{Layer: "env-file", File: f, After: f.Data, Mode: 0o644}
	if err := c.Apply(); err != nil || read(t, path).Mode != 0o644 {
		t.Errorf("applied: %v, mode %o", err, read(t, path).Mode)
	}
	if err := c.Revert(); err != nil || read(t, path).Mode != 0o664 {
		t.Errorf("reverted: %v, mode %o", err, read(t, path).Mode)
	}
}

func TestReadAbsent(t *testing.T) {
	dir := t.TempDir()
	if f, err := ReadAbsent(filepath.Join(dir, "none")); err != nil || !f.Absent {
		t.Errorf("no file: %+v, %v", f, err)
	}
	dangling := filepath.Join(dir, "link")
	if err := os.Symlink(filepath.Join(dir, "nowhere"), dangling); err != nil {
		t.Fatal(err)
	}
	if f, err := ReadAbsent(dangling); err == nil {
		t.Errorf("a link to nowhere: %+v", f)
	}
}

func TestSaveRefusesPathThatIsNotUTF8(t *testing.T) {
	s := Store{Dir: t.TempDir()}
	r, err := s.Save(Receipt{Command: "fix"}, []Change{creation(t, filepath.Join(t.TempDir(), "\xff", "ollama.env"))})
	if err == nil {
		t.Errorf("got %v", r)
	}
	if all, err := s.List(); err != nil || len(all) != 0 {
		t.Errorf("backups: %v, %v", all, err)
	}
}

// TestSaveOfAbsentFile keeps the fact that there was nothing.
func TestSaveOfAbsentFile(t *testing.T) {
	s := Store{Dir: t.TempDir()}
	path := filepath.Join(t.TempDir(), "services", "ollama.env")
	r, err := s.Save(Receipt{Command: "fix"}, []Change{creation(t, path)})
	if err != nil {
		t.Fatal(err)
	}
	r, err = s.Load(r.ID)
	if err != nil {
		t.Fatal(err)
	}
	want := []Saved{{Layer: "env-file", Path: path, After: Sum([]byte("new")), Folders: []string{filepath.Dir(path)}}}
	if diff := cmp.Diff(want, r.Files); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if data, err := s.Bytes(r, r.Files[0]); err != nil || data != nil || !r.Files[0].Created() {
		t.Errorf("saved bytes of no file: %q, %v", data, err)
	}
}

func creation(t *testing.T, path string) Change {
	t.Helper()
	f, err := ReadAbsent(path)
	if err != nil {
		t.Fatal(err)
	}
	return Change{Layer: "env-file", File: f, After: []byte("new"), Mode: 0o644, Folders: MissingFolders(path)}
}
