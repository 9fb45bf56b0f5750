package position

import (
	"encoding/json"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fluent-bit-mimecast/internal/delivery"
	"fluent-bit-mimecast/mimecast"
)

func TestLinks(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	start := Links{Cursor: "c", At: now}
	in := start.Fail("/b", now).Fail("/b", now.Add(time.Hour)).With("/a", delivery.Place{Records: 3, Digest: 1 << 63})
	if got := in.Place("/a"); got != (delivery.Place{File: "/a", Records: 3, Digest: 1 << 63}) {
		t.Errorf("the place in a begun file is %v", got)
	}
	if got := in.Place("/b"); got != (delivery.Place{}) {
		t.Errorf("the place in another file is %v", got)
	}
	if since := in.FailedSince("/b"); !since.Equal(now) {
		t.Errorf("failed since %v", since)
	}
	one := in.Finish("/a")
	two := one.Finish("/b")
	other := one.Finish("/c") // shares no memory with two
	for path, want := range map[string]bool{"/a": true, "/b": true, "/c": false} {
		if two.IsDone(path) != want {
			t.Errorf("%s is done: %v", path, !want)
		}
	}
	if !other.IsDone("/c") || other.IsDone("/b") || other.FailedSince("/b").IsZero() || !two.FailedSince("/b").IsZero() {
		t.Errorf("got %+v", other)
	}
	raw, err := json.Marshal(in.Finish("/c"))
	if err != nil {
		t.Fatal(err)
	}
	var back Links
	if err := json.Unmarshal(raw, &back); err != nil || !cmp.Equal(back, in.Finish("/c")) {
		t.Errorf("%s: got %+v, %v", raw, back, err)
	}
	many := start
	for n := range 3 * maxDone {
		many = many.Finish("/" + strconv.Itoa(n))
	}
	many = many.Keep([]mimecast.SIEMLink{{Path: "/0"}, {Path: "/other"}})
	if len(many.Done) != maxDone+1 || !many.IsDone("/0") || many.IsDone("/1") || !many.IsDone("/"+strconv.Itoa(3*maxDone-1)) {
		t.Errorf("of many files, %d are kept as done", len(many.Done))
	}
	if next := two.Next("d"); !cmp.Equal(next, Links{Cursor: "d", At: now}) {
		t.Errorf("the next page is at %+v", next)
	}
}
