//go:build torture

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode"

	"github.com/ollama-bind/ollama-bind/internal/sandbox"
)

func init() {
	tortures = append(tortures, torture{"secrets", tortureSecrets}, torture{"malformed", tortureMalformed},
		torture{"receipts", tortureReceipts}, torture{"terminal", tortureTerminal}, torture{"planted", torturePlanted})
}

const (
	kindSecret = "a secret"
	kindAttack = "an attack"
)

// canary marks secrets. Each has a word behind it that tells where it stood.
const canary = "s3cr3t-"

var canaries = regexp.MustCompile(`s3cr3t-[a-z]+`)

// toldSecrets looks for secrets in what a run has printed. A comment is no value: a diff
// shows it.
func toldSecrets(o outcome) error {
	found := canaries.FindAllString(o.stderr, -1)
	for _, one := range canaries.FindAllString(o.stdout, -1) {
		if one != canary+"comment" {
			found = append(found, one)
		}
	}
	if found != nil {
		return fmt.Errorf("it told %q: %s%s", found, o.stdout, o.stderr)
	}
	return nil
}

// secretPlist is a plist full of secrets.
func (v *victim) secretPlist(t *testing.T) []byte {
	data, err := os.ReadFile(v.plist)
	must(t, err)
	return bytes.Replace(data, []byte("<key>EnvironmentVariables</key>\n\t<dict>\n"), []byte("<key>EnvironmentVariables</key>\n\t<dict>\n"+
		"\t\t<key>AWS_SECRET_ACCESS_KEY</key>\n\t\t<string>s3cr3t-plist</string>\n"+
		"\t\t<key>HTTPS_PROXY</key>\n\t\t<string>http://user:s3cr3t-proxy@127.0.0.1:9</string>\n"+
		"\t\t<key>TOKEN</key>\n\t\t<string>s3cr3t-plist-longer-s3cr3t-tail</string>\n"+
		"\t\t<key>OLLAMA_API_KEY</key>\n\t\t<string>s3cr3t-key\ns3cr3t-second</string>\n"), 1)
}

// tortureSecrets plants secrets wherever the program looks, and runs all that it
// can do, well and ill.
func tortureSecrets(t *testing.T, c *chamber) {
	faults := []fault{
		{"", ""}, {"exit-at-once", "Error: cannot log in with s3cr3t-plist, s3cr3t-plist-longer-s3cr3t-tail, s3cr3t-key, s3cr3t-setenv, s3cr3t-env, s3cr3t-proxy"}, {"deaf", ""}, {"wrong-bind", ""}, {"drop-environment", ""},
		{"exit-code", "bootstrap:5:Bootstrap failed: 5: Input/output error"}, {"garbage", "print"}, {"garbage", "lsof"}, {"garbage", "docker"}, {"bootstrap-eio", "100"},
	}
	for _, f := range faults[:c.some(len(faults), 1)] {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel() // most of the time goes by with waiting
			tellSecrets(t, c, f)
		})
	}
}

// fault is one of the sandbox's.
type fault struct{ name, arg string }

