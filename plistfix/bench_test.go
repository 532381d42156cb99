package plistfix

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	"howett.net/plist"
)

// huge adds documents that take minutes.
var huge = flag.Bool("huge", false, "measure documents of 100 MB as well")

// run measures f with Homebrew's own property list and with large ones, each in
// XML and in binary. SetEnv accepts up to MaxSize; the functions below it, which
// are measured here, take documents of any size.
func run(b *testing.B, f func(doc []byte) error) {
	for _, format := range []Format{XML, Binary} {
		measure(b, format, "1KB", 0, f)
		measure(b, format, "1MB", 1_000_000, f)
		if *huge {
			measure(b, format, "100MB", 100_000_000, f)
		}
	}
}

// measure measures f with a document of one format and size.
func measure(b *testing.B, format Format, name string, size int, f func(doc []byte) error) {
	b.Run(fmt.Sprintf("format=%s/size=%s", format, name), func(b *testing.B) {
		doc := document(b, format, size)
		b.SetBytes(int64(len(doc)))
		b.ReportAllocs()
		for b.Loop() {
			if err := f(doc); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// document returns Homebrew's property list, grown to about a size.
func document(b *testing.B, format Format, size int) []byte {
	brew := read(b, "plists/brew-arm64-env.plist")
	if format == XML {
		return grow(brew, size)
	}
	// The same values take less room in binary: find out how much.
	sample := grow(brew, 100_000)
	return inBinary(b, grow(brew, size/1000*len(sample)/len(inBinary(b, sample))*1000))
}

// inBinary returns an XML document's values in binary. Each is an object of its
// own: of sharing as much as others do in a document of 1 MB, Check is wary.
func inBinary(b *testing.B, doc []byte) []byte {
	values, err := decode(doc)
	if err != nil {
		b.Fatal(err)
	}
	e := encoder{doc: []byte(header)}
	e.add(values)
	table, offSize := len(e.doc), sizeOf(len(e.doc))
	for _, offset := range e.offsets {
		e.doc = appendNumber(e.doc, offset, offSize)
	}
	return appendTrailer(e.doc, offSize, refSize, len(e.offsets), table)
}

// refSize is what references take in the documents that an encoder writes.
const refSize = 4

// encoder writes values as objects of a binary document.
type encoder struct {
	doc     []byte
	offsets []int
}

// add writes a value, and then all that it holds, and returns the reference to it.
func (e *encoder) add(value any) (ref int) {
	ref = len(e.offsets)
	e.offsets = append(e.offsets, len(e.doc))
	switch v := value.(type) {
	case string:
		e.doc = append(e.doc, stringNode(v).bytes...)
	case bool:
		e.doc = append(e.doc, map[bool]byte{false: 8, true: 9}[v])
	case uint64:
		e.doc = binary.BigEndian.AppendUint64(append(e.doc, typeInt<<4|3), v)
	case float64:
		e.doc = binary.BigEndian.AppendUint64(append(e.doc, typeReal<<4|3), math.Float64bits(v))
	case time.Time:
		e.doc = binary.BigEndian.AppendUint64(append(e.doc, typeDate<<4|3), math.Float64bits(float64(v.Unix()-978307200)))
	case []byte:
		e.doc = append(append(e.doc, head(typeData, len(v))...), v...)
	case []any:
		e.container(head(typeArray, len(v)), v)
	case map[string]any:
		var keys, values []any
		for _, key := range slices.Sorted(maps.Keys(v)) {
			keys, values = append(keys, key), append(values, v[key])
		}
		e.container(head(typeDict, len(v)), append(keys, values...))
	}
	return ref
}

// container writes an array or a dict, and then what it holds.
func (e *encoder) container(head []byte, held []any) {
	at := len(e.doc) + len(head)
	e.doc = append(append(e.doc, head...), make([]byte, refSize*len(held))...)
	for i, v := range held {
		ref := e.add(v)
		binary.BigEndian.PutUint32(e.doc[at+refSize*i:], uint32(ref))
	}
}

// job is what a large document holds many of: values of all types, as nested and
// as long as in property lists of launchd.
const job = `	<key>com.example.job-%09[1]d</key>
	<dict>
		<key>EnvironmentVariables</key>
		<dict>
			<key>GREETING</key>
			<string>¡hola! &amp; %[1]d</string>
			<key>PATH</key>
			<string>/opt/homebrew/bin:/usr/local/bin:/usr/bin:/bin</string>
		</dict>
		<key>KeepAlive</key>
		<true/>
		<key>LastRun</key>
		<date>2026-01-02T03:04:05Z</date>
		<key>LimitLoadToSessionType</key>
		<array>
			<string>Aqua</string>
			<string>Background</string>
		</array>
		<key>Load</key>
		<real>%[1]d.25</real>
		<key>ProgramArguments</key>
		<array>
			<string>/opt/homebrew/opt/example/bin/example</string>
			<string>serve</string>
			<string>--port=%[1]d</string>
		</array>
		<key>Signature</key>
		<data>
		ZXhhbXBsZSBzaWduYXR1cmU=
		</data>
		<key>ThrottleInterval</key>
		<integer>%[1]d</integer>
	</dict>
`

// grow adds keys to a document until it has the size. They go to the end of the
// root.
func grow(doc []byte, size int) []byte {
	at := bytes.LastIndex(doc, []byte("</dict>"))
	grown := bytes.NewBuffer(bytes.Clone(doc[:at]))
	for i := 0; grown.Len() < size; i++ {
		fmt.Fprintf(grown, job, i)
	}
	grown.Write(doc[at:])
	return grown.Bytes()
}

// BenchmarkSplice is an edit that nobody reads back.
func BenchmarkSplice(b *testing.B) {
	run(b, func(doc []byte) error {
		_, err := spliced(doc)
		return err
	})
}

// BenchmarkSetEnv is SetEnv but for its limit on the size: a splice, read back.
func BenchmarkSetEnv(b *testing.B) {
	run(b, func(doc []byte) error {
		after, err := spliced(doc)
		if err != nil {
			return err
		}
		value := wanted
		return verify(doc, after, hostName, &value)
	})
}

// spliced is an edit without its verification.
func spliced(doc []byte) ([]byte, error) {
	found, err := check(doc, hostName)
	if err != nil {
		return nil, err
	}
	value := wanted
	return found.edit(&value), nil
}

// BenchmarkCheck is Check.
func BenchmarkCheck(b *testing.B) {
	run(b, func(doc []byte) error {
		_, err := check(doc, "")
		return err
	})
}

// BenchmarkDecode is Decode.
func BenchmarkDecode(b *testing.B) {
	run(b, func(doc []byte) error {
		if _, err := check(doc, ""); err != nil {
			return err
		}
		values, err := decode(doc)
		newAgent(format(doc), values)
		return err
	})
}

// BenchmarkHowettDecode is howett.net/plist alone. To verify an edit takes two of
// these.
func BenchmarkHowettDecode(b *testing.B) {
	run(b, func(doc []byte) error {
		_, err := decode(doc)
		return err
	})
}

// BenchmarkHowettRoundTrip is what an edit would be that keeps the values alone:
// decode, set, encode.
func BenchmarkHowettRoundTrip(b *testing.B) {
	run(b, func(doc []byte) error {
		var values map[string]any
		is, err := plist.Unmarshal(doc, &values)
		if err != nil {
			return err
		}
		values[envKey].(map[string]any)[hostName] = wanted
		_, err = plist.MarshalIndent(values, is, "\t")
		return err
	})
}
