package commandline

import "testing"

func TestNearest(t *testing.T) {
	words := []string{"fix", "status", "rollback", "listeners", "dry-run"}
	for word, want := range map[string]string{
		"fxi": "fix", "stats": "status", "rolback": "rollback", "roll": "rollback", "listner": "listeners",
		"dryrun": "dry-run", "undo": "", "x": "", "": "", "statistics": "",
	} {
		if got := Nearest(word, words); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}
