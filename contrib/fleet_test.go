//go:build fleet

package contrib

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ollama-bind/ollama-bind/internal/sandbox"
)

var (
	size  = flag.Int("fleet", 12, "how many Macs")
	forks = flag.Int("forks", 10, "how many of them Ansible works on at once")
)

// fleet is an inventory.
type fleet struct {
	*testing.T
	dir      string
	playbook string
	group    string                  // of the inventory, that all Macs are in
	macs     map[string]*sandbox.Mac // those in good order
	hosts    map[string]map[string]any
	cpu      time.Duration // what the last play has cost: Ansible, and ollama-bind on all Macs
}

func newFleet(t *testing.T) *fleet {
	if _, err := exec.LookPath("ansible-playbook"); err != nil {
		t.Skip("there is no ansible-playbook; on Debian it is in ansible-core")
	}
	// Not t.TempDir, whose name is long: launchd's socket is in there.
	dir, err := os.MkdirTemp("", "ollama-bind-fleet-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return &fleet{T: t, dir: dir, playbook: "testdata/fleet.yml", group: "all", macs: map[string]*sandbox.Mac{}, hosts: map[string]map[string]any{}}
}

// add puts a Mac without a service into the inventory.
func (f *fleet) add(name string) *sandbox.Mac {
	mac := newMac(f.T, filepath.Join(f.dir, name))
	f.hosts[name] = map[string]any{
		"ansible_connection":         "local",
		"ansible_python_interpreter": "{{ ansible_playbook_python }}",
		"ollama_bind_executable":     sandbox.Program("ollama-bind"),
		"ollama_bind_host":           wanted(mac),
		"mac":                        environment(mac),
	}
	return mac
}

// start adds Macs whose service runs.
func (f *fleet) start(names ...string) {
	var wg sync.WaitGroup
	for _, name := range names {
		mac := f.add(name)
		wg.Go(func() {
			if err := startService(mac); err != nil {
				f.Error(err)
			}
		})
		f.macs[name] = mac
	}
	wg.Wait()
	if f.Failed() {
		f.FailNow()
	}
}

// outcome is a line of the recap, and what else there is to know of a host.
type outcome struct {
	changed, failed, skipped int
	result                   struct {
		Msg      string
		Socket   string
		Warnings []string
		Report   struct{ Command string }
	}
}

var recap = regexp.MustCompile(`(?m)^(\S+) +: ok=\d+ +changed=(\d+) +unreachable=0 +failed=(\d+) +skipped=(\d+) `)

// play runs the role on all hosts.
func (f *fleet) play(args ...string) (stdout string, hosts map[string]outcome) {
	f.Helper()
	inventory, results := filepath.Join(f.dir, "inventory.json"), filepath.Join(f.dir, "results")
	text, err := json.Marshal(map[string]any{f.group: map[string]any{"hosts": f.hosts}})
	if err != nil {
		f.Fatal(err)
	}
	if err := os.WriteFile(inventory, text, 0o600); err != nil {
		f.Fatal(err)
	}
	cmd := exec.Command("ansible-playbook", append([]string{"-i", inventory, "-f", strconv.Itoa(*forks), f.playbook}, args...)...)
	cmd.Env = append(os.Environ(), "HOME="+f.dir, "ANSIBLE_CONFIG=testdata/ansible.cfg", "ANSIBLE_CALLBACK_TREE_DIR="+results, "LC_ALL=C.UTF-8")
	out, err := cmd.CombinedOutput()
	f.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	stdout = string(out)
	hosts = map[string]outcome{}
	for _, m := range recap.FindAllStringSubmatch(stdout, -1) {
		var o outcome
		o.changed, _ = strconv.Atoi(m[2])
		o.failed, _ = strconv.Atoi(m[3])
		o.skipped, _ = strconv.Atoi(m[4])
		text, err := os.ReadFile(filepath.Join(results, m[1]))
		if err == nil {
			err = json.Unmarshal(text, &o.result)
		}
		if err != nil {
			f.Fatal(err)
		}
		hosts[m[1]] = o
	}
	if len(hosts) != len(f.hosts) {
		f.Fatalf("%d hosts in the recap, and not %d: %v\n%s", len(hosts), len(f.hosts), err, stdout)
	}
	return stdout, hosts
}

// expect plays, and requires of every Mac in good order what is wanted.
func (f *fleet) expect(changed int, listens bool, args ...string) (stdout string, hosts map[string]outcome) {
	f.Helper()
	stdout, hosts = f.play(args...)
	for _, name := range slices.Sorted(maps.Keys(f.macs)) {
		h := hosts[name]
		if h.changed != changed || h.failed != 0 {
			f.Errorf("%s %v: changed=%d failed=%d, not changed=%d failed=0; it says %q", name, args, h.changed, h.failed, changed, h.result.Msg)
		}
		if got := open(f.macs[name]); got != listens {
			f.Errorf("%s %v: Ollama is open to others: %v, not %v", name, args, got, listens)
		}
	}
	if f.Failed() {
		f.Fatal(stdout)
	}
	return stdout, hosts
}

// fails requires that one host fails alone, and says why and what to do.
func (f *fleet) fails(hosts map[string]outcome, name string, words ...string) {
	f.Helper()
	h := hosts[name]
	if h.failed != 1 || h.changed != 0 {
		f.Errorf("%s: changed=%d failed=%d, not changed=0 failed=1", name, h.changed, h.failed)
	}
	for _, word := range words {
		if !strings.Contains(h.result.Msg, word) {
			f.Errorf("%s says nothing of %q: %q", name, word, h.result.Msg)
		}
	}
}

func (f *fleet) fine(hosts map[string]outcome, name string, skipped int) {
	f.Helper()
	if h := hosts[name]; h.changed != 0 || h.failed != 0 || h.skipped != skipped {
		f.Errorf("%s: changed=%d failed=%d skipped=%d, not changed=0 failed=0 skipped=%d; it says %q",
			name, h.changed, h.failed, h.skipped, skipped, h.result.Msg)
	}
}

// names numbers the Macs.
func names(n int) []string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("mac%03d", i+1))
	}
	return all
}

