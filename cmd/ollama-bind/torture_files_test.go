//go:build torture

package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unicode/utf16"

	"github.com/ollama-bind/ollama-bind/internal/ollama"
)

// The files that the program reads, broken in every way.
func init() {
	tortures = append(tortures, torture{"files", tortureFiles})
}

func tortureFiles(t *testing.T, c *chamber) {
	files := slices.Concat(theCorpus(t), moreXML(t), moreBinary(t))
	refused := slices.DeleteFunc(slices.Clone(files), func(f oddFile) bool { return f.accepted })
	if len(refused) < 350 {
		t.Errorf("only %d malformed files", len(refused))
	}
	kept := t.TempDir()
	onDesks(t, sample(c, files, 120), func(d *desk, f oddFile) {
		c.count(t, plistRow(f), f.name, d.fixNamed(f, kept))
	})
	onDesks(t, sample(c, truncated(t), 40), func(d *desk, f oddFile) {
		c.count(t, truncatedPlist, f.name, d.fixNamed(f, kept))
	})
	onDesks(t, spaced(refused, c.some(60, 6)), func(d *desk, f oddFile) {
		c.count(t, plistRow(f), f.name+",every command", d.everyCommand(f))
	})
	onDesks(t, sample(c, moreEnvFiles(t), 25), func(d *desk, f oddFile) {
		c.count(t, "a malformed env file", f.name, d.fixEnvFile(f))
	})
	for name, err := range readings(t, kept) {
		c.count(t, "an accepted plist, read by others", name, err)
	}
}

// The rows of what nobody can read.
const (
	malformedPlist = "a malformed plist"
	truncatedPlist = "a truncated plist"
)

func plistRow(f oddFile) string {
	if f.accepted {
		return "an odd plist that is accepted"
	}
	return malformedPlist
}

// oddFile is a file for the program to read.
type oddFile struct {
	name     string
	accepted bool
	doc      []byte
}

// desk is a Mac to read files on. Its launchctl and lsof answer from records of
// what the real stand-ins said, which is much faster, and write down whatever
// else they are told.
type desk struct {
	*victim
	good  []byte // the plist that the service was started from
	front string
}

func newDesk(t *testing.T) *desk {
	d := &desk{victim: newVictim(t, "brew-arm64-env")}
	d.front = filepath.Join(d.dir, "front")
	var err error
	d.good, err = os.ReadFile(d.plist)
	must(t, errors.Join(err, os.Mkdir(d.front, 0o755)))
	target := d.Domain() + "/" + d.label
	job, _, _ := d.Launchctl("print", target)
	sockets, _, _ := d.Run("lsof", "-nP", fmt.Sprintf("-iTCP:%d", d.Port), "-sTCP:LISTEN", "-F", "pcLnPtT")
	d.record(t, "launchctl", job, "case \"$*\" in \"print "+target+"\") exec /bin/cat launchctl.txt;; print*) echo 'Could not find service' >&2; exit 113;;\n"+
		"getenv*|managername*|list*|help*|error*) exit 1;; esac\necho \"$*\" >>told; exit 1\n")
	d.record(t, "lsof", sockets, "exec /bin/cat lsof.txt\n")
	d.env = append(d.env, "PATH="+d.front)
	return d
}

// record makes a tool that answers with a text.
func (d *desk) record(t *testing.T, tool, answer, script string) {
	if answer == "" {
		t.Fatalf("%s has said nothing that could be recorded", tool)
	}
	path := filepath.Join(d.front, tool)
	must(t, os.WriteFile(path+".txt", []byte(answer), 0o644))
	must(t, os.WriteFile(path, []byte("#!/bin/sh\ncd "+d.front+"\n"+script), 0o755))
}

// onDesks looks at files on a few Macs at a time.
func onDesks(t *testing.T, files []oddFile, look func(*desk, oddFile)) {
	desks := []*desk{newDesk(t), newDesk(t), newDesk(t), newDesk(t)}
	shareOut(desks, files, look)
	for _, d := range desks {
		d.Close()
	}
}

// clear makes the Mac one on which nothing has been run yet.
func (d *desk) clear(plist []byte) error {
	return errors.Join(os.RemoveAll(d.state),
		os.RemoveAll(filepath.Dir(filepath.Dir(d.EnvFile()))),
		os.WriteFile(d.plist, plist, 0o644))
}

