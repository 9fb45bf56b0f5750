// Package docs tests the links of the documents.
package docs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"unicode"

	"github.com/google/go-cmp/cmp"
)

var (
	fence   = regexp.MustCompile("^ *(```|~~~)")
	span    = regexp.MustCompile("``[^`]+``|`[^`]+`")
	link    = regexp.MustCompile(`\]\(([^)\s]+)(?: "[^"]*")?\)`)
	heading = regexp.MustCompile(`^#{1,6} +(.*?)[ #]*$`)
	anchor  = regexp.MustCompile(`<a (?:id|name)="([^"]+)"`)
	aText   = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
)

// prose returns the lines of a Markdown text that are not in a fence of code.
func prose(text string) (lines []string) {
	inside := ""
	for line := range strings.Lines(text) {
		switch m := fence.FindStringSubmatch(line); {
		case m == nil && inside == "":
			lines = append(lines, strings.TrimRight(line, "\n"))
		case m != nil && inside == "":
			inside = m[1]
		case m != nil && m[1] == inside:
			inside = ""
		}
	}
	return lines
}

// links returns the targets in a text that are not other hosts'.
func links(text string) (targets []string) {
	for _, line := range prose(text) {
		for _, m := range link.FindAllStringSubmatch(span.ReplaceAllString(line, "code"), -1) {
			if !strings.Contains(m[1], "://") && !strings.HasPrefix(m[1], "mailto:") {
				targets = append(targets, m[1])
			}
		}
	}
	return targets
}

// anchors returns what may follow # in a link to a text, as GitHub makes it of the
// headings.
func anchors(text string) map[string]bool {
	all, times := map[string]bool{}, map[string]int{}
	for _, line := range prose(text) {
		for _, m := range anchor.FindAllStringSubmatch(line, -1) {
			all[m[1]] = true
		}
		m := heading.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		name := slug(aText.ReplaceAllString(m[1], "$1"))
		if n := times[name]; n > 0 {
			all[fmt.Sprintf("%s-%d", name, n)] = true
		} else {
			all[name] = true
		}
		times[name]++
	}
	return all
}

func slug(title string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, title)
}

// follow returns an error unless a link in the document at from leads to something.
func follow(tree fs.FS, from, target string) error {
	name, fragment, has := strings.Cut(target, "#")
	to := from
	if name != "" {
		to = path.Join(path.Dir(from), name)
	}
	if !fs.ValidPath(to) {
		return errors.New("leads out of the tree")
	}
	info, err := fs.Stat(tree, to)
	switch {
	case err != nil:
		return err
	case !has:
		return nil
	case info.IsDir() || path.Ext(to) != ".md":
		return errors.New("has an anchor in what is no document")
	}
	text, err := fs.ReadFile(tree, to)
	if err == nil && !anchors(string(text))[fragment] {
		err = fmt.Errorf("%s has no heading for it", to)
	}
	return err
}

// TestLinks follows the links within the project. It fails when a document or all
// links of one are not found, too.
func TestLinks(t *testing.T) {
	t.Parallel()
	tree := os.DirFS("..")
	documents := []string{"README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"}
	more, err := fs.Glob(tree, "docs/*.md")
	if err != nil || len(more) < 5 {
		t.Fatalf("docs: %v, %v", more, err)
	}
	followed := map[string]int{}
	for _, document := range slices.Concat(documents, more) {
		text, err := fs.ReadFile(tree, document)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, target := range links(string(text)) {
			followed[document]++
			if err := follow(tree, document, target); err != nil {
				t.Errorf("%s: the link %s: %v", document, target, err)
			}
		}
	}
	if followed["README.md"] < 20 {
		t.Errorf("README.md has %d links: are they found?", followed["README.md"])
	}
}

func TestReading(t *testing.T) {
	t.Parallel()
	const text = "# A `b_c`, d!\n[x](a.md) and [y](b.md) `[z](code.md)` [w](https://example.com/)\n" +
		"```\n# no heading\n[v](code.md)\n```\n## Twice\n## Twice\n### [In](c.md#d) a link ##\n<a id=\"own\"></a>\n[u](#twice-1 \"title\")\n"
	if diff := cmp.Diff([]string{"a.md", "b.md", "c.md#d", "#twice-1"}, links(text)); diff != "" {
		t.Errorf("links (-want +got):\n%s", diff)
	}
	want := map[string]bool{"a-b_c-d": true, "twice": true, "twice-1": true, "in-a-link": true, "own": true}
	if diff := cmp.Diff(want, anchors(text)); diff != "" {
		t.Errorf("anchors (-want +got):\n%s", diff)
	}
}

func TestFollow(t *testing.T) {
	t.Parallel()
	tree := fstest.MapFS{
		"README.md":   {Data: []byte("# Top\n")},
		"docs/a.md":   {Data: []byte("# Here\n")},
		"docs/b.conf": {},
	}
	for _, target := range []string{"a.md", "#here", "a.md#here", "../README.md#top", "b.conf", ".."} {
		if err := follow(tree, "docs/a.md", target); err != nil {
			t.Errorf("%s: %v", target, err)
		}
	}
	for _, target := range []string{"c.md", "#there", "../README.md#here", "b.conf#here", "../../x", "/docs/a.md#no"} {
		if err := follow(tree, "docs/a.md", target); err == nil {
			t.Errorf("%s leads somewhere", target)
		}
	}
}
