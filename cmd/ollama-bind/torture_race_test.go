//go:build torture

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ollama-bind/ollama-bind/internal/backup"
)

func init() {
	tortures = append(tortures, torture{"races", tortureRaces}, torture{"wedges", tortureWedges})
}

const kindRace = "two at once"

// racer is one of several runs at once.
type racer struct {
	args []string // of the program, or of brew
	pid  int
	outcome
}

// race starts all of them at once, and waits for all.
func (v *victim) race(all ...[]string) []*racer {
	racers := make([]*racer, len(all))
	var wg sync.WaitGroup
	for i, args := range all {
		r := &racer{args: args}
		racers[i] = r
		wg.Go(func() { v.runRacer(r) })
	}
	wg.Wait()
	return racers
}

func (v *victim) runRacer(r *racer) {
	cmd := v.program(r.args...)
	if r.args[0] == "brew" {
		cmd = exec.Command(filepath.Join(v.Bin(), "brew"), r.args[1:]...)
		cmd.Env = v.env
	}
	r.outcome = ended(cmd)
	if cmd.Process != nil {
		r.pid = cmd.Process.Pid
	}
}

// tortureRaces lets runs meet.
func tortureRaces(t *testing.T, c *chamber) {
	v := newVictim(t, "brew-arm64-env")
	must(t, v.SetBrew("6.0.22")) // the first that writes the label that is here
	before, err := os.ReadFile(v.plist)
	must(t, err)
	other := fmt.Sprintf("127.0.0.1:%d", v.Port)
	fix, rollback := []string{"fix", "--host", v.host}, []string{"rollback"}

	for round := range c.some(2, 1) {
		v.afresh(t, before)
		all := make([][]string, c.some(50, 8))
		for i := range all {
			all[i] = append(slices.Clone(fix), "--plist", v.plist, "--timeout", "50s")
		}
		racers := v.race(all...)
		end := errors.Join(v.boundTo(v.host), v.chained(1))
		if n := v.told("bootout"); n != 1 {
			end = errors.Join(end, fmt.Errorf("the service was restarted %d times", n))
		}
		c.count(t, kindRace, fmt.Sprintf("%d fixes, round %d: the end", len(all), round), end)
		for i, r := range racers {
			c.count(t, kindRace, fmt.Sprintf("fix %d of %d, round %d", i, len(all), round), r.patient(racers, 50*time.Second, exitOK))
		}
	}

	pairs := []struct {
		name  string
		first []string // before they meet
		runs  [][]string
		ends  []string // the addresses that a serial order could lead to; "" is unset
	}{
		{"fix and rollback", fix, [][]string{fix, rollback}, []string{v.host, ""}},
		{"fix and rollback afresh", nil, [][]string{fix, rollback}, []string{v.host, ""}},
		{"rollback and rollback", fix, [][]string{rollback, rollback}, []string{""}},
		{"three rollbacks", fix, [][]string{rollback, rollback, rollback}, []string{""}},
		{"two addresses", nil, [][]string{fix, {"fix", "--host", other}}, []string{v.host, other}},
		{"two addresses and rollback", nil, [][]string{fix, {"fix", "--host", other}, rollback}, []string{v.host, other, ""}},
		{"fix, status and doctor", nil, [][]string{fix, {"status", "--host", v.host}, {"doctor", "--host", v.host}, {"status", "--json"}, {"rollback", "--list"}}, []string{v.host}},
		{"rollback, status and doctor", fix, [][]string{rollback, {"status", "--host", v.host}, {"doctor"}, {"rollback", "--list", "--json"}}, []string{""}},
		{"fix and a dry run", nil, [][]string{fix, append([]string{"-"}, fix[1:]...)}, []string{v.host}},
	}
	pairs[len(pairs)-1].runs[1] = append(slices.Clone(fix), "--dry-run")
	for round := range c.some(2, 1) {
		for i, p := range pairs {
			if c.short && i%4 != 0 {
				continue
			}
			v.afresh(t, before)
			if p.first != nil {
				v.run(p.first...)
			}
			racers := v.race(p.runs...)
			c.count(t, kindRace, fmt.Sprintf("%s, round %d", p.name, round), errors.Join(v.metWell(racers), v.oneOf(p.ends), v.chained(-1)))
		}
		v.againstBrew(t, c, before, round)
	}
}

