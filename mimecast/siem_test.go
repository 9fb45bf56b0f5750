package mimecast

import (
	"testing"
)

func TestABatchWhoseNextTokenIsItsOwn(t *testing.T) {
	c := newTestClient(t, answering(200, "PK\x03\x04", "Mc-Siem-Token", "old"))
	if content, b, err := siem(c, "old"); err != nil || content != "PK\x03\x04" || b.NextToken != "old" {
		t.Errorf("got %q, %+v, %v", content, b, err)
	}
}
