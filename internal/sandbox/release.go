package sandbox

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The labels of Homebrew's service for Ollama.
const (
	legacyLabel    = "homebrew.mxcl.ollama"
	canonicalLabel = "sh.brew.ollama"
)

// release is a version of Homebrew: three numbers.
type release [3]int

// What changed when. 6.0.18 is the last release known to have nothing but the legacy label, 6.0.21 the first one known to write the
// canonical one; that those between them recognise both and write the legacy one is unverified.
var (
	firstRelease    = release{6, 0, 0}  // older ones are not modelled
	firstEnvFile    = release{6, 0, 15} // start and restart generate the plist and read services/ollama.env
	firstAllDomains = release{6, 0, 16} // status looks in every domain that may hold the job
	firstTwoLabels  = release{6, 0, 19} // both labels are recognised
	firstCanonical  = release{6, 0, 21} // the canonical label is written
)

// parseRelease reads "6.0.18" and "6.0.15-9-g2bdc553".
func parseRelease(version string) (release, error) {
	wrong := fmt.Errorf("no version of Homebrew from 6.0.0: %q", version)
	numbers, _, _ := strings.Cut(version, "-")
	parts := strings.Split(numbers, ".")
	var r release
	if len(parts) != len(r) {
		return r, wrong
	}
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 10, 16)
		if err != nil {
			return r, wrong
		}
		r[i] = int(n)
	}
	if !r.since(firstRelease) {
		return r, wrong
	}
	return r, nil
}

func (r release) since(first release) bool { return slices.Compare(r[:], first[:]) >= 0 }

// label is the one that this release writes.
func (r release) label() string {
	if r.since(firstCanonical) {
		return canonicalLabel
	}
	return legacyLabel
}

// labels are those that this release recognises, in the order that it looks for them.
func (r release) labels() []string {
	if r.since(firstTwoLabels) {
		return []string{canonicalLabel, legacyLabel}
	}
	return []string{legacyLabel}
}
