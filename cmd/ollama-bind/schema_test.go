package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

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

const schemaFolder = "../../docs/schema"

// start has all stories of the test checked. SCHEMACHECK is a schemacheck that is
// built already, for those who have no Go at hand.
func (s *schemaChecker) start(t *testing.T) {
	cmd := exec.Command("go", "run", "../../internal/schemacheck", schemaFolder)
	if built := os.Getenv("SCHEMACHECK"); built != "" {
		cmd = exec.Command(built, schemaFolder)
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

// TestFields wants the schemas to know each field that the program can print, and no
// other, and to require those that are always there. No story has them all.
func TestFields(t *testing.T) {
	f := fields{t, map[reflect.Type]map[string]bool{}}
	for ref, answer := range map[string]any{
		"fix.json":                          report{},
		"status.json":                       report{},
		"rollback.json":                     report{},
		"rollback-list.json#/$defs/listing": listing{},
		"doctor.json":                       doctorReport{},
		"doctor-list-checks.json":           doctorReport{},
		"probe.json":                        probeReport{},
		"url.json":                          urlReport{},
		"common.json#/$defs/env_file_layer": fileLayer{}, // the type of layers does not tell
		"common.json#/$defs/plist_layer":    fileLayer{},
		"common.json#/$defs/job_layer":      jobLayer{},
		"common.json#/$defs/socket_layer":   socketLayer{},
	} {
		f.compare(f.follow("", ref), reflect.TypeOf(answer), ref)
	}
	for of, known := range f.known {
		for name := range printed(of) {
			if !known[name] {
				t.Errorf("%v prints %s, which no schema has", of, name)
			}
		}
	}
}

// fields compares schemas with types. A type can have several schemas: each leaves out
// what its command does not have.
type fields struct {
	*testing.T
	known map[reflect.Type]map[string]bool
}

// compare goes down both.
func (f fields) compare(s shape, of reflect.Type, place string) {
	switch {
	case of.Kind() == reflect.Pointer:
		f.compare(s, of.Elem(), place)
	case of.Kind() == reflect.Slice && s.items != nil && of.Elem() != reflect.TypeFor[any]():
		f.compare(f.shape(s.file, s.items), of.Elem(), place)
	case of.Kind() == reflect.Struct && of != reflect.TypeFor[time.Time]():
		f.compareStruct(s, of, place)
	}
}

func (f fields) compareStruct(s shape, of reflect.Type, place string) {
	if f.known[of] == nil {
		f.known[of] = map[string]bool{}
	}
	all := printed(of)
	for name, field := range all {
		property, has := s.properties[name]
		if has {
			f.known[of][name] = true
			f.compare(property, field.Type, place+" "+name)
		}
		if !omitted(field) && !(has && slices.Contains(s.required, name)) {
			f.Errorf("%s: %s is always there, and nothing says so", place, name)
		}
	}
	for name := range s.properties {
		if _, is := all[name]; !is {
			f.Errorf("%s: %s is nothing that %v prints", place, name, of)
		}
	}
}

// printed are the fields of a struct, by their names in JSON.
func printed(of reflect.Type) map[string]reflect.StructField {
	all := map[string]reflect.StructField{}
	for _, field := range reflect.VisibleFields(of) {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" {
			all[name] = field
		}
	}
	return all
}

func omitted(field reflect.StructField) bool {
	return strings.HasSuffix(field.Tag.Get("json"), ",omitempty")
}

// shape is what a schema says of an object's fields, or of what is in an array.
type shape struct {
	file       string
	properties map[string]shape
	required   []string
	items      json.RawMessage
}

// follow finds what a $ref in a file is about.
func (f fields) follow(file, ref string) shape {
	target, pointer, _ := strings.Cut(ref, "#/")
	if target != "" {
		file = target
	}
	schema, err := os.ReadFile(filepath.Join(schemaFolder, file))
	for _, step := range strings.FieldsFunc(pointer, func(r rune) bool { return r == '/' }) {
		var object map[string]json.RawMessage
		if err == nil {
			err = json.Unmarshal(schema, &object)
		}
		schema = object[step]
	}
	if err != nil {
		f.Fatal(err)
	}
	return f.shape(file, schema)
}

// shape reads a schema, what it refers to, and what it may be one of.
func (f fields) shape(file string, schema json.RawMessage) shape {
	var is struct {
		Ref        string `json:"$ref"`
		OneOf      []json.RawMessage
		Properties map[string]json.RawMessage
		Required   []string
		Items      json.RawMessage
	}
	if err := json.Unmarshal(schema, &is); err != nil {
		f.Fatalf("%s: %v: %s", file, err, schema)
	}
	all := shape{file, map[string]shape{}, is.Required, is.Items}
	var others []shape
	if is.Ref != "" {
		others = append(others, f.follow(file, is.Ref))
	}
	for _, one := range is.OneOf {
		others = append(others, f.shape(file, one))
	}
	for _, other := range others {
		maps.Copy(all.properties, other.properties)
		all.required = append(all.required, other.required...)
		if all.items == nil {
			all.file, all.items = other.file, other.items
		}
	}
	for name, property := range is.Properties {
		all.properties[name] = f.shape(file, property)
	}
	return all
}
