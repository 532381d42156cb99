package launchctl

import (
	"errors"
	"testing"
)

// FuzzParseList: whatever launchctl prints, it is a job or an ErrFormat.
func FuzzParseList(f *testing.F) {
	for _, name := range []string{"list-label-homebrew.mxcl.ollama.txt", "list-label-pidash.txt", "list-table-macos27.txt"} {
		f.Add(capture(f, name))
	}
	f.Fuzz(func(t *testing.T, out []byte) {
		job, err := ParseList(out)
		if err != nil && !errors.Is(err, ErrFormat) {
			t.Fatalf("%v", err)
		}
		if err == nil && job.PID < 0 {
			t.Fatalf("pid %d", job.PID)
		}
	})
}

// FuzzParsePrintDisabled does the same for overrides.
func FuzzParsePrintDisabled(f *testing.F) {
	for _, name := range []string{"print-disabled-gui501.txt", "print-disabled-macos27-trimmed.txt", "print-disabled-with-associations.txt"} {
		f.Add(capture(f, name))
	}
	f.Fuzz(func(t *testing.T, out []byte) {
		if all, err := ParsePrintDisabled(out); err != nil && (!errors.Is(err, ErrFormat) || all != nil) {
			t.Fatalf("%v, %v", all, err)
		}
	})
}
