package plistfix

import (
	"bytes"
	"strings"
)

// set sets the variable that was looked for in the scan.
func (x *layout) set(value string) []byte {
	element := "<string>" + escape(value) + "</string>"
	switch {
	case x.env.match.exists():
		return splice(x.doc, x.env.match.value, element)
	case x.env.count > 0:
		lead := x.lead(&x.env)
		return x.insertBeside(&x.env, lead, x.separator(&x.env, lead), element)
	case x.root.match.exists():
		return x.fill(element)
	}
	return x.insertEnv(element)
}

// unset removes the variable that was looked for in the scan.
func (x *layout) unset() []byte {
	cut := x.without(&x.env, x.env.match)
	env := x.root.match
	alone := x.env.count == 1 && x.env.comment.end == 0
	if alone && isBlank(x.doc[env.key.end:env.value.start]) {
		cut = x.without(&x.root, env)
	}
	return splice(x.doc, cut, "")
}

// splice returns a copy of doc with one range replaced.
func splice(doc []byte, at span, text string) []byte {
	result := make([]byte, 0, len(doc)-(at.end-at.start)+len(text))
	result = append(result, doc[:at.start]...)
	result = append(result, text...)
	return append(result, doc[at.end:]...)
}

// insertBeside adds the wanted key to a dict that has others, with lead before it
// and separator behind it. It goes behind the pair that precedes it, and what
// follows it stays as it is. So UnsetEnv can take the pair away together with
// the white space before it.
func (x *layout) insertBeside(d *dict, lead, separator, element string) []byte {
	text := "<key>" + escape(d.wanted) + "</key>" + separator + element
	previous, end := d.neighbour()
	at := x.insertionPoint(end, lead)
	switch {
	case !previous && !isSpace(x.doc[at]) && hasBreak(lead):
		// The first key stands right behind <dict>: so shall the new one, with
		// the old one on a line of its own.
		return splice(x.doc, span{at, at}, text+lead)
	case !previous && !hasBreak(lead):
		lead = tidy(x.doc[at:x.skipSpace(at)])
	}
	return splice(x.doc, span{at, at}, lead+text)
}

// insertionPoint returns where to insert what is to follow an element, after
// white space like lead. The line break that ends the element's line is to end
// the new lines.
func (x *layout) insertionPoint(element int, lead string) int {
	text, end := x.restOfLine(element)
	if hasBreak(lead) {
		return end
	}
	return text
}

// neighbour returns where the pair ends that precedes a new one for the wanted
// key or, when there is none, where the dict's contents start.
func (d *dict) neighbour() (found bool, end int) {
	before := d.before
	if !d.sorted {
		before = d.last
	}
	if before.exists() {
		return true, before.value.end
	}
	return false, d.open.end
}

// without returns the range to cut out to remove a pair.
func (x *layout) without(d *dict, p pair) span {
	cut := span{p.key.start, p.value.end}
	text, end := x.restOfLine(cut.end)
	if text != cut.end {
		// A comment follows on the line. It keeps the line.
		cut.end = x.skipBlanks(cut.end)
		return cut
	}
	run := x.spaceBefore(p.key.start)
	if i := bytes.IndexAny(run, "\r\n"); i >= 0 {
		run = run[i:]
		cut.end = end
	}
	cut.start -= len(run)
	if cut.start == d.open.end && cut.start == p.key.start {
		// Nothing is between <dict> and the pair, so what follows moves up.
		cut.end = x.skipSpace(cut.end)
	}
	return cut
}

// insertEnv adds EnvironmentVariables to the root, with one variable in it.
func (x *layout) insertEnv(element string) []byte {
	lead := x.lead(&x.root)
	inner, outer := x.levels(lead, indentOf(lead))
	return x.insertBeside(&x.root, lead, x.separator(&x.root, outer), x.newDict(element, inner, outer))
}

