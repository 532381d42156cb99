//go:build torture

package main

import (
	"cmp"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func init() {
	tortures = append(tortures, torture{"power lost after every step", losePower})
}

const powerRow = "power lost after a step"

// losePower plays what a run did to files and folders on a model of a disk, which
// forgets whatever was not synced. What a file system may keep of that all the
// same is tried, too: of each folder, and of each file, the last synced state or
// the present one, in every combination.
func losePower(t *testing.T, c *chamber) {
	mustTrace(t)
	v := newTheatre(t)
	for _, s := range scenes {
		j := s.on(v)
		steps := j.rehearse(t)
		c.count(t, powerRow, s.name+", the order of things", j.ordered(steps))
		survivors := j.loseAfterEach(steps, func(name string, err error) { c.count(t, powerRow, name, err) })
		t.Logf("%s: %d steps, %d different survivors", s.name, len(steps), len(survivors))
		kinds := j.kinds(survivors)
		for i, w := range kinds[:c.some(len(kinds), 1)] {
			for _, next := range []string{"fix", "rollback"}[:c.some(2, 1)] {
				c.count(t, powerRow, fmt.Sprintf("%s, kind of survivor %d, then %s", s.name, i+1, next), j.reboot(w, next))
			}
		}
	}
}

// loseAfterEach judges every state that the power may leave behind, each once,
// and returns those that are sound.
func (j judge) loseAfterEach(steps []step, count func(string, error)) []world {
	d := newDisk(j.before.world)
	var seen, sound []world
	for i, s := range steps {
		if s.failed || !d.apply(s) {
			continue
		}
		for _, w := range d.survivors() {
			if slices.ContainsFunc(seen, func(o world) bool { return o.differs(w) == "" }) {
				continue
			}
			seen = append(seen, w)
			err := j.lost(w)
			count(fmt.Sprintf("%s, after step %d (%s), survivor %d", j.name, i+1, s, len(seen)), err)
			if err == nil {
				sound = append(sound, w)
			}
		}
	}
	return sound
}

// kinds is one of each kind of survivors: those that have the same files and the
// same number of backups differ in litter only.
func (j judge) kinds(survivors []world) []world {
	seen := map[string]bool{}
	return slices.DeleteFunc(survivors, func(w world) bool {
		kept, _ := backups(w, j.state)
		kind := fmt.Sprint(w[j.plist], w[j.envFile], len(kept))
		defer func() { seen[kind] = true }()
		return seen[kind]
	})
}

// reboot puts on the Mac what has survived, starts it, and runs the next command.
func (j judge) reboot(w world, next string) error {
	listens := loopback
	if w[j.plist] == j.fixed.world[j.plist] {
		listens = outside
	}
	j.now = ""
	if err := j.become(stage{w, listens}); err != nil {
		return err
	}
	return j.next(next, true)
}

// changesJob tells launchctl commands after which launchd reads the property
// list, or has let go of the job.
var changesJob = regexp.MustCompile(`^launchctl (bootout|bootstrap|kickstart)`)

// ordered checks the rules themselves: a file is synced before it gets its name,
// the name before anything else is done, and the backup before anything at all.
func (j judge) ordered(steps []step) error {
	d := newDisk(j.before.world)
	for _, s := range steps {
		named := s.verb == "rename" || s.verb == "link"
		ours := slices.Contains([]string{j.plist, j.envFile}, cmp.Or(s.to, s.path)) && (named || s.verb == "unlink")
		switch {
		case s.failed:
		case named && !d.find(s.path).isSynced():
			return fmt.Errorf("%s: it was not synced", s)
		case ours || s.verb == "start" && changesJob.MatchString(s.path):
			if err := cmp.Or(j.durable(d, s), j.durableBackup(d, s)); err != nil {
				return err
			}
			d.apply(s)
		default:
			d.apply(s)
		}
	}
	return j.durable(d, step{verb: "the end"})
}

// durable makes sure that both files would be as they are now.
func (j judge) durable(d *disk, s step) error {
	for _, path := range []string{j.plist, j.envFile} {
		now, kept := d.find(path), d.findKept(path)
		if now != kept || now != nil && !now.isSynced() {
			return fmt.Errorf("%s: by then, %s was not synced with all folders that it lies in", s, filepath.Base(path))
		}
	}
	return nil
}

// durableBackup makes sure that a backup would be there.
func (j judge) durableBackup(d *disk, s step) error {
	dir := filepath.Join(j.state, "backups")
	before := d.findKept(dir)
	if before != nil {
		for name, n := range before.kept {
			_, old := j.before.world[filepath.Join(dir, name)]
			if !old && backupName.MatchString(name) && n.isSynced() {
				return nil
			}
		}
	}
	return fmt.Errorf("%s: by then, the backup was not synced with all folders that it lies in", s)
}

// disk is a model of one.
type disk struct{ root *node }

// node is a file or a folder, as it is now and as it would be without power.
type node struct {
	thing                   // now
	synced thing            // what an fsync has kept
	now    map[string]*node // entries of a folder
	kept   map[string]*node // that an fsync has kept
}

func newFolder(mode fs.FileMode) *node {
	return &node{thing: thing{mode: mode | fs.ModeDir}, synced: thing{mode: mode | fs.ModeDir}, now: map[string]*node{}, kept: map[string]*node{}}
}

// newDisk holds a world that has been there for long.
func newDisk(w world) *disk {
	d := &disk{newFolder(0o755)}
	for _, path := range pathsOf(w) {
		dir := d.root
		for _, name := range strings.Split(filepath.Dir(path)[1:], "/") {
			if dir.now[name] == nil {
				dir.put(name, newFolder(0o755))
			}
			dir = dir.now[name]
		}
		n := &node{thing: w[path], synced: w[path]}
		if w[path].mode.IsDir() {
			n = newFolder(w[path].mode.Perm())
		}
		dir.put(filepath.Base(path), n)
	}
	return d
}

func (n *node) put(name string, entry *node) { n.now[name], n.kept[name] = entry, entry }

// isSynced reports whether it would be the same without power, with all in it.
func (n *node) isSynced() bool {
	if n == nil || n.thing != n.synced || !maps.Equal(n.now, n.kept) {
		return false
	}
	for _, entry := range n.now {
		if !entry.isSynced() {
			return false
		}
	}
	return true
}

func (d *disk) find(path string) *node {
	return d.walk(path, func(n *node) map[string]*node { return n.now })
}
func (d *disk) findKept(path string) *node {
	return d.walk(path, func(n *node) map[string]*node { return n.kept })
}

func (d *disk) walk(path string, entries func(*node) map[string]*node) *node {
	n := d.root
	for _, name := range strings.Split(path[1:], "/") {
		if n != nil {
			n = entries(n)[name]
		}
	}
	return n
}

// apply does a step. It reports whether that changes what the power may leave.
func (d *disk) apply(s step) bool {
	base := filepath.Base(s.path)
	if s.verb == "start" || s.verb == "end" || s.verb == "flock" || base == "lock" {
		return false // nobody misses what the lock says
	}
	dir, n := d.find(filepath.Dir(s.path)), d.find(s.path)
	switch s.verb {
	case "create":
		if n == nil {
			n = &node{}
			dir.now[base] = n
		}
		if s.emptied {
			n.data = ""
		}
		n.mode = s.mode
	case "write", "truncate":
		n.data = string(s.data)
	case "chmod":
		n.mode = s.mode
	case "sync":
		n.synced, n.kept = n.thing, maps.Clone(n.now)
	case "mkdir":
		dir.now[base] = newFolder(s.mode)
	case "rename", "link":
		d.find(filepath.Dir(s.to)).now[filepath.Base(s.to)] = n
		if s.verb == "rename" {
			delete(dir.now, base)
		}
	case "unlink", "rmdir":
		delete(dir.now, base)
	}
	return true
}

// survivors are all worlds that the power may leave.
func (d *disk) survivors() []world {
	var unsure []*node
	d.root.each(func(n *node) {
		if (n.thing != n.synced || !maps.Equal(n.now, n.kept)) && !slices.Contains(unsure, n) {
			unsure = append(unsure, n)
		}
	})
	var all []world
	for bits := range 1 << min(len(unsure), 10) {
		lost := map[*node]bool{}
		for i, n := range unsure {
			lost[n] = bits>>i&1 == 0
		}
		w := world{}
		d.root.survive(w, "", lost)
		isSame := func(o world) bool { return o.differs(w) == "" }
		if !slices.ContainsFunc(all, isSame) {
			all = append(all, w)
		}
	}
	return all
}

func (n *node) each(do func(*node)) {
	do(n)
	for _, entries := range []map[string]*node{n.now, n.kept} {
		for _, entry := range entries {
			entry.each(do)
		}
	}
}

func (n *node) survive(w world, path string, lost map[*node]bool) {
	t, entries := n.thing, n.now
	if lost[n] {
		t, entries = n.synced, n.kept
	}
	if path != "" {
		w[path] = t
	}
	for name, entry := range entries {
		entry.survive(w, path+"/"+name, lost)
	}
}
