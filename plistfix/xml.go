package plistfix

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

// span is a range of bytes of the document.
type span struct{ start, end int }

// pair is a key element and its value element in a dict. The zero pair stands
// for none.
type pair struct{ key, value span }

func (p pair) exists() bool { return p.value.end > 0 }

// dict is a dict that an edit may touch: where it stands, and which pairs stand
// where a new one would go.
type dict struct {
	wanted      string // the key that an edit is about
	open, close span   // its tags; close is empty when the dict is self-closed
	count       int    // of its pairs
	sorted      bool   // whether its keys ascend bytewise
	first, last pair
	match       pair // the wanted one
	before      pair // the last whose key is smaller than the wanted one
	after       pair // the first whose key is greater
	comment     span // the last comment that is not inside a pair
}

// add notes the next pair of the dict.
func (d *dict) add(p pair, key []byte) {
	if d.count == 0 {
		d.first = p
	}
	d.count++
	d.last = p
	switch {
	case string(key) == d.wanted:
		d.match = p
	case string(key) < d.wanted:
		d.before = p
	case !d.after.exists():
		d.after = p
	}
}

// layout is what a scan finds out about an XML document.
type layout struct {
	doc       []byte
	root, env dict
	label     pair
	current   string // value of the variable that was asked for
}

// frame is a dict or array that is still open.
type frame struct {
	isDict bool
	role   role
	dict   *dict // for the root and the environment
	start  int
	names  nameSet

	// The key that waits for its value.
	pending bool
	key     span
	name    []byte
}

// element is the type of the frame.
func (f *frame) element() string {
	if f.isDict {
		return "dict"
	}
	return "array"
}

// tag is a start tag, an end tag or, when empty, both in one.
type tag struct {
	span
	name          []byte
	closes, empty bool
}

// scanner reads an XML property list once, from front to back, and accepts
// exactly the profile. It keeps the open elements on a stack of its own, so
// that no document can overflow the program's.
type scanner struct {
	pos   int
	stack []frame
	text  span // the content of the last string or key
	plain bool // whether that content is its own value
	layout
}

// scan checks an XML document and finds the places that an edit of the variable
// called name needs.
func scan(doc []byte, name string) (*layout, error) {
	s := &scanner{stack: make([]frame, 0, 8), layout: layout{doc: doc}}
	s.root.wanted, s.env.wanted = envKey, name
	if err := s.document(); err != nil {
		return nil, err
	}
	return &s.layout, nil
}

// refuse refuses the document for what stands at an offset.
func (s *scanner) refuse(at int, reason string) error {
	return refuseXML(s.doc, at, reason)
}

// fail is refuse for a reason with details.
func (s *scanner) fail(at int, format string, args ...any) error {
	return s.refuse(at, fmt.Sprintf(format, args...))
}

// document reads everything: prolog, plist, its one dict, and what follows.
func (s *scanner) document() error {
	if err := s.prolog(); err != nil {
		return err
	}
	if err := s.plist(); err != nil {
		return err
	}
	if err := s.tree(); err != nil {
		return err
	}
	if !s.label.exists() {
		return s.fail(s.root.open.start, "the root dict has no %q", labelKey)
	}
	t, err := s.tag()
	if err != nil {
		return err
	}
	switch {
	case !t.closes:
		return s.refuse(t.start, "more than one value in the plist element")
	case string(t.name) != "plist":
		return s.stray(t)
	}
	if err := s.gap(); err != nil {
		return err
	}
	if s.pos < len(s.doc) {
		return s.refuse(s.pos, "something follows the plist element")
	}
	return nil
}

// stray refuses an end tag that closes nothing.
func (s *scanner) stray(t tag) error {
	return s.fail(t.start, "</%.64s> without a start tag", t.name)
}

