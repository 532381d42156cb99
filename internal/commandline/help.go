package commandline

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// Help is what cli does not know for its help.
type Help struct {
	// Examples are command lines and what they do, by command; "" is the program.
	Examples map[string][][2]string
	// Exits are those of a command; "" stands for all of them.
	Exits func(command string) []Exit
}

// Exit is one way for a command to end.
type Exit struct {
	Code  int
	Means string
}

// Print is a cli.HelpPrinter.
func (h Help) Print(w io.Writer, _ string, of any) {
	text := ""
	switch of := of.(type) {
	case *cli.App:
		text = h.Program(of)
	case *cli.Command:
		text = h.Command(of)
	}
	_, _ = io.WriteString(w, text) // w remembers an error
}

// Program is the help on the program.
func (h Help) Program(app *cli.App) string {
	var p page
	p.line(0, app.Name+" - "+app.Usage)
	p.head("USAGE")
	p.line(margin, app.Name+" COMMAND [OPTIONS]")
	p.head("COMMANDS")
	for _, c := range app.Commands {
		p.item(c.Name, c.Usage)
	}
	p.item("help", "show the help for a command")
	p.options([]cli.Flag{cli.HelpFlag, cli.VersionFlag})
	h.end(&p, "")
	return p.String()
}

// Command is the help on a command.
func (h Help) Command(c *cli.Command) string {
	var p page
	p.fold(0, c.HelpName+" - "+c.Usage)
	p.head("USAGE")
	p.line(margin, strings.Join(strings.Fields(strings.Join([]string{c.HelpName, "[OPTIONS]", c.ArgsUsage}, " ")), " "))
	if c.Description != "" {
		p.head("DESCRIPTION")
		p.paragraphs(c.Description)
	}
	own := slices.DeleteFunc(slices.Clone(c.Flags), func(f cli.Flag) bool { return f == cli.HelpFlag })
	p.options(append(own, cli.HelpFlag))
	h.end(&p, c.Name)
	return p.String()
}

const (
	width  = 80
	margin = 3
	column = 26 // where the text of an item begins
)

// page builds help text, folded.
type page struct{ strings.Builder }

func (p *page) line(indent int, text string) {
	p.WriteString(strings.TrimRight(strings.Repeat(" ", indent)+text, " ") + "\n")
}

func (p *page) head(text string) { p.line(0, "\n"+text+":") }

func (p *page) fold(indent int, text string) {
	for _, line := range folded(text, width-indent) {
		p.line(indent, line)
	}
}

// paragraphs folds text, and keeps lines that begin with a blank.
func (p *page) paragraphs(text string) {
	var words string
	for line := range strings.Lines(text + "\n\n") {
		line = strings.TrimRight(line, "\n")
		if line != "" && line[0] != ' ' {
			words += line + " "
			continue
		}
		if words != "" {
			p.fold(margin, words)
		}
		words = ""
		p.line(margin, line)
	}
	kept := strings.TrimRight(p.String(), "\n")
	p.Reset()
	p.WriteString(kept + "\n")
}

// item is a name and, beside or below it, what it is.
func (p *page) item(label, text string) {
	lines := folded(text, width-column)
	if len(label) > column-margin-2 {
		p.line(margin, label)
	} else {
		p.line(margin, fmt.Sprintf("%-*s%s", column-margin, label, lines[0]))
		lines = lines[1:]
	}
	for _, line := range lines {
		p.line(column, line)
	}
}

func (p *page) options(flags []cli.Flag) {
	p.head("OPTIONS")
	for _, flag := range flags {
		o := NewOption(flag)
		label := "    --" + o.Long
		if o.Short != "" {
			label = "-" + o.Short + ", --" + o.Long
		}
		usage := o.Usage
		if o.Default != "" {
			usage += "; the default is " + o.Default
		}
		p.item(strings.TrimRight(label+" "+o.Argument, " "), usage)
	}
}

// end writes examples and exit codes; "" stands for the program itself.
func (h Help) end(p *page, command string) {
	if len(h.Examples[command]) > 0 {
		p.head("EXAMPLES")
	}
	longest := 0
	for _, e := range h.Examples[command] {
		longest = max(longest, len(e[0]))
	}
	for _, e := range h.Examples[command] {
		p.line(margin, fmt.Sprintf("%-*s   # %s", longest, e[0], e[1]))
	}
	p.head("EXIT STATUS")
	for _, e := range h.Exits(command) {
		lines := folded(e.Means, width-margin-6)
		p.line(margin, fmt.Sprintf("%-6d%s", e.Code, lines[0]))
		for _, line := range lines[1:] {
			p.line(margin+6, line)
		}
	}
}

// folded breaks text into lines of at most width characters.
func folded(text string, width int) (lines []string) {
	line := ""
	for _, word := range strings.Fields(text) {
		switch longer := strings.TrimSpace(line + " " + word); {
		case len(longer) <= width || line == "":
			line = longer
		default:
			lines = append(lines, line)
			line = word
		}
	}
	return append(lines, line)
}

// Option describes a flag. Without an argument it is a switch.
type Option struct {
	Long, Short, Usage, Argument, Default string
	Again                                 bool // it can be given again
}

// NewOption reads what cli knows of a flag.
func NewOption(flag cli.Flag) Option {
	doc, names := flag.(cli.DocGenerationFlag), append(flag.Names(), "")
	usage := strings.Split(doc.GetUsage(), "`")
	o := Option{Long: names[0], Short: names[1], Usage: strings.Join(usage, ""), Again: isList(flag)}
	if doc.TakesValue() {
		o.Argument, o.Default = cmp.Or(usage[1], "VALUE"), strings.Trim(doc.GetValue(), `"`)
	}
	return o
}
