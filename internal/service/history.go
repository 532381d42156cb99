package service

import (
	"context"
	"path/filepath"
	"slices"
	"time"

	"github.com/ollama-bind/ollama-bind/internal/backup"
)

// Backups are the receipts of all backups, newest first.
func (m Machine) Backups() ([]backup.Receipt, error) {
	all, err := m.Store.List()
	if err != nil {
		return nil, fail("backups-unreadable", m.Store.Dir, "%w", err)
	}
	return all, nil
}

// takenBack are the IDs of the fixes that are taken back. Rollbacks of earlier
// versions did not mark them, but said in their own receipt how far back they
// went, and a fix could take over the one before.
func takenBack(newestFirst []backup.Receipt) map[string]bool {
	ids := map[string]bool{}
	undone := ""
	for _, r := range newestFirst {
		switch {
		case r.Void, r.Command == "fix" && undone != "" && r.ID >= undone, ids[r.ID]:
			ids[r.ID] = true
			ids[r.Supersedes] = true
		case r.Command == "rollback" && r.Done && (undone == "" || r.Undoes < undone):
			undone = r.Undoes
		}
	}
	return ids
}

// standing are the fixes of the service that was fixed last, newest first, that
// are not taken back; and why one could not be read.
func standing(newestFirst []backup.Receipt) (fixes []backup.Receipt, damaged error) {
	undone := takenBack(newestFirst)
	for _, r := range newestFirst {
		switch {
		case r.Err != nil && damaged == nil:
			damaged = r.Err
		case r.Err != nil, r.Command != "fix", undone[r.ID]:
		case len(fixes) == 0, kindOf(fixes[0]).owns(r, Service{Label: fixes[0].Label}):
			fixes = append(fixes, r)
		}
	}
	return fixes, damaged
}

// standing are those of this Mac, none where the backups cannot be read.
func (m Machine) standing() []backup.Receipt {
	all, _ := m.Store.List()
	fixes, _ := standing(all)
	return fixes
}

// spareBackups is how many backups are kept that no rollback needs any more: those of
// fixes that are taken back, and those that rollbacks have made.
const spareBackups = 20

// prune removes older ones, the oldest first. The backup of a fix that is in effect
// stays, however old it is. The caller holds the lock.
func (m Machine) prune() {
	all, _ := m.Store.List()
	undone := takenBack(all)
	spare := slices.DeleteFunc(all, func(r backup.Receipt) bool {
		return r.Err != nil || r.Command == "fix" && !undone[r.ID]
	})
	for _, r := range slices.Backward(spare[min(len(spare), spareBackups):]) {
		m.Store.Remove(r.ID) // what cannot be removed does no harm
	}
}

// fixedOn is when the newest of the fixes was made.
func (f first) fixedOn() time.Time { return f.fixes[len(f.fixes)-1].Created }

// LastFix is the newest fix of the service that is not taken back, nil if there is
// none.
func (m Machine) LastFix(s Service) (*backup.Receipt, error) {
	all, err := m.Backups()
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(r backup.Receipt) bool { return !kindOf(r).owns(r, s) || kindOf(r) != s.kind })
	if fixes, _ := standing(all); len(fixes) > 0 {
		return &fixes[0], nil
	}
	return nil, nil
}

// Remains is what can be said where Observe has found no service, if there was a
// fix: `brew services stop` deletes the plist, for one.
func (m Machine) Remains(g Goal) (State, bool) {
	fixes := m.standing()
	if len(fixes) == 0 {
		return State{}, false
	}
	last := fixes[0]
	s := m.remains(context.Background(), kindOf(last), g)
	for _, f := range last.Files {
		if f.Layer == PlistLayer {
			s.Service.Label, s.Service.Plist, s.Service.Daemon = last.Label, f.Path, filepath.Dir(f.Path) == m.Daemons
		}
	}
	s.read(context.Background(), m)
	return s, true
}

// LeftToTakeBack reports whether another rollback would find fixes, those of past
// excepted.
func (m Machine) LeftToTakeBack(past map[string]bool) bool {
	all, err := m.Store.List()
	fixes, _ := standing(slices.DeleteFunc(all, func(r backup.Receipt) bool { return past[r.ID] }))
	return err == nil && len(fixes) > 0
}

// InEffect are the fixes that are not taken back, and the one of them that rollback
// goes back to, by their IDs.
type InEffect struct {
	All  map[string]bool
	Next string
}

// History is all backups, newest first, and which of them are in effect.
func (m Machine) History() ([]backup.Receipt, InEffect, error) {
	all, err := m.Backups()
	in := InEffect{All: map[string]bool{}}
	undone := takenBack(all)
	for _, r := range all {
		in.All[r.ID] = r.Err == nil && r.Command == "fix" && !undone[r.ID]
	}
	if fixes, _ := standing(all); len(fixes) > 0 {
		in.Next = fixes[len(fixes)-1].ID
	}
	return all, in, err
}
