package plistfix

import (
	"bytes"
	"fmt"
	"testing"

	"howett.net/plist"
)

// sizes are documents to measure: one as Homebrew writes it, one of 1 MB.
func sizes(b *testing.B) map[string][]byte {
	brew := read(b, "plists/brew-arm64-env.plist")
	return map[string][]byte{"brew": brew, "1MB": grow(brew, 1_000_000)}
}

// grow adds keys to a document until it has the size. They go to the end of the
// root, in order. The inner functions take documents of any size; it is the
// exported ones that keep to MaxSize.
func grow(doc []byte, size int) []byte {
	at := bytes.LastIndex(doc, []byte("</dict>"))
	grown := bytes.NewBuffer(bytes.Clone(doc[:at]))
	for i := 0; grown.Len() < size; i++ {
		fmt.Fprintf(grown, "\t<key>X%09d</key>\n\t<array>\n\t\t<string>value &amp; more</string>\n\t\t<integer>%d</integer>\n\t</array>\n", i, i)
	}
	grown.Write(doc[at:])
	return grown.Bytes()
}

func run(b *testing.B, f func(doc []byte) error) {
	for name, doc := range sizes(b) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(doc)))
			b.ReportAllocs()
			for b.Loop() {
				if err := f(doc); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkSetEnv is the whole: check, splice, check again, compare.
func BenchmarkSetEnv(b *testing.B) {
	run(b, func(doc []byte) error {
		found, err := check(doc, hostName)
		if err != nil {
			return err
		}
		_, err = found.set(wanted)
		return err
	})
}

// BenchmarkCheck is the scan alone.
func BenchmarkCheck(b *testing.B) {
	run(b, func(doc []byte) error {
		_, err := check(doc, hostName)
		return err
	})
}

// BenchmarkHowettDecode is one of the two decodes that verify an edit.
func BenchmarkHowettDecode(b *testing.B) {
	run(b, func(doc []byte) error {
		_, err := decode(doc)
		return err
	})
}

// BenchmarkHowettRoundTrip is what an edit would be that kept the values alone.
func BenchmarkHowettRoundTrip(b *testing.B) {
	run(b, func(doc []byte) error {
		values, err := decode(doc)
		if err != nil {
			return err
		}
		values[envKey].(map[string]any)[hostName] = wanted
		_, err = plist.MarshalIndent(values, plist.XMLFormat, "\t")
		return err
	})
}