// metWell judges each of them for itself.
func (v *victim) metWell(racers []*racer) error {
	var all error
	for _, r := range racers {
		if r.args[0] != "brew" {
			all = errors.Join(all, r.patient(racers, 30*time.Second, exitOK, exitFailed, exitNotWanted))
		}
		if (r.args[0] == "fix" && !slices.Contains(r.args, "--dry-run") || len(r.args) == 1 && r.args[0] == "rollback") && r.code == exitFailed {
			all = errors.Join(all, fmt.Errorf("%v failed: %s", r.args, r.stderr))
		}
	}
	return all
}

var waitedFor = regexp.MustCompile(`waiting for another run(?: \(pid (\d+)\))? to finish`)

// patient wants a run to have ended well, in time, and to have said for whom it
// waited.
func (r *racer) patient(all []*racer, limit time.Duration, codes ...int) error {
	switch {
	case !slices.Contains(codes, r.code):
		return fmt.Errorf("%v: exit %d: %s%s", r.args, r.code, r.stdout, r.stderr)
	case r.took > limit+time.Second:
		return fmt.Errorf("%v took %s", r.args, r.took)
	}
	m := waitedFor.FindStringSubmatch(r.stderr)
	if m == nil || m[1] == "" { // it had no need to, or nobody had signed yet
		return nil
	}
	if !slices.ContainsFunc(all, func(o *racer) bool { return o != r && fmt.Sprint(o.pid) == m[1] }) {
		return fmt.Errorf("%v waited for pid %s, which is not one of the others", r.args, m[1])
	}
	return nil
}

// afresh makes the Mac as it was at first.
func (v *victim) afresh(t *testing.T, plist []byte) {
	t.Helper()
	v.ClearFaults()
	v.Launchctl("bootout", v.Domain()+"/"+v.label)
	v.Launchctl("bootout", v.Domain()+"/homebrew.mxcl.ollama")
	must(t, v.WaitGone(v.label, 10*time.Second))
	must(t, v.WaitGone("homebrew.mxcl.ollama", 10*time.Second))
	must(t, os.RemoveAll(v.Agents()))
	must(t, os.MkdirAll(v.Agents(), 0o755))
	must(t, os.RemoveAll(filepath.Join(v.Home(), ".homebrew")))
	must(t, os.RemoveAll(v.state))
	must(t, os.WriteFile(v.plist, plist, 0o644))
	must(t, v.StartService(v.label))
	v.ResetLog()
}

// told counts how often launchctl was told a verb.
func (v *victim) told(verb string) (n int) {
	for _, line := range v.Changes() {
		if strings.HasPrefix(line, verb+" ") {
			n++
		}
	}
	return n
}

// boundTo wants all four layers to agree on an address, "" for unset.
func (v *victim) boundTo(host string) error {
	plist, _ := os.ReadFile(v.plist)
	env, _ := os.ReadFile(v.EnvFile())
	job, _, _ := v.Launchctl("print", v.Domain()+"/"+v.label)
	if host == "" {
		if bytes.Contains(plist, []byte("OLLAMA_HOST")) || len(env) > 0 || strings.Contains(job, "OLLAMA_HOST") {
			return fmt.Errorf("it is not unset everywhere:\n%s\n%s\n%s", plist, env, job)
		}
	} else if !bytes.Contains(plist, []byte("<string>"+host+"</string>")) || string(env) != "OLLAMA_HOST="+host+"\n" || !strings.Contains(job, "OLLAMA_HOST => "+host) {
		return fmt.Errorf("not all of it is %s:\n%s\n%s\n%s", host, plist, env, job)
	}
	if err := v.WaitVersion(fmt.Sprintf("127.0.0.1:%d", v.Port), 5*time.Second); err != nil {
		return err
	}
	return v.litter()
}

func (v *victim) oneOf(hosts []string) error {
	var all error
	for _, host := range hosts {
		err := v.boundTo(host)
		if err == nil {
			return nil
		}
		all = errors.Join(all, err)
	}
	return all
}