func tellSecrets(t *testing.T, c *chamber, fault fault) {
	v := newVictim(t, "brew-arm64-env")
	must(t, v.SetBrew("6.0.22"))
	plist := v.secretPlist(t)
	must(t, v.StartEngine(sandbox.Engine{Product: "linux"}))
	for i, env := range [][]string{
		{"OLLAMA_BASE_URL=http://user:s3cr3t-userinfo@172.17.0.1:" + fmt.Sprint(v.Port), "TOKEN=s3cr3t-container"},
		{"OLLAMA_HOST=http://localhost:" + fmt.Sprint(v.Port), "HTTP_PROXY=http://user:s3cr3t-httpproxy@127.0.0.1:9", "https_proxy=http://s3cr3t-lower@10.0.0.1:3128"},
		{"OLLAMA_BASE_URL=http://172.17.0.1:" + fmt.Sprint(v.Port) + "/?key=s3cr3t-query", "ALL_PROXY=socks5://u:s3cr3t-socks@127.0.0.1:9"},
	} {
		must(t, v.Docker.Run(sandbox.Container{Name: fmt.Sprintf("box%d", i), Image: "app:1", Env: env, Tools: []string{"curl"}}))
	}
	commands := [][]string{
		{"status"}, {"status", "--host", v.host}, {"fix", "--dry-run", "--host", v.host}, {"fix", "--host", v.host, "--timeout", "6s"}, {"status", "--host", v.host},
		{"doctor"}, {"probe", "--timeout", "8s"}, {"url"}, {"rollback", "--list"}, {"rollback", "--timeout", "6s"}, {"rollback", "--force", "--timeout", "6s"}, {"version"},
	}
	v.afresh(t, plist)
	v.env = append(v.env, verboseVariable+"=1", "TOKEN=s3cr3t-shell", "HTTP_PROXY=http://u:s3cr3t-shellproxy@127.0.0.1:9", "OLLAMA_API_KEY=s3cr3t-shellkey")
	put(t, v.EnvFile(), "TOKEN=s3cr3t-env\nexport API=s3cr3t-export\n# s3cr3t-comment\n")
	v.Launchctl("setenv", "HF_TOKEN", "s3cr3t-setenv")
	must(t, v.restart())
	log := filepath.Join(v.Prefix(), "var", "log", "ollama.log")
	appendTo(log, "level=INFO source=routes.go msg=\"server config\" env=\"map[TOKEN:s3cr3t-logmap]\"\nError: bad key s3cr3t-plist and s3cr3t-setenv\n")
	if fault.name != "" {
		v.Fault(fault.name, fault.arg)
	}
	for _, json := range []bool{false, true} {
		for _, args := range commands {
			if c.short && len(args) == 1 && args[0] != "doctor" || json && fault.name != "" && args[0] != "fix" && args[0] != "doctor" {
				continue
			}
			if json && args[0] != "version" {
				args = append(args, "--json")
			}
			c.count(t, kindSecret, strings.Join(args, " ")+" with "+fault.name+" "+fault.arg, toldSecrets(v.run(args...)))
		}
	}
	c.count(t, kindSecret, "what was written with "+fault.name+" "+fault.arg, errors.Join(v.keptSecrets(), (&still{state: v.state}).private()))
}

// restart loads the service again, with what is in its file now.
func (v *victim) restart() error {
	v.Launchctl("bootout", v.Domain()+"/"+v.label)
	if err := v.WaitGone(v.label, 10*time.Second); err != nil {
		return err
	}
	return v.StartService(v.label)
}

// keptSecrets looks for secrets in all that the program has written but the
// files that it has saved.
func (v *victim) keptSecrets() error {
	for path, f := range readWorld(v.state) {
		saved := slices.Contains([]string{"plist", "env-file"}, filepath.Base(path))
		if !saved && strings.Contains(f.data, canary) {
			return fmt.Errorf("%s holds a secret", path)
		}
	}
	return nil
}

// malformations of a plist, around a secret.
var malformations = []struct{ name, old, new string }{
	{"cut in the secret", "retry</string>\n\t\t<key>OLLAMA_KV", ""},
	{"an integer that is none", "<string>s3cr3t-xml</string>", "<integer>s3cr3t-xml</integer>"},
	{"a real that is none", "<string>s3cr3t-xml</string>", "<real>s3cr3t-xml</real>"},
	{"a date that is none", "<string>s3cr3t-xml</string>", "<date>s3cr3t-xml</date>"},
	{"data that is none", "<string>s3cr3t-xml</string>", "<data>s3cr3t-xml</data>"},
	{"an unknown entity", "<string>s3cr3t-xml</string>", "<string>&s3cr3t-xml;</string>"},
	{"an open element", "<string>s3cr3t-xml</string>", "<string>s3cr3t-xml"},
	{"a dict in place of a string", "<string>s3cr3t-xml</string>", "<dict><key>s3cr3t-xml</key><string>s3cr3t-xml</string></dict>"},
	{"an integer in place of a string", "<string>s3cr3t-xml</string>", "<integer>7</integer><!-- s3cr3t-xml -->"},
	{"the key twice", "<string>s3cr3t-xml</string>", "<string>s3cr3t-xml</string><key>TOKEN</key><string>s3cr3t-twice</string>"},
	{"no UTF-8", "<string>s3cr3t-xml</string>", "<string>s3cr3t-xml\xff</string>"},
	{"a NUL", "<string>s3cr3t-xml</string>", "<string>s3cr3t-xml\x00</string>"},
	{"an entity of its own", "<plist version", "<!DOCTYPE x [<!ENTITY a 's3cr3t-xml'>]><plist version"},
	{"text behind it", "</plist>", "</plist>s3cr3t-xml"},
	{"an attribute", "<plist version=\"1.0\">", "<plist version=\"s3cr3t-xml\">"},
}

