package bind

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/ollama-bind/ollama-bind/internal/backup"
)

// history is written the oldest first: what made the change, the bytes before
// and after, and for a rollback the fix that it took back.
type history []struct{ id, command, before, after, undoes string }

func TestInEffect(t *testing.T) {
	damaged := errors.New("damaged")
	for name, tc := range map[string]struct {
		past history
		now  string
		want string // ID, or "" for an error
	}{
		"one fix":          {history{{"1", "fix", "a", "b", ""}}, "b", "1"},
		"taken back":       {history{{"1", "fix", "a", "b", ""}, {"2", "rollback", "b", "a", "1"}}, "a", "1"},
		"killed too early": {history{{"1", "fix", "a", "b", ""}, {"2", "fix", "b", "c", ""}}, "b", "1"},
		"two in a row":     {history{{"1", "fix", "a", "b", ""}, {"2", "fix", "b", "c", ""}}, "c", "2"},
		"the same again":   {history{{"1", "fix", "a", "b", ""}, {"2", "rollback", "b", "a", "1"}, {"3", "fix", "a", "b", ""}}, "b", "3"},
		"in a circle": {history{
			{"1", "fix", "a", "b", ""}, {"2", "fix", "b", "c", ""}, {"3", "fix", "c", "b", ""},
			{"4", "rollback", "b", "c", "3"}, {"5", "rollback", "c", "b", "2"},
		}, "b", "1"},
		"rollback killed too early":     {history{{"1", "fix", "a", "b", ""}, {"2", "rollback", "b", "a", "1"}}, "b", "1"},
		"changed since":                 {history{{"1", "fix", "a", "b", ""}}, "x", "1"},
		"taken back, and changed since": {history{{"1", "fix", "a", "b", ""}, {"2", "rollback", "b", "a", "1"}}, "x", ""},
		"beside a damaged one":          {history{{"1", "fix", "a", "b", ""}, {"2", "damaged", "", "", ""}}, "b", "1"},
		"only a damaged one fits":       {history{{"1", "fix", "a", "b", ""}, {"2", "damaged", "", "", ""}}, "x", ""},
		"no fix at all":                 {history{{"1", "rollback", "a", "b", "0"}}, "b", ""},
	} {
		file := filepath.Join(t.TempDir(), "a.plist")
		if err := os.WriteFile(file, []byte(tc.now), 0o600); err != nil {
			t.Fatal(err)
		}
		var newestFirst []backup.Receipt
		for _, h := range tc.past {
			r := backup.Receipt{ID: h.id, Command: h.command, Undoes: h.undoes, Done: true, Files: []backup.Saved{
				{Path: file, Before: backup.Sum([]byte(h.before)), After: backup.Sum([]byte(h.after))}}}
			if h.command == "damaged" {
				r = backup.Receipt{ID: h.id, Err: damaged}
			}
			newestFirst = append([]backup.Receipt{r}, newestFirst...)
		}
		got, err := inEffect(newestFirst)
		if tc.want == "" {
			if err == nil {
				t.Errorf("%s: chose %s, want an error", name, got.ID)
			}
		} else if err != nil || got.ID != tc.want {
			t.Errorf("%s: chose %q, %v, want %s", name, got.ID, err, tc.want)
		}
	}
}