func (v *victim) litter() error {
	for _, pattern := range []string{v.Agents() + "/.ollama-bind-*", filepath.Dir(v.EnvFile()) + "/.ollama-bind-*", v.state + "/backups/.unfinished-*"} {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			return fmt.Errorf("litter: %v", found)
		}
	}
	return nil
}

// chained wants every backup to begin where the one before it has ended, and the
// last to end at what is there. want is how many there are to be; -1 is any.
func (v *victim) chained(want int) error {
	paths, _ := filepath.Glob(filepath.Join(v.state, "backups", "*", "receipt.json"))
	if want >= 0 && len(paths) != want {
		return fmt.Errorf("%d backups, not %d", len(paths), want)
	}
	var all []backup.Receipt
	superseded := map[string]bool{}
	for _, path := range paths { // sorted by name, and so by time
		var r backup.Receipt
		text, _ := os.ReadFile(path)
		if err := json.Unmarshal(text, &r); err != nil {
			return err
		}
		if _, err := os.Stat(filepath.Join(filepath.Dir(path), "done")); err != nil {
			return fmt.Errorf("backup %s is not done", r.ID)
		}
		superseded[r.Supersedes] = true
		all = append(all, r)
	}
	now := map[string]string{}
	for _, r := range all {
		for _, f := range r.Files {
			if last, known := now[f.Path]; known && last != f.Before && r.Supersedes == "" {
				return fmt.Errorf("backup %s of %s does not begin where the one before it has ended", r.ID, f.Path)
			}
			now[f.Path] = f.After
		}
	}
	for path, sum := range now {
		is := ""
		if data, err := os.ReadFile(path); err == nil {
			is = backup.Sum(data)
		}
		if is != sum {
			return fmt.Errorf("%s is not as the last backup says", path)
		}
	}
	return nil
}

// againstBrew lets the program meet brew, which takes no lock. The one that comes off
// worse has to say so, and the next fix finds nothing that it cannot mend.
func (v *victim) againstBrew(t *testing.T, c *chamber, before []byte, round int) {
	fix := []string{"fix", "--host", v.host}
	for _, verb := range []string{"restart", "stop", "start"} {
		for _, own := range [][]string{fix, {"rollback"}} {
			if c.short && (verb != "restart" || own[0] != "fix") {
				continue
			}
			v.afresh(t, before)
			if own[0] == "rollback" {
				v.run(fix...)
			}
			racers := v.race(own, []string{"brew", "services", verb, "ollama"})
			err := racers[0].patient(racers, 36*time.Second, exitOK, exitFailed, exitUndone, exitNothingHere)
			if racers[0].code == exitFailed && !strings.Contains(racers[0].stderr, "ollama-bind: error: ") {
				err = errors.Join(err, errors.New("it does not say what went wrong"))
			}
			v.Run("brew", "services", "start", "ollama")
			o := v.run(append(slices.Clone(fix), "--timeout", "20s")...)
			if o.code != exitOK {
				err = errors.Join(err, fmt.Errorf("the next fix: exit %d: %s", o.code, o.stderr))
			}
			v.plist = filepath.Join(v.Agents(), v.label+".plist")
			c.count(t, kindRace, fmt.Sprintf("%s and brew services %s, round %d", own[0], verb, round), errors.Join(err, v.listensEverywhere(), v.litter()))
		}
	}
}

// listensEverywhere looks at the socket alone: brew may have given the service
// another label.
func (v *victim) listensEverywhere() error {
	o := v.run("status", "--host", v.host)
	if o.code != exitOK {
		return fmt.Errorf("status: exit %d: %s%s", o.code, o.stdout, o.stderr)
	}
	return nil
}