// tortureMalformed has secrets in files that nobody understands: what is said of
// them must not show the place.
func tortureMalformed(t *testing.T, c *chamber) {
	s := newStill(t)
	base := bytes.Replace(s.before, []byte("\t\t<key>OLLAMA_KV"), []byte("\t\t<key>TOKEN</key>\n\t\t<string>s3cr3t-xml</string>\n\t\t<key>OLLAMA_KV"), 1)
	try := func(name string) {
		for _, args := range [][]string{{"fix", "--no-restart", "--host", s.wanted()}, {"fix", "--json", "--no-restart", "--host", s.wanted()}, {"status"}, {"doctor"}, {"fix", "--dry-run", "--plist", s.plist}} {
			o := s.run(args...)
			c.count(t, kindSecret, fmt.Sprintf("%s on %s", args[0], name), errors.Join(decent(o), toldSecrets(o)))
		}
	}
	for i, m := range malformations {
		if c.short && i%5 != 0 {
			continue
		}
		s.reset(t)
		must(t, os.WriteFile(s.plist, bytes.Replace(base, []byte(m.old), []byte(m.new), 1), 0o644))
		try("a plist with " + m.name)
	}
	for _, cut := range []int{7, 2, 3, 5} { // cut short in or near the secret
		s.reset(t)
		at := bytes.Index(base, []byte("s3cr3t-xml")) + len("s3cr3t-xml")
		must(t, os.WriteFile(s.plist, base[:at-2+cut], 0o644))
		try("a plist cut short")
	}
	for i, line := range []string{"TOKEN=s3cr3t-env\xff", "TOKEN=s3cr3t-env\x00", "\ufeffTOKEN=s3cr3t-env", "TOKEN=s3cr3t-env\x1b[2J", "TOKEN s3cr3t-env", "OLLAMA_HOST s3cr3t-env",
		"export OLLAMA_HOST=s3cr3t", "TOKEN='s3cr3t-env", "s3cr3t-env=1", "TOKEN=s3cr3t-env # s3cr3t-comment", "=s3cr3t-env", "TOKEN=\"s3cr3t-env\nOLLAMA_HOST=x"} {
		if c.short && i%5 != 0 {
			continue
		}
		s.reset(t)
		put(t, s.env, "A=s3cr3t-first\n"+line+"\n")
		try(fmt.Sprintf("the env file line %q", line))
	}
}

