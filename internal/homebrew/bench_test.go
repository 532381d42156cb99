package homebrew

import "testing"

func BenchmarkSetEnvLine(b *testing.B) {
	data := readFixture(b, "../../fixtures/envfile/other-keys.env")
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := SetEnvLine(data, variable, wanted); err != nil {
			b.Fatal(err)
		}
	}
}