// fixNamed has the file fixed under its own name, so that its label decides
// nothing, and without a restart.
func (d *desk) fixNamed(f oddFile, kept string) error {
	if err := d.clear(f.doc); err != nil {
		return err
	}
	before := d.traces()
	o := d.run("fix", "--no-restart", "--no-persist", "--host", d.host, "--plist", d.plist)
	if err := d.judge(f, o, before); err != nil || !f.accepted {
		return err
	}
	return d.keep(f, kept)
}

// judge wants the file to be accepted, or refused, as it should be.
func (d *desk) judge(f oddFile, o outcome, before string) error {
	switch err := documented(o); {
	case !f.accepted:
		return d.judgeRefusal(o, before)
	case err != nil:
		return err
	case o.code != exitOK:
		return fmt.Errorf("refused: exit %d: %.500s", o.code, o.stderr)
	}
	return nil
}

// judgeRefusal wants a reason, and everything as it was.
func (d *desk) judgeRefusal(o outcome, before string) error {
	if err := documented(o); err != nil {
		return err
	}
	after := d.traces()
	switch {
	case o.code != exitFailed:
		return fmt.Errorf("not refused: exit %d: %.500s%.500s", o.code, o.stdout, o.stderr)
	case !refusal.MatchString(o.stderr):
		return fmt.Errorf("no reason in %.500s", o.stderr)
	case after != before:
		return fmt.Errorf("refused, and changed from\n%.2000s\nto\n%.2000s", before, after)
	}
	return nil
}

// refusal is an error that names a file and says what is wrong with it.
var refusal = regexp.MustCompile(`(?m)^ollama-bind: error: .*~/\S*(ollama\.plist|ollama\.env)\b.*(: [^:\n]{6,}|was changed after the fix|has the label "[^"]*", but launchd loaded)`)

// traces is all that a run could leave: names, inodes, times and bytes in the
// home folder and in the state folder, and what launchctl was told.
func (d *desk) traces() string {
	var s strings.Builder
	for _, root := range []string{d.Home(), d.state, filepath.Join(d.front, "told")} {
		err := filepath.Walk(root, func(path string, info os.FileInfo, err error) error {
			switch {
			case os.IsNotExist(err):
				return nil
			case err != nil:
				return err
			case info.IsDir():
				fmt.Fprintf(&s, "%s/\n", path)
				return nil
			case path == filepath.Join(d.state, "lock"):
				return nil
			}
			data, err := os.ReadFile(path)
			fmt.Fprintf(&s, "%s %s %d %s %x\n", path, info.Mode(),
				info.Sys().(*syscall.Stat_t).Ino, info.ModTime(), sha256.Sum256(data))
			return err
		})
		if err != nil {
			s.WriteString(err.Error())
		}
	}
	return s.String()
}

// keep puts the file and what became of it aside for other readers.
func (d *desk) keep(f oddFile, kept string) error {
	after, err := os.ReadFile(d.plist)
	if err != nil {
		return err
	}
	if bytes.Equal(after, f.doc) {
		return fmt.Errorf("exit 0, and nothing was written")
	}
	names, err := os.ReadDir(d.Agents())
	if err != nil || len(names) != 1 {
		return fmt.Errorf("the folder holds %v: %v", names, err)
	}
	path := filepath.Join(kept, strings.ReplaceAll(f.name, "/", "_"))
	return errors.Join(os.WriteFile(path+".before", f.doc, 0o644),
		os.WriteFile(path+".host", []byte(d.host), 0o644),
		os.WriteFile(path+".after", after, 0o644))
}

