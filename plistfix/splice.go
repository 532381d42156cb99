package plistfix

import (
	"slices"
	"strings"
)

func (x *layout) current() *string { return x.found }

func (x *layout) edit(want *string) ([]byte, error) {
	if want == nil {
		return []byte(x.unset()), nil
	}
	return []byte(x.set(*want)), nil
}

func (x *layout) set(value string) string {
	element := "<string>" + escape.Replace(value) + "</string>"
	old := x.env.find(x.env.wanted)
	switch {
	case old != nil:
		return x.splice(old.value, element)
	case len(x.env.pairs) > 0:
		lead := x.lead(&x.env)
		return x.insertBeside(&x.env, lead, x.separator(&x.env, lead), element)
	case x.root.find(envKey) != nil:
		return x.fill(element)
	}
	return x.insertEnv(element)
}

func (x *layout) unset() string {
	cut := x.without(&x.env, x.env.find(x.env.wanted))
	env := x.root.find(envKey)
	alone := len(x.env.pairs) == 1 && x.env.comment.end == 0
	if alone && isBlank(x.doc[env.key.end:env.value.start]) {
		cut = x.without(&x.root, env)
	}
	return x.splice(cut, "")
}

// splice returns the document with one range replaced.
func (x *layout) splice(at span, text string) string {
	return x.doc[:at.start] + text + x.doc[at.end:]
}

// insertBeside adds the wanted key to a dict that has others, with lead before it
// and separator behind it. It goes behind the pair that precedes it, and what
// follows it stays as it is. So UnsetEnv can take the pair away together with
// the white space before it.
func (x *layout) insertBeside(d *dict, lead, separator, element string) string {
	text := "<key>" + escape.Replace(d.wanted) + "</key>" + separator + element
	first, end := d.neighbour()
	at := x.insertionPoint(end, lead)
	switch {
	case first && x.skip(at, space) == at && hasBreak(lead):
		// The first key stands right behind <dict>: so does the new one, with
		// the old one on a line of its own.
		return x.splice(span{at, at}, text+lead)
	case first && !hasBreak(lead):
		lead = tidy(x.doc[at:x.skip(at, space)])
	}
	return x.splice(span{at, at}, lead+text)
}

// insertionPoint returns where to insert what is to follow an element, after
// white space like lead. The line break that ends the element's line is to end
// the new lines.
func (x *layout) insertionPoint(element int, lead string) int {
	text, end := x.restOfLine(element)
	if !hasBreak(lead) {
		return text
	}
	return end
}

// neighbour returns where the pair ends that a new one for the wanted key goes
// behind or, when it goes first, where the dict's contents start.
func (d *dict) neighbour() (first bool, end int) {
	sorted := slices.IsSortedFunc(d.pairs, func(a, b pair) int { return strings.Compare(a.name, b.name) })
	for _, p := range slices.Backward(d.pairs) {
		if !sorted || p.name < d.wanted {
			return false, p.value.end
		}
	}
	return true, d.open.end
}

// without returns the range to cut out to remove a pair.
func (x *layout) without(d *dict, p *pair) span {
	cut := span{p.key.start, p.value.end}
	text, end := x.restOfLine(cut.end)
	if text != cut.end {
		// A comment follows on the line. It keeps the line.
		cut.end = x.skip(cut.end, blanks)
		return cut
	}
	run := x.spaceBefore(p.key.start)
	if i := strings.IndexAny(run, "\r\n"); i >= 0 {
		run = run[i:]
		cut.end = end
	}
	cut.start -= len(run)
	if cut.start == d.open.end && cut.start == p.key.start {
		// Nothing is between <dict> and the pair, so what follows moves up.
		cut.end = x.skip(cut.end, space)
	}
	return cut
}

// insertEnv adds EnvironmentVariables to the root, with one variable in it.
func (x *layout) insertEnv(element string) string {
	lead := x.lead(&x.root)
	inner, outer := x.levels(lead, indentOf(lead))
	return x.insertBeside(&x.root, lead, x.separator(&x.root, outer), x.newDict(element, inner, outer))
}

// fill adds a pair to an environment that has none, perhaps comments.
func (x *layout) fill(element string) string {
	d := &x.env
	inner, outer := x.levels(x.lead(&x.root), x.lineIndent(d.open.start))
	at := d.open.end
	switch {
	case d.comment.end > 0:
		lead := tidy(x.spaceBefore(d.comment.start))
		if hasBreak(lead) || !hasBreak(x.doc[d.comment.end:d.close.start]) {
			inner = lead
		}
		at = d.comment.end
	case !hasBreak(x.doc[d.open.end:d.close.start]):
		return x.splice(span{d.open.start, d.close.end}, x.newDict(element, inner, outer))
	}
	at = x.insertionPoint(at, inner)
	return x.splice(span{at, at}, x.newPair(element, inner))
}

