package plistfix

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"testing"

	"howett.net/plist"
)

// The refusals of an XML document, word for word, that corpus.tsv does not have.
func TestRefusalsXML(t *testing.T) {
	const open, shut = "<plist version=\"1.0\">\n<dict>\n<key>Label</key><string>l</string>\n", "\n</dict>\n</plist>\n"
	whole := func(head string) string { return head + open + shut }
	inside := func(body string) string { return open + body + shut }
	env := func(body string) string {
		return inside("<key>EnvironmentVariables</key>\n<dict>" + body + "</dict>")
	}
	malformed := func(element string) string {
		return "line 4, column 13: malformed <" + element + ">, which must be " + formProblem(element, "?")
	}
	tests := []struct{ doc, want string }{
		// the document as a whole
		{"<00ff>", `neither an XML nor a binary property list`},
		{"\ufeff\ufeff" + whole(""), `neither an XML nor a binary property list`},
		{whole(strings.Repeat(" ", MaxSize)), `1048658 bytes, more than the 1048576 that are accepted`},
		// characters
		{inside("<key>S</key><string>é\x00</string>"), `line 4, column 22: character U+0000, which XML does not allow`},
		{inside("\uffff"), `line 4, column 1: character U+FFFF, which XML does not allow`},
		// the prolog
		{"<?xml?>" + whole(""), `line 1, column 1: malformed XML declaration`},
		{"<?xml version='1.0'", `line 1, column 1: malformed XML declaration`},
		{whole("<?xml encoding='UTF-8'?>"), `line 1, column 1: malformed XML declaration`},
		{whole("<?xml version='1.0' encoding='UTF-8' encoding='UTF-8'?>"), `line 1, column 1: malformed XML declaration`},
		{whole("<?xml version='1.0' standalone='maybe'?>"), `line 1, column 1: malformed XML declaration`},
		{whole("<?xml version='1.0' encoding='latin1'?>"), `line 1, column 1: encoding "latin1", not UTF-8`},
		{whole("\ufeff<?x?>"), `line 1, column 1: processing instruction`},
		{whole("<?xml-model href='a'?>"), `line 1, column 1: processing instruction`},
		{whole("<?xml version='1.0'?>\n<?xml-stylesheet href='a'?>"), `line 2, column 1: processing instruction`},
		{"<?xml", `line 1, column 1: malformed XML declaration`},
		{whole("<!DOCTYPE plist><!DOCTYPE plist>"), `line 1, column 17: second DOCTYPE`},
		{whole("<!DOCTYPE html>"), `line 1, column 1: malformed DOCTYPE`},
		{whole("<!DOCTYPE plist SYSTEM 'a>b'>"), `line 1, column 1: malformed DOCTYPE`},
		{whole("<!DOCTYPE plist PUBLIC 'a'>"), `line 1, column 1: malformed DOCTYPE`},
		{whole("<!ELEMENT a>"), `line 1, column 1: markup declaration`},
		{"<?xml version='1.0'?>\r\n\r<!-- c -->", `line 3, column 11: no plist element`},
		// the plist element
		{"<plist", `line 1, column 1: malformed plist tag`},
		{"<plist version='1.0' a='b'>", `line 1, column 1: the plist element has an attribute other than its version`},
		{"<plist version='one'>", `line 1, column 1: malformed plist version`},
		{"<plist></dict></plist>", `line 1, column 8: </dict> without a start tag`},
		{"<plist>", `line 1, column 8: unexpected end inside <plist>`},
		{open + "</dict><dict/></plist>", `line 4, column 8: more than one value in the plist element`},
		{open + "</dict></dict></plist>", `line 4, column 8: </dict> without a start tag`},
		// tags
		{inside("<key a='b'>A</key>"), `line 4, column 1: attribute on <key>`},
		{inside("< key>A</key>"), `line 4, column 1: malformed tag`},
		{inside("<key/ >"), `line 4, column 1: malformed tag`},
		{inside("<key>A</key><p:true/>"), `line 4, column 13: unknown element "p:true"`},
		// between elements
		{inside("<![CDATA[ ]]>"), `line 4, column 1: CDATA between elements`},
		{inside("<!-- a --->"), `line 4, column 8: "--" inside a comment`},
		{inside("<!---->"), `line 4, column 1: comment that readers end at different places`},
		{inside("<!-->-->"), `line 4, column 1: comment that readers end at different places`},
		{inside("<!--->-->"), `line 4, column 1: comment that readers end at different places`},
		// keys
		{inside("<true/>"), `line 4, column 1: value without a key`},
		{inside("<key>A</key><key>B</key><true/>"), `line 4, column 1: key "A" has no value`},
		{inside("<key>A</key>"), `line 4, column 1: key "A" has no value`},
		{inside("<key>A</key><array><key>B</key></array>"), `line 4, column 20: key in an array`},
		{inside("<key><![CDATA[]]></key><true/>"), `line 4, column 1: empty key`},
		{inside("<key>A\r</key><true/>"), `line 4, column 1: carriage return in a key`},
		{inside("<key>L&#97;bel</key><true/>"), `line 4, column 1: duplicate key "Label"`},
		{inside("<key>A\n\x7f</key><true/><key>A\n\x7f</key>"), `line 5, column 15: duplicate key "A\n\x7f"`},
		{inside("<key>A</key><dict><key>CF$UID</key><integer>1</integer></dict>"), `line 4, column 19: key "CF$UID", which marks archives`},
		{inside("<key>ENVIRONMENTVariables</key><dict/>"), `line 4, column 1: key "ENVIRONMENTVariables" could be taken for "EnvironmentVariables"`},
		{env("<key>ollama_host</key><string/>"), `line 5, column 7: variable "ollama_host" could be taken for "OLLAMA_HOST"`},
		// values
		{"<plist><dict><key>Label</key><true/></dict></plist>", `line 1, column 30: "Label" is of type "true", not a string`},
		{"<plist><dict><key>Label</key><string></string></dict></plist>", `line 1, column 30: "Label" is empty`},
		{env("<key>A</key><integer>1</integer>"), `line 5, column 19: variable "A" is of type "integer", not a string`},
		{inside("<key>A</key><integer>01</integer>"), "line 4, column 13: malformed <integer>, which must be " +
			"decimal digits with or without a minus sign, no leading zero, no blanks, at most 64 bits with sign"},
		{inside("<key>A</key><real>-</real>"), malformed("real")},
		{inside("<key>A</key><real>1.</real>"), malformed("real")},
		{inside("<key>A</key><real>1.e5</real>"), malformed("real")},
		{inside("<key>A</key><real>+infinity</real>"), malformed("real")},
		{inside("<key>A</key><data>A===</data>"), malformed("data")},
		{inside("<key>A</key><data>AA=A</data>"), malformed("data")},
		{inside("<key>A</key><date>1582-01-01T00:00:00Z</date>"), malformed("date")},
		{inside("<key>A</key><real>.5</real>"), malformed("real")},
		{inside("<key>A</key><real>0x1</real>"), malformed("real")},
		{inside("<key>A</key><string>x<!-- c --></string>"), `line 4, column 22: comment inside <string>`},
		{inside("<key>A</key><string>x<?a?></string>"), `line 4, column 22: processing instruction inside <string>`},
		{inside("<key>A</key><string>x</key>"), `line 4, column 22: <string> is closed by </key>`},
		{open + "<key>A</key><string>x", `line 4, column 13: <string> without an end`},
		{inside("<key>A</key><string>&#xD800;</string>"), `line 4, column 21: malformed or unknown reference`},
		{inside("<key>A</key><string>]]></string>"), `line 4, column 21: "]]>" outside CDATA`},
	}
	for _, test := range tests {
		_, err := check([]byte(test.doc), hostName)
		if err == nil || err.Error() != test.want {
			t.Errorf("%.200q:\n got %v\nwant %s", test.doc, err, test.want)
		}
	}
}

