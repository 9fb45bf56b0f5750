package hint

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestTroubleshooting holds docs/troubleshooting.md to what the plugin can print: each
// message of an error or a warning, and each problem of a configuration, is the first
// cell of a row, with … for what differs.
func TestTroubleshooting(t *testing.T) {
	content, err := os.ReadFile("../../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(string(content), -1) {
		text := strings.ReplaceAll(row[1], `\|`, "|")
		if documented[text] {
			t.Errorf("%q has two rows", text)
		}
		documented[text] = true
	}
	printed := map[string]bool{}
	for _, folder := range []string{"internal/collector", "internal/delivery", "internal/checkpoint", "plugin", "mimecast", "internal/config"} {
		for _, text := range messages(t, filepath.Join("../..", folder)) {
			printed[text] = true
		}
	}
	if len(printed) < 50 {
		t.Errorf("%d messages in the source: some are not found", len(printed))
	}
	for _, text := range slices.Sorted(maps.Keys(printed)) {
		if !documented[text] {
			t.Errorf("not in the doc: | `%s` |", strings.ReplaceAll(text, "|", `\|`))
		}
	}
	for _, text := range slices.Sorted(maps.Keys(documented)) {
		if !printed[text] {
			t.Errorf("no longer in the source: %s", text)
		}
	}
}

// messages returns the messages of a folder's source.
func messages(t *testing.T, folder string) (texts []string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil || len(paths) == 0 {
		t.Fatal(folder, err)
	}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		s := source{config: strings.HasSuffix(folder, "config"), says: map[string]bool{}}
		ast.Inspect(file, s.visit)
		texts = append(texts, s.texts...)
	}
	return texts
}

// source gathers the messages of a file.
type source struct {
	config bool            // the errors are texts for the user
	says   map[string]bool // variables that hold a logger's method
	texts  []string
}

func (s *source) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.AssignStmt:
		for i, right := range n.Rhs {
			if method, ok := right.(*ast.SelectorExpr); ok && isLevel(method.Sel.Name) {
				if name, ok := n.Lhs[i].(*ast.Ident); ok {
					s.says[name.Name] = true
				}
			}
		}
	case *ast.CallExpr:
		s.call(n)
	}
	return true
}

func isLevel(name string) bool { return name == "Warn" || name == "Error" }

func (s *source) call(n *ast.CallExpr) {
	name, of := "", ""
	switch fn := n.Fun.(type) {
	case *ast.Ident:
		name = fn.Name
	case *ast.SelectorExpr:
		name = fn.Sel.Name
		if x, ok := fn.X.(*ast.Ident); ok {
			of = x.Name
		}
	}
	switch {
	case isLevel(name), of == "" && s.says[name], s.config && of == "fmt" && name == "Errorf":
		s.add(n, 0)
	case name == "problem":
		s.add(n, 1)
	case name == "Log":
		s.add(n, 2)
	case name == "append" && s.config && len(n.Args) == 2:
		list := ""
		switch to := n.Args[0].(type) {
		case *ast.Ident:
			list = to.Name
		case *ast.SelectorExpr:
			list = to.Sel.Name
		}
		if list == "warnings" || list == "problems" {
			s.add(n, 1)
		}
	}
}

var verb = regexp.MustCompile(`%[a-z]`)

// add notes the argument of a call that is a text.
func (s *source) add(n *ast.CallExpr, arg int) {
	if len(n.Args) <= arg {
		return
	}
	text := verb.ReplaceAllString(spell(n.Args[arg]), "…")
	text = strings.TrimSpace(strings.ReplaceAll(text, "`", ""))
	if s.config {
		text = strings.TrimPrefix(text, "…: ") // the option
	}
	if strings.Trim(text, "…: ") != "" {
		s.texts = append(s.texts, text)
	}
}

// spell returns a text with … for what is not known here.
func spell(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		if text, err := strconv.Unquote(e.Value); err == nil {
			return text
		}
	case *ast.BinaryExpr:
		return spell(e.X) + spell(e.Y)
	case *ast.CallExpr:
		if fn, ok := e.Fun.(*ast.SelectorExpr); ok && fn.Sel.Name == "Sprintf" {
			return spell(e.Args[0])
		}
	}
	return "…"
}
