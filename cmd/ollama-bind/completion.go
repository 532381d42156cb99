//go:build !windows

package main

import (
	_ "embed"
	"io"
	"strings"

	"github.com/ollama-bind/ollama-bind/internal/commandline"
	"github.com/urfave/cli/v2"
)

// The completions are files whose word lists make docs writes. cli's own completion
// runs the program at every TAB, and in bash evaluates the line being typed.
var (
	//go:embed completions/ollama-bind.bash
	bashCompletion string
	//go:embed completions/_ollama-bind
	zshCompletion string
	//go:embed completions/ollama-bind.fish
	fishCompletion string
)

var completions = map[string]string{
	"bash": bashCompletion,
	"zsh":  zshCompletion,
	"fish": fishCompletion,
}

func (p program) completionCommand() *cli.Command {
	return &cli.Command{
		Name:      "completion",
		Usage:     "print the completion for bash, zsh or fish",
		ArgsUsage: "bash|zsh|fish",
		Description: "Prints a file that completes commands, flags and values at TAB. It does not run this\n" +
			"program, and evaluates nothing that was typed. Homebrew puts it in place by itself;\n" +
			"by hand, once for each shell:\n" +
			"\n" +
			"bash, without any other package:\n" +
			"   ollama-bind completion bash >~/.ollama-bind.bash\n" +
			"   echo 'source ~/.ollama-bind.bash' >>~/.bash_profile\n" +
			"\n" +
			"zsh:\n" +
			"   mkdir -p ~/.zfunc\n" +
			"   ollama-bind completion zsh >~/.zfunc/_ollama-bind\n" +
			"   echo 'fpath=(~/.zfunc $fpath); autoload -Uz compinit; compinit' >>~/.zshrc\n" +
			"\n" +
			"fish:\n" +
			"   mkdir -p ~/.config/fish/completions\n" +
			"   ollama-bind completion fish >~/.config/fish/completions/ollama-bind.fish\n" +
			"\n" +
			"It works in the next shell that you start.",
		Action: p.completion,
	}
}

func (p program) completion(c *cli.Context) error {
	shells, hint := strings.Join(sortedKeys(completions), ", "), name+" completion --help"
	if c.NArg() != 1 {
		return commandline.Wrong(hint, "completion needs the name of one shell: %s", shells)
	}
	script, ok := completions[c.Args().First()]
	if !ok {
		return commandline.Wrong(hint, "there is no completion for %q, only for: %s", c.Args().First(), shells)
	}
	// unescaped: it is for a shell, and has tabs
	_, err := io.WriteString(p.tell.out, script)
	return err
}