// bplist builds a binary property list out of objects of less than 256 bytes in
// all. The first is the root.
func bplist(objects ...string) []byte { return assembled(1, 1, objects...) }

// assembled builds one with offsets and references of other sizes.
func assembled(offSize, refSize byte, objects ...string) []byte {
	doc, table := []byte(header), []byte(nil)
	for _, o := range objects {
		offset := binary.BigEndian.AppendUint64(nil, uint64(len(doc)))
		table = append(table, offset[8-offSize:]...)
		doc = append(doc, o...)
	}
	trailer := []byte{0, 0, 0, 0, 0, 0, offSize, refSize}
	for _, n := range []int{len(objects), 0, len(doc)} {
		trailer = binary.BigEndian.AppendUint64(trailer, uint64(n))
	}
	return slices.Concat(doc, table, trailer)
}

// The same for a binary document.
func TestRefusalsBinary(t *testing.T) {
	// trailer returns a good document with one byte of its trailer changed
	trailer := func(at int, to byte) string {
		doc := bplist("\xd1\x01\x02", "\x55Label", "\x51l")
		doc[len(doc)-trailerSize+at] = to
		return string(doc)
	}
	// with returns a document with one pair besides the label
	with := func(key, value string, more ...string) string {
		return string(bplist(append([]string{"\xd2\x01\x03\x02\x04", "\x55Label", "\x51l", key, value}, more...)...))
	}
	dateBytes := func(seconds float64) string {
		return string(binary.BigEndian.AppendUint64(nil, math.Float64bits(seconds)))
	}
	const envName = "\x5f\x10\x14EnvironmentVariables"
	tests := []struct{ doc, want string }{
		{"bplist00", `offset 0x8: too short for a binary property list`},
		{trailer(7, 8), `offset 0x1d: references of 8 bytes`},
		{trailer(31, 8), `offset 0x2e: offset table at 0x8 is outside the document`},
		{trailer(24, 1), `offset 0x2e: offset table at 0x100000000000013 is outside the document`},
		{trailer(15, 4), `offset 0x1e: 4 objects do not fit the offset table`},
		{trailer(8, 0x80), `offset 0x1e: 9223372036854775811 objects do not fit the offset table`},
		{string(bplist(append([]string{"\xd1\x01\x02", "\x55Label", "\x51l"}, make([]string, 253)...)...)),
			`offset 0x11b: 256 objects are too many for references of 1 bytes`},
		{string(bplist("\xd1\x01\x02", "\x55Label", "\x51l", "\x4f\x11\x01\x00"+strings.Repeat("x", 256))),
			`offset 0x121: offsets of 1 bytes are too small for the document`},
		{trailer(23, 3), `offset 0x26: root object 3 of 3`},
		{string(bplist("\x51l")), `offset 0x8: the root is of type "string", not a dict`},
		{string(bplist("\xd1\x01\x02", "\x55Label", "")), `offset 0x13: object 2 is outside the document`},
		{string(bplist("\xd1\x01\x02", "\x55Label", "\x50")), `offset 0x11: "Label" is empty`},
		{string(bplist("\xd1\x01\x02", "\x55Label", "\x09")), `offset 0x11: "Label" is of type "boolean", not a string`},
		{string(bplist("\xd1\x01\x09", "\x55Label")), `offset 0xa: reference to object 9 of 2`},
		{with("\x51A", "\x80\x01"), `offset 0x17: object of the unknown type 0x80`},
		{with("\x51A", "\x15"), `offset 0x17: object of the unknown type 0x15`},
		{with("\x51A", "\x13\x00"), `offset 0x17: integer reaches beyond the objects`},
		{with("\x51A", "\x5f\x51\x01"), `offset 0x17: string without a size`},
		{with("\x51A", "\x33"+dateBytes(firstDate-1)), `offset 0x17: date out of range`},
		{with("\x51A", "\x33"+dateBytes(lastDate+1)), `offset 0x17: date out of range`},
		{with("\x51A", "\x52a\x00"), `offset 0x19: byte 0x00 in an ASCII string`},
		{with("\x51A", "\x51\xe9"), `offset 0x18: byte 0xe9 in an ASCII string`},
		{with("\x51A", "\x62\x00A\x00\x00"), `offset 0x1a: NUL in a string`},
		{with("\x51A", "\xa1\x04"), `offset 0x17: array that contains itself`},
		{with("\x10\x01", "\x09"), `offset 0x15: key of type "integer"`},
		{with("\x50", "\x09"), `offset 0x15: empty key`},
		{with("\x55Label", "\x09"), `offset 0x15: duplicate key "Label"`},
		{with("\x56CF$UID", "\x09"), `offset 0x15: key "CF$UID", which marks archives`},
		{with("\x5f\x10\x14environmentvariables", "\xd0"), `offset 0x15: key "environmentvariables" could be taken for "EnvironmentVariables"`},
		{with(envName, "\x09"), `offset 0x2c: "EnvironmentVariables" is of type "boolean", not a dict`},
		{with(envName, "\xd1\x05\x06", "\x51A", "\x09"), `offset 0x31: variable "A" is of type "boolean", not a string`},
		{with(envName, "\xd1\x05\x02", "\x5bollama_host"), `offset 0x2f: variable "ollama_host" could be taken for "OLLAMA_HOST"`},
		{with("\x51A", "\xa2\x05\x05", "\xa2\x06\x06", "\xa2\x07\x07", "\xa2\x08\x08", "\xa2\x09\x09", "\xa2\x0a\x0a",
			"\xa2\x0b\x0b", "\xa2\x0c\x0c", "\xa2\x0d\x0d", "\xa2\x0e\x0e", "\xa2\x0f\x0f", "\xa2\x10\x10", "\xa2\x11\x11",
			"\xa2\x12\x12", "\xa2\x13\x13", "\xa2\x14\x14", "\x51x"),
			`offset 0x44: objects are shared so often that the document unfolds to more than it may`},
		{overlapping(), `offset 0x26: objects overlap`},
	}
	for _, test := range tests {
		_, err := check([]byte(test.doc), hostName)
		if err == nil || err.Error() != test.want {
			t.Errorf("%q:\n got %v\nwant %s", test.doc, err, test.want)
		}
	}
}

