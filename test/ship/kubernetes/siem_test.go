package kubernetes

import (
	"bufio"
	"compress/gzip"
	"io"
	"iter"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"sync"
	"sync/atomic"
	"testing"

	"fluent-bit-mimecast/internal/harness"
)

// siem takes what the configuration's output sends, and counts it.
type siem struct {
	port string
	down atomic.Bool // answers 503

	mu    sync.Mutex
	tally harness.Tally
	err   error
}

// sentAt is the field that Fluent Bit's output puts before the record's own.
var sentAt = regexp.MustCompile(`^\{"date":[0-9.]+,`)

func newSIEM(t *testing.T) *siem {
	t.Helper()
	s := new(siem)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	_, s.port, _ = net.SplitHostPort(server.Listener.Addr().String())
	return s
}

func (s *siem) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.down.Load() {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.take(r.Body); err != nil {
		s.err = err
		w.WriteHeader(http.StatusBadRequest)
	}
}

// take counts the records of a request, all or none of them.
func (s *siem) take(body io.Reader) error {
	unpacked, err := gzip.NewReader(body)
	if err != nil {
		return err
	}
	var records [][]byte
	for lines := bufio.NewReader(unpacked); ; {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			records = append(records, sentAt.ReplaceAll(line, []byte("{")))
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	for _, record := range records {
		if err := s.tally.Add(record); err != nil {
			return err
		}
	}
	return nil
}

// received is how many records came, and how many different ones.
func (s *siem) received(t *testing.T) (all, different int) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		t.Fatal(s.err)
	}
	return s.tally.Received(), s.tally.Different()
}

func (s *siem) account(expected iter.Seq[string]) harness.Account {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tally.Account(expected)
}
