package position

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fluent-bit-mimecast/internal/checkpoint"
)

// TestPositionsOfBothVersions can be read by each other.
func TestPositionsOfBothVersions(t *testing.T) {
	encode := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	at := time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)
	begun := SIEM{Batch: Batch{Token: "t", Format: "json", Compress: true, File: "f", Records: 7, Digest: 1 << 63}, At: at}
	want := `{"token":"t","format":"json","compress":true,"file":"f","records":7,"digest":"9223372036854775808","at":"2024-01-02T03:04:05Z"}`
	if got := encode(begun); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	next := begun.Follow("u")
	want = `{"token":"u","previous":{"token":"t","format":"json","compress":true,"file":"f","records":7,"digest":"9223372036854775808"},"at":"2024-01-02T03:04:05Z"}`
	if got := encode(next); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	var back SIEM
	if err := json.Unmarshal([]byte(want), &back); err != nil || !cmp.Equal(back, next) {
		t.Errorf("got %+v, %v, want %+v", back, err, next)
	}
	// What the version before knew of a
	var old struct {
		Token   string
		Records int
		Digest  uint64 `json:",string"`
		At      time.Time
	}
	old.Digest = 5
	if err := json.Unmarshal([]byte(want), &old); err != nil || old.Token != "u" || old.Records != 0 || old.Digest != 5 || !old.At.Equal(at) {
		t.Errorf("got %+v, %v", old, err)
	}
}

func TestDescribe(t *testing.T) {
	for _, test := range []struct{ position, want string }{
		{"", "no position yet"},
		{`{"token":"","at":"0001-01-01T00:00:00Z"}`, "it starts from the earliest logs that the service has"},
		{`{"token":"t","at":"0001-01-01T00:00:00Z"}`, "it has a token, with no time known yet"},
		{
			`{"token":"t","format":"json","compress":true,"file":"f.log","records":7,"digest":"1","at":"2024-01-02T03:04:05Z"}`,
			"logs up to 2024-01-02 03:04:05Z are delivered\nthen 7 records of a batch (json, a zip), the last from f.log",
		},
		{
			`{"token":"t","refused":{"token":"u"},"at":"2024-01-02T03:04:05Z"}`,
			"logs up to 2024-01-02 03:04:05Z are delivered\nthe service has refused the token that followed this batch",
		},
		{
			`{"newest":"2024-01-02T03:04:05Z","last_poll":"2024-01-02T04:00:00Z"}`,
			"the last poll that was completed reached 2024-01-02 04:00:00Z\nthe newest event delivered is of 2024-01-02 03:04:05Z",
		},
		{
			`{"newest":"0001-01-01T00:00:00Z","last_poll":"2024-01-02T04:00:00Z"}`,
			"the last poll that was completed reached 2024-01-02 04:00:00Z\nno event has been delivered yet",
		},
		{`{"token":5}`, "error"},
		{`{"newest":5}`, "error"},
		{`[]`, "error"},
	} {
		lines, err := Describe(checkpoint.Stream{Position: position(test.position)})
		got := strings.Join(lines, "\n")
		if err != nil {
			got = "error"
		}
		if got != test.want {
			t.Errorf("%s: got %q, %v, want %q", test.position, got, err, test.want)
		}
	}
}

// position is one as it stands in the file; nil when there is none.
func position(text string) json.RawMessage {
	if text == "" {
		return nil
	}
	return json.RawMessage(text)
}
