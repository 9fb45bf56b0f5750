package collector

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"fluent-bit-mimecast/internal/simulator"
)

// filePage is an answer to a request for links.
type filePage struct {
	names    []string // of files
	next     string
	caughtUp bool
}

// fileService is an API 2.0 that does what a test says. Its functions are called
// one at a time.
type fileService struct {
	// page answers the nth request for links, from 1.
	page func(n int, cursor string) filePage
	// file answers a download, the nth of its file, from 1.
	file func(w http.ResponseWriter, r *http.Request, name string, n int)
	// refuses has the nth request for links refused for its bearer token.
	refuses func(n int) bool

	mu        sync.Mutex
	asked     []time.Time    // when links were asked for
	downloads map[string]int // by name
}

func (f *fileService) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w.Header().Set("Date", time.Now().UTC().Format(http.TimeFormat))
	switch {
	case r.URL.Path == "/oauth/token":
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"access_token":"bearer-secret","token_type":"Bearer","expires_in":1799}`)
	case strings.HasPrefix(r.URL.Path, "/siem/"):
		f.asked = append(f.asked, time.Now())
		w.Header().Set("Content-Type", "application/json")
		if f.refuses != nil && f.refuses(len(f.asked)) {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"fail":[{"code":"InvalidClientIdentifier","message":"m"}]}`)
			return
		}
		page := f.page(len(f.asked), r.URL.Query().Get("nextPage"))
		links := []map[string]any{}
		for _, name := range page.names {
			url := fmt.Sprintf("https://store.example.com/f/%s.json.gz?sig=link-secret&at=%d", name, time.Now().Unix())
			links = append(links, map[string]any{"url": url, "size": 1})
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"value": links, "@nextPage": page.next, "isCaughtUp": page.caughtUp})
	default:
		name := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/f/"), ".json.gz")
		if f.downloads == nil {
			f.downloads = map[string]int{}
		}
		f.downloads[name]++
		f.file(w, r, name, f.downloads[name])
	}
}

// peak is the most requests for links in a quarter of an hour.
func (f *fileService) peak() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	peak, first := 0, 0
	for i, at := range f.asked {
		for at.Sub(f.asked[first]) >= 15*time.Minute {
			first++
		}
		peak = max(peak, i+1-first)
	}
	return peak
}

// requests is how many requests for links there were.
func (f *fileService) requests() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.asked)
}

// withFiles runs fn with a block of one type, which asks f.
func withFiles(t *testing.T, f *fileService, options []string, fn func(r *rig)) {
	t.Helper()
	withAPI2(t, simulator.Config{}, append([]string{"siem_types", "receipt"}, options...), func(r *rig) {
		r.answerWith(f.ServeHTTP)
		fn(r)
	})
}

// onePage leads from a page with files to an empty one.
func onePage(names ...string) func(int, string) filePage {
	return func(_ int, cursor string) filePage {
		if cursor == "" {
			return filePage{names, "c1", false}
		}
		return filePage{nil, cursor, true}
	}
}

func gzipped(text string) []byte {
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	_, _ = z.Write([]byte(text))
	_ = z.Close()
	return b.Bytes()
}

// events are the records of a file, all of one time.
func events(name string, n int, at time.Time) string {
	var b strings.Builder
	for i := range n {
		_, _ = fmt.Fprintf(&b, `{"id":"%s-%d","accountId":"C1","type":"receipt","timestamp":%d,"x":"%d"}`+"\n", name, i, at.UnixMilli(), i*7919)
	}
	return b.String()
}

// serves answers with a file of n records.
func serves(w http.ResponseWriter, name string, n int) {
	_, _ = w.Write(gzipped(events(name, n, time.Now().Add(-time.Hour))))
}

// tenEach answers with files of ten records.
func tenEach(w http.ResponseWriter, _ *http.Request, name string, _ int) { serves(w, name, 10) }

// hasFile fails the test unless each record of a file is stored once.
func (r *rig) hasFile(name string, records int) {
	r.t.Helper()
	all, distinct := 0, map[string]bool{}
	for _, s := range r.host.stored {
		if _, id, found := strings.Cut(s.record, `"id":"`+name+`-`); found {
			id, _, _ = strings.Cut(id, `"`)
			distinct[id] = true
			all++
		}
	}
	if all != records || len(distinct) != records {
		log := r.log.String()
		r.t.Errorf("%d records of %s, %d of them distinct, want %d; the end of the log:\n%s", all, name, len(distinct), records, log[max(0, len(log)-3000):])
	}
}

// byCursor makes a function for pages of one that is told how often a cursor has
// been asked for.
func byCursor(page func(cursor string, asked int) (names []string, next string, caughtUp bool)) func(int, string) filePage {
	asked := map[string]int{}
	return func(_ int, cursor string) filePage {
		asked[cursor]++
		names, next, caughtUp := page(cursor, asked[cursor])
		return filePage{names, next, caughtUp}
	}
}
