package plistfix

import (
	"bytes"
	"strings"
)

// set sets the variable that was looked for in the scan.
func (x *layout) set(doc []byte, name, value string) ([]byte, error) {
	element := "<string>" + escape(value) + "</string>"
	var result []byte
	switch {
	case x.env.match.exists() && x.current == value:
		return doc, nil
	case x.env.match.exists():
		result = splice(doc, x.env.match.value, element)
	case x.env.count > 0:
		result = x.insertBeside(doc, &x.env, name, element, x.separator(doc, &x.env, x.env.lead(doc)))
	case x.root.match.exists():
		result = x.fill(doc, name, element)
	default:
		result = x.insertEnv(doc, name, element)
	}
	return verified(doc, result, name, &value)
}

// unset removes the variable that was looked for in the scan.
func (x *layout) unset(doc []byte, name string) ([]byte, error) {
	if !x.env.match.exists() {
		return doc, nil
	}
	cut := x.env.without(doc, x.env.match)
	env := x.root.match
	alone := x.env.count == 1 && x.env.comment.end == 0
	if alone && isBlank(doc[env.key.end:env.value.start]) {
		cut = x.root.without(doc, env)
	}
	result := splice(doc, cut, "")
	return verified(doc, result, name, nil)
}

// splice returns a copy of doc with one range replaced.
func splice(doc []byte, at span, text string) []byte {
	result := make([]byte, 0, len(doc)-(at.end-at.start)+len(text))
	result = append(result, doc[:at.start]...)
	result = append(result, text...)
	return append(result, doc[at.end:]...)
}

// insertBeside adds a pair to a dict that has others. It goes behind the pair
// that precedes it, and what follows it stays as it is. So UnsetEnv can take
// the pair away together with the white space before it.
func (x *layout) insertBeside(doc []byte, d *dict, key, element, separator string) []byte {
	text := "<key>" + escape(key) + "</key>" + separator + element
	lead := d.lead(doc)
	previous, end := d.neighbour()
	at := insertionPoint(doc, end, lead)
	switch {
	case !previous && !isSpace(doc[at]) && hasBreak(lead):
		// The first key stands right behind <dict>: so shall the new one, with
		// the old one on a line of its own.
		return splice(doc, span{at, at}, text+lead)
	case !previous && !hasBreak(lead):
		lead = tidy(doc[at:skipSpace(doc, at)])
	}
	return splice(doc, span{at, at}, lead+text)
}

