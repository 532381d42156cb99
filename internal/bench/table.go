package main

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// table is one of the tables, as text.
type table struct {
	head  []string
	rows  [][]string
	notes []string // what stands below it
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// markdown lays tables out. The first column is text, the others mostly figures.
func markdown(tables []table) string {
	var b strings.Builder
	for _, t := range tables {
		b.WriteString("\n| " + strings.Join(t.head, " | ") + " |\n|---" + strings.Repeat("|--:", len(t.head)-1) + "|\n")
		for _, row := range t.rows {
			b.WriteString("| " + strings.Join(row, " | ") + " |\n")
		}
		for _, note := range t.notes {
			b.WriteString("\n" + note + "\n")
		}
	}
	return b.String()
}

// The tables stand between these lines of the page.
const begin, end = "<!-- tables -->\n", "<!-- end of tables -->\n"

// write puts the tables where the last ones were.
func write(page, tables string) error {
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	replaced, ok := between(string(text), tables)
	if !ok {
		return fmt.Errorf("%s has no place for the tables", page)
	}
	return os.WriteFile(page, []byte(replaced), 0o644)
}

// between replaces what stands between the markers.
func between(page, tables string) (replaced string, ok bool) {
	before, rest, ok := strings.Cut(page, begin)
	_, after, ok2 := strings.Cut(rest, end)
	return before + begin + "\n" + tables + "\n" + end + after, ok && ok2
}

const notHere = "not here"

// times is a ratio in words.
func times(ratio float64) string {
	switch {
	case ratio < 0.01:
		return fmt.Sprintf("%.4f", ratio)
	case ratio < 10:
		return fmt.Sprintf("%.2f", ratio)
	}
	return fmt.Sprintf("%.0f", ratio)
}

// atMost is a limit on a figure, and whether it is kept.
func atMost(got, most float64, unit string) string {
	return fmt.Sprintf("at most %g%s: %s", most, unit, verdict(got <= most))
}

func verdict(kept bool) string {
	if kept {
		return "ok"
	}
	return "MISSED"
}

// span is a duration in a unit that suits it.
func span(d time.Duration) string {
	switch s := d.Seconds(); {
	case s < 1e-3:
		return fmt.Sprintf("%.1f µs", s*1e6)
	case s < 1:
		return fmt.Sprintf("%.1f ms", s*1e3)
	default:
		return fmt.Sprintf("%.2f s", s)
	}
}

// weight is a number of bytes in a unit that suits it.
func weight(bytes float64) string {
	switch {
	case bytes < 1e3:
		return fmt.Sprintf("%.0f B", bytes)
	case bytes < 999.95e3:
		return fmt.Sprintf("%.1f KB", bytes/1e3)
	case bytes < 999.95e6:
		return fmt.Sprintf("%.1f MB", bytes/1e6)
	default:
		return fmt.Sprintf("%.1f GB", bytes/1e9)
	}
}
