package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// The schemas that are of no command.
const (
	commonSchema = "common"
	errorSchema  = "error"
)

// schemas are what docs/schema says about the answers of --json, and what the
// stories have had of them.
var schemas schemaChecker

// schemaChecker asks internal/schemacheck, where that runs.
type schemaChecker struct {
	mu        sync.Mutex // a question and its answer belong together
	questions *json.Encoder
	answers   *json.Decoder
	names     []string
	heard     map[kind]string // the longest answer of each kind
}

// kind is what the answers are told apart by.
type kind struct {
	schema string
	failed bool // it has an error
}

// start has all stories of the test checked. SCHEMACHECK is a schemacheck that is
// built already, for those who have no Go at hand.
func (s *schemaChecker) start(t *testing.T) {
	const folder = "../../docs/schema"
	cmd := exec.Command("go", "run", "../../internal/schemacheck", folder)
	if built := os.Getenv("SCHEMACHECK"); built != "" {
		cmd = exec.Command(built, folder)
	}
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
		*s = schemaChecker{}
	})
	s.run(in, out)
	var first struct {
		Schemas []string
		Error   string
	}
	if err := s.answers.Decode(&first); err != nil || first.Error != "" {
		t.Fatal(err, first.Error)
	}
	s.names = first.Schemas
}

func (s *schemaChecker) run(in io.Writer, out io.Reader) {
	s.questions, s.answers, s.heard = json.NewEncoder(in), json.NewDecoder(out), map[kind]string{}
}

// validate says why a text does not meet a schema.
func (s *schemaChecker) validate(schema, text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var answer struct{ Error string }
	err := s.questions.Encode(map[string]string{"schema": schema, "text": text})
	if err == nil {
		err = s.answers.Decode(&answer)
	}
	if err == nil && answer.Error != "" {
		err = errors.New(answer.Error)
	}
	return err
}

// checkJSON holds what the program has printed against its schema, if --json was
// asked for. It is a part of exits and finish, so every story does it.
func checkJSON(ts *testscript.TestScript, args []string, exit int, stdout string) {
	killed := exit < 0
	if schemas.names == nil || killed || filepath.Base(args[0]) != name || !wantsJSON(args) {
		return
	}
	if err := schemas.check(args, exit, stdout); err != nil {
		ts.Fatalf("%s: %v", strings.Join(args, " "), err)
	}
}

func (s *schemaChecker) check(args []string, exit int, stdout string) error {
	var answer struct {
		OK    bool `json:"ok"`
		Error any  `json:"error"`
	}
	if err := json.Unmarshal([]byte(stdout), &answer); err != nil {
		return fmt.Errorf("stdout is not one JSON object: %w", err)
	}
	failed := exit != exitOK && exit != exitNotWanted
	if answer.OK != (exit == exitOK) || (answer.Error != nil) != failed {
		return fmt.Errorf("exit %d, and yet ok is %v and error is %v", exit, answer.OK, answer.Error)
	}
	wanted := []string{s.schemaOf(args)}
	if failed {
		wanted = append(wanted, errorSchema)
	}
	for _, schema := range wanted {
		if err := s.validate(schema, stdout); err != nil {
			return err
		}
		s.keep(kind{schema, failed}, stdout)
	}
	return nil
}

// schemaOf is the schema of what a command line prints.
func (s *schemaChecker) schemaOf(args []string) string {
	command := commandName(args)
	switch {
	case command == "rollback" && slices.Contains(args, "--list"):
		return "rollback-list"
	case command == "doctor" && slices.Contains(args, "--list-checks"):
		return "doctor-list-checks"
	case command != commonSchema && slices.Contains(s.names, command):
		return command
	}
	return errorSchema // of a command line without a command
}

func (s *schemaChecker) keep(k kind, stdout string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(stdout) > len(s.heard[k]) {
		s.heard[k] = stdout
	}
}

// checkCoverage wants the stories to have had a success and an error of each
// schema, and each schema to refuse them once they are spoiled.
func (s *schemaChecker) checkCoverage(t *testing.T) {
	for _, name := range s.names {
		for _, failed := range []bool{false, true} {
			if name == commonSchema || name == errorSchema && !failed {
				continue
			}
			answer := s.heard[kind{name, failed}]
			if answer == "" {
				t.Errorf("no story had an answer of %s.json, error: %v", name, failed)
			} else if name != errorSchema { // which is open
				s.checkStrict(t, name, answer)
			}
		}
	}
}

func (s *schemaChecker) checkStrict(t *testing.T, name, answer string) {
	var doc any
	if err := json.Unmarshal([]byte(answer), &doc); err != nil {
		t.Fatal(err)
	}
	spoil(doc, "", func(how string) {
		text, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		if s.validate(name, string(text)) == nil {
			t.Errorf("%s.json takes it%s", name, how)
		}
	})
}

// sometimes are the fields that an answer can be without.
var sometimes = []string{"steps", "drift", "trouble", "unset", "log"}

// spoil spoils a document in one place after the other, and calls try for each: with
// a field too many, a field too few, a value that is none of those it can be.
func spoil(v any, place string, try func(how string)) {
	odd := map[string]any{"surprise": true}
	switch v := v.(type) {
	case map[string]any:
		v["surprise"] = true
		try(place + " with a field too many")
		delete(v, "surprise")
		for key, value := range v {
			here := place + " " + key
			v[key] = odd
			try(here + " of another kind")
			if !slices.Contains(sometimes, key) {
				delete(v, key)
				try(place + " without " + key)
			}
			v[key] = value
			spoil(value, here, try)
		}
	case []any:
		for i, value := range v {
			here := fmt.Sprintf("%s %d", place, i)
			v[i] = odd
			try(here + " of another kind")
			v[i] = value
			spoil(value, here, try)
		}
	}
}
