package launchctl_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/ollama-bind/ollama-bind/launchctl"
)

// recorded is a Runner that answers as launchctl did on a Mac. Without it, this is a
// program for a Mac: the zero Client runs the real launchctl.
type recorded struct{}

func (recorded) Run(_ context.Context, name string, args ...string) ([]byte, error) {
	if args[1] != "gui/501/homebrew.mxcl.chat" {
		return nil, &launchctl.ExitError{Args: append([]string{name}, args...), Code: 113}
	}
	return os.ReadFile("../fixtures/captures/print-running-chat.txt")
}

func ExampleClient_Print() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	client := launchctl.Client{Runner: recorded{}}
	for _, label := range []string{"homebrew.mxcl.chat", "com.example.none"} {
		job, err := client.Print(ctx, launchctl.Target{Domain: launchctl.GUI(501), Label: label})
		switch {
		case errors.Is(err, launchctl.ErrNotLoaded):
			fmt.Println(label, "is not loaded")
		case err != nil:
			fmt.Println(err)
		default:
			fmt.Println(label, "is", job.State, "with PORT", job.Environment["PORT"])
		}
	}
	// Output:
	// homebrew.mxcl.chat is running with PORT 11002
	// com.example.none is not loaded
}

// Reload makes launchd read a plist again: it boots the job out, waits until launchd has
// let go of it, and loads and starts it again.
func ExampleClient_Reload() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var client launchctl.Client
	target := launchctl.Target{Domain: launchctl.GUI(os.Getuid()), Label: "com.example.job"}
	job, err := client.Print(ctx, target)
	if err != nil {
		fmt.Println(err)
		return
	}
	err = client.Reload(ctx, target, job, "/Users/alice/Library/LaunchAgents/com.example.job.plist", nil)
	if err != nil {
		fmt.Println(err)
	}
}
