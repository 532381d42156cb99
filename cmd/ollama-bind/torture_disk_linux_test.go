//go:build torture

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

func init() {
	tortures = append(tortures, torture{"disks", tortureDisks})
}

// tortureDisks gives the program disks of its own that have too little room, at
// every write once.
func tortureDisks(t *testing.T, c *chamber) {
	if os.Geteuid() != 0 || !canMount() {
		t.Log("no disks: this user, or this system, cannot mount any")
		return
	}
	s := newStill(t)
	disks := map[string]string{
		"LaunchAgents'":  filepath.Dir(s.plist),
		"the env file's": filepath.Join(s.home, ".homebrew"),
		"the home's":     s.home,
		"the backups'":   s.state,
	}
	for whose, dir := range disks {
		for _, limit := range []string{"size=%dk", "nr_inodes=%d"} {
			s.fullDisk(t, c, whose, dir, limit)
		}
		s.readOnly(t, c, whose, dir)
	}
	s.immutable(t, c)
}

// onDisk puts what is in a folder onto a disk of its own.
func (s *still) onDisk(t *testing.T, dir, options string) (unmount func()) {
	t.Helper()
	must(t, os.MkdirAll(dir, 0o700))
	aside := dir + ".aside"
	must(t, os.Rename(dir, aside))
	must(t, os.Mkdir(dir, 0o700))
	must(t, syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=700,"+options))
	must(t, exec.Command("cp", "-a", aside+"/.", dir).Run())
	must(t, os.RemoveAll(aside))
	done := false
	unmount = func() {
		if !done {
			done = syscall.Unmount(dir, syscall.MNT_DETACH) == nil
		}
	}
	t.Cleanup(unmount)
	return unmount
}

// leave lets a disk have so many blocks, or files, more than it has by now.
func leave(dir, limit string, more int) error {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return err
	}
	used, each := int(fs.Blocks-fs.Bfree), 4
	if limit == "nr_inodes=%d" {
		used, each = int(fs.Files-fs.Ffree), 1
	}
	return syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, fmt.Sprintf(limit, (used+more)*each))
}

const roomy = "size=1m,nr_inodes=1000"

func (s *still) fullDisk(t *testing.T, c *chamber, whose, dir, limit string) {
	for more := range c.some(8, 2) {
		name := fmt.Sprintf("%s disk with "+limit+" left", whose, more)
		if more == 0 && limit == "size=%dk" {
			continue // which means as much as you like
		}
		s.reset(t)
		unmount := s.onDisk(t, dir, roomy)
		was := s.look()
		if leave(dir, limit, more) != nil { // tmpfs takes no such limit
			unmount()
			continue
		}
		o := s.fix()
		c.count(t, kindDisk, name+": fix", s.either(o, was))
		must(t, leave(dir, limit, 200))
		c.count(t, kindDisk, name+": the next fix", s.heals())
		was = s.look()
		must(t, leave(dir, limit, more))
		o = s.rollback()
		c.count(t, kindDisk, name+": rollback", s.rolledBack(o, was))
		unmount()
		if o.code == exitOK && more > 4 {
			break
		}
	}
}

func (s *still) readOnly(t *testing.T, c *chamber, whose, dir string) {
	s.reset(t)
	unmount := s.onDisk(t, dir, roomy)
	defer unmount()
	was := s.look()
	must(t, syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, roomy))
	c.count(t, kindDisk, whose+" disk is read-only: fix", s.untouched(s.fix(), was))
	must(t, syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, roomy))
	c.count(t, kindDisk, whose+" disk was read-only: fix", s.heals())
	was = s.look()
	must(t, syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, roomy))
	c.count(t, kindDisk, whose+" disk is read-only: rollback", s.untouched(s.rollback(), was))
	c.count(t, kindDisk, whose+" disk is read-only: status", decent(s.run("status")))
	c.count(t, kindDisk, whose+" disk is read-only: rollback --list", decent(s.run("rollback", "--list")))
}

// immutable files and folders are refused by the kernel itself.
func (s *still) immutable(t *testing.T, c *chamber) {
	for _, flag := range []string{"i", "a"} {
		for where, path := range map[string]string{"the plist": s.plist, "LaunchAgents": filepath.Dir(s.plist), "the state folder": s.state,
			"the env file": s.env, "the env file's folder": filepath.Dir(s.env), "the home": s.home} {
			s.reset(t)
			must(t, os.MkdirAll(s.state, 0o700))
			put(t, s.env, "A=b\n")
			was := s.look()
			if exec.Command("chattr", "+"+flag, path).Run() != nil {
				return // not on this file system
			}
			o := s.fix()
			exec.Command("chattr", "-"+flag, path).Run()
			err := s.spares(o, was)
			if flag == "a" && o.code != exitOK { // litter cannot be removed there
				err = errors.Join(decent(o), s.same(was))
			}
			c.count(t, kindDisk, fmt.Sprintf("%s is chattr +%s", where, flag), err)
		}
	}
}
