package collector

import "strings"

const (
	// maxTags bounds the tags that go by type, of all the logs of an instance:
	// Fluent Bit keeps each for good, and types come from file names.
	maxTags = 64
	// otherType stands in a tag for the types that come after so many.
	otherType = "other"
)

// tags are those that an instance has used. They are used from one thread.
type tags struct {
	used map[string]bool
	said bool // that there are too many
}

// of returns the tag for a piece: its own, or {log_source}.other if that would be
// one too many.
func (t *tags) of(p *piece) string {
	if p.tag == "" || t.used[p.tag] {
		return p.tag
	}
	if len(t.used) < maxTags {
		if t.used == nil {
			t.used = map[string]bool{}
		}
		t.used[p.tag] = true
		return p.tag
	}
	source, logType, _ := strings.Cut(p.tag, ".")
	other := source + "." + otherType
	if !t.said {
		t.said = true
		p.stream.log.Warn("too many log types; further ones share a tag", "log_type", logType, "limit", maxTags,
			"tag", "{tag}."+other, "what_to_do", "route the records with this tag by their log_type")
	}
	return other
}
