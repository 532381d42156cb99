package main

import (
	"flag"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/template"

	"github.com/urfave/cli/v2"

	"github.com/ollama-bind/ollama-bind/internal/commandline"
	"github.com/ollama-bind/ollama-bind/internal/container"
	"github.com/ollama-bind/ollama-bind/internal/doctor"
)

var update = flag.Bool("update", false, "write what is generated into the docs and completions")

// Generated text is between a line that ends with "generated: NAME" and one that ends
// with "end generated", in comments.
var generated = regexp.MustCompile(`(?s)( generated: ([a-z ]+?)(?: -->)?\n)(.*?)([^\n]* end generated)`)

// TestDocs compares the options in the man page and the completions with the command
// tree, and the checks with package doctor. make docs writes them.
func TestDocs(t *testing.T) {
	for _, file := range []string{
		"docs/ollama-bind.1",
		"cmd/ollama-bind/completions/ollama-bind.bash",
		"cmd/ollama-bind/completions/_ollama-bind",
		"cmd/ollama-bind/completions/ollama-bind.fish",
	} {
		was := readDoc(t, file)
		is := generated.ReplaceAllStringFunc(was, func(old string) string {
			match := generated.FindStringSubmatch(old)
			return match[1] + generate(t, match[2]) + match[4]
		})
		if is == was {
			continue
		}
		if !*update {
			t.Errorf("%s is stale: run make docs", file)
		} else if err := os.WriteFile(root(file), []byte(is), 0o644); err != nil {
			t.Error(err)
		}
	}
}

