package hostconfig

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// FuzzRead reads what is no configuration: it ends, and what is wrong is told by an
// *Error.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		"[INPUT]\n    name mimecast\n    [GROUP]\n        a b\n    tag ${A:-${B}}\n[OUTPUT]\n\tmatch *\n@SET A=b\n@INCLUDE none*\n",
		"env: {A: b}\nincludes: [none.yaml]\nservice:\n  flush: 1\npipeline:\n  inputs:\n    - name: mimecast\n      routes: {logs: [{to: {outputs: [x, {name: y}]}}]}\n      list: [a, b]\n",
		"pipeline: {inputs: [{a: &b c, d: *b}], outputs: [[]]}", "- [", "[", "${", "${}", "${A", "@SET =",
	} {
		f.Add(seed)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		for _, name := range []string{"x.conf", "x.yaml"} {
			path := filepath.Join(dir, name)
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			c, err := Read(path, env)
			var told *Error
			if err != nil && !errors.As(err, &told) {
				t.Errorf("%s: %v", name, err)
			}
			for _, list := range [][]*Section{c.Inputs, c.Outputs, {&c.Service}} {
				for i := range list {
					list[i].Routed()
					for _, p := range list[i].Properties {
						c.Value(p)
						c.Unset(p)
						Match(p.Value, "mimecast.0")
					}
				}
			}
		}
	})
}
