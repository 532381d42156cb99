package brew

// The labels of Homebrew's service for Ollama.
const (
	legacyLabel    = "homebrew.mxcl.ollama"
	canonicalLabel = "sh.brew.ollama"
)

// release is what sets the versions of Homebrew apart.
type release struct {
	EnvFile   bool // since 6.0.15: start generates the plist, and reads ollama.env
	Canonical bool // since 6.0.22, probably: see label and labels
	RunReads  bool // since 7.0.0: run reads ollama.env too
}

// releases are the versions of Homebrew that there are here. That 6.0.22 is the first
// with the canonical label is one source's word, and unverified.
var releases = map[string]release{
	"6.0.14": {},
	"6.0.18": {EnvFile: true},
	"6.0.22": {EnvFile: true, Canonical: true},
	"7.0.7":  {EnvFile: true, Canonical: true, RunReads: true},
}

// label is the one that this release writes.
func (r release) label() string { return r.labels()[0] }

// labels are those that this release recognises, in the order that it looks for them.
func (r release) labels() []string {
	if r.Canonical {
		return []string{canonicalLabel, legacyLabel}
	}
	return []string{legacyLabel}
}
