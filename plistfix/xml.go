package plistfix

import (
	"regexp"
	"slices"
	"strings"
)

// span is a range of bytes of the document.
type span struct{ start, end int }

// pair is a key element and its value element in a dict.
type pair struct {
	name       string // the value of the key
	key, value span
}

// dict is where a dict stands, and what is in it.
type dict struct {
	wanted      string // the key that an edit is about
	open, close span   // its tags; close is empty when the dict is self-closed
	pairs       []pair
	comment     span // the last comment that is not inside a pair
}

// find returns the pair with a key, or nil.
func (d *dict) find(name string) *pair {
	i := slices.IndexFunc(d.pairs, func(p pair) bool { return p.name == name })
	if i < 0 {
		return nil
	}
	return &d.pairs[i]
}

// layout is what a scan finds out about an XML document.
type layout struct {
	doc       string
	root, env dict
	label     *pair
	found     *string // value of the variable that was looked for; nil if it is not set
}

// tag is a start tag, an end tag or, when empty, both in one.
type tag struct {
	span
	name          string
	closes, empty bool
	comment       span // the last one between the tag before and this one
}

// scanner reads an XML property list once, from front to back, and accepts
// exactly the profile.
type scanner struct {
	pos  int
	open []string // the elements that pos is in: "plist", dicts and arrays
	layout
}

// scan checks an XML document and finds the places that an edit of the variable
// called name needs.
func scan(doc []byte, name string) (document, error) {
	s := &scanner{open: []string{"plist"}, layout: layout{doc: string(doc)}}
	s.root.wanted, s.env.wanted = envKey, name
	if err := s.document(); err != nil {
		return nil, err
	}
	return &s.layout, nil
}

func (s *scanner) refuse(at int, format string, args ...any) error {
	return refuseXML(s.doc, at, format, args...)
}

// document reads everything: prolog, plist, its one dict, and what follows.
func (s *scanner) document() error {
	if at, reason := illegal(s.doc); reason != "" {
		return s.refuse(at, "%s", reason)
	}
	for _, part := range []func() error{s.prolog, s.plist, s.tree} {
		if err := part(); err != nil {
			return err
		}
	}
	t, err := s.tag()
	switch {
	case err != nil:
		return err
	case !t.closes:
		return s.refuse(t.start, "more than one value in the plist element")
	case t.name != "plist":
		return s.refuse(t.start, "</%.64s> without a start tag", t.name)
	}
	if _, err := s.gap(); err != nil {
		return err
	}
	if s.pos < len(s.doc) {
		return s.refuse(s.pos, "something follows the plist element")
	}
	return nil
}

// The parts of a document that come before its values. In a DOCTYPE, what may
// follow PUBLIC and SYSTEM is what all readers take for a quoted text.
const (
	blank      = `[ \t\r\n]`
	attribute  = `(?:"([^"<>&]+)"|'([^'<>&]+)')`
	identifier = blank + `+(?:"[-'a-zA-Z0-9 ()+,./:=?;!*#@$_%~]*"|'[-a-zA-Z0-9 ()+,./:=?;!*#@$_%~]*')`
)

var (
	declaration = regexp.MustCompile(`^<\?xml` + blank + `+version=` + attribute +
		`(?:` + blank + `+encoding=` + attribute + `)?` +
		`(?:` + blank + `+standalone=(?:"yes"|'yes'|"no"|'no'))?` + blank + `*\?>`)
	doctype = regexp.MustCompile(`^<!DOCTYPE` + blank + `+plist` +
		`(?:` + blank + `+(?:PUBLIC` + identifier + identifier + `|SYSTEM` + identifier + `))?` + blank + `*`)
	version = regexp.MustCompile(`^version=(?:"[0-9.]*"|'[0-9.]*')` + blank + `*`)
)

// prolog reads what may stand before the plist element.
//
// The XML declaration may be missing. Python's plistlib and GNUstep refuse such
// a document, but no reader finds another value in it, launchd takes it, and
// people do write property lists by hand. What stands before a declaration,
// even a newline, makes it malformed XML and is refused.
func (s *scanner) prolog() error {
	s.take(bom)
	if s.atDeclaration() {
		if err := s.declaration(); err != nil {
			return err
		}
	}
	for seen := false; ; seen = true {
		if _, err := s.gap(); err != nil {
			return err
		}
		if !s.at("<!DOCTYPE") {
			return nil
		}
		if seen {
			return s.refuse(s.pos, "second DOCTYPE")
		}
		if err := s.doctype(); err != nil {
			return err
		}
	}
}

