package config

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

// hostKeys are options of a block that the host takes for itself.
var hostKeys = regexp.MustCompile(`^(name|tag|alias|mem_buf_limit|storage\.type)$`)

// TestExampleFiles holds the examples to the option table, and to each other.
func TestExampleFiles(t *testing.T) {
	fromYAML, fromConf := yamlBlock(t), confBlock(t)
	if diff := cmp.Diff(fromYAML, fromConf); diff != "" {
		t.Errorf("the examples differ, -yaml +conf:\n%s", diff)
	}
	known := map[string]bool{}
	for _, o := range Options() {
		known[o.Key] = true
	}
	block := map[string]string{}
	for key, value := range fromYAML {
		switch {
		case hostKeys.MatchString(key):
		case !known[key]:
			t.Errorf("%s is no option", key)
		default:
			block[key] = os.Expand(value, func(string) string { return "c2VjcmV0" })
		}
	}
	c, err := parse(block)
	if err != nil || len(c.Warnings) > 0 {
		t.Errorf("%v, warnings %q", err, c.Warnings)
	}
	if !cmp.Equal(c.Logs, []string{SIEM, "impersonation"}) || fromYAML["storage.type"] != "filesystem" {
		t.Errorf("the examples should show both logs and file system storage: %v", fromYAML)
	}
}

func yamlBlock(t *testing.T) map[string]string {
	t.Helper()
	var file struct {
		Pipeline struct {
			Inputs []map[string]string
		}
	}
	content, err := os.ReadFile("../../fluent-bit.yaml.example")
	if err == nil {
		err = yaml.Unmarshal(content, &file)
	}
	if err != nil || len(file.Pipeline.Inputs) != 1 {
		t.Fatalf("%d inputs, %v", len(file.Pipeline.Inputs), err)
	}
	return file.Pipeline.Inputs[0]
}

// confBlock reads the classic format, as far as the example goes.
func confBlock(t *testing.T) map[string]string {
	t.Helper()
	content, err := os.ReadFile("../../fluent-bit.conf.example")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(content), "\n[INPUT]\n")
	rest, _, ok2 := strings.Cut(rest, "\n[")
	if !ok || !ok2 {
		t.Fatal("no [INPUT] section")
	}
	block := map[string]string{}
	for line := range strings.Lines(rest) {
		if fields := strings.Fields(line); len(fields) == 2 && fields[0] != "#" {
			block[fields[0]] = fields[1]
		}
	}
	return block
}
