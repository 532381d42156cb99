package plistfix

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"unicode/utf16"
	"unicode/utf8"

	"howett.net/plist"
)

// The parts of a binary property list, in order: the header, objects, the table
// of their offsets, and the trailer that tells how to read the table.
const (
	header      = "bplist00"
	trailerSize = 32
)

// The types of objects, in the high half of the byte an object starts with.
const (
	typeSimple = 0x0
	typeInt    = 0x1
	typeReal   = 0x2
	typeDate   = 0x3
	typeData   = 0x4
	typeASCII  = 0x5
	typeUTF16  = 0x6
	typeArray  = 0xa
	typeDict   = 0xd
)

// typeNames names the types as XML does.
var typeNames = [16]string{
	typeSimple: "boolean", typeInt: "integer", typeReal: "real", typeDate: "date", typeData: "data",
	typeASCII: "string", typeUTF16: "string", typeArray: "array", typeDict: "dict",
}

// binaryDoc is a binary property list and what its check found.
type binaryDoc struct {
	doc     []byte
	offSize int    // bytes of an offset in the table
	refSize int    // bytes of a reference to an object
	count   int    // of objects
	table   int    // where the table of offsets starts
	top     int    // reference to the root
	single  int    // how much more may be read for the first time
	shared  int    // and how much again
	seen    []bool // which objects have been read, by reference
	path    []int  // where the arrays and dicts start that are being read

	name      string  // the variable that is looked for
	found     *string // its value; nil if it is not set
	hasLabel  bool
	fractions bool // whether there are dates with fractions of a second
}

// object is one object: where it starts, and where its contents do. The size
// counts bytes, or references in arrays, or pairs in dicts.
type object struct {
	at, body, size int
	kind           byte
}

// checkBinary checks a binary document, and looks for the variable called name.
//
// An object may be used more than once, so a small document can unfold to a
// huge one. A flat limit bounds that, and with it the time and memory of all that
// follows: writers let strings and numbers be shared, no more. What is used once
// can take more than the document's size only if objects overlap.
func checkBinary(doc []byte, name string) (document, error) {
	b := &binaryDoc{doc: doc, name: name}
	b.single, b.shared = len(doc), 1<<16
	if err := b.readTrailer(); err != nil {
		return nil, err
	}
	b.seen, b.path = make([]bool, b.count), make([]int, 0, maxDepth)
	root, err := b.object(b.top)
	if err != nil {
		return nil, err
	}
	if root.kind != typeDict {
		return nil, refuseBinary(root.at, "the root is of type %q, not a dict", typeNames[root.kind])
	}
	if err := b.walk(root, rootDict); err != nil {
		return nil, err
	}
	if !b.hasLabel {
		return nil, refuseBinary(root.at, "the root dict has no %q", labelKey)
	}
	return b, nil
}

// readTrailer reads the trailer. Both bounds on the sizes are those of Apple's
// reader.
func (b *binaryDoc) readTrailer() error {
	if len(b.doc) < len(header)+trailerSize {
		return refuseBinary(len(b.doc), "too short for a binary property list")
	}
	if string(b.doc[:len(header)]) != header {
		return refuseBinary(len("bplist"), "binary version %q, not \"00\"", b.doc[len("bplist"):len(header)])
	}
	at := len(b.doc) - trailerSize
	b.offSize, b.refSize = int(b.doc[at+6]), int(b.doc[at+7])
	count := binary.BigEndian.Uint64(b.doc[at+8:])
	root := binary.BigEndian.Uint64(b.doc[at+16:])
	table := binary.BigEndian.Uint64(b.doc[at+24:])
	limit := uint64(at)
	switch {
	case b.offSize < 1 || b.offSize > 8:
		return refuseBinary(at+6, "offsets of %d bytes", b.offSize)
	case b.refSize < 1 || b.refSize > 7: // howett.net/plist does not read 8
		return refuseBinary(at+7, "references of %d bytes", b.refSize)
	case table <= uint64(len(header)) || table >= limit:
		return refuseBinary(at+24, "offset table at %#x is outside the document", table)
	case count == 0 || count > limit || count*uint64(b.offSize) != limit-table:
		return refuseBinary(at+8, "%d objects do not fit the offset table", count)
	case count >= 1<<(8*b.refSize):
		return refuseBinary(at+8, "%d objects are too many for references of %d bytes", count, b.refSize)
	case b.offSize < 8 && table >= 1<<(8*b.offSize):
		return refuseBinary(at+6, "offsets of %d bytes are too small for the document", b.offSize)
	case root >= count:
		return refuseBinary(at+16, "root object %d of %d", root, count)
	}
	b.count, b.table, b.top = int(count), int(table), int(root)
	return nil
}