// atDeclaration reports whether an XML declaration is next, not a processing
// instruction such as <?xml-stylesheet?>.
func (s *scanner) atDeclaration() bool {
	n := s.pos + len("<?xml")
	return s.at("<?xml") && (n == len(s.doc) || !isNameByte(s.doc[n]))
}

func (s *scanner) declaration() error {
	found := declaration.FindStringSubmatch(s.doc[s.pos:])
	if found == nil {
		return s.refuse(s.pos, "malformed XML declaration")
	}
	version, encoding := found[1]+found[2], found[3]+found[4]
	switch {
	case version != "1.0":
		return s.refuse(s.pos, "XML version %.64q, not 1.0", version)
	case encoding != "" && !strings.EqualFold(encoding, "UTF-8"):
		return s.refuse(s.pos, "encoding %.64q, not UTF-8", encoding)
	}
	s.pos += len(found[0])
	return nil
}

func (s *scanner) doctype() error {
	start := s.pos
	found := doctype.FindString(s.doc[s.pos:])
	s.pos += len(found)
	if found != "" && s.at("[") {
		return s.refuse(s.pos, "DOCTYPE with declarations")
	}
	if found == "" || !s.take(">") {
		return s.refuse(start, "malformed DOCTYPE")
	}
	return nil
}

func (s *scanner) plist() error {
	if s.pos == len(s.doc) {
		return s.refuse(s.pos, "no plist element")
	}
	if _, err := s.markup(); err != nil {
		return err
	}
	start := s.pos
	s.pos++
	if name := s.name(); name != "plist" {
		return s.refuse(start, "the root element is %.64q, not \"plist\"", name)
	}
	if s.blanks() && s.at("version=") {
		found := version.FindString(s.doc[s.pos:])
		if found == "" {
			return s.refuse(start, "malformed plist version")
		}
		s.pos += len(found)
	}
	switch {
	case s.pos < len(s.doc) && isNameByte(s.doc[s.pos]):
		return s.refuse(start, "the plist element has an attribute other than its version")
	case s.take("/>"):
		return s.refuse(start, "empty plist element")
	case !s.take(">"):
		return s.refuse(start, "malformed plist tag")
	}
	return nil
}

func (s *scanner) tree() error {
	t, err := s.tag()
	switch {
	case err != nil:
		return err
	case t.closes && t.name == "plist":
		return s.refuse(t.start, "empty plist element")
	case t.closes:
		return s.refuse(t.start, "</%.64s> without a start tag", t.name)
	case t.name != "dict":
		return s.refuse(t.start, "the root is of type %.64q, not a dict", t.name)
	}
	if err := s.container(t, rootDict); err != nil {
		return err
	}
	if s.label = s.root.find(labelKey); s.label == nil {
		return s.refuse(t.start, "the root dict has no %q", labelKey)
	}
	return nil
}

