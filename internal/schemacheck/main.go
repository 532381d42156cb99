// Schemacheck holds JSON documents against the schemas of docs/schema, for the
// tests of cmd/ollama-bind:
//
//	schemacheck FOLDER
//
// It says in a line which schemas the folder has, or why they cannot be used, and
// then answers questions: a line each way.
//
// It is a program of its own because the library takes milliseconds to get ready
// in every process that it is linked into. The test binary is started for each
// stand-in of the sandbox, thousands of times.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// base is where the schemas are published, which is what they call each other by.
const base = "https://github.com/ollama-bind/ollama-bind/raw/main/docs/schema/"

// Question asks whether a text is one JSON document that meets a schema.
type Question struct {
	Schema string `json:"schema"` // the name of its file, without .json
	Text   string `json:"text"`
}

// Answer says why not, or nothing.
type Answer struct {
	Schemas []string `json:"schemas,omitempty"` // in the first line alone
	Error   string   `json:"error"`
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "schemacheck: give it the folder of the schemas")
		os.Exit(2)
	}
	if err := serve(os.Args[1], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "schemacheck:", err)
		os.Exit(1)
	}
}

func serve(folder string, in io.Reader, out io.Writer) error {
	answers, questions := json.NewEncoder(out), json.NewDecoder(in)
	schemas, err := load(folder)
	if err != nil {
		return answers.Encode(Answer{Error: err.Error()})
	}
	var names []string
	for name := range schemas {
		names = append(names, name)
	}
	if err := answers.Encode(Answer{Schemas: names}); err != nil {
		return err
	}
	for {
		var q Question
		if err := questions.Decode(&q); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := answers.Encode(check(schemas, q)); err != nil {
			return err
		}
	}
}

func check(schemas map[string]*jsonschema.Schema, q Question) Answer {
	schema, ok := schemas[q.Schema]
	if !ok {
		return Answer{Error: "there is no schema " + q.Schema}
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(q.Text)) // one value, and nothing behind it
	if err == nil {
		err = schema.Validate(doc)
	}
	if err != nil {
		return Answer{Error: err.Error()}
	}
	return Answer{}
}

// load compiles the folder's schemas, by name. The compiler holds each against
// its metaschema.
func load(folder string) (map[string]*jsonschema.Schema, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no schemas in %s: %v", folder, err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	c.UseLoader(local(folder))
	all := map[string]*jsonschema.Schema{}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		if all[name], err = c.Compile(base + name + ".json"); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// local is the folder in which the published addresses are found, and no others: a
// test needs no network.
type local string

func (folder local) Load(url string) (any, error) {
	name, ours := strings.CutPrefix(url, base)
	if !ours {
		return nil, fmt.Errorf("%s is not published at %s", url, base)
	}
	f, err := os.Open(filepath.Join(string(folder), filepath.FromSlash(name)))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return jsonschema.UnmarshalJSON(f)
}