// number reads an unsigned number of up to 8 bytes. One that does not fit an
// int becomes the largest, which is outside of everything.
func (b *binaryDoc) number(at, size int) int {
	var n [8]byte
	copy(n[8-size:], b.doc[at:at+size])
	return int(min(binary.BigEndian.Uint64(n[:]), math.MaxInt))
}

// object returns an object and takes it off what may be read.
func (b *binaryDoc) object(ref int) (object, error) {
	o, err := b.readObject(ref)
	if err != nil {
		return o, err
	}
	if b.seen[ref] {
		if b.shared -= 1 + o.size; b.shared < 0 {
			return o, refuseBinary(o.at, "objects are shared so often that the document unfolds to more than it may")
		}
		return o, nil
	}
	if b.single -= 1 + o.size; b.single < 0 {
		return o, refuseBinary(o.at, "objects overlap")
	}
	b.seen[ref] = true
	return o, nil
}

// readObject reads the start of an object and makes sure that all of it lies
// before the offset table.
func (b *binaryDoc) readObject(ref int) (object, error) {
	at := b.number(b.table+ref*b.offSize, b.offSize)
	if at < len(header) || at >= b.table {
		return object{}, refuseBinary(b.table+ref*b.offSize, "object %d is outside the document", ref)
	}
	o := object{at: at, body: at + 1, kind: b.doc[at] >> 4}
	low := int(b.doc[at] & 0xf)
	unit := 1 // bytes for each that size counts
	switch {
	case o.kind == typeSimple && (low == 8 || low == 9):
	case o.kind == typeInt && low <= 4, o.kind == typeReal && (low == 2 || low == 3), o.kind == typeDate && low == 3:
		o.size = 1 << low
	case o.kind == typeData, o.kind == typeASCII:
		o.size = low
	case o.kind == typeUTF16:
		o.size, unit = low, 2
	case o.kind == typeArray:
		o.size, unit = low, b.refSize
	case o.kind == typeDict:
		o.size, unit = low, 2*b.refSize
	default:
		return object{}, refuseBinary(at, "object of the unknown type %#02x", b.doc[at])
	}
	if o.kind >= typeData && low == 0xf {
		if err := b.longSize(&o); err != nil {
			return object{}, err
		}
	}
	if o.size > (b.table-o.body)/unit {
		return object{}, refuseBinary(at, "%s reaches beyond the objects", typeNames[o.kind])
	}
	return o, nil
}

// longSize reads the integer that follows when a size is 15 or more.
func (b *binaryDoc) longSize(o *object) error {
	at := o.body
	if at >= b.table || b.doc[at]>>4 != typeInt || b.doc[at]&0xf > 3 || at+1+1<<(b.doc[at]&0xf) > b.table {
		return refuseBinary(o.at, "%s without a size", typeNames[o.kind])
	}
	n := 1 << (b.doc[at] & 0xf)
	o.size, o.body = b.number(at+1, n), at+1+n
	return nil
}

// ref returns the object behind reference number i in an array or dict.
func (b *binaryDoc) ref(o object, i int) (object, error) {
	at := o.body + i*b.refSize
	ref := b.number(at, b.refSize)
	if ref >= b.count {
		return object{}, refuseBinary(at, "reference to object %d of %d", ref, b.count)
	}
	return b.object(ref)
}

// walk checks an object and all that it refers to. It calls itself at most
// maxDepth levels deep.
func (b *binaryDoc) walk(o object, r role) error {
	switch o.kind {
	case typeArray, typeDict:
		return b.container(o, r)
	case typeASCII, typeUTF16:
		_, err := b.text(o)
		return err
	case typeInt:
		if o.size == 16 && binary.BigEndian.Uint64(b.doc[o.body:]) != 0 {
			return refuseBinary(o.at, "integer of more than 64 bits")
		}
	case typeDate:
		return b.date(o)
	}
	return nil
}

