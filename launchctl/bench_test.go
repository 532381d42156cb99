package launchctl

import "testing"

func BenchmarkParsePrint(b *testing.B) {
	out := capture(b, "print-running-chat.txt")
	b.SetBytes(int64(len(out)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParsePrint(out); err != nil {
			b.Fatal(err)
		}
	}
}