// tortureReceipts tampers with each field of a receipt.
func tortureReceipts(t *testing.T, c *chamber) {
	s := newStill(t)
	victim := filepath.Join(s.root, "passwd")
	empty := filepath.Join(s.root, "empty")
	strings := []any{"", "x", "../../../nowhere/passwd", "/nowhere/passwd", "$(touch pwned)", "\x1b[2J\u202e", 7, nil, []any{}, map[string]any{}, true}
	top := map[string][]any{
		"schema_version": {0, 2, -1, "1", nil, 1e300}, "id": strings, "created": {"", "yesterday", "9999-12-31T23:59:59Z", 7, nil}, "command": strings,
		"host": strings, "label": strings, "domain": strings, "socket_before": append(strings, "*:0", "1.2.3.4:99999"), "was_up": {true, "yes", 1, nil}, "undoes": strings,
		"supersedes": strings, "files": {nil, []any{}, "x", []any{nil}, []any{7}, []any{map[string]any{}}},
	}
	inFile := map[string][]any{
		"layer": append(strings, "plist-old", "env-file", "plist", "../../receipt.json"),
		"path": {victim, victim + "2", "relative.plist", "", "../x.plist", s.root + "/home/../passwd", s.root + "/passwd.txt", nil, 7, s.plist + "/../../../../passwd",
			"\x1b[2J", s.root + "/link.plist/../../nowhere/passwd"},
		"mode":          {0, 0o777, 0o6755, 1 << 40, -1, "0644", nil},
		"sha256_before": strings, "sha256_after": strings,
		"folders": {nil, "x", []any{empty}, []any{"/"}, []any{"relative"}, []any{s.root}, []any{filepath.Dir(s.plist)}, []any{"../.."}, []any{"$(touch pwned)"}},
	}
	n := 0
	tamper := func(name string, change func(r map[string]any)) {
		if n++; c.short && n%12 != 1 {
			return
		}
		for i, args := range [][]string{{"--timeout", patienceHere.String()}, {"--timeout", patienceHere.String(), "--force"}, {"--list"}} {
			if i == 2 && n%8 != 0 || i == 0 && n%2 != 0 {
				continue
			}
			s.reset(t)
			s.fix()
			must(t, os.WriteFile(victim, []byte("mine"), 0o644))
			must(t, os.MkdirAll(empty, 0o755))
			paths, _ := filepath.Glob(filepath.Join(s.state, "backups", "*", "receipt.json"))
			text, err := os.ReadFile(paths[0])
			must(t, err)
			var r map[string]any
			must(t, json.Unmarshal(text, &r))
			change(r)
			text, _ = json.Marshal(r)
			must(t, os.WriteFile(paths[0], text, 0o600))
			c.count(t, kindAttack, fmt.Sprintf("rollback %v with a receipt whose %s", args, name), s.unharmed(s.run(append([]string{"rollback"}, args...)...), victim, empty))
		}
	}
	for field, values := range top {
		for _, value := range values {
			tamper(fmt.Sprintf("%s is %.60q", field, fmt.Sprint(value)), func(r map[string]any) { r[field] = value })
		}
	}
	for field, values := range inFile {
		for _, value := range values {
			for i := range 2 {
				tamper(fmt.Sprintf("file %d has the %s %.60q", i, field, fmt.Sprint(value)), func(r map[string]any) { r["files"].([]any)[i].(map[string]any)[field] = value })
			}
		}
	}
}

// unharmed wants a rollback to have touched the two files and nothing else.
func (s *still) unharmed(o outcome, victim, empty string) error {
	if err := errors.Join(decent(o), s.clean()); err != nil {
		return err
	}
	data, _ := os.ReadFile(victim)
	info, err := os.Stat(empty)
	left, _ := filepath.Glob(filepath.Join(s.root, "*"))
	plist := s.look()[s.plist]
	switch {
	case string(data) != "mine":
		return fmt.Errorf("a file that is not ours holds %q now", data)
	case err != nil || !info.IsDir():
		return errors.New("a folder that is not ours is gone")
	case len(left) != 6: // bin, empty, home, ollama-bind, passwd, state
		return fmt.Errorf("there is more, or less, than there was: %q", left)
	case plist.data != string(s.before) && plist.data != string(s.after()):
		return fmt.Errorf("the plist is neither as before nor as after: %q", plist.data)
	case plist.mode&0o022 != 0:
		return fmt.Errorf("the plist has mode %v now, and launchd would refuse it", plist.mode)
	}
	return nil
}

// evil is text that a terminal, or a shell, would act upon.
var evil = []string{"\x1b[2J\x1b]0;pwned\x07", "\u202egnp.exe", "\u009b31m", "a\nollama-bind: error: forged", "a\rforged", "$(>pwned)", "`>pwned`", ";>pwned;", "|>pwned", "'>pwned;'", "\"$(>pwned)\"", "\u2066x\u2069", "\x7f\x08", "\xff\xfe", "&>pwned&"}

