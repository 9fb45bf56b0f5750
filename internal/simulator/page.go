package simulator

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math"
	"sort"
)

const usePage = "page"

// pageToken is what a page token carries: where the page starts, and what must
// not change from page to page.
type pageToken struct {
	Second, Number int64  // the first event of the page
	From, To       int64  // as the first page resolved them
	Total          int    // as the first page counted it
	Request        string // fingerprint of the request's data
	Epoch          int64  // of issue; see Server.ExpirePages
	Salt           uint32 // makes tokens of one page differ
}

// fingerprint returns the same text for the same request data to a path, however
// spelt.
func fingerprint(path string, raw json.RawMessage) string {
	if canonical, err := Canonical(raw); err == nil {
		raw = json.RawMessage(canonical)
	}
	sum := sha256.Sum256(append([]byte(path+"\x00"), raw...))
	return base64.RawStdEncoding.EncodeToString(sum[:12])
}

func (s sealer) sealPage(p pageToken) string {
	payload, err := json.Marshal(p)
	if err != nil {
		return "" // numbers and a plain text always marshal
	}
	return s.seal(usePage, payload)
}

func (s sealer) openPage(token string) (p pageToken, ok bool) {
	payload, ok := s.open(usePage, token)
	if !ok || json.Unmarshal(payload, &p) != nil {
		return pageToken{}, false
	}
	return p, true
}

// beginning is a page's first event when a query's first page is meant, whatever
// events that will have.
const beginning = math.MinInt64

// page is one page of the events a query finds.
type page struct {
	events         []event
	previous, next *event // the first event of the page before and of the one behind
}

// emptied returns p without events and with a next that leads to p; first is the
// event p was to start with.
func (p page) emptied(first event) page {
	if len(p.events) > 0 {
		first = p.events[0]
	}
	return page{previous: p.previous, next: &first}
}

// continued returns p with a next, whether there are more events or not; first is
// the event p was to start with.
func (p page) continued(first event, oldestFirst bool) page {
	if p.next != nil {
		return p
	}
	p.next = &first
	if n := len(p.events); n > 0 {
		behind := after(p.events[n-1], oldestFirst)
		p.next = &behind
	}
	return p
}

// after returns where the page after an event starts.
func after(e event, oldestFirst bool) event {
	if oldestFirst {
		return event{second: e.second, number: e.number + 1}
	}
	return event{second: e.second, number: e.number - 1}
}

// turnTo returns the page that starts with the event first, or the next one if there is
// none such; within are the events of the query's window and matches its condition.
func turnTo(within []event, first event, oldestFirst bool, size int, matches func(event) bool) page {
	step, start := 1, 0
	if !oldestFirst {
		step, start = -1, len(within)-1
	}
	if first.number != beginning {
		start = sort.Search(len(within), func(i int) bool { return compareEvents(within[i], first) >= 0 })
		if !oldestFirst && (start == len(within) || compareEvents(within[start], first) > 0) {
			start--
		}
	}
	var p page
	for i := start; i >= 0 && i < len(within); i += step {
		if !matches(within[i]) {
			continue
		}
		if len(p.events) == size {
			p.next = &within[i]
			break
		}
		p.events = append(p.events, within[i])
	}
	if first.number == beginning {
		return p
	}
	passed := 0
	for i := start - step; i >= 0 && i < len(within) && passed < size; i -= step {
		if matches(within[i]) {
			p.previous = &within[i]
			passed++
		}
	}
	return p
}

// count returns how many events match.
func count(within []event, matches func(event) bool) int {
	n := 0
	for _, e := range within {
		if matches(e) {
			n++
		}
	}
	return n
}
