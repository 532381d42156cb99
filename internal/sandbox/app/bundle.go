package app

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/ollama-bind/ollama-bind/internal/sandbox/standin"
)

// LoginItem is the label of the agent in the bundle that starts the app at login.
const LoginItem = "com.ollama.ollama"

// Program is the app's main program.
func Program(bundle string) string { return filepath.Join(bundle, "Contents/MacOS/Ollama") }

// Squirrel is the program of the login item.
func Squirrel(bundle string) string {
	return filepath.Join(bundle, "Contents/Frameworks/Squirrel.framework/Versions/A/Squirrel")
}

// LoginItemPlist is where the login item's plist is.
func LoginItemPlist(bundle string) string {
	return filepath.Join(bundle, "Contents/Library/LaunchAgents", LoginItem+".plist")
}

// Install puts a bundle there, whose programs are the executable's stand-ins.
func Install(executable, bundle, version string) error {
	for _, program := range []string{
		Program(bundle), Squirrel(bundle), server(bundle),
	} {
		if err := standin.LinkOrCopy(executable, program); err != nil {
			return err
		}
	}
	for path, text := range map[string]string{
		filepath.Join(bundle, "Contents/Info.plist"): fmt.Sprintf(infoPlist, version),
		LoginItemPlist(bundle):                       loginItemPlist,
	} {
		if err := writeFile(path, text); err != nil {
			return err
		}
	}
	return nil
}

func server(bundle string) string { return filepath.Join(bundle, "Contents/Resources/ollama") }

func writeFile(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644)
}

const (
	plistHead = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
`
	infoPlist = plistHead + `	<key>CFBundleExecutable</key>
	<string>Ollama</string>
	<key>CFBundleIdentifier</key>
	<string>com.electron.ollama</string>
	<key>CFBundleShortVersionString</key>
	<string>%s</string>
	<key>LSUIElement</key>
	<true/>
</dict>
</plist>
`
	loginItemPlist = plistHead + `	<key>Label</key>
	<string>com.ollama.ollama</string>
	<key>BundleProgram</key>
	<string>Contents/Frameworks/Squirrel.framework/Versions/A/Squirrel</string>
	<key>ProgramArguments</key>
	<array>
		<string>Contents/Frameworks/Squirrel.framework/Versions/A/Squirrel</string>
		<string>background</string>
	</array>
	<key>RunAtLoad</key>
	<true/>
	<key>LimitLoadToSessionType</key>
	<string>Aqua</string>
</dict>
</plist>
`
)

// StageUpdate has an update wait in the user's caches, for the next hidden start. What
// the archive holds here is its version.
func StageUpdate(home, version string) error {
	return writeFile(filepath.Join(home, updates, "1", "Ollama-darwin.zip"), version)
}

const caches, updates = "Library/Caches/ollama", "Library/Caches/ollama/updates"

// update installs an update that waits, and reports whether there was one: the bundle
// goes into the caches, and a new one takes its place.
func update(home, bundle string) (done bool, err error) {
	staged, err := filepath.Glob(filepath.Join(home, updates, "*", "*.zip"))
	if err != nil || len(staged) == 0 {
		return false, err
	}
	version, err := os.ReadFile(staged[0])
	if err != nil {
		return false, err
	}
	backup := filepath.Join(home, caches, "backup")
	if err := os.RemoveAll(backup); err != nil {
		return false, err
	}
	if err := os.Rename(bundle, backup); err != nil {
		return false, err
	}
	if err := Install(Program(backup), bundle, string(version)); err != nil {
		return false, err
	}
	return true, os.RemoveAll(filepath.Dir(staged[0]))
}
