package main

// row is a line of a table: a mark, if it has one, and what is in the columns.
type row struct {
	mark  mark
	cells []piece
}

// rowOf is a row without a mark or colours.
func rowOf(cells ...string) row {
	var r row
	for _, text := range cells {
		r.cells = append(r.cells, piece{plain, text})
	}
	return r
}

// roomEnough is how wide the columns after the first have to be to stand beside it
// where a table is too wide for the terminal.
const roomEnough = 32

// rows writes aligned columns. On a terminal that is too narrow for them the
// columns after the first stand below each other.
func (t teller) rows(rows []row) { t.table(nil, rows) }

// table has a head for each column.
func (t teller) table(heads []string, rows []row) {
	var lines [][][]piece
	if heads != nil {
		lines = append(lines, headLine(heads))
	}
	for _, r := range rows {
		lines = append(lines, t.cells(r))
	}
	aligned, width := align(lines)
	if t.screen.holds(width) {
		for _, line := range aligned {
			t.screen.write(t.out, line...)
		}
		return
	}
	t.stack(heads, lines[len(lines)-len(rows):])
}

func headLine(heads []string) [][]piece {
	var line [][]piece
	for _, head := range heads {
		line = append(line, []piece{{detail, head}})
	}
	return line
}

// cells are the columns of a row, without the empty ones at its end; the mark is
// a part of the first.
func (t teller) cells(r row) [][]piece {
	n := len(r.cells)
	for n > 1 && r.cells[n-1].text == "" {
		n--
	}
	var line [][]piece
	for _, p := range r.cells[:n] {
		line = append(line, []piece{p})
	}
	if r.mark != (mark{}) {
		line[0] = []piece{t.screen.mark(r.mark), {plain, " "}, r.cells[0]}
	}
	return line
}

// align makes lines of columns, and says how wide the widest is.
func align(lines [][][]piece) (aligned [][]piece, width int) {
	for i, cells := range lines {
		line := []piece{spaces(2)}
		for c, cell := range cells {
			line = append(line, cell...)
			if c < len(cells)-1 {
				line = append(line, spaces(columnWidth(lines, i, c)-widthOf(cell)))
			}
		}
		aligned = append(aligned, line)
		width = max(width, widthOf(line))
	}
	return aligned, width
}

// columnWidth is the width of a column around a line, with the space behind it. As
// with text/tabwriter the last cell of a line is in no column, and a line that
// ends before a column ends that too.
func columnWidth(lines [][][]piece, i, c int) int {
	has := func(i int) bool { return i >= 0 && i < len(lines) && c < len(lines[i])-1 }
	first := i
	for has(first - 1) {
		first--
	}
	width := 0
	for i := first; has(i); i++ {
		width = max(width, widthOf(lines[i][c]))
	}
	return width + 2
}

// stack writes the columns of each line below each other, beside the first one if
// there is room, and else below that too.
func (t teller) stack(heads []string, lines [][][]piece) {
	side := 0
	for _, cells := range lines {
		side = max(side, 2+widthOf(cells[0])+2)
	}
	for _, cells := range lines {
		begin, indent := append([]piece{spaces(2)}, cells[0]...), side
		if len(cells) > 1 && fit(cells[1:], t.screen.width-side) {
			begin = append(begin, spaces(side-widthOf(begin)))
		} else {
			indent = 4
			t.screen.put(t.out, indent, begin...)
			begin = []piece{spaces(indent)}
		}
		for c, cell := range cells[1:] {
			if heads != nil {
				begin = append(begin, piece{detail, heads[c+1] + ": "})
			}
			t.screen.put(t.out, indent, append(begin, cell...)...)
			begin = []piece{spaces(indent)}
		}
	}
}

// fit reports whether cells can stand in so many columns without a word sticking out.
func fit(cells [][]piece, room int) bool {
	for _, cell := range cells {
		for _, word := range words(cell, room) {
			if columns(bare(word.text)) > room {
				return false
			}
		}
	}
	return room >= roomEnough
}
