package shell

import "testing"

func TestQuote(t *testing.T) {
	for path, want := range map[string]string{
		"/tmp/a.plist":     "/tmp/a.plist",
		"/Users/a b/$HOME": "'/Users/a b/$HOME'",
		"/it's":            `'/it'\''s'`,
		"":                 "''",
		"/a;rm":            "'/a;rm'",
		"/tmp/~x":          "'/tmp/~x'",
		"/tmp/line\nup":    "'/tmp/line\nup'",
	} {
		if got := Quote(path); got != want {
			t.Errorf("Quote(%q) = %s, want %s", path, got, want)
		}
	}
}
