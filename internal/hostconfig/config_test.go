package hostconfig

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// files writes files, by name, and returns their folder.
func files(t *testing.T, content map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range content {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(text, "{dir}", dir)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// words returns the keys and values of sections, with the variables replaced.
func words(c *Config, sections ...*Section) []string {
	var list []string
	for _, s := range sections {
		var b strings.Builder
		for _, p := range s.Properties {
			b.WriteString(p.Key + "=" + c.Value(p) + " ")
		}
		list = append(list, strings.TrimSpace(b.String()))
	}
	return list
}

func env(name string) string { return map[string]string{"A": "a", "B": "of the environment"}[name] }

// TestRead reads the same configuration in both formats.
func TestRead(t *testing.T) {
	dir := files(t, map[string]string{
		"main.conf": "# comment\n@SET B=b\n@SET C=file://{dir}/secret\n@INCLUDE more/*.conf\n\n[SERVICE]\n    Flush 5\r\n    # indented comment\n" +
			"[INPUT]\n    Name   mimecast \n    db ${A}/${B}/${C}/${D:-d}/${E}x\n    [GROUP] \n        inner of_the_group\n[OUTPUT]\n    name stdout\n    match *\n[PARSER]\n    name x",
		"more/one.conf": "[INPUT]\n  name dummy\n  tag ${B}\n",
		"main.yaml": "env:\n  B: b\nincludes:\n  - more/*.yaml\nservice:\n  flush: 5\npipeline:\n  inputs:\n    - name: mimecast\n      db: ${A}/${B}/${C}/${D:-d}/${E}x\n" +
			"      routes:\n        logs:\n          - name: r\n            to:\n              outputs: [one, {name: two}]\n" +
			"  outputs:\n    - {name: stdout, match: '*'}\n",
		"more/one.yaml": "env:\n  - name: C\n    uri: file://{dir}/secret\npipeline:\n  inputs:\n    - name: dummy\n      tag: ${B}\n",
		"secret":        "c\n",
	})
	for _, name := range []string{"main.conf", "main.yaml"} {
		c, err := Read(filepath.Join(dir, name), env)
		if err != nil {
			t.Fatal(name, err)
		}
		inputs := words(c, c.Inputs...)
		inputs[1] = strings.TrimSuffix(inputs[1], " routes=")
		if diff := cmp.Diff([]string{"name=dummy tag=b", "name=mimecast db=a/b/c/d/x"}, inputs); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if diff := cmp.Diff([]string{"flush=5", "name=stdout match=*"}, words(c, &c.Service, c.Outputs[0])); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if p := c.Inputs[1].All("db")[0]; !cmp.Equal(c.Unset(p), []string{"E"}) || p.At.Line != map[string]int{"main.conf": 11, "main.yaml": 10}[name] {
			t.Errorf("%s: %v unset, at %s", name, c.Unset(p), p.At)
		}
		if name == "main.yaml" && !cmp.Equal(c.Inputs[1].Routed(), []string{"one", "two"}) {
			t.Errorf("routed to %v", c.Inputs[1].Routed())
		}
	}
}

// TestIncludeInASection has keys of a section behind a file with sections.
func TestIncludeInASection(t *testing.T) {
	dir := files(t, map[string]string{
		"x.conf":    "[INPUT]\n    name mimecast\n@INCLUDE more.conf\n    tag outer",
		"more.conf": "[INPUT]\n    tag one\n[INPUT]\n    tag two",
	})
	c, err := Read(filepath.Join(dir, "x.conf"), env)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"name=mimecast tag=outer", "tag=one", "tag=two"}, words(c, c.Inputs...)); diff != "" {
		t.Error(diff)
	}
}

