package harness

import "testing"

func TestParseVersion(t *testing.T) {
	v, err := parseVersion("Fluent Bit v4.0.14\nGit commit: abc\n")
	if err != nil || v != (Version{4, 0, 14}) || v.String() != "v4.0.14" {
		t.Errorf("%v, %v", v, err)
	}
	if !v.EndsStart() || !v.LeaksFiles() || v.RoutesByCondition() || (Version{4, 0, 2}).EndsStart() || !(Version{5, 1, 0}).RoutesByCondition() {
		t.Error("versions are not compared by their numbers")
	}
	if _, err := parseVersion("sh: not found"); err == nil {
		t.Error("anything is a version")
	}
}
