package position

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"fluent-bit-mimecast/internal/delivery"
	"fluent-bit-mimecast/mimecast"
)

// Links is where one type of SIEM logs of API 2.0 is: in the page of files at a
// cursor.
type Links struct {
	Cursor string   `json:"cursor"`           // empty: the first page
	From   string   `json:"from,omitempty"`   // UTC day that the first page begins with, as 2026-01-31
	Done   []string `json:"done,omitempty"`   // hashes of the paths of the page's files that are delivered
	Begun  []File   `json:"begun,omitempty"`  // files of the page that are delivered in part
	Failed []File   `json:"failed,omitempty"` // files of the page that can't be had

	// At is the time up to which logs were delivered, by the service's clock.
	At   time.Time `json:"at"`
	Flow Flow      `json:"flow,omitzero"`
}

// Flow is the latest time in which a type had events every day, by when they came.
type Flow struct {
	Since time.Time `json:"since"`
	Last  time.Time `json:"last"`
}

// Had returns the flow after events that came now.
func (f Flow) Had(now time.Time) Flow {
	now = now.UTC().Truncate(time.Second)
	if now.Sub(f.Last) > 24*time.Hour {
		f.Since = now
	}
	f.Last = now
	return f
}

// File is a file of a page.
type File struct {
	Path string `json:"path"` // of its link, without the query, which differs each time

	Records int       `json:"records,omitempty"`       // of a begun one: delivered
	Digest  uint64    `json:"digest,string,omitempty"` // of these
	Since   time.Time `json:"since,omitzero"`          // of a failed one: the first refusal
}

// Place returns the place in a file of the page.
func (l Links) Place(path string) delivery.Place {
	if i := find(l.Begun, path); i >= 0 {
		return delivery.Place{File: path, Records: l.Begun[i].Records, Digest: l.Begun[i].Digest}
	}
	return delivery.Place{}
}

// IsDone reports whether a file of the page is delivered.
func (l Links) IsDone(path string) bool { return slices.Contains(l.Done, hash(path)) }

// FailedSince returns since when a file of the page can't be had; zero if it can.
func (l Links) FailedSince(path string) time.Time {
	if i := find(l.Failed, path); i >= 0 {
		return l.Failed[i].Since
	}
	return time.Time{}
}

// With returns the position at a place in a file of the page.
func (l Links) With(path string, at delivery.Place) Links {
	l.Begun = without(l.Begun, path)
	if at.Records > 0 {
		l.Begun = append(l.Begun, File{Path: path, Records: at.Records, Digest: at.Digest})
	}
	return l
}

// Finish returns the position after a file of the page.
func (l Links) Finish(path string) Links {
	l.Begun = without(l.Begun, path)
	l.Done = append(l.Done[:len(l.Done):len(l.Done)], hash(path))
	l.Failed = without(l.Failed, path)
	return l
}

// Fail returns the position with a file that can't be had, since now unless it
// could not be had before.
func (l Links) Fail(path string, now time.Time) Links {
	if find(l.Failed, path) < 0 {
		l.Failed = append(l.Failed[:len(l.Failed):len(l.Failed)], File{Path: path, Since: now.UTC().Truncate(time.Second)})
	}
	return l
}

// maxDone is how many delivered files are remembered that a page no longer names: it
// may name them again.
const maxDone = 200

// Keep returns the position without the oldest of the delivered files that a page
// does not name, if there are many.
func (l Links) Keep(links []mimecast.SIEMLink) Links {
	named := map[string]bool{}
	for _, link := range links {
		named[hash(link.Path)] = true
	}
	var done []string
	unnamed := 0
	for _, h := range slices.Backward(l.Done) {
		if !named[h] {
			unnamed++
		}
		if named[h] || unnamed <= maxDone {
			done = append(done, h)
		}
	}
	slices.Reverse(done)
	l.Done = done
	return l
}

// Next returns the position at another page.
func (l Links) Next(cursor string) Links { return Links{Cursor: cursor, At: l.At, Flow: l.Flow} }

func hash(path string) string { return strconv.FormatUint(xxhash.Sum64String(path), 16) }

func find(files []File, path string) int {
	for i, f := range files {
		if f.Path == path {
			return i
		}
	}
	return -1
}

func without(files []File, path string) []File {
	var rest []File
	for _, f := range files {
		if f.Path != path {
			rest = append(rest, f)
		}
	}
	return rest
}

func (l Links) words() []string {
	var lines []string
	switch {
	case l.Cursor == "" && l.From != "":
		lines = append(lines, "it starts with "+l.From)
	case l.At.IsZero():
		lines = append(lines, "it has a cursor, with no time known yet")
	default:
		lines = append(lines, "logs up to "+moment(l.At)+" are delivered")
	}
	if n := len(l.Done); n > 0 {
		lines = append(lines, fmt.Sprintf("%d files of the page at the cursor are delivered", n))
	}
	for _, f := range l.Begun {
		lines = append(lines, fmt.Sprintf("and %d records of %s", f.Records, name(f.Path)))
	}
	for _, f := range l.Failed {
		lines = append(lines, "not to be had since "+moment(f.Since)+": "+name(f.Path))
	}
	return lines
}

// name is the last part of a path.
func name(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }
