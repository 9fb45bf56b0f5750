package simulator

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// event is what is kept of an event of a paged log.
type event struct {
	second  int64 // its time, Unix
	number  int64 // in the order of adding
	visible int64 // from when on it is found, Unix nanoseconds
	like    int64 // number of the event whose contents it has
	named   int64 // number of the event whose id it has
	feed    uint8 // index of the feed that has it
	undated bool  // its time is not told
}

func compareEvents(a, b event) int {
	return cmp.Or(cmp.Compare(a.second, b.second), cmp.Compare(a.number, b.number))
}

// timeline holds the events of a log, sorted by time and number. Safe for
// concurrent use; a snapshot never changes.
type timeline struct {
	mu     sync.Mutex
	sorted []event
	added  int64
}

func (t *timeline) snapshot() []event {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sorted
}

// add adds n events; made returns the one of that index with that number, which
// comes after before in the order of adding.
func (t *timeline) add(n int, made func(i int, number int64, before event) event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	next := make([]event, len(t.sorted), len(t.sorted)+max(0, n))
	copy(next, t.sorted)
	var before event
	for i := range n {
		before = made(i, t.added, before)
		next = append(next, before)
		t.added++
	}
	slices.SortFunc(next, compareEvents)
	t.sorted = next
}

// happening is what the contents of an event do not decide.
type happening struct {
	at      time.Time
	time    string // at, as answers have it
	id      string
	undated bool
}

// contents returns the members of an event in wire order, and how JSON spells them.
func (l *pagedLog) contents(seed uint64, e event) ([]member, spelling) {
	at := time.Unix(e.second, 0).UTC()
	h := happening{at: at, time: at.Format(timeLayout), undated: e.undated}
	w := line{dice: newDice(seed, l.stream, uint64(e.like))}
	if l.id != nil {
		h.id = l.id(&w.dice)
		if e.named != e.like {
			other := newDice(seed, l.stream, uint64(e.named))
			h.id = l.id(&other)
		}
	}
	how := l.write(&w, h)
	return w.fields, how
}

// spelling returns one way to spell an event.
func (l *line) spelling() spelling { return spelling{ascii: l.oneIn(4), slash: l.oneIn(2)} }
