package plistfix

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"howett.net/plist"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const (
	fixtures = "../fixtures/"
	hostName = "OLLAMA_HOST"
	wanted   = "0.0.0.0:11434"
)

// read returns a fixture.
func read(t testing.TB, name string) []byte {
	t.Helper()
	doc, err := os.ReadFile(fixtures + name)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// list returns the fixtures that match a pattern.
func list(t testing.TB, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(fixtures + pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("no fixtures %s: %v", pattern, err)
	}
	for i := range paths {
		paths[i] = filepath.ToSlash(strings.TrimPrefix(paths[i], fixtures))
	}
	return paths
}

func mustSet(t *testing.T, doc []byte) []byte {
	t.Helper()
	result, err := SetEnv(doc, hostName, wanted)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func mustUnset(t *testing.T, doc []byte) []byte {
	t.Helper()
	result, err := UnsetEnv(doc, hostName)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// Each edits/NAME.plist has what SetEnv makes of it beside it. Where the
// variable was not set before, UnsetEnv gives the input back, but for a dict
// that was empty.
func TestEdits(t *testing.T) {
	for _, name := range list(t, "plistfix/edits/*.plist") {
		if strings.HasSuffix(name, ".want.plist") {
			continue
		}
		t.Run(filepath.Base(name), func(t *testing.T) {
			doc := read(t, name)
			got := mustSet(t, doc)
			golden := strings.TrimSuffix(name, ".plist") + ".want.plist"
			if *update {
				if err := os.WriteFile(fixtures+golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(read(t, golden)), string(got)); diff != "" {
				t.Errorf("SetEnv (-want +got):\n%s", diff)
			}
			if again := mustSet(t, got); &again[0] != &got[0] {
				t.Error("a second SetEnv changes the document")
			}
			if _, ok, _ := Env(doc, hostName); ok || strings.Contains(name, "env-empty") {
				return
			}
			if diff := cmp.Diff(string(doc), string(mustUnset(t, got))); diff != "" {
				t.Errorf("UnsetEnv after SetEnv (-want +got):\n%s", diff)
			}
		})
	}
}

// A document that needs no change is returned as it is, not as a copy.
func TestNoChange(t *testing.T) {
	for _, name := range list(t, "plistfix/edits/same*.plist") {
		doc := read(t, name)
		if got := mustSet(t, doc); &got[0] != &doc[0] {
			t.Errorf("%s: SetEnv returns a copy", name)
		}
	}
	for _, name := range []string{"plistfix/edits/between.plist", "corpus/b-brew.plist"} {
		doc := read(t, name)
		if got := mustUnset(t, doc); &got[0] != &doc[0] {
			t.Errorf("%s: UnsetEnv returns a copy", name)
		}
	}
}

// SetEnv writes what Homebrew writes when the variable comes from its env file.
func TestHomebrewTwins(t *testing.T) {
	twins := map[string]string{"noenv": "noenv-host", "env": "env-host", "env-empty": "env-host"}
	for _, machine := range []string{"arm64", "x86_64"} {
		for before, after := range twins {
			for _, label := range []string{"homebrew.mxcl.ollama", "sh.brew.ollama"} {
				t.Run(machine+"-"+before+"-"+label, func(t *testing.T) {
					named := func(file string) []byte {
						doc := read(t, "plists/brew-"+machine+"-"+file+".plist")
						return bytes.ReplaceAll(doc, []byte("homebrew.mxcl.ollama"), []byte(label))
					}
					doc := named(before)
					got := mustSet(t, doc)
					if diff := cmp.Diff(string(named(after)), string(got)); diff != "" {
						t.Errorf("SetEnv (-want +got):\n%s", diff)
					}
					if before == "env-empty" {
						doc = named("env")
					}
					if diff := cmp.Diff(string(doc), string(mustUnset(t, got))); diff != "" {
						t.Errorf("UnsetEnv (-want +got):\n%s", diff)
					}
				})
			}
		}
	}
}

// in wraps the inside of a root dict.
func in(body string) string {
	return "<plist version=\"1.0\">\n<dict>\n\t<key>Label</key>\n\t<string>l</string>\n" + body + "</dict>\n</plist>\n"
}

func TestUnsetEnv(t *testing.T) {
	tests := []struct{ name, doc, want string }{
		{"with its lines",
			in("\t<key>EnvironmentVariables</key>\n\t<dict>\n\t\t<key>A</key>\n\t\t<string>1</string>\n\t\t<key>OLLAMA_HOST</key>\n\t\t<string>x</string>\n\t</dict>\n"),
			in("\t<key>EnvironmentVariables</key>\n\t<dict>\n\t\t<key>A</key>\n\t\t<string>1</string>\n\t</dict>\n")},
		{"with the dict",
			in("\t<key>EnvironmentVariables</key>\n\t<dict>\n\t\t<key>OLLAMA_HOST</key>\n\t\t<string>x</string>\n\t</dict>\n"),
			in("")},
		{"a comment in the dict keeps it",
			in("\t<key>EnvironmentVariables</key>\n\t<dict>\n\t\t<!-- c -->\n\t\t<key>OLLAMA_HOST</key>\n\t\t<string>x</string>\n\t</dict>\n"),
			in("\t<key>EnvironmentVariables</key>\n\t<dict>\n\t\t<!-- c -->\n\t</dict>\n")},
		{"a comment before the dict keeps it",
			in("\t<key>EnvironmentVariables</key> <!-- c -->\n\t<dict>\n\t\t<key>OLLAMA_HOST</key>\n\t\t<string>x</string>\n\t</dict>\n"),
			in("\t<key>EnvironmentVariables</key> <!-- c -->\n\t<dict>\n\t</dict>\n")},
		{"a comment between key and value goes",
			in("\t<key>EnvironmentVariables</key>\n\t<dict>\n\t\t<key>OLLAMA_HOST</key> <!-- c -->\n\t\t<string>x</string>\n\t</dict>\n"),
			in("")},
		{"a comment on the line keeps it",
			in("\t<key>EnvironmentVariables</key>\n\t<dict>\n\t\t<key>OLLAMA_HOST</key>\n\t\t<string>x</string> <!-- c -->\n\t\t<key>Z</key>\n\t\t<string>1</string>\n\t</dict>\n"),
			in("\t<key>EnvironmentVariables</key>\n\t<dict>\n\t\t<!-- c -->\n\t\t<key>Z</key>\n\t\t<string>1</string>\n\t</dict>\n")},
		{"the next key moves up",
			in("\t<key>EnvironmentVariables</key>\n\t<dict><key>OLLAMA_HOST</key>\n\t\t<string>x</string>\n\t\t<key>Z</key>\n\t\t<string>1</string>\n\t</dict>\n"),
			in("\t<key>EnvironmentVariables</key>\n\t<dict><key>Z</key>\n\t\t<string>1</string>\n\t</dict>\n")},
		{"a comment moves up behind the tag",
			in("\t<key>EnvironmentVariables</key>\n\t<dict><key>OLLAMA_HOST</key>\n\t\t<string>x</string>\n\t\t<!-- c -->\n\t</dict>\n"),
			in("\t<key>EnvironmentVariables</key>\n\t<dict><!-- c -->\n\t</dict>\n")},
		{"blanks at the end of the line go",
			in("\t<key>EnvironmentVariables</key>\n\t<dict>\n\t\t<key>A</key>\n\t\t<string>1</string> \n\t\t<key>OLLAMA_HOST</key>\n\t\t<string>x</string>\t\n\t</dict>\n"),
			in("\t<key>EnvironmentVariables</key>\n\t<dict>\n\t\t<key>A</key>\n\t\t<string>1</string> \n\t</dict>\n")},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, string(mustUnset(t, []byte(test.doc)))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Values are escaped as Homebrew escapes them, and read back as they were.
func TestEscape(t *testing.T) {
	const value = `a&b<c>"d"'e' é 😀`
	got, err := SetEnv([]byte(in("")), hostName, value)
	if err != nil {
		t.Fatal(err)
	}
	if want := "<string>a&amp;b&lt;c&gt;&quot;d&quot;&#39;e&#39; é 😀</string>"; !bytes.Contains(got, []byte(want)) {
		t.Errorf("no %s in\n%s", want, got)
	}
	if back, ok, err := Env(got, hostName); back != value || !ok || err != nil {
		t.Errorf("Env = %q, %v, %v", back, ok, err)
	}
}

// Env resolves references and CDATA, and ends lines as XML wants it.
func TestEnv(t *testing.T) {
	doc := in("\t<key>EnvironmentVariables</key>\n\t<dict>\n\t\t<key>A</key>\n\t\t" +
		"<string>a\r\nb\rc<![CDATA[\r&amp;\r\n]]>&#13;&lt;&#x1F600;</string>\n\t</dict>\n")
	const want = "a\nb\nc\n&amp;\n\r<😀"
	if got, ok, err := Env([]byte(doc), "A"); got != want || !ok || err != nil {
		t.Errorf("Env = %q, %v, %v, want %q", got, ok, err, want)
	}
	agent, err := Decode([]byte(doc))
	if got := agent.EnvironmentVariables["A"]; got != want || err != nil {
		t.Errorf("Decode reads %q, %v, want %q", got, err, want)
	}
	if got, ok, err := Env([]byte(doc), "B"); got != "" || ok || err != nil {
		t.Errorf("Env = %q, %v, %v for a variable that is not set", got, ok, err)
	}
}

func TestDecode(t *testing.T) {
	want := Agent{
		Label:                "homebrew.mxcl.ollama",
		ProgramArguments:     []string{"/opt/homebrew/opt/ollama/bin/ollama", "serve"},
		EnvironmentVariables: map[string]string{"OLLAMA_FLASH_ATTENTION": "1", "OLLAMA_KV_CACHE_TYPE": "q8_0"},
		StandardOutPath:      "/opt/homebrew/var/log/ollama.log",
		StandardErrorPath:    "/opt/homebrew/var/log/ollama.log",
	}
	for name, format := range map[string]Format{"plists/brew-arm64-env.plist": XML, "corpus/b-brew.plist": Binary} {
		got, err := Decode(read(t, name))
		if err != nil {
			t.Fatal(err)
		}
		want.Format = format
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// A binary property list stays binary and keeps its values.
func TestBinary(t *testing.T) {
	doc := read(t, "corpus/b-brew.plist")
	set := mustSet(t, doc)
	keepsLeaves(t, doc, set, hostName)
	a, err := Decode(set)
	if err != nil {
		t.Fatal(err)
	}
	if a.Format != Binary || a.EnvironmentVariables[hostName] != wanted {
		t.Errorf("SetEnv: %s, %q", a.Format, a.EnvironmentVariables)
	}
	if again := mustSet(t, set); &again[0] != &set[0] {
		t.Error("a second SetEnv changes the document")
	}
	back := mustUnset(t, set)
	if diff := cmp.Diff(decoded(t, doc), decoded(t, back)); diff != "" {
		t.Errorf("UnsetEnv (-want +got):\n%s", diff)
	}
}

// A binary property list keeps values of every type, with or without an
// environment to begin with.
func TestBinaryValues(t *testing.T) {
	values := map[string]any{
		"Label": "sh.brew.ollama 😀", "Program": "/bin/é", "ProgramArguments": []any{"a", uint64(1)},
		"date": time.Date(2026, 11, 20, 23, 55, 1, 0, time.UTC), "data": []byte{0, 0xff},
		"numbers": []any{uint64(math.MaxUint64), int64(math.MinInt64), uint64(300), 1.5, float32(2.5), math.Inf(-1)},
		"nested":  map[string]any{"true": true, "false": false, "empty": []any{}},
	}
	for _, env := range []any{nil, map[string]any{"A": "é"}} {
		if env != nil {
			values[envKey] = env
		}
		doc := marshal(t, values)
		set, err := SetEnv(doc, hostName, "ünï")
		if err != nil {
			t.Fatal(err)
		}
		agent, err := Decode(set)
		if err != nil || agent.EnvironmentVariables[hostName] != "ünï" || agent.Program != "/bin/é" || agent.ProgramArguments != nil {
			t.Errorf("%+v, %v", agent, err)
		}
		if diff := cmp.Diff(values, decoded(t, mustUnset(t, set))); diff != "" {
			t.Errorf("UnsetEnv (-want +got):\n%s", diff)
		}
	}
}

// A binary property list keeps what howett.net/plist would not write again, or
// not the same: it drops one of two data of equal CRC-32, and the last bits of a
// date, and it cannot write not-a-number.
func TestBinaryKeepsBytes(t *testing.T) {
	date := func(seconds float64) string {
		return string(binary.BigEndian.AppendUint64([]byte{typeDate<<4 | 3}, math.Float64bits(seconds)))
	}
	values := []string{"\x48plumless", "\x48buckeroo", "\x23\x7f\xf8\x00\x00\x00\x00\x00\x01", "\x22\x7f\xa0\x00\x01",
		"\x23\x00\x00\x00\x00\x00\x00\x00\x00", "\x23\x80\x00\x00\x00\x00\x00\x00\x00",
		date(6278115.570313), date(firstDate), date(lastDate), "\x14" + strings.Repeat("\x00", 8) + strings.Repeat("\xff", 8)}
	array := "\xaa\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e"
	doc := bplist(append([]string{"\xd2\x01\x03\x02\x04", "\x55Label", "\x51l", "\x51A", array}, values...)...)
	set := mustSet(t, doc)
	keepsLeaves(t, doc, set, hostName)
	for _, value := range values {
		if !bytes.Contains(set, []byte(value)) {
			t.Errorf("%q is gone", value)
		}
	}
	if unset := mustUnset(t, set); len(unset) != len(doc) {
		t.Errorf("UnsetEnv: %d bytes, not %d", len(unset), len(doc))
	}
}

// Two keys of a binary property list can share one dict. An edit of the
// environment leaves the other alone.
func TestBinarySharedEnvironment(t *testing.T) {
	doc := bplist("\xd3\x01\x03\x04\x02\x05\x05", "\x55Label", "\x51l", "\x5f\x10\x14"+envKey, "\x51A", "\xd1\x06\x02", "\x5b"+hostName)
	for _, edited := range [][]byte{mustSet(t, doc), mustUnset(t, doc)} {
		keepsLeaves(t, doc, edited, hostName)
	}
}

// The references, offsets and sizes grow with a binary property list.
func TestBinarySizes(t *testing.T) {
	sizes := []int{66_000}
	for size := range 300 {
		sizes = append(sizes, size)
	}
	for _, size := range sizes {
		numbers := []any{}
		for i := range size {
			numbers = append(numbers, uint64(i))
		}
		doc := marshal(t, map[string]any{"Label": "l", "A": numbers})
		value := strings.Repeat("x", size)
		set, err := SetEnv(doc, hostName, value)
		if err != nil {
			t.Fatalf("%d: %v", size, err)
		}
		keepsLeaves(t, doc, set, hostName)
		if got := mustUnset(t, set); len(got) != len(doc) {
			t.Errorf("%d: UnsetEnv returns %d bytes for %d", size, len(got), len(doc))
		}
		if set, err = SetEnv(bplist("\xd1\x01\x02", "\x55Label", "\x51l"), hostName, value); err != nil {
			t.Fatalf("%d: %v", size, err)
		}
		if got, _, err := Env(set, hostName); got != value || err != nil {
			t.Errorf("%d: %v", size, err)
		}
	}
	if got := sizeOf(math.MaxInt); got != 8 {
		t.Errorf("sizeOf the largest: %d", got)
	}
}

// marshal writes a binary property list.
func marshal(t *testing.T, values map[string]any) []byte {
	t.Helper()
	doc, err := plist.Marshal(values, plist.BinaryFormat)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// leaves lists the values of a binary document that are no dicts or arrays, with
// all their bytes, by the keys and indices that lead to them.
func leaves(t *testing.T, doc []byte) map[string]string {
	t.Helper()
	b, err := checkBinary(doc, "")
	if err != nil {
		t.Fatal(err)
	}
	stored := func(ref int) object {
		o, err := b.readObject(ref)
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	found := map[string]string{}
	var visit func(ref int, path string)
	visit = func(ref int, path string) {
		o, refs := stored(ref), []int(nil)
		if o.kind == typeArray || o.kind == typeDict {
			refs = b.refs(o)
			path += typeNames[o.kind] + " "
			found[path] = ""
		} else {
			found[path] = string(doc[o.at:o.end])
		}
		for i, r := range refs {
			switch {
			case o.kind == typeArray:
				visit(r, fmt.Sprintf("%s%d ", path, i))
			case i >= o.size:
				key, _ := b.text(stored(refs[i-o.size]))
				visit(r, fmt.Sprintf("%s%q ", path, key))
			}
		}
	}
	visit(b.top, "")
	return found
}

// keepsLeaves checks that two binary documents differ in one variable alone, byte
// for byte. howett.net/plist would not see the last bits of a date.
func keepsLeaves(t *testing.T, before, after []byte, name string) {
	t.Helper()
	env := fmt.Sprintf("dict %q dict ", envKey)
	without := func(doc []byte) map[string]string {
		found := leaves(t, doc)
		delete(found, env)
		delete(found, fmt.Sprintf("%s%q ", env, name))
		return found
	}
	if old, edited := without(before), without(after); !maps.Equal(old, edited) {
		t.Errorf("the edit changes (-before +after):\n%s", cmp.Diff(old, edited))
	}
}

// Should a document pass the check that the library panics on, the panic is an
// error.
func TestPanicIsCaught(t *testing.T) {
	_, err := decode(read(t, "corpus/b-cnt-array-max.plist"))
	if err == nil || !strings.HasPrefix(err.Error(), "howett.net/plist: panic: ") {
		t.Error(err)
	}
}

func decoded(t *testing.T, doc []byte) map[string]any {
	t.Helper()
	values, err := decode(doc)
	if err != nil {
		t.Fatal(err)
	}
	return values
}
