package doctor

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// advisoriesAsOf is when the table was last looked over.
const advisoriesAsOf = "2026-11"

// advisory is a security hole of Ollama's server.
type advisory struct {
	id    string
	what  string
	from  string // the first version that is known to have it, "" for all
	fixed string // the first version without it
	after string // where no such version is named: the last one that has it
}

// advisories are those that matter to whoever can connect to Ollama, newest first.
// Sources: the CVE records; for 103663 cert.pl/en/posts/2026/10/CVE-2026-103663,
// for 7020 golang/vulndb#5750, for 45436 GHSA-x8g7-52qv-4wr9.
var advisories = []advisory{
	{id: "CVE-2026-103663", what: "pulling a model can write files anywhere, and so run code", from: "0.34.2", fixed: "0.35.0"},
	{id: "CVE-2026-7482", what: "reads the server's memory: environment variables, keys, other people's chats", fixed: "0.17.1"},
	{id: "CVE-2026-7020", what: "pulling a model can leave its folder", after: "0.20.2"},
	{id: "CVE-2024-45436", what: "a ZIP file can write outside of its folder", fixed: "0.1.47"},
	{id: "CVE-2024-37032", what: "pulling a model can run code", fixed: "0.1.34"},
	{id: "CVE-2024-28224", what: "a web page can use Ollama by DNS rebinding", fixed: "0.1.29"},
}

func checkAdvisories(ctx context.Context, c *Case) Finding {
	answers, err := c.answers(ctx)
	if err != nil {
		return skipped(err.Error())
	}
	a, ok := firstAnswer(answers)
	if !ok {
		return skipped("Ollama does not answer, so its version is not known")
	}
	return judgeAdvisories(a.version, c.either(ctx, "brew upgrade ollama && brew services restart ollama && ollama-bind status",
		"upgrade Ollama, and start it again"))
}

func judgeAdvisories(text, upgrade string) Finding {
	const always = "no version of Ollama has a password: whoever can connect can use and change it"
	v, ok := parseVersion(text)
	if !ok || v.numbers == [3]int{} {
		return skipped(fmt.Sprintf("%q is no release whose holes are known", text), always)
	}
	var known []string
	for _, a := range advisories {
		if a.affects(v) {
			known = append(known, a.String())
		}
	}
	switch {
	case len(known) == 0:
		return passed(fmt.Sprintf("%s has none that was known in %s", text, advisoriesAsOf), always)
	case len(known) == 1:
		return warned(text+" has a security hole: "+known[0], upgrade, always)
	}
	return warned(fmt.Sprintf("%s has %d security holes, among them %s", text, len(known), known[0]), upgrade, append(known, always)...)
}

func (a advisory) String() string {
	until := "fixed in " + a.fixed
	if a.fixed == "" {
		until = "fixed after " + a.after
	}
	return fmt.Sprintf("%s, %s (%s)", a.id, a.what, until)
}

func (a advisory) affects(v version) bool {
	if from, ok := parseVersion(a.from); ok && v.compare(from) < 0 {
		return false
	}
	if fixed, ok := parseVersion(a.fixed); ok {
		return v.compare(fixed) < 0
	}
	last, ok := parseVersion(a.after)
	return ok && v.compare(last) <= 0
}

// version is a release of Ollama, such as 0.33.0, or what comes before it, such as
// 0.33.0-rc2.
type version struct {
	numbers [3]int
	early   bool
}

// parseVersion reads what /api/version says. What is built from source says
// something else, mostly 0.0.0.
func parseVersion(text string) (version, bool) {
	text, _, _ = strings.Cut(strings.TrimPrefix(text, "v"), "+")
	text, _, early := strings.Cut(text, "-")
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return version{}, false
	}
	v := version{early: early}
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 10, 31)
		if err != nil {
			return version{}, false
		}
		v.numbers[i] = int(n)
	}
	return v, true
}

// compare holds a version against a release. What comes before that may lack what
// it has.
func (v version) compare(release version) int {
	c := slices.Compare(v.numbers[:], release.numbers[:])
	if c == 0 && v.early {
		return -1
	}
	return c
}
