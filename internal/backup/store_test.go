package backup

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSaveAndLoad(t *testing.T) {
	s := Store{Dir: filepath.Join(t.TempDir(), "state")}
	f := read(t, write(t, "old"))
	change := Change{Layer: "plist", File: f, After: []byte("new"), Mode: f.Mode}
	saved, err := s.Save(Receipt{Command: "fix", Host: "0.0.0.0:11434", Label: "a", Domain: "gui/501", SocketBefore: "127.0.0.1:11434"}, []Change{change})
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := s.Load(saved.ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(saved, loaded); diff != "" {
		t.Errorf("saved and loaded differ (-saved +loaded):\n%s", diff)
	}
	want := []Saved{{Layer: "plist", Path: f.Path, Mode: 0o644, Before: Sum([]byte("old")), After: Sum([]byte("new"))}}
	if diff := cmp.Diff(want, loaded.Files); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if data, err := s.Bytes(loaded, loaded.Files[0]); err != nil || string(data) != "old" {
		t.Errorf("saved bytes: %q, %v", data, err)
	}
}

// TestPrivate is about the modes: plists can hold secrets.
func TestPrivate(t *testing.T) {
	s := Store{Dir: filepath.Join(t.TempDir(), "state")}
	save(t, s, "old")
	err := filepath.WalkDir(s.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		want := fs.FileMode(0o600)
		if d.IsDir() {
			want = 0o700
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", path, got, want)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestListNewestFirst(t *testing.T) {
	s := Store{Dir: t.TempDir()}
	if all, err := s.List(); err != nil || len(all) != 0 {
		t.Errorf("an empty store lists %v, %v", all, err)
	}
	first := save(t, s, "one")
	second := save(t, s, "two") // in the same millisecond, it may be
	damaged := filepath.Join(s.backups(), second.ID, receiptName)
	if err := os.WriteFile(damaged, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(s.backups(), ".unfinished-1"), 0o700); err != nil {
		t.Fatal(err)
	}
	all, err := s.List()
	if err != nil || len(all) != 2 {
		t.Fatalf("got %v, %v", all, err)
	}
	if all[0].ID != second.ID || !errors.Is(all[0].Err, ErrDamaged) {
		t.Errorf("the damaged one: %v", all[0])
	}
	if all[1].ID != first.ID || all[1].Err != nil {
		t.Errorf("the older one: %v", all[1])
	}
}

// TestClockPutBack: the backup that was made last is the newest, whatever the clock
// has said.
func TestClockPutBack(t *testing.T) {
	s := Store{Dir: t.TempDir()}
	first := save(t, s, "one")
	ahead := "20990101T000000.000Z" + first.ID[len(idTime):]
	if err := os.Rename(filepath.Join(s.backups(), first.ID), filepath.Join(s.backups(), ahead)); err != nil {
		t.Fatal(err)
	}
	second := save(t, s, "two")
	if second.ID <= ahead || time.Since(second.Created) > time.Minute {
		t.Errorf("%s, created %s, after %s", second.ID, second.Created, ahead)
	}
}

// TestRemove leaves nothing that could be taken for a backup, even where it is cut
// short, and does not follow what is no backup.
func TestRemove(t *testing.T) {
	s := Store{Dir: t.TempDir()}
	r := save(t, s, "old")
	if err := os.Mkdir(filepath.Join(s.backups(), r.ID, "kept"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(r.ID); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(s.backups()); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	gone := save(t, s, "old")
	if err := os.Remove(filepath.Join(s.backups(), gone.ID, receiptName)); err != nil {
		t.Fatal(err)
	}
	all, err := s.List()
	if err != nil || len(all) != 1 || !errors.Is(all[0].Err, ErrDamaged) || time.Since(all[0].Created) > time.Minute {
		t.Errorf("without a receipt: %v, %v", all, err)
	}
}

func TestLockFolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.plist")
	unlock, err := LockFolder(t.Context(), path, func(int) { t.Error("nobody to wait for") })
	if err != nil {
		t.Fatal(err)
	}
	waited := false
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := LockFolder(ctx, path, func(int) { waited = true }); !errors.Is(err, context.DeadlineExceeded) || !waited {
		t.Errorf("a second lock: %v, waited %t", err, waited)
	}
	unlock()
	again, err := LockFolder(t.Context(), filepath.Join(path, "gone", "b"), func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	again()
}

func TestLoadRefuses(t *testing.T) {
	s := Store{Dir: t.TempDir()}
	good := save(t, s, "old")
	gone := save(t, s, "old")
	if err := s.Remove(gone.ID); err != nil {
		t.Error(err)
	}
	for _, id := range []string{gone.ID, "", "../../etc", "20260101T000000.000Z-00000000", good.ID + "/..", "*"} {
		if _, err := s.Load(id); !errors.Is(err, errNoBackup) {
			t.Errorf("Load(%q): %v, want errNoBackup", id, err)
		}
	}
}

func TestBytesNoticesTampering(t *testing.T) {
	s := Store{Dir: t.TempDir()}
	r := save(t, s, "old")
	path := filepath.Join(s.backups(), r.ID, "plist")
	if err := os.WriteFile(path, []byte("bad"), 0o600); err != nil {
		t.Fatal(err)
	}
	if data, err := s.Bytes(r, r.Files[0]); !errors.Is(err, ErrDamaged) {
		t.Errorf("got %q, %v, want ErrDamaged", data, err)
	}
}

func TestStateFolderOfOthers(t *testing.T) {
	s := Store{Dir: filepath.Join(t.TempDir(), "state")}
	if err := os.Mkdir(s.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	chmod(t, s.Dir, 0o777)
	if _, err := s.Save(Receipt{}, nil); !errors.Is(err, ErrOpen) {
		t.Errorf("a folder that all can write to: %v, want ErrOpen", err)
	}
	link := Store{Dir: filepath.Join(t.TempDir(), "link")}
	target := t.TempDir()
	if err := os.Symlink(target, link.Dir); err != nil {
		t.Fatal(err)
	}
	if r := save(t, link, "old"); r.ID == "" {
		t.Error("a link to a folder of our own")
	}
	chmod(t, target, 0o777)
	if _, err := link.Save(Receipt{}, nil); !errors.Is(err, ErrOpen) {
		t.Errorf("a link to a folder that all can write to: %v, want ErrOpen", err)
	}
	file := write(t, "x")
	for dir, want := range map[string]error{s.Dir: ErrOpen, link.Dir: ErrOpen, file: syscall.ENOTDIR, file + "/x/y": syscall.ENOTDIR, t.TempDir() + "/x/y": nil} {
		if err := (Store{Dir: dir}).Usable(); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", dir, err, want)
		}
	}
}

func TestLock(t *testing.T) {
	s := Store{Dir: t.TempDir()}
	unlock, err := s.Lock(t.Context(), func(int) { t.Error("nobody to wait for") })
	if err != nil {
		t.Fatal(err)
	}
	var waitedFor int
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err = s.Lock(ctx, func(pid int) { waitedFor = pid })
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a second lock: %v, want a deadline", err)
	}
	if waitedFor != os.Getpid() {
		t.Errorf("waited for pid %d, not for %d", waitedFor, os.Getpid())
	}
	unlock()
	again, err := s.Lock(t.Context(), func(int) { t.Error("it was unlocked") })
	if err != nil {
		t.Fatal(err)
	}
	again()
}

func save(t *testing.T, s Store, text string) Receipt {
	t.Helper()
	f := read(t, write(t, text))
	r, err := s.Save(Receipt{Command: "fix"}, []Change{{Layer: "plist", File: f, After: []byte("new"), Mode: f.Mode}})
	if err != nil {
		t.Fatal(err)
	}
	return r
}
