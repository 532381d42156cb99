package plistfix

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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

// valueIn returns a variable's value as our own readers see it.
func valueIn(t *testing.T, doc []byte, name string) (value string, ok bool) {
	t.Helper()
	d, err := check(doc, name)
	if err != nil {
		t.Fatal(err)
	}
	if d.current() == nil {
		return "", false
	}
	return *d.current(), true
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
			if strings.HasPrefix(filepath.Base(name), "same") && &got[0] != &doc[0] {
				t.Error("SetEnv returns a copy")
			}
			if again := mustSet(t, got); &again[0] != &got[0] {
				t.Error("a second SetEnv changes the document")
			}
			if _, was := valueIn(t, doc, hostName); was || strings.Contains(name, "env-empty") {
				return
			}
			if diff := cmp.Diff(string(doc), string(mustUnset(t, got))); diff != "" {
				t.Errorf("UnsetEnv after SetEnv (-want +got):\n%s", diff)
			}
		})
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

// Without the variable, the document is returned as it is, not as a copy.
func TestUnsetNothing(t *testing.T) {
	for _, name := range []string{"plistfix/edits/between.plist", "corpus/b-brew.plist"} {
		doc := read(t, name)
		if got := mustUnset(t, doc); &got[0] != &doc[0] {
			t.Errorf("%s: UnsetEnv returns a copy", name)
		}
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
	if back, _ := valueIn(t, got, hostName); back != value {
		t.Errorf("read back: %q", back)
	}
}

// References and CDATA are resolved, and lines end as XML wants it, for both readers.
func TestText(t *testing.T) {
	doc := in("\t<key>EnvironmentVariables</key>\n\t<dict>\n\t\t<key>A</key>\n\t\t" +
		"<string>a\r\nb\rc<![CDATA[\r&amp;\r\n]]>&#13;&lt;&#x1F600;</string>\n\t</dict>\n")
	const want = "a\nb\nc\n&amp;\n\r<😀"
	if got, _ := valueIn(t, []byte(doc), "A"); got != want {
		t.Errorf("the scanner reads %q, want %q", got, want)
	}
	agent, err := Decode([]byte(doc))
	if got := agent.EnvironmentVariables["A"]; got != want || err != nil {
		t.Errorf("Decode reads %q, %v, want %q", got, err, want)
	}
	if got, ok := valueIn(t, []byte(doc), "B"); ok {
		t.Errorf("%q for a variable that is not set", got)
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
	for _, name := range []string{"plists/brew-arm64-env.plist", "corpus/b-brew.plist"} {
		got, err := Decode(read(t, name))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	odd := in("<key>Program</key><true/><key>ProgramArguments</key><array><string>a</string><true/></array>")
	if got, err := Decode([]byte(odd)); got.Program != "" || got.ProgramArguments != nil || err != nil {
		t.Errorf("values of other types: %+v, %v", got, err)
	}
}

// pairedWith returns a binary property list with an array of values beside the label.
func pairedWith(values ...string) []byte {
	array := []byte{typeArray<<4 | byte(len(values))}
	for i := range values {
		array = append(array, byte(5+i))
	}
	objects := []string{"\xd2\x01\x03\x02\x04", "\x55Label", "\x51l", "\x51A", string(array)}
	return bplist(append(objects, values...)...)
}

// A binary property list stays binary and keeps its values, however they are
// spelled, and also what shares a dict with the environment.
func TestBinary(t *testing.T) {
	spelled := pairedWith("\x14"+strings.Repeat("\x00", 8)+strings.Repeat("\xff", 8), "\x13"+strings.Repeat("\xff", 8),
		"\x13\x00\x00\x00\x00\x00\x00\x00\x05", "\x22\x40\x20\x00\x00", "\x23\x7f\xf0\x00\x00\x00\x00\x00\x00",
		"\x33\x41\xc0\x00\x00\x00\x00\x00\x00", "\x61\x00a", "\x62\xd8\x3d\xde\x00", "\x40", "\xa0", "\xd0", "\x08")
	shared := bplist("\xd3\x01\x03\x04\x02\x05\x05", "\x55Label", "\x51l", "\x5f\x10\x14"+envKey, "\x51A", "\xd1\x06\x02", "\x5b"+hostName)
	for _, doc := range [][]byte{read(t, "corpus/b-brew.plist"), spelled, shared} {
		for _, value := range []string{wanted, "ünï 😀", ""} {
			set, err := SetEnv(doc, hostName, value)
			if err != nil {
				t.Fatal(err)
			}
			keepsValues(t, doc, set, hostName)
			if got, ok := valueIn(t, set, hostName); !isBinary(set) || got != value || !ok {
				t.Errorf("SetEnv sets %q in %.10q", got, set)
			}
			keepsValues(t, doc, mustUnset(t, set), hostName)
		}
	}
}

// What howett.net/plist would not write again, or not the same, is read, but not
// edited: it cannot write not-a-number, takes two values for one when their hashes
// are equal, and loses the last bits of a date and dates far away.
func TestBinaryRefused(t *testing.T) {
	date := func(seconds float64) string {
		return string(binary.BigEndian.AppendUint64([]byte{typeDate<<4 | 3}, math.Float64bits(seconds)))
	}
	const (
		changed   = `howett.net/plist: the edit would change key "A"`
		unwritten = `howett.net/plist: failed to find value in object map during serialization`
	)
	tests := []struct{ first, second, want string }{
		{"\x48plumless", "\x48buckeroo", changed},
		{"\x23\x00\x00\x00\x00\x00\x00\x00\x00", "\x23\x80\x00\x00\x00\x00\x00\x00\x00", changed},
		{"\x22\x00\x00\x00\x00", "\x22\x80\x00\x00\x00", changed},
		{"\x23\x7f\xf8\x00\x00\x00\x00\x00\x01", "\x09", unwritten},
		{"\x22\x7f\xa0\x00\x01", "\x09", unwritten},
		{date(6278115.570313), "\x09", "a date with a fraction of a second"},
		{date(firstDate), "\x09", changed},
		{date(lastDate), "\x09", changed},
	}
	for _, test := range tests {
		doc := pairedWith(test.first, test.second)
		if _, err := Decode(doc); err != nil {
			t.Errorf("%q: Decode: %v", test.first, err)
		}
		want := ErrBinary.Error() + ": " + test.want
		if _, err := SetEnv(doc, hostName, wanted); !errors.Is(err, ErrBinary) || err.Error() != want {
			t.Errorf("%q:\n got %v\nwant %s", test.first, err, want)
		}
	}
}

// ours returns the value of an object of a binary document as our own reader sees it.
func ours(t *testing.T, b *binaryDoc, o object) any {
	t.Helper()
	held := func(i int) any {
		v, err := b.ref(o, i)
		if err != nil {
			t.Fatal(err)
		}
		return ours(t, b, v)
	}
	body := string(b.doc[o.body:])
	switch o.kind {
	case typeArray:
		values := []any{}
		for i := range o.size {
			values = append(values, held(i))
		}
		return values
	case typeDict:
		values := map[string]any{}
		for i := range o.size {
			values[held(i).(string)] = held(o.size + i)
		}
		return values
	case typeASCII, typeUTF16:
		text, _ := b.text(o)
		return text
	case typeDate:
		return math.Float64frombits(binary.BigEndian.Uint64([]byte(body))) + 0 // not -0
	case typeInt: // with the bit that makes one of 8 bytes negative
		return [2]any{o.size == 8 && body[0] >= 0x80, strings.TrimLeft(body[:o.size], "\x00")}
	case typeSimple:
		return b.doc[o.at]
	}
	return body[:o.size]
}

// keepsValues checks that two binary documents differ in one variable alone.
func keepsValues(t *testing.T, before, after []byte, name string) {
	t.Helper()
	without := func(doc []byte) map[string]any {
		d, err := checkBinary(doc, "")
		if err != nil {
			t.Fatal(err)
		}
		b := d.(*binaryDoc)
		b.shared = math.MaxInt
		root, _ := b.object(b.top)
		values := ours(t, b, root).(map[string]any)
		takeVariable(values, name)
		return values
	}
	if old, edited := without(before), without(after); !same(old, edited) {
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
