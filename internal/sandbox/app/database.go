package app

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Support is the app's folder in the home folder.
const Support = "Library/Application Support/Ollama"

// Database is where the app keeps its settings, and people's chats.
func Database(home string) string { return filepath.Join(home, Support, "db.sqlite") }

// schema is that of 0.33, shortened (ollama/ollama app/store/database.go).
const schema = `PRAGMA journal_mode = WAL;
BEGIN IMMEDIATE;
CREATE TABLE settings (
	id INTEGER PRIMARY KEY CHECK (id = 1),
	device_id TEXT NOT NULL DEFAULT '',
	has_completed_first_run BOOLEAN NOT NULL DEFAULT 0,
	expose BOOLEAN NOT NULL DEFAULT 0,
	browser BOOLEAN NOT NULL DEFAULT 0,
	models TEXT NOT NULL DEFAULT '',
	context_length INTEGER NOT NULL DEFAULT 4096,
	auto_update_enabled BOOLEAN NOT NULL DEFAULT 1,
	schema_version INTEGER NOT NULL DEFAULT 18
);
INSERT INTO settings (id, device_id) VALUES (1, 'b4d2c0de');
CREATE TABLE chats (id TEXT PRIMARY KEY, title TEXT NOT NULL DEFAULT '');
INSERT INTO chats VALUES ('1', 'nobody else''s affair');
COMMIT;
`

// Query runs SQL on a database with the sqlite3 at path, and returns what that prints.
func Query(sqlite, database, sql string) (string, error) {
	if sqlite == "" {
		return "", fmt.Errorf("no sqlite3 on this machine")
	}
	cmd := exec.Command(sqlite, "-batch", "-bail", "-cmd", ".timeout 1000", database, sql)
	out, err := cmd.CombinedOutput()
	text := strings.TrimSpace(string(out))
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, text)
	}
	return text, nil
}

// CreateDatabase makes the database of an app that was never started, if there is none.
func CreateDatabase(sqlite, home string) error {
	path := Database(home)
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	_, err := Query(sqlite, path, schema)
	return err
}

// SetExpose flips the switch in the database, as the app itself does.
func SetExpose(sqlite, home string, on bool) error {
	value := map[bool]string{true: "1", false: "0"}[on]
	_, err := Query(sqlite, Database(home), "UPDATE settings SET expose = "+value)
	return err
}

func readExpose(sqlite, home string) (bool, error) {
	value, err := Query(sqlite, Database(home), "SELECT expose FROM settings WHERE id = 1")
	if err == nil && value == "" {
		err = fmt.Errorf("no settings")
	}
	return value == "1", err
}