// overlapping returns a document with eight data in nearly the same place.
func overlapping() string {
	const data = "\x4f\x10\x40" // of 64 bytes
	doc := bplist("\xd2\x01\x03\x02\x04", "\x55Label", "\x51l", "\x51A", "\xa8\x05\x06\x07\x08\x09\x0a\x0b\x0c",
		data, data, data, data, data, data, data, data, strings.Repeat("x", 64))
	return string(doc)
}

// The limit on the depth is the same for both formats.
func TestDepth(t *testing.T) {
	for depth, ok := range map[int]bool{maxDepth: true, maxDepth + 1: false} {
		nested := strings.Repeat("<array>", depth-1) + strings.Repeat("</array>", depth-1)
		if _, err := Decode([]byte(in("<key>A</key>" + nested))); (err == nil) != ok {
			t.Errorf("XML, depth %d: %v", depth, err)
		}
		var v any = "x"
		for range depth - 1 {
			v = []any{v}
		}
		doc, err := plist.Marshal(map[string]any{"Label": "l", "A": v}, plist.BinaryFormat)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Decode(doc); (err == nil) != ok {
			t.Errorf("binary, depth %d: %v", depth, err)
		}
	}
}

// Names and values that no environment could hold are refused. A value is not
// shown: it may be a secret.
func TestArguments(t *testing.T) {
	doc := []byte(in(""))
	tests := []struct{ name, value, want string }{
		{"", "x", `the variable's name is empty`},
		{"A=B", "x", `"A=B" is not the name of an environment variable`},
		{"A B", "x", `"A B" is not the name of an environment variable`},
		{"Ä", "x", `"Ä" is not the name of an environment variable`},
		{"A\n", "x", `"A\n" is not the name of an environment variable`},
		{"A", "secret\x00", `the variable's value holds the character U+0000`},
		{"A", "secret\n", `the variable's value holds the character U+000A`},
		{"A", "secret\uffff", `the variable's value holds the character U+FFFF`},
		{"A", "secret\xff", `the variable's value is not valid UTF-8`},
		{"CF$UID", "x", `a property list cannot hold a variable "CF$UID", which marks archives`},
	}
	for _, test := range tests {
		got, err := SetEnv(doc, test.name, test.value)
		if err == nil || err.Error() != test.want || got != nil {
			t.Errorf("%q, %q:\n got %v\nwant %s", test.name, test.value, err, test.want)
		}
	}
	for _, name := range []string{"", "A=B", uidKey} {
		if _, err := UnsetEnv(doc, name); err == nil {
			t.Errorf("UnsetEnv accepts %q", name)
		}
	}
}