// insertionPoint returns where to insert what is to follow an element, after
// white space like lead. The line break that ends the element's line is to end
// the new lines.
func insertionPoint(doc []byte, element int, lead string) int {
	text, end := restOfLine(doc, element)
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
func (d *dict) without(doc []byte, p pair) span {
	cut := span{p.key.start, p.value.end}
	text, end := restOfLine(doc, cut.end)
	if text != cut.end {
		// A comment follows on the line. It keeps the line.
		cut.end = skipBlanks(doc, cut.end)
		return cut
	}
	run := spaceBefore(doc, p.key.start)
	if i := bytes.IndexAny(run, "\r\n"); i >= 0 {
		run = run[i:]
		cut.end = end
	}
	cut.start -= len(run)
	if cut.start == d.open.end && cut.start == p.key.start && d.count > 1 {
		// Nothing is between <dict> and the pair, so what follows moves up.
		cut.end = skipSpace(doc, cut.end)
	}
	return cut
}

// insertEnv adds EnvironmentVariables to the root, with one variable in it.
func (x *layout) insertEnv(doc []byte, name, element string) []byte {
	inner, outer := x.levels(doc, indentOf(x.root.lead(doc)))
	value := x.newDict(doc, name, element, inner, outer)
	return x.insertBeside(doc, &x.root, envKey, value, x.separator(doc, &x.root, outer))
}

// fill adds a pair to an environment that has none, perhaps comments.
func (x *layout) fill(doc []byte, name, element string) []byte {
	d := &x.env
	inner, outer := x.levels(doc, lineIndent(doc, d.open.start))
	inside := doc[d.open.end:d.close.start]
	at := d.open.end
	switch {
	case d.comment.end > 0:
		if lead := tidy(spaceBefore(doc, d.comment.start)); hasBreak(lead) || !hasBreak(string(doc[d.comment.end:d.close.start])) {
			inner = lead
		}
		at = d.comment.end
	case !hasBreak(string(inside)) || !hasBreak(inner):
		return splice(doc, span{d.open.start, d.close.end}, x.newDict(doc, name, element, inner, outer))
	}
	at = insertionPoint(doc, at, inner)
	return splice(doc, span{at, at}, x.newPair(doc, name, element, inner))
}

// newDict writes a dict that holds one variable.
func (x *layout) newDict(doc []byte, name, element, inner, outer string) string {
	return "<dict>" + x.newPair(doc, name, element, inner) + outer + "</dict>"
}

// newPair writes the only pair of a dict, laid out like the pair of the label.
func (x *layout) newPair(doc []byte, name, element, lead string) string {
	return lead + "<key>" + escape(name) + "</key>" + x.separator(doc, nil, lead) + element
}

// levels returns the white space before a pair in a new dict and before the
// dict's end tag, which is to be indented as told.
func (x *layout) levels(doc []byte, indent string) (inner, outer string) {
	lead := x.root.lead(doc)
	if !hasBreak(lead) {
		return lead, lead
	}
	line := lead
	if run := doc[x.label.key.end:x.label.value.start]; isBlank(run) && hasBreak(string(run)) {
		line = tidy(run) // without the blank lines that part groups of pairs
	}
	outer = withoutIndent(line) + indent
	return outer + x.indentUnit(doc), outer
}

// lead returns the white space that goes before a new pair of a dict that has
// others: that of the pair with the fewest line breaks, but with one if any has.
func (d *dict) lead(doc []byte) string {
	best := ""
	for i, p := range d.neighbours() {
		run := tidy(spaceBefore(doc, p.key.start))
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
// value. If nothing in d shows it, it is as after the label, and indented as in
// the white space before the key.
func (x *layout) separator(doc []byte, d *dict, lead string) string {
	if d != nil {
		for _, p := range d.neighbours() {
			if run := doc[p.key.end:p.value.start]; isBlank(run) {
				return tidy(run)
			}
		}
	}
	run := doc[x.label.key.end:x.label.value.start]
	switch {
	case !isBlank(run):
		return ""
	case !hasBreak(string(run)):
		return string(run)
	case !hasBreak(lead):
		return lead
	}
	return withoutIndent(tidy(run)) + indentOf(lead)
}

// indentUnit returns by how much the file indents one level more.
func (x *layout) indentUnit(doc []byte) string {
	outer, inner := lineIndent(doc, x.root.open.start), indentOf(x.root.lead(doc))
	switch {
	case len(inner) >= len(outer) && inner[:len(outer)] == outer:
		return inner[len(outer):]
	default:
		return "\t"
	}
}

// restOfLine looks at what follows a position on its line. When that is blanks
// and comments only, it returns where the last comment and where the line ends,
// else the position itself.
func restOfLine(doc []byte, at int) (text, end int) {
	text = at
	for {
		end = skipBlanks(doc, text)
		switch {
		case isBreak(doc[end]):
			return text, end
		case !bytes.HasPrefix(doc[end:], []byte("<!--")):
			return at, at
		}
		text = end + bytes.Index(doc[end:], []byte("-->")) + len("-->")
	}
}

// skipBlanks returns the position after blanks and tabs.
func skipBlanks(doc []byte, at int) int {
	for at < len(doc) && (doc[at] == ' ' || doc[at] == '\t') {
		at++
	}
	return at
}

// skipSpace returns the position after white space of any kind.
func skipSpace(doc []byte, at int) int {
	for at < len(doc) && isSpace(doc[at]) {
		at++
	}
	return at
}

// spaceBefore returns the white space that ends at a position.
func spaceBefore(doc []byte, at int) []byte {
	start := at
	for start > 0 && isSpace(doc[start-1]) {
		start--
	}
	return doc[start:at]
}

// lineIndent returns the blanks and tabs at the start of the line around a
// position.
func lineIndent(doc []byte, at int) string {
	start := bytes.LastIndexAny(doc[:at], "\r\n") + 1
	return string(doc[start:skipBlanks(doc, start)])
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

func isBlank(text []byte) bool { return skipSpace(text, 0) == len(text) }
