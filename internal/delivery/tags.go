package delivery

import (
	"log/slog"
	"strings"
)

const (
	// MaxTags bounds the tags that go by type, of all the logs of an instance:
	// Fluent Bit keeps each for good, and types come from file names.
	MaxTags = 64
	// OtherType stands in a tag for the types that come after so many.
	OtherType = "other"
)

// tags are those that an instance has used. They are used from one thread.
type tags struct {
	used map[string]bool
	said bool // that there are too many
}

// of returns the tag for a piece: its own, or {log_source}.other if that would be
// one too many.
func (t *tags) of(p *piece, log *slog.Logger) string {
	if p.tag == "" || t.used[p.tag] {
		return p.tag
	}
	if len(t.used) < MaxTags {
		if t.used == nil {
			t.used = map[string]bool{}
		}
		t.used[p.tag] = true
		return p.tag
	}
	source, logType, _ := strings.Cut(p.tag, ".")
	other := source + "." + OtherType
	if !t.said {
		t.said = true
		log.Warn("too many log types; further ones share a tag", "logs", p.key.Log, "log_type", logType, "limit", MaxTags,
			"tag", "{tag}."+other, "what_to_do", "route the records with this tag by their log_type")
	}
	return other
}
