package main

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// A file or folder that docs/verified.md names, and the identifier that may follow.
var placeInPage = regexp.MustCompile("`([\\w.-]+/[\\w./-]+)`(?:, ([A-Za-z]+))?")

// When a Mac shows that a fact is wrong, the code has to be found: the files and
// identifiers that docs/verified.md names are there, and each row has a name of its own.
func TestVerified(t *testing.T) {
	rows, last := map[string]bool{}, 0
	for line := range strings.Lines(readDoc(t, "docs/verified.md")) {
		cells := strings.Split(line, "|")
		if len(cells) != 8 || strings.Trim(cells[1], " -") == "" {
			continue
		}
		number, matters, proof, seen := strings.TrimSpace(cells[1]), cells[3], cells[4], strings.TrimSpace(cells[6])
		if n, err := strconv.Atoi(number); err == nil && n != last+1 || rows[number] {
			t.Errorf("row %s is behind row %d", number, last)
		} else if err == nil {
			last = n
		}
		rows[number] = true
		if seen != "no" && !strings.HasPrefix(seen, "yes, ") {
			t.Errorf("row %s: seen on a Mac: %q", number, seen)
		}
		for _, found := range placeInPage.FindAllStringSubmatch(matters+proof, -1) {
			if _, err := os.Stat(root(found[1])); err != nil {
				t.Errorf("row %s: %v", number, err)
			}
		}
		for _, found := range placeInPage.FindAllStringSubmatch(matters, -1) {
			if found[2] != "" && !declares(readDoc(t, found[1]), found[2]) {
				t.Errorf("row %s: %s has no %s", number, found[1], found[2])
			}
		}
	}
	if len(rows) == 0 {
		t.Error("docs/verified.md has no rows")
	}
}

// declares tells whether a Go file's text declares the identifier at its top level.
func declares(text, identifier string) bool {
	return regexp.MustCompile(`(?m)^(func (\([^)]*\) )?|var |const |type )` + identifier + `\b`).MatchString(text)
}
