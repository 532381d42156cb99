package rebind

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ollama-bind/ollama-bind/internal/backup"
	"github.com/ollama-bind/ollama-bind/internal/service"
	"github.com/ollama-bind/ollama-bind/plistfix"
)

// fixed is a Mac whose service was fixed, once or more.
type fixed struct {
	*testing.T
	machine
	plist string
}

func newFixed(t *testing.T) fixed {
	dir := t.TempDir()
	f := fixed{t, machine{service.Machine{Store: backup.Store{Dir: filepath.Join(dir, "state")}}}, filepath.Join(dir, "sh.brew.ollama.plist")}
	f.write(plistWith("A", "1"))
	return f
}

// plistWith is a plist with these variables.
func plistWith(pairs ...string) string {
	doc := []byte("<?xml version=\"1.0\"?>\n<plist version=\"1.0\">\n<dict>\n\t<key>Label</key>\n\t<string>sh.brew.ollama</string>\n</dict>\n</plist>\n")
	for i := 0; i < len(pairs); i += 2 {
		var err error
		if doc, err = plistfix.SetEnv(doc, pairs[i], pairs[i+1]); err != nil {
			panic(err)
		}
	}
	return string(doc)
}

func (f fixed) write(text string) {
	f.Helper()
	if err := os.WriteFile(f.plist, []byte(text), 0o644); err != nil {
		f.Fatal(err)
	}
}

func (f fixed) read() service.Setting {
	f.Helper()
	file, err := backup.Read(f.plist)
	if err != nil {
		f.Fatal(err)
	}
	return homebrews.Parse(service.PlistLayer, file)
}

// fix does what fix does to the file, and to the backups.
func (f fixed) fix(host string) {
	f.Helper()
	c, err := homebrews.Set(f.read(), &host)
	if err != nil || c == nil {
		f.Fatalf("setting %s: %v", host, err)
	}
	if _, err := f.Store.Save(backup.Receipt{Command: "fix", Host: host, Label: "sh.brew.ollama"}, []backup.Change{*c}); err != nil {
		f.Fatal(err)
	}
	if err := c.Apply(); err != nil {
		f.Fatal(err)
	}
}

// rollback gives the edits of a rollback, carried out, and what its error is.
func (f fixed) rollback(w Back) (plan Plan, id string) {
	f.Helper()
	first, err := f.originals(w)
	if err == nil {
		plan.State.Service.Plist = f.plist
		err = first.edits(&plan, w.Force)
	}
	for _, e := range plan.Edits {
		if err := e.Apply(); err != nil {
			f.Fatal(err)
		}
	}
	e, _ := err.(*service.Error)
	if e != nil {
		id = e.ID
	}
	return plan, id
}

// The rule: the original where the file is as we left it, else our variable alone
// where that is ours, else nothing.
func TestRollbackRule(t *testing.T) {
	const one, two = "0.0.0.0:11434", "127.0.0.1:11500"
	original := plistWith("A", "1")
	edited := func(f fixed, old, new string) {
		text, err := os.ReadFile(f.plist)
		if err != nil {
			f.Fatal(err)
		}
		f.write(strings.Replace(string(text), old, new, 1))
	}
	for name, tc := range map[string]struct {
		done  func(f fixed)
		want  string
		unset bool
		id    string
		force bool
	}{
		"as we left it":           {done: func(f fixed) { f.fix(one) }, want: original},
		"two fixes":               {done: func(f fixed) { f.fix(one); f.fix(two) }, want: original},
		"taken back by hand":      {done: func(f fixed) { f.fix(one); f.write(original) }, want: original},
		"something else edited":   {done: func(f fixed) { f.fix(one); edited(f, "<string>1<", "<string>2<") }, want: plistWith("A", "2"), unset: true},
		"edited between two":      {done: func(f fixed) { f.fix(one); edited(f, "<string>1<", "<string>2<"); f.fix(two) }, want: plistWith("A", "2"), unset: true},
		"lost between two":        {done: func(f fixed) { f.fix(one); f.write(plistWith("A", "3")); f.fix(two) }, want: plistWith("A", "3")},
		"a value of its own":      {done: func(f fixed) { f.fix(one); edited(f, one, "10.0.0.1:1") }, want: plistWith("A", "1", "OLLAMA_HOST", "10.0.0.1:1"), id: "changed-since"},
		"a value of its own, yes": {done: func(f fixed) { f.fix(one); edited(f, one, "10.0.0.1:1") }, want: original, force: true},
		"broken":                  {done: func(f fixed) { f.fix(one); f.write("<plist>") }, want: "<plist>", id: "plist-malformed"},
		"gone":                    {done: func(f fixed) { f.fix(one); os.Remove(f.plist) }},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixed(t)
			tc.done(f)
			p, id := f.rollback(Back{Force: tc.force})
			got, _ := os.ReadFile(f.plist)
			if string(got) != tc.want || id != tc.id || p.Unset != tc.unset {
				t.Errorf("error %q, unset %v, the file is\n%s\nwant %q, %v\n%s", id, p.Unset, got, tc.id, tc.unset, tc.want)
			}
		})
	}
}