// everyCommand shows the file to all commands as the loaded service's own
// plist, to rollback with a backup from before it was broken.
func (d *desk) everyCommand(f oddFile) error {
	if err := d.clear(d.good); err != nil {
		return err
	}
	if o := d.run("fix", "--no-restart", "--host", d.host); o.code != exitOK {
		return fmt.Errorf("before the fault: exit %d: %s", o.code, o.stderr)
	}
	if err := os.WriteFile(d.plist, f.doc, 0o644); err != nil {
		return err
	}
	before := d.traces()
	for _, args := range [][]string{{"fix", "--host", d.host}, {"fix", "-n", "--host", d.host}, {"rollback"}, {"rollback", "--json"}} {
		o := d.run(args...)
		if now, _ := os.ReadFile(d.plist); args[0] == "rollback" && o.code == exitOK && bytes.Equal(now, f.doc) {
			before = d.traces() // the setting is not in it, so there was nothing to write
			continue
		}
		if err := d.judgeRefusal(o, before); err != nil {
			return fmt.Errorf("%s: %w", args[0], err)
		}
	}
	for _, args := range [][]string{{"status", "--host", d.host}, {"status", "--json", "--host", d.host}, {"doctor", "--host", d.host}} {
		o := d.run(args...)
		after := d.traces()
		if err := documented(o); err != nil {
			return fmt.Errorf("%s: %w", args[0], err)
		}
		if o.code == exitOK || after != before {
			return fmt.Errorf("%s: exit %d, and from\n%s\nthe Mac went to\n%s", args[0], o.code, before, after)
		}
	}
	return nil
}

// fixEnvFile has a good plist beside an env file that may be none.
func (d *desk) fixEnvFile(f oddFile) error {
	err := errors.Join(d.clear(d.good),
		os.MkdirAll(filepath.Dir(d.EnvFile()), 0o755),
		os.WriteFile(d.EnvFile(), f.doc, 0o644))
	if err != nil {
		return err
	}
	before := d.traces()
	o := d.run("fix", "--no-restart", "--host", d.host)
	if err := d.judge(f, o, before); err != nil || !f.accepted {
		return err
	}
	after, err := os.ReadFile(d.EnvFile())
	if err != nil {
		return err
	}
	want := rubyReads(f.doc)
	want[ollama.Variable] = d.host
	if got := rubyReads(after); !maps.Equal(got, want) {
		return fmt.Errorf("Homebrew would read %.500q", got)
	}
	return nil
}

// rubyReads reads an env file as Homebrew's service.rb does, written from that
// and not from package homebrew: each_line, strip, partition.
func rubyReads(data []byte) map[string]string {
	const blank = "\x00\t\n\v\f\r "
	vars := map[string]string{}
	for _, line := range strings.Split(string(data), "\n") {
		line = strings.Trim(line, blank)
		i := strings.IndexByte(line, '=')
		if i < 0 || strings.HasPrefix(line, "#") {
			continue
		}
		if name := strings.Trim(line[:i], blank); name != "" {
			vars[name] = strings.Trim(line[i+1:], blank)
		}
	}
	return vars
}

// truncated is every truncation of a good plist, at every byte, as text
// and in binary form. What lacks nothing but blanks at the end is still one.
func truncated(t *testing.T) []oddFile {
	var files []oddFile
	for _, path := range []string{"plists/brew-arm64-env", "corpus/b-brew"} {
		doc := readFixture(t, path+".plist")
		whole := len(bytes.TrimRight(doc, "\n"))
		if bytes.HasPrefix(doc, []byte("bplist")) {
			whole = len(doc)
		}
		for n := range len(doc) {
			files = append(files, oddFile{fmt.Sprintf("%s[:%d]", filepath.Base(path), n), n >= whole, doc[:n]})
		}
	}
	return files
}

func readFixture(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(root("fixtures/" + name))
	must(t, err)
	return data
}

// tableOf are the files of a table of fixtures, with so many cells in a row; doc makes
// one of them.
func tableOf(t *testing.T, table string, cells int, prefix string, doc func(f []string) []byte) []oddFile {
	var files []oddFile
	for i, line := range strings.Split(strings.TrimSuffix(string(readFixture(t, table)), "\n"), "\n")[1:] {
		f := strings.Split(line, "\t")
		if len(f) != cells {
			t.Fatalf("%s: row %d has %d cells", table, i+1, len(f))
		}
		files = append(files, oddFile{prefix + f[0], f[1] == "accepted", doc(f)})
	}
	return files
}

func theCorpus(t *testing.T) []oddFile {
	return tableOf(t, "plistfix/corpus.tsv", 5, "", func(f []string) []byte { return readFixture(t, "corpus/"+f[0]+".plist") })
}

