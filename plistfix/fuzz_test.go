package plistfix

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
)

// seeds adds every fixture to a fuzz target.
func seeds(f *testing.F, add func(doc []byte)) {
	for _, pattern := range []string{"plists/*.plist", "corpus/*.plist", "plistfix/edits/*.plist"} {
		for _, name := range list(f, pattern) {
			add(read(f, name))
		}
	}
}

// FuzzSetEnv holds SetEnv and UnsetEnv to what they promise, whatever they get.
func FuzzSetEnv(f *testing.F) {
	seeds(f, func(doc []byte) { f.Add(doc, hostName, wanted) })
	f.Add([]byte(in("")), "A", "<&>\"' é")
	f.Fuzz(func(t *testing.T, doc []byte, name, value string) {
		d, err := check(doc, name)
		if err != nil || checkArguments(name, nil) != nil {
			if _, err := SetEnv(doc, name, value); err == nil {
				t.Error("SetEnv accepts what the check refuses")
			}
			return
		}
		agent, err := Decode(doc)
		if err != nil {
			t.Fatalf("the check reads what Decode does not: %v", err)
		}
		other, has := agent.EnvironmentVariables[name]
		if has != (d.current() != nil) || has && other != *d.current() {
			t.Fatalf("Decode reads %q, %v, our own reader something else", other, has)
		}
		promises(t, doc, name, value)
	})
}

// promises checks all that holds for an edit of a document that is accepted.
func promises(t *testing.T, doc []byte, name, value string) {
	t.Helper()
	_, before := valueIn(t, doc, name)
	set, err := SetEnv(doc, name, value)
	if err != nil {
		fits := 4*len(doc)+6*len(name+value) < MaxSize
		if checkArguments(name, &value) == nil && fits && !errors.Is(err, ErrBinary) {
			t.Fatalf("SetEnv refuses: %v\n%s", err, doc)
		}
		return
	}
	if now, _ := valueIn(t, set, name); now != value {
		t.Fatalf("%q after SetEnv", now)
	}
	if err := compare(doc, set, name, &value); err != nil {
		t.Fatal(err)
	}
	if isBinary(doc) {
		keepsValues(t, doc, set, name)
	} else if !before && !emptyEnv(doc) && !grownFrom(set, doc) {
		t.Fatalf("SetEnv changes more than one place of\n%q\nand gives\n%q", doc, set)
	}
	if again, err := SetEnv(set, name, value); err != nil || &again[0] != &set[0] {
		t.Fatalf("second SetEnv: %v\n%s", err, again)
	}
	unset, err := UnsetEnv(set, name)
	if err != nil {
		t.Fatalf("UnsetEnv: %v\n%s", err, set)
	}
	if _, ok := valueIn(t, unset, name); ok {
		t.Fatal("still set after UnsetEnv")
	}
	if !isBinary(doc) && !before && !emptyEnv(doc) && !bytes.Equal(unset, doc) {
		t.Fatalf("UnsetEnv does not restore\n%q\nafter\n%q\nbut gives\n%q", doc, set, unset)
	}
}

// grownFrom reports whether text is other text with something put in at one place.
func grownFrom(text, from []byte) bool {
	n := 0
	for n < len(from) && n < len(text) && text[n] == from[n] {
		n++
	}
	return bytes.HasSuffix(text, from[n:])
}

// emptyEnv reports whether an XML document has an environment with nothing in
// it, which UnsetEnv does not bring back.
func emptyEnv(doc []byte) bool {
	d, err := scan(doc, "")
	if err != nil {
		return false
	}
	x := d.(*layout)
	return x.root.find(envKey) != nil && len(x.env.pairs) == 0 && x.env.comment.end == 0
}

// gaps are what can stand between two elements.
var gaps = []string{"", " ", "\n", "\n\t", "\n\t\t", "\r\n  ", "\r", "  \n\t", "\n\n\t", "\t", "<!-- c -->",
	" <!-- c -->\n\t", "\n\t<!-- c -->\n\t", "\n<!-- c\n -->", "<!-- c --> <!-- d -->  \n", "\n\t<!-- c --><!-- d -->\t"}

// environments are what can stand behind the key EnvironmentVariables.
var environments = [][]string{
	nil,
	{"<dict>", "</dict>"},
	{"<dict>", "<key>A</key>", "<string>1</string>", "</dict>"},
	{"<dict>", "<key>Z</key>", "<string>1</string>", "</dict>"},
	{"<dict>", "<key>A</key>", "<string>1</string>", "<key>Z</key>", "<string/>", "</dict>"},
	{"<dict>", "<key>Z</key>", "<string>1</string>", "<key>A</key>", "<string>&#65;</string>", "</dict>"},
}

// laidOut returns a document in which each byte of picks picks what stands in one
// of the gaps between the elements.
func laidOut(picks []byte) []byte {
	pick := func(n int) int {
		if len(picks) == 0 {
			return 0
		}
		p := picks[0]
		picks = picks[1:]
		return int(p) % n
	}
	tokens := []string{"<plist>", "<dict>"}
	env := environments[pick(len(environments))]
	label := []string{"<key>Label</key>", "<string>l</string>"}
	if pick(2) == 1 {
		tokens = append(tokens, label...)
		label = []string{"<key>Xy</key>", "<true/>"}
	}
	if env != nil {
		tokens = append(append(tokens, "<key>EnvironmentVariables</key>"), env...)
	}
	if label[0] == "<key>Label</key>" || pick(2) == 1 {
		tokens = append(tokens, label...)
	}
	var doc bytes.Buffer
	for _, token := range append(tokens, "</dict>", "</plist>") {
		doc.WriteString(token)
		doc.WriteString(gaps[pick(len(gaps))])
	}
	return doc.Bytes()
}

// FuzzLayout sets and unsets a variable in documents of every layout.
func FuzzLayout(f *testing.F) {
	f.Add([]byte("\x02\x00\x03\x03\x03\x03\x03\x03\x03\x03\x03\x03\x03"))
	f.Add([]byte("\x01\x01\x00\x0b\x0c\x0d\x0e\x0f\x0a\x09\x08"))
	f.Fuzz(func(t *testing.T, picks []byte) {
		promises(t, laidOut(picks), "M", "1")
	})
}

// The same for a sample that does not change from run to run.
func TestLayouts(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 1500 {
		picks := make([]byte, 24)
		for i := range picks {
			picks[i] = byte(random.Uint32())
		}
		promises(t, laidOut(picks), "M", "1")
	}
}

// FuzzDecode asserts that howett.net/plist reads whatever passes the check, and
// that every refusal is an *Error with a place inside the document.
func FuzzDecode(f *testing.F) {
	seeds(f, func(doc []byte) { f.Add(doc) })
	f.Fuzz(func(t *testing.T, doc []byte) {
		_, err := Decode(doc)
		if err == nil {
			return
		}
		var e *Error
		if !errors.As(err, &e) || e.Reason == "" || e.Offset > int64(len(doc)) || e.Line > len(doc)+1 {
			t.Fatalf("%#v", err)
		}
	})
}
