package plistfix

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// Large documents, each with too much of one thing, take no longer than others.
func TestLarge(t *testing.T) {
	const size = MaxSize / 8
	fill := func(unit string) string { return strings.Repeat(unit, size/len(unit)) }
	const env = "<key>EnvironmentVariables</key><dict><key>A</key><string>1</string>"
	tests := map[string]string{
		"blanks":         in(env + fill(" ") + "</dict>"),
		"lines":          in(env + fill("\r\n") + "</dict>"),
		"comments":       in(env + fill("<!-- -->") + "</dict>"),
		"comment lines":  in(env + fill(" <!-- - -->\n") + "</dict>"),
		"comment":        in("<key>A</key><!-- " + fill("- ") + " --><true/>"),
		"references":     in("<key>A</key><string>" + fill("&#65;") + "</string>"),
		"CDATA":          in("<key>A</key><string>" + fill("<![CDATA[]]>") + "</string>"),
		"brackets":       in("<key>A</key><string>" + fill("] ") + "</string>"),
		"key":            in("<key>" + fill("A") + "</key><true/>"),
		"base64":         in("<key>A</key><data>" + fill("AAAA\n") + "</data>"),
		"arrays":         in("<key>A</key><array>" + fill("<array/>") + "</array>"),
		"dicts":          in("<key>A</key><array>" + fill("<dict><key>a</key><true/></dict>") + "</array>"),
		"plain document": string(grow([]byte(in("")), size)),
	}
	for name, doc := range tests {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			set := mustSet(t, []byte(doc))
			if string(mustUnset(t, set)) != doc {
				t.Error("UnsetEnv does not restore the document")
			}
			if took := time.Since(start); took > time.Minute {
				t.Errorf("took %v", took)
			}
		})
	}
}

// A binary property list that unfolds to millions of values is refused before
// anything unfolds it. At the limit it costs little.
func TestLargeBinary(t *testing.T) {
	for times, want := range map[int]string{100: "", 1850: "unfolds"} {
		doc := sharing(times)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := SetEnv(doc, hostName, wanted)
		runtime.ReadMemStats(&after)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%d times: %v", times, err)
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > 32<<20 {
			t.Errorf("%d times: %d bytes allocated", times, got)
		}
	}
}

// sharing returns a large document: an array that holds another so
// often, which holds an empty dict so often, and data.
func sharing(times int) []byte {
	head := func(kind byte, size int) string {
		return string(binary.BigEndian.AppendUint32([]byte{kind<<4 | 0xf, typeInt<<4 | 2}, uint32(size)))
	}
	refs := func(to byte) string {
		return head(typeArray, times) + strings.Repeat(string([]byte{0, to}), times)
	}
	padding := MaxSize / 2
	return assembled(4, 2, "\xd3\x00\x01\x00\x03\x00\x07\x00\x02\x00\x04\x00\x08", "\x55Label", "\x51l", "\x51A",
		refs(5), refs(6), "\xd0", "\x51B", head(typeData, padding)+strings.Repeat("x", padding))
}

// grow adds keys to a document until it has the size. They go to the end of the
// root.
func grow(doc []byte, size int) []byte {
	at := bytes.LastIndex(doc, []byte("</dict>"))
	grown := bytes.NewBuffer(bytes.Clone(doc[:at]))
	for i := 0; grown.Len() < size; i++ {
		fmt.Fprintf(grown, "\t<key>com.example.job-%09[1]d</key>\n\t<dict>\n\t\t<key>Greeting</key>\n\t\t<string>¡hola! &amp; %[1]d</string>\n"+
			"\t\t<key>KeepAlive</key>\n\t\t<true/>\n\t\t<key>Nice</key>\n\t\t<integer>%[1]d</integer>\n\t</dict>\n", i)
	}
	grown.Write(doc[at:])
	return grown.Bytes()
}
