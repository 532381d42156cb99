package service

import (
	"context"
	"errors"
	"slices"

	"github.com/ollama-bind/ollama-bind/internal/backup"
)

// Backups are the receipts of all backups, newest first.
func (m Machine) Backups() ([]backup.Receipt, error) {
	all, err := m.Store.List()
	if err != nil {
		return nil, Fail("backups-unreadable", m.Store.Dir, "%w", err)
	}
	return all, nil
}

// TakenBack are the IDs of fixes that were taken back. Earlier versions did not mark
// them: their rollbacks say in their own receipts how far back they went, and a fix
// could replace the one before.
func TakenBack(newestFirst []backup.Receipt) map[string]bool {
	ids := map[string]bool{}
	type job struct {
		Kind
		label string
	}
	furthest := map[job]backup.Receipt{} // of each, the rollback that went back furthest
	undone := func(r backup.Receipt) bool {
		for _, b := range furthest {
			if r.ID >= b.Undoes && SameService(b, r) {
				return true
			}
		}
		return false
	}
	for _, r := range newestFirst {
		switch {
		case r.Void, ids[r.ID], r.Command == "fix" && undone(r):
			ids[r.ID] = true
			ids[r.Supersedes] = true
		case r.Command == "rollback" && r.Done && r.Undoes != "":
			j := job{KindOf(r), r.Label}
			if b, known := furthest[j]; !known || r.Undoes < b.Undoes {
				furthest[j] = r
			}
		}
	}
	return ids
}

// Named reports whether a receipt speaks of the service with the name that --service has.
func Named(r backup.Receipt, name string) bool { return r.Label == name || KindOf(r).Name() == name }

// SameService reports whether two receipts speak of one service.
func SameService(one, other backup.Receipt) bool {
	return KindOf(one).Owns(other, Service{Label: one.Label})
}

// Standing are the fixes of the service fixed last that were not taken back, newest
// first; and why one could not be read.
func Standing(newestFirst []backup.Receipt) (fixes []backup.Receipt, damaged error) {
	undone := TakenBack(newestFirst)
	for _, r := range newestFirst {
		switch {
		case r.Err != nil && damaged == nil:
			damaged = r.Err
		case r.Err != nil, r.Command != "fix", undone[r.ID]:
		case len(fixes) == 0, SameService(fixes[0], r):
			fixes = append(fixes, r)
		}
	}
	return fixes, damaged
}

// standing are those of this Mac, none if the backups cannot be read.
func (m Machine) standing() []backup.Receipt {
	all, _ := m.Store.List()
	fixes, _ := Standing(all)
	return fixes
}

// LastFix is the newest fix of the service that was not taken back, or nil; and the
// rollback of it that was killed, if one was.
func (m Machine) LastFix(s Service) (fix, back *backup.Receipt, err error) {
	all, err := m.Backups()
	if err != nil {
		return nil, nil, err
	}
	all = slices.DeleteFunc(all, func(r backup.Receipt) bool { return !KindOf(r).Owns(r, s) || KindOf(r) != s.Kind })
	fixes, _ := Standing(all)
	if len(fixes) == 0 {
		return nil, nil, nil
	}
	if newest := all[0]; newest.Command == "rollback" && !newest.Done {
		back = &newest
	}
	return &fixes[0], back, nil
}

// Remains is what can be said if there was a fix, but Observe found no service: `brew
// services stop` deletes the plist, for one.
func (m Machine) Remains(g Goal) (State, bool) {
	fixes := m.standing()
	if len(fixes) == 0 {
		return State{}, false
	}
	last := fixes[0]
	s := m.RemainsOf(context.Background(), KindOf(last), g)
	for _, f := range last.Files {
		if f.Layer == PlistLayer {
			s.Service = m.serviceOf(last.Label, f.Path)
			s.Service.Kind = KindOf(last)
		}
	}
	s.Read(context.Background(), m)
	return s, true
}

// LeftToTakeBack reports whether another rollback would find fixes, apart from past.
func (m Machine) LeftToTakeBack(past map[string]bool) bool {
	all, err := m.Store.List()
	fixes, _ := Standing(slices.DeleteFunc(all, func(r backup.Receipt) bool { return past[r.ID] }))
	return err == nil && len(fixes) > 0
}

// InEffect are the fixes that were not taken back, and the one that rollback goes back
// to, by ID.
type InEffect struct {
	All  map[string]bool
	Next string
}

// History is all backups, newest first, and which are in effect.
func (m Machine) History() ([]backup.Receipt, InEffect, error) {
	all, err := m.Backups()
	in := InEffect{All: map[string]bool{}}
	undone := TakenBack(all)
	for _, r := range all {
		in.All[r.ID] = r.Err == nil && r.Command == "fix" && !undone[r.ID]
	}
	if fixes, _ := Standing(all); len(fixes) > 0 {
		in.Next = fixes[len(fixes)-1].ID
	}
	return all, in, err
}

// errNotAsked: Ollama was not asked.
var errNotAsked = errors.New("there is no service to ask")

// RemainsOf is the state of a service of which nothing is left but, perhaps, its lasting
// setting.
func (m Machine) RemainsOf(ctx context.Context, k Kind, g Goal) State {
	s := State{Service: k.left(m), Socket: Socket{Port: g.Host.Port, APIErr: errNotAsked}}
	s.Service.Kind = k
	s.Read(ctx, m)
	return s
}
