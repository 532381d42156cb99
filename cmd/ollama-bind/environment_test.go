package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// module is what the paths of this module's packages begin with.
const module = "github.com/ollama-bind/ollama-bind/"

// readByLibrary are the variables that functions of Go's library read.
var readByLibrary = map[string]string{"UserHomeDir": "HOME", "UserConfigDir": "HOME", "LookPath": "PATH"}

// variables are those of the environment that the program reads. They are taken from
// its source, so that none can be left out: what getenv is called with, whoever got it
// from whom, must be written down there.
func variables(t *testing.T) []string {
	t.Helper()
	sources := programSources(t)
	constants := map[string][]string{}
	for _, file := range sources {
		ast.Inspect(file, func(n ast.Node) bool {
			if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Values) == len(spec.Names) {
				for i, name := range spec.Names {
					constants[name.Name] = literals(spec.Values[i])
				}
			}
			return true
		})
	}
	var all []string
	for path, file := range sources {
		all = append(all, variablesIn(t, path, file, constants)...)
	}
	return sorted(all)
}

func variablesIn(t *testing.T, path string, file *ast.File, constants map[string][]string) (all []string) {
	t.Helper()
	ranged := map[string][]string{} // what variables of loops go through
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Field:
			if takesStringGivesString(n.Type) && !slices.ContainsFunc(n.Names, func(id *ast.Ident) bool { return isGetenv(id.Name) }) {
				t.Errorf("%s: what could be os.Getenv has to be named getenv, so that this test sees what is read with it", path)
			}
		case *ast.RangeStmt:
			if list, ok := n.X.(*ast.CompositeLit); ok && n.Value != nil {
				ranged[nameOf(n.Value)] = literals(list.Elts...)
			}
		case *ast.CallExpr:
			called := nameOf(n.Fun)
			if variable, ok := readByLibrary[called]; ok {
				all = append(all, variable)
			}
			if !isGetenv(called) || len(n.Args) != 1 { // that of launchctl takes a context too
				break
			}
			name := nameOf(n.Args[0])
			read := literals(n.Args[0])
			if read == nil {
				read = ranged[name]
			}
			if read == nil {
				read = constants[name]
			}
			if read == nil {
				t.Errorf("%s: which variable is read there by %s is not plain to see", path, called)
			}
			all = append(all, read...)
		}
		return true
	})
	return all
}

func isGetenv(name string) bool {
	return strings.EqualFold(name, "getenv") || strings.EqualFold(name, "lookupenv")
}

// nameOf is the last word of a name: b of a.b.
func nameOf(n ast.Expr) string {
	switch n := n.(type) {
	case *ast.Ident:
		return n.Name
	case *ast.SelectorExpr:
		return n.Sel.Name
	}
	return ""
}

// literals are the strings among some expressions.
func literals(all ...ast.Expr) (texts []string) {
	for _, n := range all {
		if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
			if text, err := strconv.Unquote(literal.Value); err == nil {
				texts = append(texts, text)
			}
		}
	}
	return texts
}

func takesStringGivesString(n ast.Expr) bool {
	f, ok := n.(*ast.FuncType)
	return ok && f.Params.NumFields() == 1 && f.Results.NumFields() == 1 &&
		nameOf(f.Params.List[0].Type) == "string" && nameOf(f.Results.List[0].Type) == "string"
}

// programSources are the files that the program is built of, on whatever system, by
// their paths, but for those of other modules.
func programSources(t *testing.T) map[string]*ast.File {
	t.Helper()
	all, todo := map[string]*ast.File{}, []string{"cmd/ollama-bind"}
	for i := 0; i < len(todo); i++ {
		paths, err := filepath.Glob(filepath.Join(root(todo[i]), "*.go"))
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s has no source: %v", todo[i], err)
		}
		for _, path := range paths {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			all[path] = file
			for _, spec := range file.Imports {
				for _, imported := range literals(spec.Path) {
					if dir, ours := strings.CutPrefix(imported, module); ours && !slices.Contains(todo, dir) {
						todo = append(todo, dir)
					}
				}
			}
		}
	}
	return all
}