func (x *layout) newDict(element, inner, outer string) string {
	return "<dict>" + x.newPair(element, inner) + outer + "</dict>"
}

// newPair writes the only pair of a dict, laid out like the pair of the label.
func (x *layout) newPair(element, lead string) string {
	return lead + "<key>" + escape.Replace(x.env.wanted) + "</key>" + x.labelSeparator(lead) + element
}

// levels returns the white space before a pair in a new dict and before the
// dict's end tag, which is to be indented as told. Before a new pair of the root
// there would be lead.
func (x *layout) levels(lead, indent string) (inner, outer string) {
	if !hasBreak(lead) {
		return lead, lead
	}
	line := lead
	if run := x.doc[x.label.key.end:x.label.value.start]; isBlank(run) && hasBreak(run) {
		line = tidy(run) // without the blank lines that part groups of pairs
	}
	outer = withoutIndent(line) + indent
	// what the pairs of the root are indented more than its tag
	unit := strings.TrimPrefix(indentOf(lead), x.lineIndent(x.root.open.start))
	return outer + unit, outer
}

// lead returns the white space that goes before a new pair of a dict that has
// others: that of the pair with the fewest line breaks, but with one if any has.
func (x *layout) lead(d *dict) string {
	best := ""
	for i, p := range d.neighbours() {
		run := tidy(x.spaceBefore(p.key.start))
		if i == 0 || hasBreak(run) && (!hasBreak(best) || breaks(run) < breaks(best)) {
			best = run
		}
	}
	return best
}

// neighbours returns the pairs of a dict to take an example from, the nearest
// first. There is at least one.
func (d *dict) neighbours() []pair {
	var near []pair
	if i := slices.IndexFunc(d.pairs, func(p pair) bool { return p.name > d.wanted }); i >= 0 {
		near = append(near, d.pairs[i])
	}
	for _, p := range slices.Backward(d.pairs) {
		if p.name < d.wanted {
			near = append(near, p)
			break
		}
	}
	return append(near, d.pairs[len(d.pairs)-1], d.pairs[0])
}

// separator returns the white space that goes between a new key in d and its
// value. If nothing in d shows it, it is as after the label.
func (x *layout) separator(d *dict, lead string) string {
	for _, p := range d.neighbours() {
		if run := x.doc[p.key.end:p.value.start]; isBlank(run) {
			return tidy(run)
		}
	}
	return x.labelSeparator(lead)
}

// labelSeparator returns the white space after the label's key, indented as in
// the white space before the new key. That goes between key and value, too, when
// the label shows nothing.
func (x *layout) labelSeparator(lead string) string {
	run := x.doc[x.label.key.end:x.label.value.start]
	switch {
	case isBlank(run) && !hasBreak(run):
		return run
	case !isBlank(run) || !hasBreak(lead):
		return lead
	}
	return withoutIndent(tidy(run)) + indentOf(lead)
}

// restOfLine looks at what follows a position on its line. When that is blanks
// and comments only, it returns where the last comment and where the line ends,
// else the position itself.
func (x *layout) restOfLine(at int) (text, end int) {
	text = at
	for {
		end = x.skip(text, blanks)
		switch {
		case x.doc[end] == '\n' || x.doc[end] == '\r':
			return text, end
		case !strings.HasPrefix(x.doc[end:], "<!--"):
			return at, at
		}
		text = end + strings.Index(x.doc[end:], "-->") + len("-->")
	}
}

// skip returns the position after any of the characters.
func (x *layout) skip(at int, any string) int {
	return len(x.doc) - len(strings.TrimLeft(x.doc[at:], any))
}

// spaceBefore returns the white space that ends at a position.
func (x *layout) spaceBefore(at int) string {
	return x.doc[len(strings.TrimRight(x.doc[:at], space)):at]
}

// lineIndent returns the blanks and tabs at the start of the line around a
// position.
func (x *layout) lineIndent(at int) string {
	start := strings.LastIndexAny(x.doc[:at], "\r\n") + 1
	return x.doc[start:x.skip(start, blanks)]
}

// tidy returns white space without the blanks that end a line.
func tidy(run string) string {
	return noBlanks.Replace(withoutIndent(run)) + indentOf(run)
}

var noBlanks = strings.NewReplacer(" ", "", "\t", "")

// indentOf returns what follows the last line break.
func indentOf(run string) string {
	return run[strings.LastIndexAny(run, "\r\n")+1:]
}

// withoutIndent returns what comes up to the last line break.
func withoutIndent(run string) string {
	return run[:len(run)-len(indentOf(run))]
}

func hasBreak(run string) bool { return breaks(run) > 0 }

func breaks(run string) int { return strings.Count(lineEnds.Replace(run), "\n") }

func isBlank(text string) bool { return strings.Trim(text, space) == "" }
