package collector

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"fluent-bit-mimecast/internal/simulator"
	"fluent-bit-mimecast/mimecast"
)

// listed is an event of a listService.
type listed struct {
	at      time.Time
	visible time.Time // zero: from at on
	json    string
}

// listService serves logs as their rows of the table say. Safe for concurrent use.
type listService struct {
	t    *testing.T
	size int // of a page, whatever is asked for
	// answer may answer in place of the page.
	answer func(w http.ResponseWriter, log string, ask pageAsk) bool
	// lax reports whether a path ignores the date filters.
	lax func(path string) bool

	mu     sync.Mutex
	events map[string][]listed // by log
	asks   map[string][]pageAsk
	paths  map[string]int
}

// add adds an event to a log, and what its record is.
func (s *listService) add(log string, at time.Time, text string, visible time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.events == nil {
		s.events = map[string][]listed{}
	}
	s.events[log] = append(s.events[log], listed{at.UTC().Truncate(time.Second), visible, text})
	slices.SortStableFunc(s.events[log], func(a, b listed) int { return a.at.Compare(b.at) })
}

// event adds an event whose time stands in the log's own member.
func (s *listService) event(l mimecast.Log, at time.Time, members string) {
	text := fmt.Sprintf(`{%q:%q,%s}`, l.Time, at.UTC().Format("2006-01-02T15:04:05-0700"), members)
	s.add(l.Name, at, text, time.Time{})
}

func (s *listService) asked(log string) []pageAsk {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asks[log])
}

func (s *listService) askedAt(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.paths[path]
}

func (s *listService) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", time.Now().UTC().Format(http.TimeFormat))
	i := slices.IndexFunc(mimecast.Logs(), func(l mimecast.Log) bool {
		return r.URL.Path == l.Endpoint.Path || r.URL.Path == l.Older.Path
	})
	if i < 0 {
		http.NotFound(w, r)
		return
	}
	l := mimecast.Logs()[i]
	ask := s.read(r, l)
	s.mu.Lock()
	if s.asks == nil {
		s.asks, s.paths = map[string][]pageAsk{}, map[string]int{}
	}
	s.asks[l.Name] = append(s.asks[l.Name], ask)
	s.paths[r.URL.Path]++
	lax := s.lax != nil && s.lax(r.URL.Path)
	var within []listed
	for _, e := range s.events[l.Name] {
		if (lax || !e.at.Before(ask.from) && !e.at.After(ask.to)) && !e.visible.After(time.Now()) {
			within = append(within, e)
		}
	}
	s.mu.Unlock()
	if s.answer != nil && s.answer(w, l.Name, ask) {
		return
	}
	if !l.OldestFirst {
		slices.Reverse(within)
	}
	page, _ := strconv.Atoi(ask.token)
	var events []string
	for _, e := range within[min(page*s.size, len(within)):min((page+1)*s.size, len(within))] {
		events = append(events, e.json)
	}
	next := ""
	if (page+1)*s.size < len(within) {
		next = strconv.Itoa(page + 1)
	}
	list := strings.Join(events, ",")
	if l.List != "" {
		list = fmt.Sprintf(`{%q:[%s]}`, l.List, list)
	}
	_, _ = fmt.Fprintf(w, `{"meta":{"status":200,"pagination":{"next":%q}},"fail":[],"data":[%s]}`, next, list)
}

// read reads a request, and checks what the row says of it.
func (s *listService) read(r *http.Request, l mimecast.Log) pageAsk {
	s.t.Helper()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Error(err)
	}
	var request struct {
		Meta struct{ Pagination struct{ PageToken string } }
		Data []map[string]any
	}
	if err := json.Unmarshal(body, &request); err != nil || len(request.Data) != 1 {
		s.t.Errorf("%s: %v", body, err)
	}
	ask := pageAsk{token: request.Meta.Pagination.PageToken, at: time.Now()}
	for key, at := range map[string]*time.Time{l.From: &ask.from, l.To: &ask.to} {
		text, _ := request.Data[0][key].(string)
		if *at, err = time.Parse(l.TimeLayout, text); err != nil {
			s.t.Error(err)
		}
	}
	for key, want := range l.Always {
		if got := request.Data[0][key]; got != want {
			s.t.Errorf("%s: %s is %v", l.Name, key, got)
		}
	}
	if _, oldest := request.Data[0]["oldestFirst"]; oldest != l.OldestFirst {
		s.t.Errorf("%s: oldestFirst is sent: %v", l.Name, oldest)
	}
	return ask
}

// once fails the test unless each event came once, equal ones as often as there are.
func (s *listService) once(r *rig) {
	r.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	due := map[string]int{}
	for name, events := range s.events {
		source := name
		for _, l := range mimecast.Logs() {
			if l.Name == name {
				source = l.Family
			}
		}
		for _, e := range events {
			record, err := simulator.Canonical([]byte(strings.TrimSuffix(e.json, "}") + fmt.Sprintf(`,"log_source":%q,"log_type":%q}`, source, name)))
			if err != nil {
				r.t.Fatal(err)
			}
			due[record]++
		}
	}
	for _, stored := range r.host.stored {
		due[stored.record]--
	}
	lost, twice, example := 0, 0, ""
	for record, n := range due {
		lost, twice = lost+max(n, 0), twice+max(-n, 0)
		if n != 0 {
			example = record
		}
	}
	if lost+twice > 0 {
		log := r.log.String()
		r.t.Errorf("%d lost, %d twice or unknown, of %d records; one of them %s\nthe end of the log:\n%s",
			lost, twice, len(r.host.stored), example, log[max(0, len(log)-3000):])
	}
}

// withLists runs fn with a service of logs.
func withLists(t *testing.T, s *listService, logs string, options []string, fn func(r *rig)) {
	t.Helper()
	withRig(t, simulator.Config{}, append([]string{"logs", logs}, options...), func(r *rig) {
		s.t, s.size = r.t, cmp.Or(s.size, 50)
		r.answerWith(s.ServeHTTP)
		fn(r)
	})
}