// SetEnv writes nothing that it would not read again.
func TestResultTooLarge(t *testing.T) {
	_, err := SetEnv([]byte(in("")), hostName, strings.Repeat("x", MaxSize))
	const want = `after the edit: 1048755 bytes, more than the 1048576 that are accepted`
	if err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}

// An edit that the check would refuse is not returned.
func TestVerified(t *testing.T) {
	before, value := []byte(in("")), wanted
	after := []byte(strings.Replace(string(mustSet(t, before)), "</dict>", "<key>OLLAMA_HOST</key><string/></dict>", 1))
	const want = `after the edit: line 7, column 2: duplicate key "OLLAMA_HOST"`
	if err := verify(before, after, hostName, &value); err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}

// The second reader finds what an edit must not do.
func TestCompare(t *testing.T) {
	value := wanted
	before := []byte(in("<key>A</key><array><real>nan</real><date>2026-01-01T00:00:00Z</date><data>AA==</data></array>"))
	after := mustSet(t, before)
	if err := compare(before, after, hostName, &value); err != nil {
		t.Error(err)
	}
	tests := []struct{ old, new, want string }{
		{wanted, "127.0.0.1", `howett.net/plist: variable "OLLAMA_HOST" is not as wanted after the edit`},
		{"AA==", "AQ==", `howett.net/plist: the edit would change key "A"`},
		{"nan", "inf", `howett.net/plist: the edit would change key "A"`},
		{"2026", "2027", `howett.net/plist: the edit would change key "A"`},
		{"<real>nan</real>", "", `howett.net/plist: the edit would change key "A"`},
		{"<key>A</key>", "<key>B</key>", `howett.net/plist: the edit would change key "A"`},
		{"<key>A</key>", "<key>B</key><true/><key>A</key>", `howett.net/plist: the edit would add a key`},
	}
	for _, test := range tests {
		wrong := []byte(strings.Replace(string(after), test.old, test.new, 1))
		if err := compare(before, wrong, hostName, &value); err == nil || err.Error() != test.want {
			t.Errorf("%s for %s:\n got %v\nwant %s", test.new, test.old, err, test.want)
		}
	}
}
