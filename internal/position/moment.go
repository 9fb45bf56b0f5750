package position

import (
	"strings"
	"time"
)

// moment writes a time as a person reads it.
func moment(t time.Time) string {
	return strings.Replace(t.UTC().Format(time.RFC3339), "T", " ", 1)
}
