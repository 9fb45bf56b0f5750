package collector

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"fluent-bit-mimecast/internal/simulator"
	"fluent-bit-mimecast/mimecast"
)

// ids takes the fields that options add out of the stored records, and returns how
// often each id came.
func (r *rig) ids() map[string]int {
	r.t.Helper()
	came := map[string]int{}
	for i, s := range r.host.stored {
		var record map[string]json.RawMessage
		if err := json.Unmarshal([]byte(s.record), &record); err != nil {
			r.t.Fatal(err)
		}
		var id, original string
		_, isUnparsed := record["raw"]
		if json.Unmarshal(record["id_"], &id) != nil || !isUnparsed && json.Unmarshal(record["source_"], &original) != nil {
			r.t.Fatalf("an id or a source is missing: %s", s.record)
		}
		came[id]++
		delete(record, "id_")
		delete(record, "source_")
		rest, err := json.Marshal(record)
		if err != nil {
			r.t.Fatal(err)
		}
		if r.host.stored[i].record, err = simulator.Canonical(rest); err != nil {
			r.t.Fatal(err)
		}
		delete(record, "log_source")
		delete(record, "log_type")
		if !strings.HasPrefix(original, "{") {
			continue // key_value, or unparsed
		}
		if rest, err = json.Marshal(record); err != nil {
			r.t.Fatal(err)
		}
		without, err1 := simulator.Canonical(rest)
		source, err2 := simulator.Canonical([]byte(original))
		if without != source || err1 != nil || err2 != nil {
			r.t.Fatalf("the record %s\nhas the source %s: %v, %v", without, source, err1, err2)
		}
	}
	return came
}

// TestIDsOfRecords reads everything twice, from the start, by all ways that records
// come.
func TestIDsOfRecords(t *testing.T) {
	t.Parallel()
	all := map[string]string{} // id to the options
	for _, options := range [][]string{{"siem_compress", "on"}, {"siem_format", "key_value"}, {"siem_compress", "off"}, {"api", "2"}} {
		options := append(options, "id_key", "id_", "original_key", "source_", "initial_lookback", "7d")
		withRig(t, simulator.Config{}, options, func(r *rig) {
			if r.cfg.API == 1 {
				// Equal records in a file, and in files of other names.
				twins := `{"data":[{"n":"a"},{"n":"a"},{"n":"b"},{"n":"a"}]}`
				files := []simulator.File{
					{Name: "receipt_1.log", Records: []string{`{"n":"a"}`, `{"n":"a"}`, `{"n":"b"}`, `{"n":"a"}`}, JSON: []byte(twins), KeyValue: []byte("n=a|\nn=a|\nn=b|\nn=a|\n")},
					{Name: "receipt_2.log", Records: []string{`{"n":"b"}`}, JSON: []byte(`{"data":[{"n":"b"}]}`), KeyValue: []byte("n=b|\n")},
				}
				if _, err := r.sim.AddBatchFiles(files); err != nil {
					t.Fatal(err)
				}
				r.sim.AddBatch(sized(300, 100))
			} else {
				r.addFiles(3, sized(40, 15))
				lines := strings.Repeat(`{"type":"receipt","n":1}`+"\n", 3)
				if err := r.sim.AddEventFile(simulator.EventFile{Type: "receipt", Lines: []byte(lines), Records: strings.Split(strings.TrimSpace(lines), "\n")}); err != nil {
					t.Fatal(err)
				}
			}
			r.sim.AddEvents(20, time.Now().Add(-time.Hour), 3)
			var first map[string]int
			for round := range 2 {
				r.start()
				r.run(20 * time.Minute)
				r.stop()
				came := r.ids()
				for id, n := range came {
					if n > 1 {
						t.Errorf("%v: %d records have the id %s", options, n, id)
					}
				}
				if round == 0 {
					r.clean()
					first = came
				} else if !maps.Equal(first, came) {
					t.Errorf("%v: other ids the second time: %d and %d", options, len(first), len(came))
				}
				r.host.stored = nil
				if err := os.Remove(r.cfg.DB); err != nil {
					t.Fatal(err)
				}
			}
			for id := range first {
				if other, known := all[id]; known && strings.HasPrefix(other, "2") != (r.cfg.API == 2) {
					t.Errorf("%v has the id %s of %s", options, id, other)
				}
				all[id] = fmt.Sprint(r.cfg.API, options)
			}
		})
	}
}

// TestIDsOfTwins is about events without an id.
func TestIDsOfTwins(t *testing.T) {
	t.Parallel()
	s := &listService{size: 3}
	withLists(t, s, "url,audit", []string{"id_key", "id_", "original_key", "source_"}, func(r *rig) {
		at := time.Now().Add(-20 * time.Minute)
		for i := range 10 {
			s.event(mimecast.URL(), at, `"n":1`)
			s.event(mimecast.Audit(), at, fmt.Sprintf(`"id":"%d"`, i))
		}
		r.start()
		r.run(3 * time.Minute)
		s.event(mimecast.URL(), at, `"n":1`)
		r.run(3 * time.Minute)
		ids := r.ids()
		if len(ids) != 21 || ids["1:audit:7"] != 1 {
			t.Errorf("%d ids: %v", len(ids), ids)
		}
		s.once(r)
	})
}

// TestIDsOfOneAccount has two accounts with the same events.
func TestIDsOfOneAccount(t *testing.T) {
	t.Parallel()
	seen := map[string]int{}
	for _, account := range []string{"a", "b"} {
		s := &listService{}
		withLists(t, s, "url", []string{"id_key", "id_", "original_key", "source_", "account", account}, func(r *rig) {
			for range 3 {
				s.event(mimecast.URL(), time.Now(), `"n":1`)
			}
			r.start()
			r.run(3 * time.Minute)
			for id := range r.ids() {
				seen[id]++
			}
		})
	}
	if len(seen) != 6 {
		t.Errorf("%d ids of two accounts with three events each", len(seen))
	}
}

func TestIDsOfALongFile(t *testing.T) {
	t.Parallel()
	f := fileIDs{extras: extras{idKey: "id"}}
	seen := map[string]bool{}
	records := sized(2, 1)*maxCounted + 10
	for range 2 {
		f.enter("x")
		for range records {
			seen[f.next([]byte("a"))] = true
		}
	}
	if len(seen) != records {
		t.Errorf("%d ids", len(seen))
	}
}

// TestUnreadableEventsOfTwoFeeds have ids of their own.
func TestUnreadableEventsOfTwoFeeds(t *testing.T) {
	t.Parallel()
	s := &listService{}
	withLists(t, s, "threat_intel", []string{"id_key", "id_", "original_key", "source_"}, func(r *rig) {
		r.answerWith(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", time.Now().UTC().Format(http.TimeFormat))
			_, _ = fmt.Fprintf(w, `{"type":"bundle","objects":[{"id":"a","modified":"x","n":%s1%s}]}`, strings.Repeat("[", 40), strings.Repeat("]", 40))
		})
		r.start()
		r.run(3 * time.Minute)
		if ids := r.ids(); len(r.host.stored) != 2 || len(ids) != 2 {
			t.Errorf("%d records with the ids %v", len(r.host.stored), ids)
		}
	})
}