func (b *binaryDoc) container(o object, r role) error {
	if slices.Contains(b.path, o.at) {
		return refuseBinary(o.at, "%s that contains itself", typeNames[o.kind])
	}
	if len(b.path) == maxDepth {
		return refuseBinary(o.at, "nested deeper than %d levels", maxDepth)
	}
	b.path = append(b.path, o.at)
	defer func() { b.path = b.path[:len(b.path)-1] }()
	if o.kind == typeDict {
		return b.dict(o, r)
	}
	for i := range o.size {
		v, err := b.ref(o, i)
		if err != nil {
			return err
		}
		if err := b.walk(v, other); err != nil {
			return err
		}
	}
	return nil
}

// dict checks the pairs of a dict: first all keys are stored, then all values.
func (b *binaryDoc) dict(o object, r role) error {
	seen := map[string]bool{}
	for i := range o.size {
		k, err := b.ref(o, i)
		if err != nil {
			return err
		}
		key, err := b.key(k, r, seen)
		if err != nil {
			return err
		}
		v, err := b.ref(o, o.size+i)
		if err != nil {
			return err
		}
		if err := b.pair(key, v, r.child(key)); err != nil {
			return err
		}
	}
	return nil
}

func (b *binaryDoc) key(k object, r role, seen map[string]bool) (string, error) {
	if typeNames[k.kind] != "string" {
		return "", refuseBinary(k.at, "key of type %q", typeNames[k.kind])
	}
	key, err := b.text(k)
	if err != nil {
		return "", err
	}
	if problem := r.keyProblem(key, b.name, seen); problem != "" {
		return "", refuseBinary(k.at, "%s", problem)
	}
	return key, nil
}

func (b *binaryDoc) pair(key string, v object, r role) error {
	if problem := r.typeProblem(key, typeNames[v.kind]); problem != "" {
		return refuseBinary(v.at, "%s", problem)
	}
	if err := b.walk(v, r); err != nil {
		return err
	}
	switch {
	case r == label && v.size == 0:
		return refuseBinary(v.at, "%q is empty", labelKey)
	case r == label:
		b.hasLabel = true
	case r == variable && key == b.name:
		text, err := b.text(v)
		b.found = &text
		return err
	}
	return nil
}

// text returns the value of a string, in UTF-8. Readers disagree about bytes
// above 0x7f in an ASCII string and about lone surrogates, and a NUL would end
// the string for launchd.
func (b *binaryDoc) text(o object) (string, error) {
	if o.kind == typeASCII {
		text := b.doc[o.body : o.body+o.size]
		for i, c := range text {
			if c == 0 || c > 0x7f {
				return "", refuseBinary(o.body+i, "byte %#02x in an ASCII string", c)
			}
		}
		return string(text), nil
	}
	units := make([]uint16, o.size)
	for i := range units {
		units[i] = binary.BigEndian.Uint16(b.doc[o.body+2*i:])
	}
	at, text := o.body, utf16.Decode(units)
	for _, r := range text {
		switch {
		case r == 0:
			return "", refuseBinary(at, "NUL in a string")
		case r == utf8.RuneError && binary.BigEndian.Uint16(b.doc[at:]) != utf8.RuneError:
			return "", refuseBinary(at, "lone surrogate in a string")
		}
		at += 2 * utf16.RuneLen(r)
	}
	return string(text), nil
}

// The dates that every reader knows, in seconds from 2001: the years 1583 to
// 9999.
const (
	firstDate = -13190860800
	lastDate  = 252423993599
)

func (b *binaryDoc) date(o object) error {
	seconds := math.Float64frombits(binary.BigEndian.Uint64(b.doc[o.body:]))
	if !(firstDate <= seconds && seconds <= lastDate) {
		return refuseBinary(o.at, "date out of range")
	}
	b.fractions = b.fractions || seconds != math.Trunc(seconds)
	return nil
}

func (b *binaryDoc) current() *string { return b.found }

// edit has howett.net/plist write the whole document. What else that changes, the
// verification finds, but for the last bits of a date: the library loses them
// when it writes and again when it reads.
func (b *binaryDoc) edit(want *string) (after []byte, err error) {
	defer caught(&err)
	if b.fractions {
		return nil, errors.New("a date with a fraction of a second")
	}
	values, err := decode(b.doc)
	if err != nil {
		return nil, err
	}
	takeVariable(values, b.name)
	if want != nil {
		env, ok := values[envKey].(map[string]any)
		if !ok {
			env = map[string]any{}
			values[envKey] = env
		}
		env[b.name] = *want
	}
	after, err = plist.Marshal(values, plist.BinaryFormat)
	if err != nil {
		return nil, fmt.Errorf("howett.net/plist: %w", err)
	}
	return after, nil
}