// wedge is what somebody does just before a program is run.
var wedges = []struct {
	name, script string
}{
	{"the plist is edited", `printf '<!-- theirs -->\n' >> "$PLIST"`},
	{"the plist is replaced", `cp "$PLIST" "$PLIST.x"; printf '<!-- theirs -->\n' >> "$PLIST.x"; mv "$PLIST.x" "$PLIST"`},
	{"Homebrew writes it again", `rm "$PLIST"; cp "$ORIGINAL" "$PLIST"`},
	{"the plist is gone", `rm "$PLIST"`},
	{"it is a link", `cp "$PLIST" "$HOME/real"; ln -sf "$HOME/real" "$PLIST"`},
	{"the state folder is gone", `rm -rf "$OLLAMA_BIND_STATE_DIR"`},
	{"the env file's folder is gone", `rm -rf "$HOME/.homebrew"`},
}

// tortureWedges does something at every program that a fix runs, just before it.
func tortureWedges(t *testing.T, c *chamber) {
	v := newVictim(t, "brew-arm64-env")
	before, err := os.ReadFile(v.plist)
	must(t, err)
	wrapped := v.wrapTools(t)
	must(t, os.WriteFile(filepath.Join(v.dir, "original"), before, 0o644))
	plain := v.env
	for i, w := range wedges {
		if c.short && i%4 != 1 {
			continue
		}
		for j, at := range []string{"bootout 1", "bootstrap 1", "enable 1", "kickstart 1", "lsof 3"} {
			if c.short && j > 0 {
				continue
			}
			v.afresh(t, before)
			os.RemoveAll(filepath.Join(v.dir, "turns"))
			os.RemoveAll(filepath.Join(v.Home(), "real"))
			must(t, os.Mkdir(filepath.Join(v.dir, "turns"), 0o755))
			must(t, os.WriteFile(filepath.Join(v.dir, "wedge"), []byte(w.script), 0o644))
			v.env = append(slices.Clone(plain), "PATH="+wrapped+":/usr/bin:/bin", "AT="+at, "PLIST="+v.plist, "ORIGINAL="+filepath.Join(v.dir, "original"), "WEDGE="+filepath.Join(v.dir, "wedge"), "TURNS="+filepath.Join(v.dir, "turns"))
			o := v.run("fix", "--host", v.host, "--timeout", "15s")
			v.env = plain
			c.count(t, kindFolder, fmt.Sprintf("%s at %s", w.name, at), v.wedged(o))
		}
	}
}

// wrapTools puts scripts in front of launchctl and lsof. They count, and when it
// is their turn they do what the file says.
func (v *victim) wrapTools(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(v.dir, "wrapped")
	must(t, os.Mkdir(dir, 0o755))
	script := `#!/bin/sh
verb=${0##*/}
[ $verb = lsof ] || verb=$1
n=1
while ! mkdir "$TURNS/$verb $n" 2>/dev/null; do n=$((n+1)); done
[ "$verb $n" = "$AT" ] && { . "$WEDGE" >/dev/null 2>&1; : > "$TURNS/wedged"; }
exec ` + v.Bin() + `/${0##*/} "$@"
`
	for _, tool := range []string{"launchctl", "lsof"} {
		must(t, os.WriteFile(filepath.Join(dir, tool), []byte(script), 0o755))
	}
	return dir
}

// wedged wants somebody else's edit to stay, whatever came of the fix, and the
// fix to say the truth about the service.
func (v *victim) wedged(o outcome) error {
	if err := errors.Join(decentIn(o, 15*time.Second), v.litter()); err != nil {
		return err
	}
	if !exists(filepath.Join(v.dir, "turns", "wedged")) {
		return nil // it ended before
	}
	wedge, _ := os.ReadFile(filepath.Join(v.dir, "wedge"))
	if strings.Contains(string(wedge), "theirs") {
		if data, _ := os.ReadFile(v.plist); !bytes.Contains(data, []byte("theirs")) {
			return fmt.Errorf("exit %d, and somebody else's edit is lost: %s", o.code, o.stderr)
		}
	}
	if o.code == exitOK || o.code == exitUndone || !strings.Contains(o.stderr, "taking it back failed") {
		if err := v.WaitVersion(fmt.Sprintf("127.0.0.1:%d", v.Port), 5*time.Second); err != nil {
			return fmt.Errorf("exit %d, and the service is down: %w: %s", o.code, err, o.stderr)
		}
	}
	return nil
}