// prolog reads what may stand before the plist element.
//
// The XML declaration may be missing. Python's plistlib and GNUstep refuse such
// a document, but no reader finds another value in it, launchd takes it, and
// people do write property lists by hand. What stands before a declaration,
// even a newline, makes it malformed XML and is refused.
func (s *scanner) prolog() error {
	if bytes.HasPrefix(s.doc, bom) {
		s.pos = len(bom)
	}
	if s.atDeclaration() {
		if err := s.declaration(); err != nil {
			return err
		}
	}
	for seen := false; ; seen = true {
		if err := s.gap(); err != nil {
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

// declaration reads <?xml version="1.0" encoding="UTF-8"?>.
func (s *scanner) declaration() error {
	start := s.pos
	s.pos += len("<?xml")
	order := []string{"version", "encoding", "standalone"}
	for n := 0; ; {
		blank := s.blanks()
		if n > 0 && s.take("?>") {
			return nil
		}
		name, value, ok := s.attribute()
		for n > 0 && n < len(order) && string(name) != order[n] {
			n++
		}
		if !blank || !ok || n == len(order) || string(name) != order[n] {
			return s.refuse(start, "malformed XML declaration")
		}
		n++
		switch {
		case string(name) == "version" && string(value) != "1.0":
			return s.fail(start, "XML version %.64q, not 1.0", value)
		case string(name) == "encoding" && !bytes.EqualFold(value, []byte("UTF-8")):
			return s.fail(start, "encoding %.64q, not UTF-8", value)
		case string(name) == "standalone" && string(value) != "yes" && string(value) != "no":
			return s.refuse(start, "malformed XML declaration")
		}
	}
}

// attribute reads name="value" or name='value'.
func (s *scanner) attribute() (name, value []byte, ok bool) {
	name = s.name()
	if !s.take("=") {
		return nil, nil, false
	}
	value, ok = s.quoted()
	return name, value, ok && !bytes.ContainsAny(value, "<>&")
}

// quoted reads a quoted text, which may not contain its own quote.
func (s *scanner) quoted() ([]byte, bool) {
	if s.pos == len(s.doc) || s.doc[s.pos] != '"' && s.doc[s.pos] != '\'' {
		return nil, false
	}
	n := bytes.IndexByte(s.doc[s.pos+1:], s.doc[s.pos])
	if n < 0 {
		return nil, false
	}
	text := s.doc[s.pos+1 : s.pos+1+n]
	s.pos += n + 2
	return text, true
}

// doctype reads <!DOCTYPE plist>, with or without PUBLIC or SYSTEM identifiers.
func (s *scanner) doctype() error {
	start := s.pos
	s.pos += len("<!DOCTYPE")
	blank := s.blanks()
	ok := blank && string(s.name()) == "plist"
	if ok && s.blanks() {
		switch {
		case s.take("PUBLIC"):
			ok = s.identifiers(2)
		case s.take("SYSTEM"):
			ok = s.identifiers(1)
		}
		s.blanks()
	}
	if s.at("[") {
		return s.refuse(s.pos, "DOCTYPE with declarations")
	}
	if !ok || !s.take(">") {
		return s.refuse(start, "malformed DOCTYPE")
	}
	return nil
}

// identifiers reads the quoted identifiers of a DOCTYPE, with blanks before each.
func (s *scanner) identifiers(n int) bool {
	for range n {
		if !s.identifier() {
			return false
		}
	}
	return true
}

// identifier reads blanks and one quoted identifier.
func (s *scanner) identifier() bool {
	if !s.blanks() {
		return false
	}
	text, ok := s.quoted()
	for _, c := range text {
		ok = ok && (isLetter(c) || isDigit(c) || strings.IndexByte(" -'()+,./:=?;!*#@$_%~", c) >= 0)
	}
	return ok
}

// plist reads the start tag of the plist element.
func (s *scanner) plist() error {
	if s.pos == len(s.doc) {
		return s.refuse(s.pos, "no plist element")
	}
	if err := s.markup(); err != nil {
		return err
	}
	start := s.pos
	s.pos++
	if name := s.name(); string(name) != "plist" {
		return s.fail(start, "the root element is %.64q, not \"plist\"", name)
	}
	if s.blanks() && s.at("version=") {
		if _, value, ok := s.attribute(); !ok || len(bytes.Trim(value, ".0123456789")) > 0 {
			return s.refuse(start, "malformed plist version")
		}
		s.blanks()
	}
	if s.pos < len(s.doc) && isNameByte(s.doc[s.pos]) {
		return s.refuse(start, "the plist element has an attribute other than its version")
	}
	if s.take("/>") {
		return s.refuse(start, "empty plist element")
	}
	if !s.take(">") {
		return s.refuse(start, "malformed plist tag")
	}
	return nil
}

// tree reads the root dict.
func (s *scanner) tree() error {
	t, err := s.tag()
	if err != nil {
		return err
	}
	switch {
	case t.closes && string(t.name) == "plist":
		return s.refuse(t.start, "empty plist element")
	case t.closes:
		return s.stray(t)
	case string(t.name) != "dict":
		return s.fail(t.start, "the root is of type %.64q, not a dict", t.name)
	}
	err = s.push(t, rootDict)
	for err == nil && len(s.stack) > 0 {
		f := s.top()
		if t, err = s.tag(); err != nil {
			return err
		}
		switch {
		case t.closes:
			err = s.endTag(f, t)
		case string(t.name) == "key":
			err = s.key(f, t)
		default:
			err = s.value(f, t)
		}
	}
	return err
}

func (s *scanner) top() *frame { return &s.stack[len(s.stack)-1] }

// push opens a dict or array, and closes it if its tag is empty.
func (s *scanner) push(t tag, r role) error {
	if len(s.stack) == maxDepth {
		return s.fail(t.start, "nested deeper than %d levels", maxDepth)
	}
	if len(s.stack) < cap(s.stack) {
		s.stack = s.stack[:len(s.stack)+1]
	} else {
		s.stack = append(s.stack, frame{})
	}
	f := s.top()
	names := f.names // whose memory serves again
	names.reset()
	*f = frame{isDict: string(t.name) == "dict", role: r, start: t.start, names: names}
	switch r {
	case rootDict:
		f.dict = &s.root
	case envDict:
		f.dict = &s.env
	}
	if f.dict != nil {
		f.dict.open = t.span
	}
	if t.empty {
		s.pop(span{t.span.end, t.span.end})
	}
	return nil
}

// endTag closes the innermost dict or array.
func (s *scanner) endTag(f *frame, t tag) error {
	if string(t.name) != f.element() {
		return s.fail(t.start, "<%s> is closed by </%.64s>", f.element(), t.name)
	}
	if f.pending {
		return s.fail(f.key.start, "key %.64q has no value", f.name)
	}
	s.pop(t.span)
	return nil
}

// pop takes the innermost dict or array off the stack. It is complete.
func (s *scanner) pop(closing span) {
	f := s.top()
	if f.dict != nil {
		f.dict.close = closing
		f.dict.sorted = f.names.sorted()
	}
	value := span{f.start, closing.end}
	s.stack = s.stack[:len(s.stack)-1]
	if len(s.stack) > 0 {
		s.complete(s.top(), value)
	}
}

// key reads a key element.
func (s *scanner) key(f *frame, t tag) error {
	switch {
	case !f.isDict:
		return s.refuse(t.start, "key in an array")
	case f.pending:
		return s.fail(f.key.start, "key %.64q has no value", f.name)
	case t.empty:
		return s.refuse(t.start, "empty key")
	}
	if err := s.content(t); err != nil {
		return err
	}
	f.pending, f.key = true, span{t.start, s.pos}
	f.name = s.doc[s.text.start:s.text.end]
	if !s.plain {
		if bytes.IndexByte(f.name, '\r') >= 0 {
			return s.refuse(t.start, "carriage return in a key")
		}
		f.name = unescape(f.name)
	}
	if problem := f.role.keyProblem(f.name, s.env.wanted); problem != "" {
		return s.refuse(t.start, problem)
	}
	if !f.names.add(f.name) {
		return s.fail(t.start, "duplicate key %.64q", f.name)
	}
	return nil
}

// value reads an element that is no key: all of a leaf, the start tag of a dict
// or array.
func (s *scanner) value(f *frame, t tag) error {
	if f.isDict && !f.pending {
		return s.refuse(t.start, "value without a key")
	}
	r := f.role.child(f.name)
	if r != other && isElement(t.name) {
		if problem := r.typeProblem(f.name, string(t.name)); problem != "" {
			return s.refuse(t.start, problem)
		}
	}
	if string(t.name) == "dict" || string(t.name) == "array" {
		return s.push(t, r)
	}
	if err := s.leaf(t); err != nil {
		return err
	}
	if r == label && len(s.textValue()) == 0 {
		return s.fail(t.start, "%q is empty", labelKey)
	}
	s.complete(f, span{t.start, s.pos})
	return nil
}

// complete notes that a value in f has been read to its end.
func (s *scanner) complete(f *frame, value span) {
	if !f.isDict {
		return
	}
	p := pair{f.key, value}
	switch r := f.role.child(f.name); {
	case r == label:
		s.label = p
	case r == variable && string(f.name) == s.env.wanted:
		s.current = string(s.textValue())
	}
	if f.dict != nil {
		f.dict.add(p, f.name)
	}
	f.pending = false
}

// isElement reports whether a property list knows values of that name.
func isElement(name []byte) bool {
	switch string(name) {
	case "string", "integer", "real", "date", "data", "true", "false", "dict", "array":
		return true
	}
	return false
}

// leaf reads an element that holds no other element.
func (s *scanner) leaf(t tag) error {
	isBool := string(t.name) == "true" || string(t.name) == "false"
	isString := string(t.name) == "string"
	switch {
	case !isElement(t.name):
		return s.fail(t.start, "unknown element %.64q", t.name)
	case isBool && !t.empty:
		return s.fail(t.start, "<%s> is not closed in its own tag", t.name)
	case isBool:
		return nil
	case isString && t.empty:
		s.text, s.plain = span{s.pos, s.pos}, true
		return nil
	case t.empty:
		return s.fail(t.start, "empty <%s>", t.name)
	}
	if err := s.content(t); err != nil {
		return err
	}
	if isString {
		return nil
	}
	if problem := formProblem(t.name, s.doc[s.text.start:s.text.end]); problem != "" {
		return s.fail(t.start, "malformed <%s>, which must be %s", t.name, problem)
	}
	return nil
}

// content reads the text of an element and its end tag.
func (s *scanner) content(t tag) error {
	s.text, s.plain = span{s.pos, s.pos}, true
	for s.pos < len(s.doc) {
		switch c := s.doc[s.pos]; {
		case isPlain(c):
			s.pos++
		case c == '&':
			n := referenceLength(s.doc[s.pos:])
			if n == 0 {
				return s.refuse(s.pos, "malformed or unknown reference")
			}
			s.pos += n
			s.plain = false
		case c == '<' && s.at("<![CDATA["):
			n := bytes.Index(s.doc[s.pos:], []byte("]]>"))
			if n < 0 {
				return s.refuse(s.pos, "CDATA without an end")
			}
			if err := s.legal(s.pos + n); err != nil {
				return err
			}
			s.pos += n + len("]]>")
			s.plain = false
		case c == '<':
			s.text.end = s.pos
			return s.contentEnd(t)
		case c == ']' && s.at("]]>"):
			return s.refuse(s.pos, "\"]]>\" outside CDATA")
		default:
			n := character(s.doc[s.pos:])
			if n == 0 {
				return s.refuse(s.pos, illegalReason(s.doc[s.pos:]))
			}
			s.plain = s.plain && c != '\r'
			s.pos += n
		}
	}
	return s.fail(t.start, "<%s> without an end", t.name)
}

// legal refuses the first character that XML does not allow between here and
// there.
func (s *scanner) legal(end int) error {
	text := s.doc[s.pos:end]
	if at := illegal(text); at >= 0 {
		return s.refuse(s.pos+at, illegalReason(text[at:]))
	}
	return nil
}

// contentEnd reads the end tag of a leaf.
func (s *scanner) contentEnd(t tag) error {
	if end := s.pos + len("</") + len(t.name); s.at("</") && end < len(s.doc) && s.doc[end] == '>' &&
		string(s.doc[s.pos+len("</"):end]) == string(t.name) {
		s.pos = end + 1 // the one way to write it but for blanks
		return nil
	}
	for _, inside := range []struct{ start, what string }{{"<!--", "comment"}, {"<?", "processing instruction"}} {
		if s.at(inside.start) {
			return s.fail(s.pos, "%s inside <%s>", inside.what, t.name)
		}
	}
	closing, err := s.tag()
	switch {
	case err != nil:
		return err
	case !closing.closes:
		return s.fail(closing.start, "element inside <%s>", t.name)
	case !bytes.Equal(closing.name, t.name):
		return s.fail(closing.start, "<%s> is closed by </%.64s>", t.name, closing.name)
	}
	return nil
}

// textValue returns the value of the last string.
func (s *scanner) textValue() []byte {
	text := s.doc[s.text.start:s.text.end]
	if s.plain {
		return text
	}
	return unescape(text)
}

// gap skips white space and comments between elements.
func (s *scanner) gap() error {
	for {
		s.blanks()
		if !s.at("<!--") {
			return nil
		}
		start := s.pos
		if err := s.comment(); err != nil {
			return err
		}
		if len(s.stack) == 0 {
			continue
		}
		if f := s.top(); f.dict != nil && !f.pending {
			f.dict.comment = span{start, s.pos}
		}
	}
}

// comment reads a comment. Apple's reader looks for the end of <!----> and
// <!--> further on than all others do, so one document would be two.
func (s *scanner) comment() error {
	start := s.pos
	text := s.doc[start+len("<!--"):]
	n := bytes.Index(text, []byte("--"))
	switch {
	case n == 0 || bytes.HasPrefix(text, []byte(">")) || bytes.HasPrefix(text, []byte("->")):
		return s.refuse(start, "comment that readers end at different places")
	case n < 0:
		return s.refuse(start, "comment without an end")
	case !bytes.HasPrefix(text[n:], []byte("-->")):
		return s.refuse(start+len("<!--")+n, "\"--\" inside a comment")
	}
	if err := s.legal(start + len("<!--") + n); err != nil {
		return err
	}
	s.pos += len("<!--") + n + len("-->")
	return nil
}

// inside names the innermost element that is open.
func (s *scanner) inside() string {
	if len(s.stack) == 0 {
		return "plist"
	}
	return s.top().element()
}

// markup skips to the next tag and refuses whatever else comes first.
func (s *scanner) markup() error {
	if err := s.gap(); err != nil {
		return err
	}
	switch {
	case s.pos == len(s.doc):
		return s.fail(s.pos, "unexpected end inside <%s>", s.inside())
	case character(s.doc[s.pos:]) == 0:
		return s.refuse(s.pos, illegalReason(s.doc[s.pos:]))
	case s.doc[s.pos] != '<':
		return s.refuse(s.pos, "text between elements")
	case !s.at("<!") && !s.at("<?"):
		return nil // a tag, which is all that most documents hold
	case s.at("<![CDATA["):
		return s.refuse(s.pos, "CDATA between elements")
	case s.atDeclaration():
		return s.refuse(s.pos, "XML declaration that is not at the very start")
	case s.at("<?"):
		return s.refuse(s.pos, "processing instruction")
	case s.at("<!"):
		return s.refuse(s.pos, "markup declaration")
	}
	return nil
}

// tag reads the next tag. None may have an attribute.
func (s *scanner) tag() (tag, error) {
	if err := s.markup(); err != nil {
		return tag{}, err
	}
	t := tag{span: span{start: s.pos}}
	s.pos++
	t.closes = s.take("/")
	t.name = s.name()
	blank := s.blanks()
	t.empty = !t.closes && s.take("/")
	switch {
	case len(t.name) > 0 && s.take(">"):
		t.span.end = s.pos
		return t, nil
	case len(t.name) > 0 && blank && !t.empty && len(s.name()) > 0:
		return t, s.fail(t.start, "attribute on <%.64s>", t.name)
	}
	return t, s.refuse(t.start, "malformed tag")
}

// name reads the name of an element or attribute.
func (s *scanner) name() []byte {
	start := s.pos
	for s.pos < len(s.doc) && isNameByte(s.doc[s.pos]) {
		s.pos++
	}
	return s.doc[start:s.pos]
}

// blanks skips white space and reports whether there was any.
func (s *scanner) blanks() bool {
	start := s.pos
	for s.pos < len(s.doc) && isSpace(s.doc[s.pos]) {
		s.pos++
	}
	return s.pos > start
}

// at reports whether the rest of the document starts with a token.
func (s *scanner) at(token string) bool {
	return len(s.doc)-s.pos >= len(token) && string(s.doc[s.pos:s.pos+len(token)]) == token
}

// take skips a token and reports whether it was there.
func (s *scanner) take(token string) bool {
	if !s.at(token) {
		return false
	}
	s.pos += len(token)
	return true
}

// isPlain reports whether a byte of text stands for itself, whatever is beside it.
func isPlain(c byte) bool {
	return ' ' <= c && c < utf8.RuneSelf && c != '&' && c != '<' && c != ']' || c == '\t' || c == '\n'
}

func isSpace(c byte) bool  { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }
func isBreak(c byte) bool  { return c == '\n' || c == '\r' }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

func isNameByte(c byte) bool {
	return isLetter(c) || isDigit(c) || c == ':' || c == '_' || c == '-' || c == '.' || c >= utf8.RuneSelf
}
