package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"fluent-bit-mimecast/internal/harness"
	"fluent-bit-mimecast/internal/simulator"
)

// intake is a destination of records over HTTP. It counts a record when it
// answers that it has it. It is down until up, and down again from each down on.
type intake struct {
	t        *testing.T
	speaks   protocol
	without  []string // fields that the record did not have at its source
	address  string
	server   *http.Server
	mu       sync.Mutex
	refusals []int      // the statuses of the next answers
	status   func() int // of the next record; nil: 201
	tally    harness.Tally
	requests int
	largest  int // bytes of a body, as it was sent
}

// protocol takes the records out of a request and answers it; an empty answer has
// no content. A protocol that answers for each record asks status for it, and takes
// those of 201.
type protocol func(r *http.Request, body []byte, status func() int) (records []json.RawMessage, answer string, err error)

// newIntake returns one with an address of its own that is down.
func newIntake(t *testing.T, speaks protocol) *intake {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close()
	r := &intake{t: t, speaks: speaks, address: listener.Addr().String()}
	t.Cleanup(func() {
		if r.server != nil {
			_ = r.server.Close()
		}
	})
	return r
}

// up has the intake answer, with the given statuses first.
func (r *intake) up(refusals ...int) {
	r.t.Helper()
	r.mu.Lock()
	r.refusals = refusals
	r.mu.Unlock()
	listener, err := net.Listen("tcp", r.address)
	if err != nil {
		r.t.Fatal(err)
	}
	r.server = &http.Server{Handler: r}
	go func() { _ = r.server.Serve(listener) }()
}

// down refuses connections, once the requests that are under way are answered.
func (r *intake) down() {
	r.t.Helper()
	if err := r.server.Shutdown(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

func (r *intake) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		return // the host ends
	}
	r.requests++
	r.largest = max(r.largest, len(body))
	if strings.HasSuffix(req.URL.Path, "/token") {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"access_token":"t","token_type":"Bearer","expires_in":3600}`)
		return
	}
	if len(r.refusals) > 0 {
		w.WriteHeader(r.refusals[0])
		r.refusals = r.refusals[1:]
		return
	}
	records, answer, err := r.read(req, body)
	for _, record := range records {
		err = errors.Join(err, r.tally.Add(record))
	}
	if err != nil {
		r.t.Errorf("%s %s: %v", req.Method, req.URL, err)
	}
	if answer == "" {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprint(w, answer)
}

// read returns the records of a request, as they were at their source.
func (r *intake) read(req *http.Request, body []byte) ([]json.RawMessage, string, error) {
	if req.Header.Get("Content-Encoding") == "gzip" {
		in, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return nil, "", err
		}
		if body, err = io.ReadAll(in); err != nil {
			return nil, "", err
		}
	}
	status := r.status
	if status == nil {
		status = func() int { return http.StatusCreated }
	}
	records, answer, err := r.speaks(req, body, status)
	for i := range records {
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(records[i], &fields); err != nil {
			return nil, "", err
		}
		for _, name := range r.without {
			delete(fields, name)
		}
		if records[i], err = json.Marshal(fields); err != nil {
			return nil, "", err
		}
	}
	return records, answer, err
}

// account compares what was received with what the service has.
func (r *intake) account(service *simulator.Server) harness.Account {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tally.Account(service.Expected())
}

// received returns how many records came that are not repeats.
func (r *intake) received() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tally.Received()
}

// speakBulk is the bulk API of Elasticsearch and OpenSearch.
func speakBulk(req *http.Request, body []byte, status func() int) (records []json.RawMessage, answer string, err error) {
	if req.URL.Path != "/_bulk" {
		return nil, "", errors.New("no such path")
	}
	var items []string
	failed := false
	for in := json.NewDecoder(bytes.NewReader(body)); in.More(); {
		var action map[string]struct {
			Index string `json:"_index"`
			Type  string `json:"_type"`
			ID    string `json:"_id"`
		}
		var document json.RawMessage
		if err := errors.Join(in.Decode(&action), in.Decode(&document)); err != nil {
			return nil, "", err
		}
		var fields struct {
			ID string `json:"event_id"`
		}
		if err := json.Unmarshal(document, &fields); err != nil {
			return nil, "", err
		}
		s := status()
		for name, where := range action {
			if where.Index == "" || where.Type != "" || where.ID == "" || where.ID != fields.ID {
				return nil, "", fmt.Errorf("%s of %+v", name, where)
			}
			items = append(items, fmt.Sprintf(`{%q:{"_index":%q,"status":%d}}`, name, where.Index, s))
		}
		if s == http.StatusCreated {
			records = append(records, document)
		} else {
			failed = true
		}
	}
	return records, fmt.Sprintf(`{"took":1,"errors":%t,"items":[%s]}`, failed, strings.Join(items, ",")), nil
}

// speakSplunk is Splunk's HTTP Event Collector.
func speakSplunk(req *http.Request, body []byte, _ func() int) (records []json.RawMessage, answer string, err error) {
	if req.URL.Path != "/services/collector/event" || !strings.HasPrefix(req.Header.Get("Authorization"), "Splunk ") {
		return nil, "", errors.New("no such path, or no token")
	}
	for in := json.NewDecoder(bytes.NewReader(body)); in.More(); {
		var event struct {
			Time  float64
			Event json.RawMessage
		}
		if err := in.Decode(&event); err != nil || event.Time == 0 {
			return nil, "", fmt.Errorf("no event with a time: %w", err)
		}
		records = append(records, event.Event)
	}
	return records, `{"text":"Success","code":0}`, nil
}

// speakLoki is Loki's push API. The output takes the fields that become labels out
// of the line.
func speakLoki(req *http.Request, body []byte, _ func() int) (records []json.RawMessage, answer string, err error) {
	if req.URL.Path != "/loki/api/v1/push" {
		return nil, "", errors.New("no such path")
	}
	var push struct {
		Streams []struct {
			Stream map[string]string
			Values [][2]string
		}
	}
	if err := json.Unmarshal(body, &push); err != nil {
		return nil, "", err
	}
	for _, s := range push.Streams {
		if s.Stream["job"] != "mimecast" || s.Stream["log_type"] == "" {
			return nil, "", fmt.Errorf("a stream of %v", s.Stream)
		}
		for _, v := range s.Values {
			line, ok := strings.CutSuffix(v[1], "}")
			if !ok {
				return nil, "", fmt.Errorf("the line %s", v[1])
			}
			records = append(records, fmt.Appendf(nil, `%s,"log_source":%q,"log_type":%q}`, line, s.Stream["log_source"], s.Stream["log_type"]))
		}
	}
	return records, "", nil
}

// speakS3 is the upload of an object of JSON lines.
func speakS3(req *http.Request, body []byte, _ func() int) (records []json.RawMessage, answer string, err error) {
	if req.Method != http.MethodPut {
		return nil, "", errors.New("no upload")
	}
	for line := range bytes.Lines(body) {
		records = append(records, line)
	}
	return records, " ", nil
}

// speakAzure is the Logs Ingestion API.
func speakAzure(req *http.Request, body []byte, _ func() int) (records []json.RawMessage, answer string, err error) {
	if !strings.HasSuffix(req.URL.Path, "/streams/Custom-Mimecast_CL") || req.Header.Get("Authorization") != "Bearer t" {
		return nil, "", errors.New("no such path, or no token")
	}
	return records, "", json.Unmarshal(body, &records)
}