func TestReadFails(t *testing.T) {
	for name, test := range map[string]struct{ file, content, want string }{
		"tab":             {"x.conf", "[INPUT]\n    name\tmimecast", "x.conf:2: a key and its value are separated by a tab"},
		"no value":        {"x.conf", "[INPUT]\n    name", "x.conf:2: a key without a value"},
		"indentation":     {"x.conf", "[INPUT]\n    name x\n  tag y", "x.conf:3: the line is indented otherwise"},
		"no section":      {"x.conf", "    name x", "x.conf:1: a key before the first section"},
		"bracket":         {"x.conf", "[INPUT\n", "x.conf:1: a section's name needs brackets"},
		"itself":          {"x.conf", "@INCLUDE x.conf", "x.conf: the file is included twice"},
		"none included":   {"x.conf", "@INCLUDE none*.conf", "x.conf:1: no file is of the included name"},
		"include space":   {"x.conf", "@INCLUDE x.conf ", "x.conf:1: the included file {dir}/x.conf  can't be read: no such file"},
		"command":         {"x.conf", "@SET\tA=b", "x.conf:1: a command without a space"},
		"group":           {"x.conf", "[INPUT]\n    [GROUP]", "x.conf:2: a key without a value"},
		"gone":            {"x.conf", "@INCLUDE gone.conf", "gone.conf can't be read: no such file"},
		"yaml itself":     {"x.yaml", "includes:\n  - x.yaml", "the file is included twice"},
		"yaml section":    {"x.yaml", "pipeline:\n  input:\n    - name: x", "x.yaml:2: a pipeline has inputs, filters and outputs alone"},
		"yaml tab":        {"x.yaml", "pipeline:\n\tinputs: secret", "x.yaml:2: no valid YAML"},
		"yaml is a text":  {"x.yaml", "secret", "x.yaml:1: the file has to be a map"},
		"yaml's env":      {"x.yaml", "env: secret", "x.yaml:1: env has to be a map"},
		"yaml's service":  {"x.yaml", "service: {flush: [secret]}", "x.yaml:1: a list; Fluent Bit takes none in service"},
		"yaml variable":   {"x.yaml", "env: {A: [secret]}", "x.yaml:1: a variable has to be a text"},
		"yaml listed":     {"x.yaml", "env: [{name: A, value: [secret]}]", "x.yaml:1: a variable has to be a text"},
		"yaml stray key":  {"x.yaml", "flush: secret", "x.yaml:1: flush has to be a map or a list"},
		"yaml include":    {"x.yaml", "includes: secret", "x.yaml:1: includes has to be a map or a list"},
		"yaml services":   {"x.yaml", "service: {flush: 1}\nservice: {flush: 2}", "x.yaml:2: service is there twice"},
		"yaml none there": {"x.yaml", "includes: ['none*']", "x.yaml:1: no file is of the included name"},
	} {
		dir := files(t, map[string]string{test.file: test.content})
		_, err := Read(filepath.Join(dir, test.file), env)
		if err == nil || !strings.Contains(err.Error(), strings.ReplaceAll(test.want, "{dir}", dir)) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
	}
}

func TestSnake(t *testing.T) {
	for key, want := range map[string]string{"clientId": "client_id", "client_ID": "client_id", "Name": "name", "storage.type": "storage.type", "": ""} {
		if got := snake(key); got != want {
			t.Errorf("%s: %s, want %s", key, got, want)
		}
	}
}

func TestMatch(t *testing.T) {
	for _, test := range []struct {
		pattern, tag string
		want         bool
	}{
		{"*", "mimecast.0", true},
		{"*", "", true},
		{"", "", true},
		{"", "x", false},
		{"mimecast", "mimecast.0", false},
		{"mimecast*", "mimecast", true},
		{"mimecast.*", "mimecast.0", true},
		{"*.siem.*", "a.siem.b", true},
		{"*.siem.*", "a.ttp.b", false},
		{"a**c", "abc", true},
		{"*b", "abab", true},
		{"Mimecast", "mimecast", false},
	} {
		if got := Match(test.pattern, test.tag); got != test.want {
			t.Errorf("%q, %q: %v", test.pattern, test.tag, got)
		}
	}
	for _, test := range []struct {
		pattern, tag string
		want         bool
	}{
		{"mime", "mimecast.0", true},
		{"cast", "mimecast.0", false},
		{"/^mimecast/", "mimecast.0", true},
		{"a|mime", "mimecast.0", true},
	} {
		re, err := Regex(test.pattern)
		if err != nil || re.MatchString(test.tag) != test.want {
			t.Errorf("%q, %q: %v, %v", test.pattern, test.tag, !test.want, err)
		}
	}
	if _, err := Regex("(?<!x)y"); err == nil {
		t.Error("no error for what package regexp does not know")
	}
}
