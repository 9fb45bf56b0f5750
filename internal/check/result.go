// Package check finds mistakes in a Fluent Bit configuration with this plugin: in the
// files alone, and then by asking the service. It writes nothing. What it prints
// holds no secret.
package check

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Status is how a check ended.
type Status string

// The ends of a check, in the order in which they are counted.
const (
	OK      Status = "ok"
	Warning Status = "warning"
	Failed  Status = "failed"
	Skipped Status = "skipped"
)

// Result is what one check found.
type Result struct {
	Status Status `json:"status"`
	Block  string `json:"block"`           // the instance as Fluent Bit's log names it, or the section
	At     string `json:"at,omitempty"`    // file and line
	What   string `json:"what"`            // was checked, and found
	Do     string `json:"to_do,omitempty"` // empty: nothing
}

// Report is all that was found, in order.
type Report struct {
	Results []Result `json:"results"`
}

// Count returns how many checks ended in one way.
func (r *Report) Count(s Status) int {
	n := 0
	for _, result := range r.Results {
		if result.Status == s {
			n++
		}
	}
	return n
}

func (r *Report) add(s Status, block, at, what, do string) {
	r.Results = append(r.Results, Result{s, block, at, what, do})
}

// Print writes a line for each check and one with the counts.
func (r *Report) Print(out io.Writer) error {
	width := 0
	for _, result := range r.Results {
		width = max(width, len(result.Block))
	}
	var b strings.Builder
	for _, result := range r.Results {
		fmt.Fprintf(&b, "%-7s  %-*s  %s", result.Status, width, result.Block, oneLine(result.What))
		if result.At != "" {
			fmt.Fprintf(&b, " (%s)", result.At)
		}
		if result.Do != "" {
			fmt.Fprintf(&b, "; to do: %s", oneLine(result.Do))
		}
		b.WriteByte('\n')
	}
	for i, s := range []Status{OK, Warning, Failed, Skipped} {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%d %s", r.Count(s), s)
	}
	b.WriteByte('\n')
	_, err := io.WriteString(out, b.String())
	return err
}

// PrintJSON writes the same as one JSON object.
func (r *Report) PrintJSON(out io.Writer) error {
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(struct {
		Results []Result       `json:"results"`
		Counts  map[Status]int `json:"counts"`
	}{
		slices.Concat([]Result{}, r.Results),
		map[Status]int{OK: r.Count(OK), Warning: r.Count(Warning), Failed: r.Count(Failed), Skipped: r.Count(Skipped)},
	})
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