// A value that was there before is put back, not taken out.
func TestRollbackToAValue(t *testing.T) {
	f := newFixed(t)
	f.write(plistWith("A", "1", "OLLAMA_HOST", "127.0.0.1"))
	f.fix("0.0.0.0:11434")
	f.write(plistWith("A", "2", "OLLAMA_HOST", "0.0.0.0:11434"))
	p, id := f.rollback(Back{})
	got, _ := os.ReadFile(f.plist)
	if want := plistWith("A", "2", "OLLAMA_HOST", "127.0.0.1"); string(got) != want || id != "" || !p.Unset {
		t.Errorf("%s, unset %v\n%s", id, p.Unset, got)
	}
}

// Receipts of earlier versions say in the rollback what was taken back.
func TestTakenBack(t *testing.T) {
	const a, b, c, d = "20260101T000000.000Z-00000000", "20260102T000000.000Z-00000000", "20260103T000000.000Z-00000000", "20260104T000000.000Z-00000000"
	fix := func(id string) backup.Receipt {
		return backup.Receipt{ID: id, Command: "fix", Label: "sh.brew.ollama", Done: true}
	}
	back := func(id, to string, done bool) backup.Receipt {
		return backup.Receipt{ID: id, Command: "rollback", Label: "homebrew.mxcl.ollama", Undoes: to, Done: done}
	}
	over := fix(b)
	over.Supersedes = a
	void := fix(b)
	void.Void = true
	another := back(c, a, true)
	another.Label = "own.ollama"
	for name, tc := range map[string]struct {
		newestFirst []backup.Receipt
		standing    []string
	}{
		"two fixes":                  {[]backup.Receipt{fix(b), fix(a)}, []string{b, a}},
		"the newer one taken back":   {[]backup.Receipt{back(c, b, true), fix(b), fix(a)}, []string{a}},
		"both, one after the other":  {[]backup.Receipt{back(d, a, true), back(c, b, true), fix(b), fix(a)}, nil},
		"fixed again":                {[]backup.Receipt{fix(c), back(b, a, true), fix(a)}, []string{c}},
		"taken over, and back":       {[]backup.Receipt{back(c, b, true), over, fix(a)}, nil},
		"a rollback that was killed": {[]backup.Receipt{back(c, b, false), fix(b), fix(a)}, []string{b, a}},
		"that of another service":    {[]backup.Receipt{another, fix(b), fix(a)}, []string{b, a}},
		"marked":                     {[]backup.Receipt{fix(c), void, fix(a)}, []string{c, a}},
	} {
		fixes, _ := service.Standing(tc.newestFirst)
		var got []string
		for _, r := range fixes {
			got = append(got, r.ID)
		}
		if strings.Join(got, " ") != strings.Join(tc.standing, " ") {
			t.Errorf("%s: %v stand, want %v", name, got, tc.standing)
		}
	}
}

// TestPrune keeps what a rollback needs, and of the rest the newest.
func TestPrune(t *testing.T) {
	f := newFixed(t)
	f.fix("0.0.0.0:1")
	oldest, _ := f.Backups()
	f.fix("0.0.0.0:2")
	for range spareBackups + 5 {
		r, err := f.Store.Save(backup.Receipt{Command: "fix", Host: "0.0.0.0:3", Label: "sh.brew.ollama"}, []backup.Change{{Layer: service.PlistLayer, File: f.read().File}})
		if err != nil {
			t.Fatal(err)
		}
		f.Store.Void(r.ID)
	}
	f.prune()
	all, err := f.Backups()
	if err != nil || len(all) != spareBackups+2 || all[len(all)-1].ID != oldest[0].ID {
		t.Errorf("%d backups, %v", len(all), err)
	}
	if plan, id := f.rollback(Back{}); id != "" || string(plan.Edits[0].After) != plistWith("A", "1") {
		t.Errorf("%s: %+v", id, plan.Edits)
	}
}
