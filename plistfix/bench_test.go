package plistfix

import "testing"

// benchmark runs f with Homebrew's own property list, and with one of nearly
// MaxSize.
func benchmark(b *testing.B, f func(doc []byte) error) {
	brew := read(b, "plists/brew-arm64-env.plist")
	for name, doc := range map[string][]byte{"brew": brew, "1MB": grow(brew, 1_000_000)} {
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

func BenchmarkSetEnv(b *testing.B) {
	benchmark(b, func(doc []byte) error {
		_, err := SetEnv(doc, hostName, wanted)
		return err
	})
}

func BenchmarkDecode(b *testing.B) {
	benchmark(b, func(doc []byte) error {
		_, err := Decode(doc)
		return err
	})
}
