// Emptycli does nothing, with urfave/cli: what any program with commands and flags
// costs.
package main

import (
	"os"

	"github.com/urfave/cli/v2"
)

func main() {
	app := &cli.App{Name: "emptycli", Action: func(*cli.Context) error { return nil }}
	if err := app.Run(os.Args); err != nil {
		os.Exit(1)
	}
}