// generate writes one part, by the template of that name. The name of a command may
// follow.
func generate(t *testing.T, part string) string {
	t.Helper()
	commands := commandTree()
	var data any = commands
	switch {
	case part == "man checks":
		data = doctor.Checks()
	case part == "man exits":
		data = exitMeans
	case strings.HasPrefix(part, "man options"), strings.HasPrefix(part, "man about"):
		words := strings.Fields(part + " ")
		of := strings.Join(words[2:], "")
		if i := slices.IndexFunc(commands, func(c command) bool { return c.Name == of }); i >= 0 {
			part, data = strings.Join(words[:2], " "), commands[i]
		}
	}
	var text strings.Builder
	if err := pieces.ExecuteTemplate(&text, part, data); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

// command is one of the program's commands; the first, without a name, is the program
// itself.
type command struct {
	Name, Usage string
	Args        []string // the words that it takes
	Options     []choice
	About       string
}

// choice is an option, and what there is to complete it with.
type choice struct {
	commandline.Option
	Words []string // its values, if known
}

func commandTree() []command {
	app := program{tell: newTeller(io.Discard, io.Discard)}.app()
	app.Setup()
	all := []command{{Options: optionsOf(app.Flags, nil)}}
	help := command{Name: "help", Usage: "show the help for a command"}
	for _, c := range app.Commands {
		words := map[string][]string{
			"host":    {"0.0.0.0:11434", "127.0.0.1:11434"},
			"check":   checks(),
			"runtime": container.Tools(),
		}
		if c.Name == "url" {
			words["runtime"] = sortedKeys(hostNames)
		}
		var args []string
		if strings.Contains(c.ArgsUsage, "|") {
			args = strings.Split(c.ArgsUsage, "|")
		}
		all = append(all, command{c.Name, c.Usage, args, optionsOf(append(c.Flags, cli.HelpFlag), words), c.Description})
		help.Args = append(help.Args, c.Name)
	}
	all[0].Args = append(help.Args, help.Name)
	return append(all, help)
}

func optionsOf(flags []cli.Flag, words map[string][]string) (all []choice) {
	for _, f := range flags {
		o := choice{Option: commandline.NewOption(f)}
		o.Words = words[o.Long]
		all = append(all, o)
	}
	return all
}

// mdoc turns a description into mdoc: one sentence per line, and indented lines as they
// are.
func mdoc(text string) string {
	var b strings.Builder
	for _, part := range strings.Split(text, "\n\n") {
		switch {
		case b.Len() > 0 && !strings.HasPrefix(part, " "):
			b.WriteString(".Pp\n")
		case strings.HasPrefix(part, " "):
			b.WriteString(".Pp\n.Dl " + strings.TrimSpace(part) + "\n")
			continue
		}
		b.WriteString(regexp.MustCompile(`([.:]) +`).ReplaceAllString(strings.Join(strings.Fields(part), " "), "$1\n") + "\n")
	}
	return b.String()
}

var pieces = template.Must(template.New("").Funcs(template.FuncMap{
	"join":     strings.Join,
	"mdoc":     mdoc,
	"sentence": func(text string) string { return strings.ToUpper(text[:1]) + text[1:] },
	"escape":   func(quote, text string) string { return strings.ReplaceAll(text, "'", quote) },
	"colons":   func(text string) string { return strings.ReplaceAll(text, ":", `\:`) },
}).Parse(`
{{- define "man synopsis"}}{{range .}}{{if and .Name .Options}}.Nm
.Cm {{.Name}}
{{range .Options}}{{if ne .Long "help"}}.Op {{template "mdoc" .}}
{{end}}{{end}}{{if .Args}}.Cm {{join .Args " | "}}
{{end}}{{end}}{{end}}{{end}}

{{- define "mdoc"}}Fl Fl {{.Long}}{{if .Argument}} Ar {{.Argument}}{{end}}{{end}}

{{- define "man options"}}{{range .Options}}.It {{if .Short}}Fl {{.Short}} , {{end}}{{template "mdoc" .}}
{{sentence .Usage}}.
{{if .Default}}The default is {{.Default}}.
{{end}}{{end}}{{end}}

{{- define "man about"}}{{mdoc .About}}{{end}}

{{- define "man exits"}}{{range .}}.It {{.Code}}
{{sentence .Means}}.
{{end}}{{end}}

{{- define "man checks"}}{{range .}}.It {{.ID}}
{{sentence .Question}}
{{end}}{{end}}

{{- define "bash"}}{{range $c := .}}{{range .Options}}{{if .Argument}}	{{$c.Name}}:--{{.Long}})
		{{if eq .Argument "FILE"}}_ollama_bind_files{{else}}_ollama_bind_offer{{range .Words}} {{.}}{{end}}{{end}} ;;
{{end}}{{end}}	{{.Name}}:{{if .Args}}{{.Name}}{{else}}*{{end}})
		_ollama_bind_offer{{range .Args}} {{.}}{{end}}
		{{- range .Options}} --{{.Long}}{{if .Short}} -{{.Short}}{{end}}{{end}} ;;
{{end}}{{end}}

{{- define "zsh commands"}}{{range .}}{{if .Name}}    '{{.Name}}:{{escape "'\\''" .Usage}}'
{{end}}{{end}}{{end}}

{{- define "zsh options"}}{{range .}}    '{{.Name}}')
      options=(
{{range .Options}}        {{template "zsh option" .}}
{{end}}{{if not .Name}}        '1: :{ _describe command commands }'
{{else if .Args}}        '1: :({{join .Args " "}})'
{{end}}      ) ;;
{{end}}{{end}}

{{- define "zsh option"}}
{{- if .Again}}'*'
{{- else if eq .Long "help" "version"}}'(- *)'
{{- else if .Short}}'(-{{.Short}} --{{.Long}})'{{end}}
{{- if .Short}}{-{{.Short}},--{{.Long}}}{{else}}--{{.Long}}{{end}}
{{- if .Argument}}={{end}}'[{{escape "'\\''" .Usage}}]
{{- if .Argument}}:{{.Argument}}:{{if eq .Argument "FILE"}}_files{{else if .Words}}({{colons (join .Words " ")}}){{else}} {{end}}{{end}}'
{{- end}}

{{- define "fish"}}{{range $c := .}}
{{- if .Name}}complete -c ollama-bind -n __ollama_bind_first -a {{.Name}} -d '{{escape "\\'" .Usage}}'
{{if .Args}}complete -c ollama-bind -n '__ollama_bind_second {{.Name}}' -a '{{join .Args " "}}'
{{end}}{{end}}{{range .Options}}complete -c ollama-bind -n '
{{- if $c.Name}}__ollama_bind_of {{$c.Name}}{{else}}__ollama_bind_first{{end}}' -l {{.Long}}
{{- if .Short}} -s {{.Short}}{{end}}
{{- if eq .Argument "FILE"}} -r -F{{else if .Argument}} -x -a '{{join .Words " "}}'{{end}} -d '{{escape "\\'" .Usage}}'
{{end}}{{end}}{{end}}`))