// fill adds a pair to an environment that has none, perhaps comments.
func (x *layout) fill(element string) []byte {
	d := &x.env
	inner, outer := x.levels(x.lead(&x.root), x.lineIndent(d.open.start))
	at := d.open.end
	switch {
	case d.comment.end > 0:
		if lead := tidy(x.spaceBefore(d.comment.start)); hasBreak(lead) || !hasBreak(string(x.doc[d.comment.end:d.close.start])) {
			inner = lead
		}
		at = d.comment.end
	case !hasBreak(string(x.doc[d.open.end:d.close.start])):
		return splice(x.doc, span{d.open.start, d.close.end}, x.newDict(element, inner, outer))
	}
	at = x.insertionPoint(at, inner)
	return splice(x.doc, span{at, at}, x.newPair(element, inner))
}

// newDict writes a dict that holds the variable.
func (x *layout) newDict(element, inner, outer string) string {
	return "<dict>" + x.newPair(element, inner) + outer + "</dict>"
}

// newPair writes the only pair of a dict, laid out like the pair of the label.
func (x *layout) newPair(element, lead string) string {
	return lead + "<key>" + escape(x.env.wanted) + "</key>" + x.labelSeparator(lead) + element
}

// levels returns the white space before a pair in a new dict and before the
// dict's end tag, which is to be indented as told. Before a new pair of the root
// there would be lead.
func (x *layout) levels(lead, indent string) (inner, outer string) {
	if !hasBreak(lead) {
		return lead, lead
	}
	line := lead
	if run := x.doc[x.label.key.end:x.label.value.start]; isBlank(run) && hasBreak(string(run)) {
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
// first.
func (d *dict) neighbours() []pair {
	pairs := make([]pair, 0, 4)
	for _, p := range []pair{d.after, d.before, d.last, d.first} {
		if p.exists() {
			pairs = append(pairs, p)
		}
	}
	return pairs
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
	case isBlank(run) && !hasBreak(string(run)):
		return string(run)
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
		end = x.skipBlanks(text)
		switch {
		case isBreak(x.doc[end]):
			return text, end
		case !bytes.HasPrefix(x.doc[end:], []byte("<!--")):
			return at, at
		}
		text = end + bytes.Index(x.doc[end:], []byte("-->")) + len("-->")
	}
}

// skipBlanks returns the position after blanks and tabs.
func (x *layout) skipBlanks(at int) int {
	for at < len(x.doc) && (x.doc[at] == ' ' || x.doc[at] == '\t') {
		at++
	}
	return at
}

// skipSpace returns the position after white space of any kind.
func (x *layout) skipSpace(at int) int {
	for at < len(x.doc) && isSpace(x.doc[at]) {
		at++
	}
	return at
}

// spaceBefore returns the white space that ends at a position.
func (x *layout) spaceBefore(at int) []byte {
	start := at
	for start > 0 && isSpace(x.doc[start-1]) {
		start--
	}
	return x.doc[start:at]
}

// lineIndent returns the blanks and tabs at the start of the line around a
// position.
func (x *layout) lineIndent(at int) string {
	start := bytes.LastIndexAny(x.doc[:at], "\r\n") + 1
	return string(x.doc[start:x.skipBlanks(start)])
}

// tidy returns white space without the blanks that end a line.
func tidy(run []byte) string {
	last := bytes.LastIndexAny(run, "\r\n")
	text := make([]byte, 0, len(run))
	for i, c := range run {
		if isBreak(c) || i > last {
			text = append(text, c)
		}
	}
	return string(text)
}

// indentOf returns what follows the last line break.
func indentOf(run string) string {
	return run[strings.LastIndexAny(run, "\r\n")+1:]
}

// withoutIndent returns what comes up to the last line break.
func withoutIndent(run string) string {
	return run[:len(run)-len(indentOf(run))]
}

func hasBreak(run string) bool { return breaks(run) > 0 }

// breaks counts line breaks: LF, CRLF or CR.
func breaks(run string) int {
	n := 0
	for i := range len(run) {
		if run[i] == '\n' || run[i] == '\r' && (i+1 == len(run) || run[i+1] != '\n') {
			n++
		}
	}
	return n
}

func isBlank(text []byte) bool { return len(bytes.Trim(text, " \t\r\n")) == 0 }
