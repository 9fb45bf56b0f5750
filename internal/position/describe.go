package position

import (
	"encoding/json"
	"fmt"

	"fluent-bit-mimecast/internal/checkpoint"
)

// Describe says in words where a log is, a line for each thing to say.
func Describe(s checkpoint.Stream) ([]string, error) {
	if s.Position == nil {
		return []string{"no position yet"}, nil
	}
	var kind struct {
		Token  *string `json:"token"`  // of a batch of API 1.0
		Cursor *string `json:"cursor"` // of a page of files of API 2.0
		Calls  []int64 `json:"calls"`
	}
	err := json.Unmarshal(s.Position, &kind)
	if err == nil && kind.Token != nil {
		var pos SIEM
		if err = json.Unmarshal(s.Position, &pos); err == nil {
			return pos.words(), nil
		}
	}
	if err == nil && kind.Calls != nil {
		return Calls{kind.Calls}.words(), nil
	}
	if err == nil && kind.Cursor != nil {
		var pos Links
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