// disk is what a play in check mode must not change: files, and what launchd was told.
func (f *fleet) disk() map[string]string {
	all := map[string]string{}
	for name := range f.hosts {
		for _, root := range []string{"home", "state", "Library"} {
			dir := filepath.Join(f.dir, name, root)
			err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
				if err != nil || d.IsDir() {
					return err
				}
				text, err := os.ReadFile(path)
				all[path] = string(text)
				return err
			})
			if err != nil && !os.IsNotExist(err) {
				f.Fatal(err)
			}
		}
	}
	for name, mac := range f.macs {
		all[name] = strings.Join(mac.Changes(), "\n")
	}
	return all
}

// TestFleet plays on a dozen Macs, and on some that are not in good order: each of
// those goes its own way, and none stands in the way of the dozen.
func TestFleet(t *testing.T) {
	f := newFleet(t)
	f.start(names(*size)...)
	odd := []string{"held", "stubborn", "foreign", "later"}
	f.start(odd...)
	held, stubborn, foreign, later := f.macs["held"], f.macs["stubborn"], f.macs["foreign"], f.macs["later"]
	for _, name := range odd {
		delete(f.macs, name)
	}

	// Another program has the port that Ollama is to have.
	port, err := held.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	_, stop, err := held.HoldPort(port, "")
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	f.hosts["held"]["ollama_bind_host"] = fmt.Sprintf("0.0.0.0:%d", port)
	// Ollama listens on 127.0.0.1 whatever it is told.
	stubborn.Fault("wrong-bind", "")
	f.hosts["stubborn"]["ollama_bind_timeout"] = 10
	// Somebody has bound it by hand.
	setByHand(t, foreign)
	// It must not be restarted now.
	f.hosts["later"]["ollama_bind_restart"] = false
	// There is no service.
	f.add("bare")
	f.add("exempt")
	f.hosts["exempt"]["ollama_bind_missing"] = "skip"
	// There is no ollama-bind, or something else of that name.
	f.add("new")
	f.hosts["new"]["ollama_bind_executable"] = filepath.Join(f.dir, "new", "ollama-bind")
	f.add("impostor")
	impostor := filepath.Join(f.dir, "impostor", "ollama-bind")
	if err := os.WriteFile(impostor, []byte("#!/bin/sh\necho []\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	f.hosts["impostor"]["ollama_bind_executable"] = impostor

	before := f.disk()
	out, hosts := f.expect(1, false, "--check", "--diff")
	const line = "+\t\t<key>OLLAMA_HOST</key>"
	if n := strings.Count(out, line); n < *size {
		t.Errorf("the diff shows %q %d times for %d Macs\n%s", line, n, *size, out)
	}
	if !maps.Equal(before, f.disk()) {
		t.Error("check mode has changed something")
	}
	f.fails(hosts, "held", "held by", "hint: ")
	f.fails(hosts, "impostor", "does not answer as ollama-bind fix does")
	f.fine(hosts, "new", 1) // an earlier task may be about to put ollama-bind there

	plists := f.plists()
	f.fixedBefore()
	_, hosts = f.expect(1, true)
	f.fails(hosts, "new", "was not found on this Mac")
	f.fails(hosts, "impostor", "does not answer as ollama-bind fix does")
	f.fails(hosts, "held", "held by", "hint: ")
	f.fails(hosts, "stubborn", "the previous state is restored", "hint: ollama-bind status")
	f.fails(hosts, "bare", "hint: ", "brew services start ollama")
	f.fine(hosts, "exempt", 1)
	f.fine(hosts, "foreign", 0)
	if h := hosts["later"]; h.changed != 1 || open(later) {
		t.Errorf("later: changed=%d, open to others: %v", h.changed, open(later))
	}
	for name := range f.macs {
		if r := hosts[name].result; r.Socket != f.socket(name) || len(r.Warnings) == 0 {
			t.Errorf("%s: bound to %q with warnings %q", name, r.Socket, r.Warnings)
		}
	}
	for _, mac := range []*sandbox.Mac{held, stubborn} {
		if open(mac) {
			t.Errorf("%s was left bound", mac.Dir())
		}
	}

	stubborn.ClearFaults()
	_, hosts = f.expect(0, true)
	if hosts["stubborn"].changed != 1 || !open(stubborn) {
		t.Errorf("the next play does not put right what went wrong in the one before: %+v", hosts["stubborn"])
	}
	f.fine(hosts, "later", 0)
	f.expect(0, true, "--check")
	f.status()

	unbound := []string{"-e", "ollama_bind_state=unbound"}
	before = f.disk()
	_, hosts = f.expect(1, true, append(unbound, "--check")...)
	if !maps.Equal(before, f.disk()) {
		t.Error("check mode has changed something")
	}
	f.fails(hosts, "foreign", "not because of a fix")
	out, hosts = f.expect(1, false, append(unbound, "--diff")...)
	if n := strings.Count(out, "-\t\t<key>OLLAMA_HOST</key>"); n < *size {
		t.Errorf("the diff shows %d times what was taken back, for %d Macs\n%s", n, *size, out)
	}
	f.fails(hosts, "foreign", "not because of a fix")
	for _, name := range []string{"held", "bare", "exempt"} {
		f.fine(hosts, name, 0)
	}
	_, hosts = f.expect(0, false, unbound...)
	f.fine(hosts, "stubborn", 0)
	if !maps.Equal(plists, f.plists()) {
		t.Error("the plists are not as before the first fix")
	}
}

// plists are the plists of the Macs in good order.
func (f *fleet) plists() map[string]string {
	all := map[string]string{}
	for name, mac := range f.macs {
		text, err := os.ReadFile(filepath.Join(mac.Agents(), label+".plist"))
		if err != nil {
			f.Fatal(err)
		}
		all[name] = string(text)
	}
	return all
}

// fixedBefore fixes the Macs in good order with another address than the play does.
func (f *fleet) fixedBefore() {
	for name, mac := range f.macs {
		cmd := exec.Command(sandbox.Program("ollama-bind"), "fix", "--host", fmt.Sprintf("127.0.0.1:%d", mac.Port))
		for key, value := range environment(mac) {
			cmd.Env = append(cmd.Env, key+"="+value)
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			f.Fatalf("%s: %v\n%s", name, err, out)
		}
	}
}

// TestPage follows docs/fleet.md: its play and its commands as they stand there, on
// two Macs whose /usr/local/bin is another folder that is not there yet.
func TestPage(t *testing.T) {
	page, err := os.ReadFile("../docs/fleet.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```yaml site.yml\n")
	site, rest, _ := strings.Cut(rest, "```\n")
	_, rest, _ = strings.Cut(rest, "```\n")
	commands, _, found := strings.Cut(rest, "```\n")
	if !found {
		t.Fatal("docs/fleet.md has no site.yml with commands behind it")
	}
	f := newFleet(t)
	f.start("one", "two")
	for _, host := range f.hosts {
		delete(host, "ollama_bind_executable")
		host["ansible_become"] = false // what root may do, we may in this folder
	}
	f.group = "macs"
	for name := range f.macs {
		folder := filepath.Join(f.dir, name, "local")
		f.hosts[name]["folder"] = folder
		env := f.hosts[name]["mac"].(map[string]string)
		env["PATH"] = folder + string(filepath.ListSeparator) + env["PATH"]
	}
	site = strings.ReplaceAll(site, "/usr/local/bin", "/{{ folder }}")
	site = strings.Replace(site, "- hosts: macs\n", "- hosts: macs\n  environment: \"{{ mac }}\"\n", 1)
	f.playbook = filepath.Join(f.dir, "site.yml")
	if err := errors.Join(os.WriteFile(f.playbook, []byte(site), 0o600), os.Mkdir(filepath.Join(f.dir, "bin"), 0o700),
		os.Symlink(sandbox.Program("ollama-bind"), filepath.Join(f.dir, "bin/ollama-bind"))); err != nil {
		t.Fatal(err)
	}
	wants := []struct {
		changed int // both tasks before the role, or the role, or all three
		listens bool
	}{{2, false}, {3, true}, {1, false}}
	lines := strings.Split(strings.TrimSpace(commands), "\n")
	if len(lines) != len(wants) {
		t.Fatalf("docs/fleet.md has other commands:\n%s", commands)
	}
	for i, line := range lines {
		command, _, _ := strings.Cut(line, "#")
		args, ok := strings.CutPrefix(command, "ansible-playbook site.yml")
		if !ok {
			t.Fatalf("docs/fleet.md has another command: %s", line)
		}
		f.expect(wants[i].changed, wants[i].listens, strings.Fields(args)...)
	}
}

func (f *fleet) socket(name string) string { return fmt.Sprintf("*:%d", f.macs[name].Port) }

// status asks each Mac without Ansible.
func (f *fleet) status() {
	for name, mac := range f.macs {
		cmd := exec.Command(sandbox.Program("ollama-bind"), "status", "--host", wanted(mac))
		for key, value := range environment(mac) {
			cmd.Env = append(cmd.Env, key+"="+value)
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			f.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

// setByHand sets OLLAMA_HOST as people do without ollama-bind.
func setByHand(t *testing.T, mac *sandbox.Mac) {
	env := filepath.Join(mac.Home(), ".homebrew/services/ollama.env")
	if err := os.MkdirAll(filepath.Dir(env), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(env, []byte("OLLAMA_HOST="+wanted(mac)+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, stderr, code := mac.Run("brew", "services", "restart", "ollama"); code != 0 {
		t.Fatal(stderr)
	}
}

// TestScale measures plays. It is run by make fleet FLEET=N.
func TestScale(t *testing.T) {
	f := newFleet(t)
	f.start(names(*size)...)
	t.Logf("%d Macs, %d forks, %d cores", *size, *forks, runtime.NumCPU())
	for _, p := range []struct {
		name    string
		changed int
		listens bool
		args    []string
	}{
		{"would be bound", 1, false, []string{"--check"}},
		{"bound", 1, true, nil},
		{"bound already", 0, true, nil},
		{"unbound", 1, false, []string{"-e", "ollama_bind_state=unbound"}},
	} {
		start := time.Now()
		f.expect(p.changed, p.listens, p.args...)
		t.Logf("%-15s %6.1f s; the cores worked %6.1f s", p.name, time.Since(start).Seconds(), f.cpu.Seconds())
	}
}
