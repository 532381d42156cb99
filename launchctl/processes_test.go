package launchctl

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseList(t *testing.T) {
	data, err := os.ReadFile("../fixtures/captures/list-table-macos27.txt")
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseList(data)
	want := map[int]string{73093: "com.flint.searxng", 58221: "com.flint.ollama", 31655: "com.flint.server"}
	if err != nil || !cmp.Equal(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	if _, err := ParseList([]byte("{\n\t\"Label\" = \"x\";\n")); err == nil {
		t.Error("the answer about one job is taken for the table")
	}
}

func TestParseProcesses(t *testing.T) {
	got := ParseProcesses([]byte("    1     0     0 /sbin/launchd\n  812   1   501 /Applications/Ollama 2.app/Contents/MacOS/Ollama\nodd\n  9 8\n"))
	want := map[int]Process{1: {1, 0, 0, "/sbin/launchd"}, 812: {812, 1, 501, "/Applications/Ollama 2.app/Contents/MacOS/Ollama"}}
	if !cmp.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
