package doctor

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/ollama-bind/ollama-bind/internal/advice"
)

// advisoriesAsOf is when the table was last checked, and advisoriesAge how long after
// that it counts if it names nothing.
var advisoriesAsOf = time.Date(2026, time.October, 9, 0, 0, 0, 0, time.UTC)

const advisoriesAge = 365 * 24 * time.Hour

// advisory is a security hole of Ollama's server.
type advisory struct {
	id    string
	what  string
	from  string // the first version that is known to have it, "" for all
	fixed string // the first version without it
	last  string // where no such version is named: the last one that has it
}

// advisories are those that matter to anyone who can connect to Ollama, newest
// first. Sources: the CVE records; for 103663 cert.pl/en/posts/2026/10/CVE-2026-103663,
// for 86289 ollama/ollama#17062, for 7020 golang/vulndb#5750, for 45436
// GHSA-x8g7-52qv-4wr9, for 51471 GO-2025-3824 and ollama/ollama#13738, for 12886
// GO-2025-3548, for 44779 GO-2025-3851, for 39720 GO-2024-3245. Not here: what concerns
// Ollama's client alone (102697), and records whose versions make no sense (5530) or
// that name none (15685).
var advisories = []advisory{
	{id: "CVE-2026-103663", from: "0.34.2", fixed: "0.35.0",
		what: "pulling a model can write files anywhere, and so run code"},
	{id: "CVE-2026-85180", from: "0.30.0", last: "0.33.2",
		what: "pulling a model can reach servers inside your network"},
	{id: "CVE-2026-86289", fixed: "0.31.2", what: "a model file can overrun the server's memory"},
	{id: "CVE-2026-7482", fixed: "0.17.1",
		what: "reads the server's memory: environment variables, keys, other people's chats"},
	{id: "CVE-2026-7020", last: "0.20.2", what: "pulling a model can leave its folder"},
	{id: "CVE-2025-51471", fixed: "0.14.3", what: "a foreign registry gets the account's token"},
	{id: "CVE-2025-44779", fixed: "0.1.34", what: "can delete files"},
	{id: "CVE-2024-12886", fixed: "0.4.0", what: "a small answer that unpacks to a huge one ends it"},
	{id: "CVE-2024-45436", fixed: "0.1.47", what: "a ZIP file can write outside of its folder"},
	{id: "CVE-2024-39720", fixed: "0.1.46", what: "a model file can end it"},
	{id: "CVE-2024-37032", fixed: "0.1.34", what: "pulling a model can run code"},
	{id: "CVE-2024-28224", fixed: "0.1.29", what: "a web page can use Ollama by DNS rebinding"},
}

func knownHoles(s Seen) Finding {
	always := []string{
		"no version of Ollama has a password: anyone who can connect can use and change it",
		"no fixed version is on record for CVE-2026-65315 (crash) and CVE-2026-5757 (reads memory)",
	}
	a, ok := firstAnswer(s.answers)
	if !ok {
		return skipped("Ollama does not answer, so its version is not known")
	}
	v, ok := parseRelease(a.version)
	if !ok || v == (release{}) || v == (release{3: -1}) {
		return skipped(fmt.Sprintf("not known: %q is not a release", a.version), always...)
	}
	var known []string
	for _, a := range advisories {
		if a.affects(v) {
			known = append(known, a.String())
		}
	}
	cure, day := advice.Upgrade(s.Facts), advisoriesAsOf.Format(time.DateOnly)
	old := s.now.Sub(advisoriesAsOf) > advisoriesAge
	switch {
	case len(known) == 0 && old:
		return skipped("not known: the list in this ollama-bind is of "+day+", too old to be believed", always...)
	case len(known) == 0:
		return passed(fmt.Sprintf("public records of %s name none for %s", day, a.version), always...)
	case len(known) == 1:
		return warned(a.version+" has a security hole: "+known[0], cure, always...)
	}
	return warned(fmt.Sprintf("%s has %d security holes, among them %s", a.version, len(known), known[0]),
		cure, append(known, always...)...)
}

func (a advisory) String() string {
	if a.fixed == "" {
		return fmt.Sprintf("%s, %s (fixed after %s)", a.id, a.what, a.last)
	}
	return fmt.Sprintf("%s, %s (fixed in %s)", a.id, a.what, a.fixed)
}

func (a advisory) affects(v release) bool {
	from, _ := parseRelease(a.from) // "" is below every other
	if v.compare(from) < 0 {
		return false
	}
	if fixed, ok := parseRelease(a.fixed); ok {
		return v.compare(fixed) < 0
	}
	last, _ := parseRelease(a.last)
	return v.compare(last) <= 0
}

// release is a version of Ollama. The last number is -1 for what comes before a
// release, such as 0.33.0-rc2, which may lack what the release has.
type release [4]int

func (v release) compare(o release) int { return slices.Compare(v[:], o[:]) }

var releasePattern = regexp.MustCompile(`^v?(\d{1,9})\.(\d{1,9})\.(\d{1,9})(-.*)?(\+.*)?$`)

// parseRelease reads what /api/version returns. Builds from source return something
// else, mostly 0.0.0.
func parseRelease(text string) (v release, ok bool) {
	parts := releasePattern.FindStringSubmatch(text)
	if parts == nil {
		return v, false
	}
	for i := range 3 {
		v[i], _ = strconv.Atoi(parts[i+1]) // nine digits fit
	}
	if parts[4] != "" {
		v[3] = -1
	}
	return v, true
}
