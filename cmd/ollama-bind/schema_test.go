package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/ollama-bind/ollama-bind/internal/answer"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// published is where the schemas are published, and how they refer to each other.
const published = "https://github.com/ollama-bind/ollama-bind/raw/main/docs/schema/"

// The schemas that belong to no command.
const (
	commonSchema = "common"
	errorSchema  = "error"
)

// schemas are those in docs/schema, with the answers that stories have had.
var schemas = schemaChecker{heard: map[kind]string{}}

type schemaChecker struct {
	once   sync.Once
	byName map[string]*jsonschema.Schema
	err    error

	mu    sync.Mutex
	heard map[kind]string // the longest answer of each kind
}

// kind is what tells answers apart.
type kind struct {
	schema string
	failed bool // it has an error
}

// all are the schemas by their names. The compiler holds each against its metaschema.
func (s *schemaChecker) all() (map[string]*jsonschema.Schema, error) {
	s.once.Do(func() { s.byName, s.err = compileSchemas("../../docs/schema") })
	return s.byName, s.err
}

func compileSchemas(folder string) (map[string]*jsonschema.Schema, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no schemas in %s: %v", folder, err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		doc, err := unmarshal(string(text))
		if err == nil {
			err = c.AddResource(published+filepath.Base(file), doc)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	all := map[string]*jsonschema.Schema{}
	for _, file := range files {
		schema, err := c.Compile(published + filepath.Base(file))
		if err != nil {
			return nil, err
		}
		all[strings.TrimSuffix(filepath.Base(file), ".json")] = schema
	}
	return all, nil
}

// unmarshal reads exactly one value.
func unmarshal(text string) (any, error) { return jsonschema.UnmarshalJSON(strings.NewReader(text)) }

// validate says why text does not meet a schema.
func (s *schemaChecker) validate(schema, text string) error {
	all, err := s.all()
	if err != nil {
		return err
	}
	doc, err := unmarshal(text)
	if err != nil {
		return err
	}
	return all[schema].Validate(doc)
}

// checkJSON validates the program's output, if --json was asked for. exits and finish
// call it, so every story does.
func checkJSON(ts *testscript.TestScript, args []string, exit int, stdout string) {
	killed := exit < 0
	if killed || filepath.Base(args[0]) != name || !wantsJSON(args) {
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
	all, _ := s.all()
	switch {
	case command == "rollback" && slices.Contains(args, "--list"):
		return "rollback-list"
	case command == "doctor" && slices.Contains(args, "--list-checks"):
		return "doctor-list-checks"
	case command != commonSchema && all[command] != nil:
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

// checkCoverage wants stories to have had a success and an error for each schema, and
// each schema to refuse spoiled copies of them.
func (s *schemaChecker) checkCoverage(t *testing.T) {
	all, err := s.all()
	if err != nil {
		t.Fatal(err)
	}
	for name := range all {
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
		if s.byName[name].Validate(doc) == nil {
			t.Errorf("%s.json takes it%s", name, how)
		}
	})
}

// sometimes are fields that an answer may lack.
var sometimes = []string{"steps", "drift", "trouble", "unset", "log", "log_file", "others"}

// spoil spoils a document in one place after another, and calls try for each: with an
// extra field, a missing field, a value that is not allowed.
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
		for i, value := range v[:min(len(v), 8)] { // the others are as these
			here := fmt.Sprintf("%s %d", place, i)
			v[i] = odd
			try(here + " of another kind")
			v[i] = value
			spoil(value, here, try)
		}
	}
}

// TestSchemas wants each file to be a schema of draft 2020-12 under its own address. The
// schema of errors is open, so no story shows what it refuses.
func TestSchemas(t *testing.T) {
	all, err := schemas.all()
	if err != nil {
		t.Fatal(err)
	}
	for name, schema := range all {
		if schema.ID != published+name+".json" || schema.DraftVersion != 2020 {
			t.Errorf("%s.json says that it is %s, of draft %d", name, schema.ID, schema.DraftVersion)
		}
	}
	const good = `{"schema_version":1,"command":"x","ok":false,"error":{"id":"usage","message":"no","hint":""}}`
	if err := schemas.validate(errorSchema, good); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{
		strings.Replace(good, `1`, `2`, 1),
		strings.Replace(good, `false`, `true`, 1),
		strings.Replace(good, `usage`, `Wrong_Usage`, 1),
		strings.Replace(good, `"hint":""`, `"hnt":""`, 1),
		good + good,
		good[1:],
	} {
		if schemas.validate(errorSchema, bad) == nil {
			t.Errorf("error.json takes %s", bad)
		}
	}
}

// TestFields wants the schemas to know each field that the program can print, and no
// other. No story has them all.
func TestFields(t *testing.T) {
	prints, known := map[string]bool{}, map[string]bool{}
	for _, answer := range []any{answer.Report{}, listing{}, doctorReport{}, answer.Probe{}, urlReport{}, versionReport{}} {
		addPrinted(prints, reflect.TypeOf(answer))
	}
	files, err := filepath.Glob("../../docs/schema/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		doc, err := unmarshal(readDoc(t, filepath.Join("docs/schema", filepath.Base(file))))
		if err != nil {
			t.Fatal(err)
		}
		addProperties(known, doc)
	}
	if diff := cmp.Diff(prints, known); diff != "" {
		t.Errorf("what the program prints (-), and what the schemas have (+):\n%s", diff)
	}
}

// addPrinted adds the names that a type and what is in it have in JSON.
func addPrinted(names map[string]bool, of reflect.Type) {
	switch of.Kind() {
	case reflect.Pointer, reflect.Slice:
		addPrinted(names, of.Elem())
	case reflect.Struct:
		for _, field := range reflect.VisibleFields(of) {
			if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" && name != "-" && (!names[name] || field.Type != reflect.SliceOf(of)) {
				names[name] = true
				addPrinted(names, field.Type)
			}
		}
	}
}

// addProperties adds the names of the properties in a schema.
func addProperties(names map[string]bool, schema any) {
	switch v := schema.(type) {
	case map[string]any:
		if properties, ok := v["properties"].(map[string]any); ok {
			for name := range properties {
				names[name] = true
			}
		}
		for _, inner := range v {
			addProperties(names, inner)
		}
	case []any:
		for _, inner := range v {
			addProperties(names, inner)
		}
	}
}
