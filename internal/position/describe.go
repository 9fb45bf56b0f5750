package position

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"fluent-bit-mimecast/internal/checkpoint"
)

// Describe says in words where a log is, a line for each thing to say.
func Describe(s checkpoint.Stream) ([]string, error) {
	if s.Position == nil {
		return []string{"no position yet"}, nil
	}
	var kind struct {
		Token *string `json:"token"` // of a batch; pages have none
	}
	err := json.Unmarshal(s.Position, &kind)
	if err == nil && kind.Token != nil {
		var pos SIEM
		if err = json.Unmarshal(s.Position, &pos); err == nil {
			return pos.words(), nil
		}
	}
	var pos Paged
	if err == nil {
		if err = json.Unmarshal(s.Position, &pos); err == nil {
			return pos.words(), nil
		}
	}
	return nil, fmt.Errorf("its position can't be read: %w", err)
}

func (pos SIEM) words() []string {
	var lines []string
	switch {
	case pos.Token == "" && pos.Records == 0:
		lines = append(lines, "it starts from the earliest logs that the service has")
	case pos.At.IsZero():
		lines = append(lines, "it has a token, with no time known yet")
	default:
		lines = append(lines, "logs up to "+moment(pos.At)+" are delivered")
	}
	if pos.Records > 0 {
		kind := "a plain file"
		if pos.Compress {
			kind = "a zip"
		}
		lines = append(lines, fmt.Sprintf("then %d records of a batch (%s, %s), the last from %s", pos.Records, pos.Format, kind, pos.File))
	}
	if pos.Refused != nil {
		lines = append(lines, "the service has refused the token that followed this batch")
	}
	return lines
}

func (pos Paged) words() []string {
	var lines []string
	if !pos.LastPoll.IsZero() {
		lines = append(lines, "the last poll that was completed reached "+moment(pos.LastPoll))
	}
	if pos.Newest.IsZero() {
		return append(lines, "no event has been delivered yet")
	}
	return append(lines, "the newest event delivered is of "+moment(pos.Newest))
}

func moment(t time.Time) string {
	return strings.Replace(t.UTC().Format(time.RFC3339), "T", " ", 1)
}
