//go:build !windows

package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// firstSteps is what the bare program name prints.
const firstSteps = `ollama-bind makes the Ollama on this Mac reachable from containers.

   status     show where the address is set, and who listens
   probe      ask from inside your containers whether they reach Ollama
   fix        make Ollama listen on all interfaces, prove it, keep a backup
   rollback   put back what was there before
   doctor     check everything between OLLAMA_HOST and a container

Everything else is in ollama-bind --help. To begin with, have a look:
   ollama-bind status
`

// example is a command line and what it does.
type example struct{ line, why string }

var examples = map[string][]example{
	"": {
		{"ollama-bind probe", "is there anything to fix?"},
		{"ollama-bind fix --dry-run", "see the change first"},
		{"ollama-bind fix", "make it"},
		{"ollama-bind rollback", "take it back"},
	},
	"fix": {
		{"ollama-bind fix --dry-run", "see the change first"},
		{"ollama-bind fix", "listen on all interfaces, port 11434"},
		{"ollama-bind fix --host 192.168.1.10", "on one address only"},
		{"ollama-bind fix --no-restart", "take effect at Ollama's next start"},
	},
	"status": {
		{"ollama-bind status", "have a look"},
		{"ollama-bind status --json | jq .advice", "for scripts"},
	},
	"rollback": {
		{"ollama-bind rollback", "back to before the first fix"},
		{"ollama-bind rollback --list", "see the backups"},
	},
	"doctor": {
		{"ollama-bind doctor", "the whole report"},
		{"ollama-bind doctor --container open-webui", "and what that container sees"},
		{"ollama-bind doctor --check listeners", "one check only"},
	},
	"probe": {
		{"ollama-bind probe", "all that use Ollama"},
		{"ollama-bind probe --container open-webui", "one container"},
		{"ollama-bind probe --url http://192.168.1.10:11434", "another URL"},
	},
	"url": {
		{"export OLLAMA_BASE_URL=$(ollama-bind url)", "for a script"},
		{"ollama-bind url --runtime docker", "without asking the runtime"},
	},
	"version": {
		{"ollama-bind version --json", "for scripts"},
	},
}

func init() {
	cli.HelpPrinter = func(w io.Writer, _ string, of any) {
		text := ""
		switch of := of.(type) {
		case *cli.App:
			text = programHelp(of.Commands)
		case *cli.Command:
			text = commandHelp(of)
		}
		_, _ = io.WriteString(w, text) // w remembers an error
	}
}

func programHelp(commands []*cli.Command) string {
	var p page
	p.line(0, name+" - make the Ollama on this Mac reachable from containers")
	p.head("USAGE")
	p.line(margin, name+" COMMAND [OPTIONS]")
	p.head("COMMANDS")
	for _, c := range commands {
		p.item(c.Name, c.Usage)
	}
	p.item("help", "show the help for a command")
	p.options([]cli.Flag{cli.HelpFlag, cli.VersionFlag})
	p.end("")
	return p.String()
}

func commandHelp(c *cli.Command) string {
	var p page
	p.fold(0, fmt.Sprintf("%s %s - %s", name, c.Name, c.Usage))
	p.head("USAGE")
	p.line(margin, strings.Join(strings.Fields(strings.Join([]string{name, c.Name, "[OPTIONS]", c.ArgsUsage}, " ")), " "))
	if c.Description != "" {
		p.head("DESCRIPTION")
		p.paragraphs(c.Description)
	}
	own := slices.DeleteFunc(slices.Clone(c.Flags), func(f cli.Flag) bool { return f == cli.HelpFlag })
	p.options(append(own, cli.HelpFlag))
	p.end(c.Name)
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
		o := newOption(flag)
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
func (p *page) end(command string) {
	if len(examples[command]) > 0 {
		p.head("EXAMPLES")
	}
	longest := 0
	for _, e := range examples[command] {
		longest = max(longest, len(e.line))
	}
	for _, e := range examples[command] {
		p.line(margin, fmt.Sprintf("%-*s   # %s", longest, e.line, e.why))
	}
	p.head("EXIT STATUS")
	for _, e := range exitsOf(command) {
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

// option describes a flag. Without an argument it is a switch.
type option struct {
	Long, Short, Usage, Argument, Default string
}

func newOption(flag cli.Flag) option {
	doc, names := flag.(cli.DocGenerationFlag), append(flag.Names(), "")
	usage := strings.Split(doc.GetUsage(), "`")
	o := option{Long: names[0], Short: names[1], Usage: strings.Join(usage, "")}
	if doc.TakesValue() {
		o.Argument, o.Default = cmp.Or(usage[1], "VALUE"), strings.Trim(doc.GetValue(), `"`)
	}
	return o
}