// container reads what is in a dict or an array, and its end tag. It calls itself
// at most maxDepth levels deep.
func (s *scanner) container(t tag, r role) error {
	if len(s.open) > maxDepth {
		return s.refuse(t.start, "nested deeper than %d levels", maxDepth)
	}
	s.open = append(s.open, t.name)
	defer func() { s.open = s.open[:len(s.open)-1] }()
	d := s.dict(r)
	d.open, d.close = t.span, span{t.end, t.end}
	seen := map[string]bool{}
	for !t.empty {
		next, err := s.tag()
		if err == nil && next.comment.end > 0 {
			d.comment = next.comment
		}
		switch {
		case err != nil:
		case next.closes:
			d.close = next.span
			return s.closes(t.name, next)
		case t.name == "dict":
			err = s.pair(d, next, r, seen)
		case next.name == "key":
			err = s.refuse(next.start, "key in an array")
		default:
			_, err = s.value(next, other, "")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// dict returns the dict to fill in for a role. Only the root and the environment
// are kept.
func (s *scanner) dict(r role) *dict {
	switch r {
	case rootDict:
		return &s.root
	case envDict:
		return &s.env
	}
	return &dict{}
}

func (s *scanner) closes(element string, t tag) error {
	if t.name != element {
		return s.refuse(t.start, "<%s> is closed by </%.64s>", element, t.name)
	}
	return nil
}

func (s *scanner) pair(d *dict, t tag, r role, seen map[string]bool) error {
	name, err := s.key(t, r, seen)
	if err != nil {
		return err
	}
	p := pair{name: name, key: span{t.start, s.pos}}
	v, err := s.tag()
	switch {
	case err != nil:
		return err
	case v.closes && v.name != "dict":
		return s.closes("dict", v)
	case v.closes || v.name == "key":
		return s.refuse(t.start, "key %.64q has no value", name)
	}
	text, err := s.value(v, r.child(name), name)
	if r == envDict && name == s.env.wanted {
		s.found = &text
	}
	p.value = span{v.start, s.pos}
	d.pairs = append(d.pairs, p)
	return err
}

// key reads a key element and returns its value.
func (s *scanner) key(t tag, r role, seen map[string]bool) (string, error) {
	switch {
	case t.name != "key":
		return "", s.refuse(t.start, "value without a key")
	case t.empty:
		return "", s.refuse(t.start, "empty key")
	}
	raw, name, err := s.content(t)
	if err != nil {
		return "", err
	}
	problem := r.keyProblem(name, s.env.wanted, seen)
	if strings.Contains(raw, "\r") {
		problem = "carriage return in a key"
	}
	if problem != "" {
		return "", s.refuse(t.start, "%s", problem)
	}
	return name, nil
}

// value reads an element that is no key, and returns the text of a string.
func (s *scanner) value(t tag, r role, key string) (string, error) {
	if problem := r.typeProblem(key, t.name); problem != "" {
		return "", s.refuse(t.start, "%s", problem)
	}
	if t.name == "dict" || t.name == "array" {
		return "", s.container(t, r)
	}
	text, err := s.leaf(t)
	if err == nil && r == label && text == "" {
		err = s.refuse(t.start, "%q is empty", labelKey)
	}
	return text, err
}

// leaf reads an element that holds no other element.
func (s *scanner) leaf(t tag) (string, error) {
	switch t.name {
	case "true", "false":
		if t.empty || s.take("</"+t.name+">") { // as other XML writers have it
			return "", nil
		}
		return "", s.refuse(t.start, "<%s> is not closed at once", t.name)
	case "string", "integer", "real", "date", "data":
	default:
		return "", s.refuse(t.start, "unknown element %.64q", t.name)
	}
	switch {
	case t.empty && t.name != "string":
		return "", s.refuse(t.start, "empty <%s>", t.name)
	case t.empty:
		return "", nil
	}
	raw, text, err := s.content(t)
	if err != nil {
		return "", err
	}
	if problem := formProblem(t.name, raw); problem != "" {
		return "", s.refuse(t.start, "malformed <%s>, which must be %s", t.name, problem)
	}
	return text, nil
}

// content reads the text of an element and its end tag. It returns the text as it
// is written and as it is meant: references and CDATA resolved, and each line
// ended by LF, as XML wants it.
func (s *scanner) content(t tag) (raw, text string, err error) {
	const cdata = "<![CDATA["
	var b strings.Builder
	for start := s.pos; s.pos < len(s.doc); {
		switch {
		case s.at("&"):
			r, n := reference(s.doc[s.pos:])
			if n == 0 {
				return "", "", s.refuse(s.pos, "malformed or unknown reference")
			}
			b.WriteRune(r)
			s.pos += n
		case s.at(cdata):
			inside, _, ok := strings.Cut(s.doc[s.pos+len(cdata):], "]]>")
			if !ok {
				return "", "", s.refuse(s.pos, "CDATA without an end")
			}
			b.WriteString(lineEnds.Replace(inside))
			s.pos += len(cdata) + len(inside) + len("]]>")
		case s.at("<"):
			return s.doc[start:s.pos], b.String(), s.contentEnd(t)
		case s.at("]]>"):
			return "", "", s.refuse(s.pos, "\"]]>\" outside CDATA")
		default:
			end := len(s.doc)
			if n := strings.IndexAny(s.doc[s.pos+1:], "&<]"); n >= 0 {
				end = s.pos + 1 + n
			}
			b.WriteString(lineEnds.Replace(s.doc[s.pos:end]))
			s.pos = end
		}
	}
	return "", "", s.refuse(t.start, "<%s> without an end", t.name)
}

func (s *scanner) contentEnd(t tag) error {
	switch {
	case s.at("<!--"):
		return s.refuse(s.pos, "comment inside <%s>", t.name)
	case s.at("<?"):
		return s.refuse(s.pos, "processing instruction inside <%s>", t.name)
	}
	closing, err := s.tag()
	switch {
	case err != nil:
		return err
	case !closing.closes:
		return s.refuse(closing.start, "element inside <%s>", t.name)
	}
	return s.closes(t.name, closing)
}

// gap skips white space and comments between elements, and returns where the last
// comment is.
func (s *scanner) gap() (last span, err error) {
	for {
		s.blanks()
		if !s.at("<!--") {
			return last, nil
		}
		last.start = s.pos
		if err := s.comment(); err != nil {
			return span{}, err
		}
		last.end = s.pos
	}
}

// comment reads a comment. Apple's reader looks for the end of <!----> and
// <!--> further on than all others do, so one document would be two.
func (s *scanner) comment() error {
	start := s.pos
	text := s.doc[start+len("<!--"):]
	n := strings.Index(text, "--")
	switch {
	case n == 0 || strings.HasPrefix(text, ">") || strings.HasPrefix(text, "->"):
		return s.refuse(start, "comment that readers end at different places")
	case n < 0:
		return s.refuse(start, "comment without an end")
	case !strings.HasPrefix(text[n:], "-->"):
		return s.refuse(start+len("<!--")+n, "\"--\" inside a comment")
	}
	s.pos += len("<!--") + n + len("-->")
	return nil
}

// markup skips to the next tag and refuses whatever else comes first, but for
// comments. It returns where the last of these is.
func (s *scanner) markup() (comment span, err error) {
	comment, err = s.gap()
	switch {
	case err != nil:
		return span{}, err
	case s.pos == len(s.doc):
		return span{}, s.refuse(s.pos, "unexpected end inside <%s>", s.open[len(s.open)-1])
	case !s.at("<"):
		return span{}, s.refuse(s.pos, "text between elements")
	case s.at("<![CDATA["):
		return span{}, s.refuse(s.pos, "CDATA between elements")
	case s.atDeclaration():
		return span{}, s.refuse(s.pos, "XML declaration that is not at the very start")
	case s.at("<?"):
		return span{}, s.refuse(s.pos, "processing instruction")
	case s.at("<!"):
		return span{}, s.refuse(s.pos, "markup declaration")
	}
	return comment, nil
}

// tag reads the next tag. None may have an attribute.
func (s *scanner) tag() (tag, error) {
	comment, err := s.markup()
	if err != nil {
		return tag{}, err
	}
	t := tag{span: span{start: s.pos}, comment: comment}
	s.pos++
	t.closes = s.take("/")
	t.name = s.name()
	blank := s.blanks()
	t.empty = !t.closes && s.take("/")
	switch {
	case t.name != "" && s.take(">"):
		t.end = s.pos
		return t, nil
	case t.name != "" && blank && !t.empty && s.name() != "":
		return t, s.refuse(t.start, "attribute on <%.64s>", t.name)
	}
	return t, s.refuse(t.start, "malformed tag")
}

func (s *scanner) name() string {
	start := s.pos
	for s.pos < len(s.doc) && isNameByte(s.doc[s.pos]) {
		s.pos++
	}
	return s.doc[start:s.pos]
}

// blanks skips white space and reports whether there was any.
func (s *scanner) blanks() bool {
	start := s.pos
	s.pos = s.skip(s.pos, space)
	return s.pos > start
}

// at reports whether the rest of the document starts with a token.
func (s *scanner) at(token string) bool { return strings.HasPrefix(s.doc[s.pos:], token) }

// take skips a token and reports whether it was there.
func (s *scanner) take(token string) bool {
	if !s.at(token) {
		return false
	}
	s.pos += len(token)
	return true
}
