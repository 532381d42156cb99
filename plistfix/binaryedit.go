package plistfix

import (
	"encoding/binary"
	"slices"
	"unicode/utf16"
	"unicode/utf8"
)

// set sets the variable. The environment and the root become new dicts, as the
// old environment may be shared; all else is copied.
func (b *binaryDoc) set(value string) []byte {
	w := newWriter(b)
	root, env := b.dicts()
	if b.variable >= 0 {
		env.values[b.variable] = w.add(stringNode(value))
	} else {
		env.add(w.add(stringNode(b.name)), w.add(stringNode(value)))
	}
	if b.env >= 0 {
		root.values[b.env] = w.add(env.node())
	} else {
		root.add(w.add(stringNode(envKey)), w.add(env.node()))
	}
	return w.document(root)
}

// unset removes the variable, and the environment if that is empty then.
func (b *binaryDoc) unset() []byte {
	w := newWriter(b)
	root, env := b.dicts()
	env.remove(b.variable)
	if len(env.keys) == 0 {
		root.remove(b.env)
	} else {
		root.values[b.env] = w.add(env.node())
	}
	return w.document(root)
}

// pairs are the references in a dict.
type pairs struct{ keys, values []int }

// dicts returns the root and the environment, which is empty if there is none.
func (b *binaryDoc) dicts() (root, env pairs) {
	root = b.pairs(b.top)
	if b.env >= 0 {
		env = b.pairs(root.values[b.env])
	}
	return root, env
}

// pairs returns a copy of the references in a dict.
func (b *binaryDoc) pairs(dict int) pairs {
	o, _ := b.readObject(dict)
	refs := b.refs(o)
	return pairs{slices.Clone(refs[:o.size]), refs[o.size:]} // for keys to grow without running into values
}

// refs returns the references in an array or dict.
func (b *binaryDoc) refs(o object) []int {
	refs := make([]int, 0, (o.end-o.body)/b.refSize)
	for at := o.body; at < o.end; at += b.refSize {
		refs = append(refs, b.number(at, b.refSize))
	}
	return refs
}

func (p *pairs) add(key, value int) {
	p.keys, p.values = append(p.keys, key), append(p.values, value)
}

func (p *pairs) remove(i int) {
	p.keys, p.values = slices.Delete(p.keys, i, i+1), slices.Delete(p.values, i, i+1)
}

func (p *pairs) node() node {
	n := node{bytes: head(typeDict, len(p.keys)), refSize: 8}
	for _, ref := range slices.Concat(p.keys, p.values) {
		n.refs = appendNumber(n.refs, ref, n.refSize)
	}
	return n
}

// node is an object as it is to be written: bytes, then references, which have so
// many bytes each.
type node struct {
	bytes, refs []byte
	refSize     int
}

// next takes the first reference off a node.
func (n *node) next() (ref int, ok bool) {
	if len(n.refs) == 0 {
		return 0, false
	}
	ref, n.refs = number(n.refs[:n.refSize]), n.refs[n.refSize:]
	return ref, true
}

// stringNode is a new string.
func stringNode(text string) node {
	if !slices.ContainsFunc([]byte(text), func(c byte) bool { return c >= utf8.RuneSelf }) {
		return node{bytes: append(head(typeASCII, len(text)), text...)}
	}
	units := utf16.Encode([]rune(text))
	bytes := head(typeUTF16, len(units))
	for _, u := range units {
		bytes = binary.BigEndian.AppendUint16(bytes, u)
	}
	return node{bytes: bytes}
}

// head returns what an object of that type and size starts with.
func head(kind byte, size int) []byte {
	if size < 0xf {
		return []byte{kind<<4 | byte(size)}
	}
	return binary.BigEndian.AppendUint32([]byte{kind<<4 | 0xf, typeInt<<4 | 2}, uint32(size))
}

// writer writes a document out of objects of another, which keep their bytes,
// and new ones. What nothing refers to any more stays behind.
type writer struct {
	from    *binaryDoc
	added   []node // with references from from.count on
	order   []int  // the objects to write
	numbers []int  // where they are in that order, by reference; -1 if nowhere
}

func newWriter(b *binaryDoc) *writer {
	return &writer{from: b, order: make([]int, 0, b.count), numbers: slices.Repeat([]int{-1}, b.count)}
}

// add adds a new object and returns the reference to it.
func (w *writer) add(n node) int {
	w.added, w.numbers = append(w.added, n), append(w.numbers, -1)
	return w.from.count + len(w.added) - 1
}

// node returns an object, new or old.
func (w *writer) node(ref int) node {
	if ref >= w.from.count {
		return w.added[ref-w.from.count]
	}
	o, _ := w.from.readObject(ref) // which the check has read
	if o.kind == typeArray || o.kind == typeDict {
		return node{w.from.doc[o.at:o.body], w.from.doc[o.body:o.end], w.from.refSize}
	}
	return node{bytes: w.from.doc[o.at:o.end]}
}

// reach puts an object and all that it refers to in order, each once. It calls
// itself no deeper than the check did.
func (w *writer) reach(ref int) {
	if w.numbers[ref] >= 0 {
		return
	}
	w.numbers[ref] = len(w.order)
	w.order = append(w.order, ref)
	n := w.node(ref)
	for r, ok := n.next(); ok; r, ok = n.next() {
		w.reach(r)
	}
}

// document writes a whole document.
func (w *writer) document(root pairs) []byte {
	w.reach(w.add(root.node()))
	refSize := sizeOf(len(w.order))
	doc := append(make([]byte, 0, len(w.from.doc)+1024), header...)
	offsets := make([]int, 0, len(w.order))
	for _, ref := range w.order {
		offsets = append(offsets, len(doc))
		n := w.node(ref)
		doc = append(doc, n.bytes...)
		for r, ok := n.next(); ok; r, ok = n.next() {
			doc = appendNumber(doc, w.numbers[r], refSize)
		}
	}
	table := len(doc)
	offSize := sizeOf(table)
	for _, offset := range offsets {
		doc = appendNumber(doc, offset, offSize)
	}
	return appendTrailer(doc, offSize, refSize, len(offsets), table)
}

// appendTrailer appends the trailer of a document whose root comes first.
func appendTrailer(doc []byte, offSize, refSize, count, table int) []byte {
	doc = append(doc, 0, 0, 0, 0, 0, 0, byte(offSize), byte(refSize))
	for _, n := range []int{count, 0, table} {
		doc = appendNumber(doc, n, 8)
	}
	return doc
}

// sizeOf returns the size that writers give a number, of which there are four.
func sizeOf(n int) int {
	size := 1
	for size < 8 && n >= 1<<(8*size) {
		size *= 2
	}
	return size
}

// appendNumber appends n in so many bytes.
func appendNumber(doc []byte, n, size int) []byte {
	for shift := 8 * (size - 1); shift >= 0; shift -= 8 {
		doc = append(doc, byte(uint64(n)>>shift))
	}
	return doc
}
