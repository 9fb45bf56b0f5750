package position

import (
	"encoding/json"
	"fmt"

	"fluent-bit-mimecast/internal/checkpoint"
)

// Calls are those that an application has made to a batch endpoint of API 2.0 of
// late, which the service counts. They stand beside the positions, so that a
// restart does not forget them.
type Calls struct {
	Calls []int64 `json:"calls"` // times in seconds since 1970, oldest first
}

func (c Calls) words() []string {
	return []string{fmt.Sprintf("%d calls to the batch endpoint are counted", len(c.Calls))}
}

// IsCalls reports whether a stream has calls that are counted rather than the
// position of a log.
func IsCalls(s checkpoint.Stream) bool {
	var c Calls
	return json.Unmarshal(s.Position, &c) == nil && c.Calls != nil
}
