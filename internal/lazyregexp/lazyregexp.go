// Package lazyregexp has regular expressions that are compiled when they are
// first used, not at every start of the program. Go's own commands do it in the
// same way, with a package of the same name.
package lazyregexp

import (
	"os"
	"regexp"
	"strings"
	"sync"
)

// Regexp is a regular expression, safe for concurrent use. Its methods are those
// of [regexp.Regexp].
type Regexp struct {
	compiled func() *regexp.Regexp
}

// New is an expression that is known to compile: it panics at its first use if it
// does not, and in tests at once.
func New(expression string) *Regexp {
	r := &Regexp{sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })}
	if len(os.Args) > 0 && strings.HasSuffix(os.Args[0], ".test") {
		r.compiled()
	}
	return r
}

func (r *Regexp) MatchString(text string) bool { return r.compiled().MatchString(text) }

func (r *Regexp) FindSubmatch(text []byte) [][]byte { return r.compiled().FindSubmatch(text) }

func (r *Regexp) FindStringSubmatch(text string) []string {
	return r.compiled().FindStringSubmatch(text)
}

func (r *Regexp) FindStringSubmatchIndex(text string) []int {
	return r.compiled().FindStringSubmatchIndex(text)
}

func (r *Regexp) FindString(text string) string {
	return r.compiled().FindString(text)
}

func (r *Regexp) ReplaceAll(text, by []byte) []byte { return r.compiled().ReplaceAll(text, by) }

func (r *Regexp) ReplaceAllString(text, by string) string {
	return r.compiled().ReplaceAllString(text, by)
}
