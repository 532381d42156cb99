// Bench measures ollama-bind against other ways to the same end, and against what
// cannot be done without. What it prints are ratios of medians from one run, both
// sides by turns, each beside the limit that is wanted.
//
//	make bench
//	go run ./internal/bench -quick -tables outage,doctor
//
// Like the demo it uses a Mac in a folder, touches nothing outside of a temporary
// one, and leaves nothing behind.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/ollama-bind/ollama-bind/internal/sandbox"
)

// chapters are the tables, by the names that -tables takes.
var chapters = []struct {
	name  string
	title string
	run   func(*lab) ([]table, error)
}{
	{"patch", "The patch", patch},
	{"process", "The whole process", process},
	{"outage", "The outage", outages},
	{"doctor", "Doctor", doctor},
	{"size", "The binary", size},
}

func main() {
	playPart()
	sandbox.Main()
	quick := flag.Bool("quick", false, "fewer runs: a look, and nothing to quote")
	only := flag.String("tables", "", "only these tables, with commas between: "+strings.Join(names(), ", "))
	page := flag.String("write", "", "write the tables into this file, between its markers")
	flag.Parse()
	ctx, stop := sandbox.Interruptible()
	defer stop()
	err := run(ctx, *quick, *only, *page)
	if ctx.Err() != nil {
		err = errors.New("interrupted; everything is cleaned up")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func names() []string {
	var all []string
	for _, c := range chapters {
		all = append(all, c.name)
	}
	return all
}

func run(ctx context.Context, quick bool, only, page string) error {
	wanted, err := choose(only)
	if err != nil {
		return err
	}
	if page != "" && (quick || only != "") {
		return errors.New("-write takes whole runs only: leave out -quick and -tables")
	}
	l, err := open(ctx, quick)
	if err != nil {
		return err
	}
	defer l.close()
	text := machine() + "\n"
	if quick {
		text += "\nA quick run: too few to quote.\n"
	}
	fmt.Print(text)
	for _, c := range chapters {
		if !slices.Contains(wanted, c.name) {
			continue
		}
		fmt.Fprintf(os.Stderr, "bench: measuring: %s\n", c.name)
		tables, err := c.run(l)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		part := "\n### " + c.title + "\n" + markdown(tables)
		fmt.Print(part)
		text += part
	}
	if page == "" {
		return nil
	}
	return write(page, text)
}

// choose reads -tables. Nothing means all.
func choose(only string) ([]string, error) {
	if only == "" {
		return names(), nil
	}
	wanted := strings.Split(only, ",")
	for _, name := range wanted {
		if !slices.Contains(names(), name) {
			return nil, fmt.Errorf("there is no table %q; there are %s", name, strings.Join(names(), ", "))
		}
	}
	return wanted, nil
}