// tortureTerminal feeds such text in wherever any comes in.
func tortureTerminal(t *testing.T, c *chamber) {
	version := ""
	s := newStillBeside(t, func(w http.ResponseWriter, r *http.Request) {
		json.NewEncoder(w).Encode(map[string]string{"version": version})
	})
	turn := 0 // an odd number of runs a text, so that all meet all
	try := func(where, text string, all ...[]string) {
		for _, args := range all {
			if turn++; turn%2 == 0 {
				continue // another text has its turn here
			}
			o := s.run(args...)
			err := errors.Join(unprintable(o.stdout+o.stderr), pasteable(o))
			if strings.Contains(o.stderr, "\nollama-bind: error: forged") {
				err = errors.Join(err, errors.New("a forged line"))
			}
			if strings.Contains(strings.Join(args, " "), "--json") {
				err = wellFormed(o.stdout)
			}
			if _, there := s.look()[filepath.Join(s.home, "pwned")]; there || exists(filepath.Join(s.root, "pwned")) {
				err = errors.Join(err, errors.New("a shell ran it"))
			}
			c.count(t, kindAttack, fmt.Sprintf("%.20q in %s: %s", text, where, args[0]), err)
		}
	}
	for i, text := range evil {
		if c.short && i%5 != 0 {
			continue
		}
		version = ""
		xml := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
		for _, place := range []struct{ name, old, new string }{
			{"the label", "<string>" + stillLabel + "</string>", "<string>" + xml + "</string>"},
			{"OLLAMA_HOST", fmt.Sprintf("<string>127.0.0.1:%d</string>", s.port), "<string>" + xml + "</string>"},
			{"the program", "<string>/opt/homebrew/opt/ollama/bin/ollama</string>", "<string>/opt/" + xml + "</string>"},
			{"the log", "<string>/opt/homebrew/var/log/ollama.log</string>", "<string>/tmp/" + xml + ".log</string>"},
			{"a name", "<key>OLLAMA_KV_CACHE_TYPE</key>", "<key>OLLAMA_host" + xml + "</key>"},
		} {
			s.reset(t)
			must(t, os.WriteFile(s.plist, bytes.ReplaceAll(s.before, []byte(place.old), []byte(place.new)), 0o644))
			try(place.name, text, []string{"status"}, []string{"doctor"}, []string{"fix", "--dry-run", "--plist", s.plist, "--host", s.wanted()}, []string{"fix", "--no-restart"}, []string{"doctor", "--json"})
		}
		s.reset(t)
		put(t, s.env, "OLLAMA_HOST="+text+"\nexport OLLAMA_HOST=\""+text+"\"\n")
		try("the env file", text, []string{"status"}, []string{"doctor"}, []string{"fix", "--no-restart", "--host", s.wanted()}, []string{"fix", "--json", "--dry-run", "--host", s.wanted()})
		s.reset(t)
		for j, tool := range []string{"launchctl", "lsof", "docker", "podman"} {
			if (i+j)%2 == 0 {
				continue
			}
			s.speak(t, tool, text, 1)
			try(tool+"'s error", text, []string{"status"}, []string{"doctor"}, []string{"probe", "--timeout", "5s"}, []string{"fix", "--host", s.wanted()})
			s.speak(t, tool, text, 0)
			try(tool+"'s answer", text, []string{"status"}, []string{"doctor"}, []string{"probe", "--timeout", "5s"}, []string{"url"})
			s.quieten(t, tool)
		}
		version = text
		try("Ollama's version", text, []string{"status", "--host", s.wanted()}, []string{"doctor", "--host", s.wanted()}, []string{"doctor", "--json", "--host", s.wanted()})
		arg := strings.ReplaceAll(text, "\x00", "")
		try("an argument", text, []string{"status", "--host", arg}, []string{"fix", "--plist", arg}, []string{"doctor", "--check", arg}, []string{"rollback", "--to", arg}, []string{"url", "--from", arg},
			[]string{"probe", "--container", arg, "--timeout", "2s"}, []string{"probe", "--url", "http://" + arg, "--timeout", "2s"}, []string{arg}, []string{"status", "--" + arg}, []string{"help", arg}, []string{"fix", "--json", "--plist", arg})
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// wellFormed wants one JSON object without raw control characters.
func wellFormed(text string) error {
	if !json.Valid([]byte(text)) {
		return fmt.Errorf("no JSON: %q", text)
	}
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) && r != '\n' }) {
		return fmt.Errorf("control characters: %q", text)
	}
	return nil
}

// speak makes a tool that says a text, as an error or as an answer.
func (s *still) speak(t *testing.T, tool, text string, code int) {
	said := filepath.Join(s.root, "said")
	must(t, os.WriteFile(said, []byte(text+"\n"), 0o644))
	must(t, os.WriteFile(filepath.Join(s.root, "bin", tool), fmt.Appendf(nil, "#!/bin/sh\n/bin/cat %s\n/bin/cat %s >&2\nexit %d\n", said, said, code), 0o755))
}

