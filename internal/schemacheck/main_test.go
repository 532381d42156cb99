package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const published = "../../docs/schema"

// TestPublished wants every file of docs/schema to be a schema of draft 2020-12,
// under its own address.
func TestPublished(t *testing.T) {
	all, err := load(published)
	if err != nil {
		t.Fatal(err)
	}
	for name := range all {
		data, err := os.ReadFile(filepath.Join(published, name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		var head struct {
			ID    string `json:"$id"`
			Draft string `json:"$schema"`
		}
		if err := json.Unmarshal(data, &head); err != nil {
			t.Fatal(err)
		}
		if head.ID != base+name+".json" || head.Draft != "https://json-schema.org/draft/2020-12/schema" {
			t.Errorf("%s.json says that it is %s, of %s", name, head.ID, head.Draft)
		}
	}
}

func TestRefuses(t *testing.T) {
	all, err := load(published)
	if err != nil {
		t.Fatal(err)
	}
	const good = `{"schema_version":1,"command":"x","ok":false,"error":{"id":"usage","message":"no","hint":""}}`
	if answer := check(all, Question{"error", good}); answer.Error != "" {
		t.Fatal(answer.Error)
	}
	for _, q := range []Question{
		{"error", strings.Replace(good, `1`, `2`, 1)},
		{"error", strings.Replace(good, `false`, `true`, 1)},
		{"error", strings.Replace(good, `usage`, `Wrong_Usage`, 1)},
		{"error", strings.Replace(good, `"hint":""`, `"hnt":""`, 1)},
		{"error", good + good},
		{"error", good[1:]},
		{"error", ""},
		{"none", good},
	} {
		if check(all, q).Error == "" {
			t.Errorf("%s.json takes %s", q.Schema, q.Text)
		}
	}
}

func TestBadSchemas(t *testing.T) {
	for _, text := range []string{
		`{"type":"objekt"}`,
		`{"$ref":"elsewhere.json"}`,
		`{"$ref":"https://example.com/other.json"}`,
		`{`,
	} {
		folder := t.TempDir()
		if err := os.WriteFile(filepath.Join(folder, "bad.json"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := load(folder); err == nil {
			t.Errorf("%s was taken", text)
		}
	}
	if _, err := load(t.TempDir()); err == nil {
		t.Error("no schemas at all were taken")
	}
}
