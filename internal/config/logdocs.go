package config

import (
	"fmt"
	"strings"
	"time"

	"fluent-bit-mimecast/mimecast"
)

// LogDocs returns what docs/logs.md says of each log that comes in pages. sample
// returns a record of one, as indented JSON.
func LogDocs(sample func(log string) string) string {
	var b strings.Builder
	for _, l := range mimecast.Logs() {
		fmt.Fprintf(&b, "## `%s`\n\n| | |\n|---|---|\n", l.Name)
		row := func(what, text string) { fmt.Fprintf(&b, "| %s | %s |\n", what, text) }
		kind := "`" + l.Name + "`"
		if l.FeedTypes != nil {
			kind = code(l.FeedTypes) + ", by the feed"
		}
		row("`log_source`, `log_type`", "`"+l.Family+"`, "+kind)
		endpoint := fmt.Sprintf("[`POST %s`](%s)", l.Endpoint.Path, l.Endpoint.Page)
		if l.Older.Path != "" {
			endpoint += fmt.Sprintf("; where that answers 404, [`%s`](%s), which gives events of all times: those outside the poll are passed over", l.Older.Path, l.Older.Page)
		}
		row("endpoint", endpoint)
		apis := "1.0"
		if l.Endpoint.Product != "" {
			apis += " and 2.0, with the product *" + l.Endpoint.Product + "*"
		}
		row("API", apis)
		row("role permission", "*"+strings.ReplaceAll(l.Endpoint.Permission, "|", `\|`)+"*")
		row("timestamp", fmt.Sprintf("`%s`; the time of collection where an event has none", l.Time))
		row("events are told apart by", identity(l))
		row("position", positionOf(l))
		furthest := "not documented; `initial_lookback` decides at the start"
		if l.Keeps > 0 {
			furthest = FormatDuration(l.Keeps) + ", as Mimecast documents it, less ten minutes"
		}
		row("furthest back", furthest)
		if options := optionsOf(l.Name); options != "" {
			row("options of its own", options)
		}
		fmt.Fprintf(&b, "\n```json\n%s\n```\n\n", sample(l.Name))
	}
	return b.String()
}

func identity(l mimecast.Log) string {
	switch {
	case l.ID == "":
		return "their content, and how many equal ones there are: Mimecast gives them no id"
	case l.Version != "":
		return fmt.Sprintf("`%s` and `%s`: each version is a record", l.ID, l.Version)
	}
	return "`" + l.ID + "`"
}

func positionOf(l mimecast.Log) string {
	if l.OldestFirst {
		return "oldest first: the time up to which pages were read"
	}
	return "newest first: the end of the last window of at most " + FormatDuration(24*time.Hour) + " that was read to its last page"
}

// optionsOf returns the options that are named after a log.
func optionsOf(log string) string {
	var keys []string
	for _, o := range Options() {
		if strings.HasPrefix(o.Key, log+"_") {
			keys = append(keys, o.Key)
		}
	}
	if keys == nil {
		return ""
	}
	return code(keys)
}