func (s *still) quieten(t *testing.T, tool string) {
	must(t, os.WriteFile(filepath.Join(s.root, "bin", tool), []byte("#!/bin/sh\necho 'Could not find service' >&2\nexit 113\n"), 0o755))
}

// torturePlanted has a state folder that somebody else has made.
func torturePlanted(t *testing.T, c *chamber) {
	s := newStill(t)
	elsewhere := filepath.Join(s.home, "elsewhere")
	planted := map[string]func(path string) error{
		"group-writable": func(p string) error { return errors.Join(os.Mkdir(p, 0o700), os.Chmod(p, 0o770)) },
		"world-writable": func(p string) error { return errors.Join(os.Mkdir(p, 0o700), os.Chmod(p, 0o707)) },
		"a link to somebody else's": func(p string) error {
			return errors.Join(os.MkdirAll(elsewhere, 0o700), os.Chown(elsewhere, 4711, 4711), os.Symlink(elsewhere, p))
		},
		"a link to an open folder": func(p string) error {
			return errors.Join(os.MkdirAll(elsewhere, 0o777), os.Chmod(elsewhere, 0o777), os.Symlink(elsewhere, p))
		},
		"a file":          func(p string) error { return os.WriteFile(p, nil, 0o600) },
		"somebody else's": func(p string) error { return errors.Join(os.Mkdir(p, 0o700), os.Chown(p, 4711, 4711)) },
		"a dangling link": func(p string) error { return os.Symlink("nowhere", p) },
		"a FIFO":          func(p string) error { return syscall.Mkfifo(p, 0o600) },
		"sticky and open": func(p string) error { return errors.Join(os.Mkdir(p, 0o700), os.Chmod(p, 0o777|fs.ModeSticky)) },
	}
	for name, plant := range planted {
		if strings.HasSuffix(name, "somebody else's") && os.Geteuid() != 0 {
			continue
		}
		for _, sub := range []string{"", "backups"} {
			for _, command := range []string{"fix", "rollback"} {
				s.reset(t)
				if command == "rollback" {
					s.fix()
				}
				path := filepath.Join(s.state, sub)
				aside := path + ".aside"
				had := os.Rename(path, aside) == nil
				must(t, os.MkdirAll(filepath.Dir(path), 0o700))
				must(t, plant(path))
				if had { // what was there lies in the planted folder
					os.CopyFS(path, os.DirFS(aside))
					os.RemoveAll(aside)
				}
				was := s.look()
				o := s.fix()
				if command == "rollback" {
					o = s.rollback("--force")
				}
				err := errors.Join(decent(o), s.same(was))
				nothing := command == "rollback" && strings.Contains(o.stdout, "nothing to take back")
				if o.code == exitOK && !nothing {
					err = errors.Join(err, errors.New("it was used"))
				}
				c.count(t, kindAttack, fmt.Sprintf("%s with a state folder, %q, that is %s", command, sub, name), err)
			}
		}
	}
	s.lockTarget(t, c)
	s.underMasks(t, c)
}

// lockTarget is a link in the lock's place: what it leads to is not ours.
func (s *still) lockTarget(t *testing.T, c *chamber) {
	s.reset(t)
	target := filepath.Join(s.home, "diary")
	must(t, os.WriteFile(target, []byte("dear diary"), 0o644))
	must(t, os.Mkdir(s.state, 0o700))
	must(t, os.Symlink(target, filepath.Join(s.state, "lock")))
	was := s.look()[target]
	o := s.fix()
	err := decent(o)
	if s.look()[target] != was {
		err = errors.Join(err, fmt.Errorf("what the lock leads to holds %q now", s.look()[target].data))
	}
	c.count(t, kindAttack, "a link in the lock's place", err)
}

func (s *still) underMasks(t *testing.T, c *chamber) {
	for _, mask := range []string{"000", "022", "002", "077", "777"} {
		s.reset(t)
		s.setup = "umask " + mask
		o := s.fix()
		s.setup = ""
		c.count(t, kindSecret, "backups under umask "+mask, errors.Join(decent(o), s.private()))
	}
}