// The README of fixtures/corpus-more explains the notation of these.

func moreXML(t *testing.T) []oddFile {
	return tableOf(t, "corpus-more/xml.tsv", 4, "xml/", func(f []string) []byte { return encoded(t, written(t, f[3]), f[2]) })
}

func moreEnvFiles(t *testing.T) []oddFile {
	return tableOf(t, "corpus-more/env.tsv", 3, "env/", func(f []string) []byte { return written(t, f[2]) })
}

func moreBinary(t *testing.T) []oddFile {
	return tableOf(t, "corpus-more/binary.tsv", 4, "binary/", func(f []string) []byte { return assembled(t, f[2], f[3]) })
}

var (
	parts = strings.NewReplacer(
		"{HEAD}", `<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n`+
			`<plist version=\"1.0\">\n<dict>\n\t<key>Label</key>\n\t<string>homebrew.mxcl.ollama</string>\n`,
		"{ENV}", `\t<key>EnvironmentVariables</key>\n\t<dict>\n\t\t<key>A</key>\n\t\t<string>1</string>\n\t</dict>\n`,
		"{END}", `</dict>\n</plist>\n`)
	again = regexp.MustCompile(`\{(\d+)\*((?:[^{}]|\{I\}|\{N\})*)\}`)
	upTo  = regexp.MustCompile(`\{TO (\d+)\}`)
)

// written turns the notation into bytes.
func written(t *testing.T, text string) []byte {
	text = again.ReplaceAllStringFunc(parts.Replace(text), func(s string) string {
		f := again.FindStringSubmatch(s)
		n, _ := strconv.Atoi(f[1])
		if !strings.Contains(f[2], "{I}") {
			return strings.Repeat(f[2], n)
		}
		var all strings.Builder
		for i := range n {
			all.WriteString(strings.ReplaceAll(f[2], "{I}", strconv.Itoa(i)))
		}
		return all.String()
	})
	ends := "\n"
	for mark, end := range map[string]string{"{CRLF}": "\r\n", "{CR}": "\r"} {
		if rest, ok := strings.CutPrefix(text, mark); ok {
			text, ends = rest, end
		}
	}
	plain, err := strconv.Unquote(`"` + text + `"`)
	if err != nil {
		t.Fatalf("%.100q: %v", text, err)
	}
	if f := upTo.FindStringSubmatch(plain); f != nil {
		n, _ := strconv.Atoi(f[1])
		plain = strings.Replace(plain, f[0], strings.Repeat("c", n-len(plain)+len(f[0])), 1)
	}
	return []byte(strings.ReplaceAll(plain, "\n", ends))
}

// encoded writes a text in another encoding.
func encoded(t *testing.T, text []byte, encoding string) []byte {
	if encoding == "" {
		return text
	}
	var order binary.AppendByteOrder = binary.LittleEndian
	if strings.Contains(encoding, "be") {
		order = binary.BigEndian
	}
	runes := []rune(string(text))
	if strings.HasSuffix(encoding, "-bom") {
		runes = append([]rune{'\ufeff'}, runes...)
	}
	var out []byte
	if strings.HasPrefix(encoding, "utf32") {
		for _, r := range runes {
			out = order.AppendUint32(out, uint32(r))
		}
		return out
	}
	for _, u := range utf16.Encode(runes) {
		out = order.AppendUint16(out, u)
	}
	return out
}

var (
	binToken = regexp.MustCompile(`'[^']*'|[0-9a-f]{2}`)
	nesting  = regexp.MustCompile(`\{(\d+)\*a1\{N\}\}`)
)

// assembled makes a binary plist of its objects, with one thing changed.
func assembled(t *testing.T, objects, change string) []byte {
	key, text, _ := strings.Cut(change, "=")
	number, _ := strconv.ParseUint(text, 10, 64)
	is := func(name string, usual uint64) uint64 {
		if key == name {
			return number
		}
		return usual
	}
	objects = nesting.ReplaceAllStringFunc(objects, func(s string) string {
		n, _ := strconv.Atoi(nesting.FindStringSubmatch(s)[1])
		chain := make([]string, n)
		for i := range chain {
			chain[i] = fmt.Sprintf("a1%02x", int(number)+i)
		}
		return strings.Join(chain, " | ")
	})
	doc := []byte("bplist00")
	if key == "magic" {
		doc = written(t, text)
	}
	var table []uint64
	for _, object := range strings.Split(objects, " | ") {
		table = append(table, is("offset"+strconv.Itoa(len(table)), uint64(len(doc))))
		for _, s := range binToken.FindAllString(object, -1) {
			if text, ok := strings.CutPrefix(s, "'"); ok {
				doc = append(doc, strings.TrimSuffix(text, "'")...)
				continue
			}
			b, _ := hex.DecodeString(s) // the pattern lets nothing else through
			doc = append(doc, b...)
		}
	}
	doc = append(doc, make([]byte, is("gap", 0))...)
	start := uint64(len(doc))
	size := uint64(1)
	if start > 255 {
		size = 2
	}
	for _, offset := range table {
		if size == 2 {
			doc = append(doc, byte(offset>>8))
		}
		doc = append(doc, byte(offset))
	}
	doc = append(doc, byte(is("unused", 0)), 0, 0, 0, 0, byte(is("sort", 0)), byte(is("offsize", size)), byte(is("refsize", 1)))
	doc = binary.BigEndian.AppendUint64(doc, is("count", uint64(len(table))))
	doc = binary.BigEndian.AppendUint64(doc, is("top", 0))
	doc = binary.BigEndian.AppendUint64(doc, is("table", start))
	doc = append(doc, make([]byte, is("behind", 0))...)
	return doc[:uint64(len(doc))-is("cut", 0)]
}

// readings has other readers compare the files that were accepted with what
// became of them: an error for each reader and file that it reads otherwise.
func readings(t *testing.T, kept string) map[string]error {
	python, err := exec.LookPath("python3")
	if err != nil {
		fmt.Println("NOTE: no python3 here: nobody else has read the accepted plists")
		return nil
	}
	plistutil, err := exec.LookPath("plistutil")
	if err != nil {
		fmt.Println("NOTE: no plistutil here (Debian: libplist-utils): it has not read the accepted plists")
	}
	out, err := exec.Command(python, "-c", otherReaders, kept, plistutil).CombinedOutput()
	if err != nil {
		t.Errorf("python3: %v\n%s", err, out)
		return nil
	}
	all := map[string]error{}
	for line := range strings.Lines(string(out)) {
		name, verdict, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		all[name] = nil
		if verdict != "before+key" {
			all[name] = fmt.Errorf("%s", verdict)
		}
	}
	return all
}

// otherReaders prints a line for each reader and file that it reads: whether
// the edit is the value before plus one key. A file that a reader refuses
// before and after the edit is not counted.
const otherReaders = `
import glob, os, plistlib, subprocess, sys
folder, plistutil = sys.argv[1:]
sys.setrecursionlimit(10000)

def by_plistlib(path):
    with open(path, "rb") as f:
        return plistlib.loads(f.read())

def by_libplist(path):
    out = path + ".out"
    if os.path.exists(out):
        os.remove(out)
    subprocess.run([plistutil, "-i", path, "-f", "xml", "-o", out], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=20)
    return by_plistlib(out)

def read(by, path):
    try:
        return by(path)
    except Exception:
        return None

def canonical(v):
    if isinstance(v, dict):
        return "{%s}" % ",".join("%r:%s" % (k, canonical(v[k])) for k in sorted(v))
    if isinstance(v, list):
        return "[%s]" % ",".join(map(canonical, v))
    return "%s %r" % (type(v).__name__, v)

readers = [("plistlib", by_plistlib)] + ([("libplist", by_libplist)] if plistutil else [])
for path in sorted(glob.glob(folder + "/*.before")):
    stem = path[:-len(".before")]
    with open(stem + ".host") as f:
        host = f.read()
    for name, by in readers:
        before, after = read(by, path), read(by, stem + ".after")
        if before is None:
            continue
        verdict = "reads one of the two only"
        if isinstance(before, dict) and isinstance(after, dict):
            before.setdefault("EnvironmentVariables", {})["OLLAMA_HOST"] = host
            verdict = "before+key" if canonical(before) == canonical(after) else "another difference"
        print("%s: %s\t%s" % (name, os.path.basename(stem), verdict))
`
