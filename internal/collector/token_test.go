package collector

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fluent-bit-mimecast/internal/checkpoint"
	"fluent-bit-mimecast/internal/position"
	"fluent-bit-mimecast/internal/simulator"
)

// script is a service that answers SIEM requests by their token.
type script struct {
	mu      sync.Mutex
	answers map[string]http.HandlerFunc
	asked   []string // the token of each request
}

// scripted puts a script in the simulator's place. A token that it has no answer
// for is refused.
func scripted(r *rig, answers map[string]http.HandlerFunc) *script {
	s := &script{answers: answers}
	r.answerWith(func(w http.ResponseWriter, req *http.Request) {
		var body struct{ Data []struct{ Token string } }
		raw, _ := io.ReadAll(req.Body)
		req.Body = io.NopCloser(bytes.NewReader(raw))
		if err := json.Unmarshal(raw, &body); err != nil || len(body.Data) != 1 {
			r.t.Errorf("a request of %v, %v", body, err)
			return
		}
		token := body.Data[0].Token
		s.mu.Lock()
		s.asked = append(s.asked, token)
		answer := s.answers[token]
		s.mu.Unlock()
		if answer == nil {
			answer = refusesToken
		}
		answer(w, req)
	})
	return s
}

// set changes the answer to a token.
func (s *script) set(token string, answer http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[token] = answer
}

// requests returns how many there were since the last call, of a token or of all.
func (s *script) requests(token ...string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, t := range s.asked {
		if len(token) == 0 || slices.Contains(token, t) {
			n++
		}
	}
	s.asked = nil
	return n
}

func refusesToken(w http.ResponseWriter, _ *http.Request) {
	_, _ = io.WriteString(w, `{"meta":{"status":200},"data":[],"fail":[{"errors":[{"code":"err_audit_siem_invalid_token","message":"m","retryable":false}]}]}`)
}

func nothing(w http.ResponseWriter, _ *http.Request) {
	_, _ = io.WriteString(w, `{"meta":{"isLastToken":true,"status":200},"data":[],"fail":[]}`)
}

// says answers with JSON, and a next token unless it is empty.
func says(body, next string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if next != "" {
			w.Header().Set("Mc-Siem-Token", next)
		}
		_, _ = io.WriteString(w, body)
	}
}

// attached answers with a batch.
func attached(content, next string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Disposition", "attachment; filename=receipt_1.log")
		w.Header().Set("Mc-Siem-Token", next)
		_, _ = io.WriteString(w, content)
	}
}

// lines makes a log file of records that tell the numbers from one to another.
func lines(from, to int) string {
	var b strings.Builder
	for n := from; n <= to; n++ {
		_, _ = fmt.Fprintf(&b, "{\"n\":%d}\n", n)
	}
	return b.String()
}

// numbers returns what the stored records tell, in their order.
func (r *rig) numbers() []int {
	r.t.Helper()
	list := []int{}
	for _, s := range r.host.stored {
		var record struct{ N any }
		if err := json.Unmarshal([]byte(s.record), &record); err != nil || record.N == nil {
			r.t.Fatalf("a record %.200s, %v", s.record, err)
		}
		n, err := strconv.Atoi(fmt.Sprint(record.N)) // key_value has strings
		if err != nil {
			r.t.Fatal(err)
		}
		list = append(list, n)
	}
	return list
}

// holds fails the test unless exactly the numbers from one to another are stored.
func (r *rig) holds(spans ...int) {
	r.t.Helper()
	want := []int{}
	for i := 0; i < len(spans); i += 2 {
		for n := spans[i]; n <= spans[i+1]; n++ {
			want = append(want, n)
		}
	}
	if diff := cmp.Diff(want, r.numbers()); diff != "" {
		log := r.log.String()
		r.t.Errorf("records, -want +got:\n%s\nthe end of the log:\n%s", diff, log[max(0, len(log)-4000):])
	}
}

// count fails the test unless a text was logged so often.
func (r *rig) count(text string, want int) {
	r.t.Helper()
	if n := strings.Count(r.log.String(), text); n != want {
		log := r.log.String()
		r.t.Errorf("%q was logged %d times, want %d; the end of the log:\n%s", text, n, want, log[max(0, len(log)-4000):])
	}
}

// position returns what is in the file. The collector must be stopped.
func (r *rig) position() position.SIEM {
	r.t.Helper()
	store, err := openStore(r)
	if err != nil {
		r.t.Fatal(err)
	}
	defer closeStore(r)
	var pos position.SIEM
	if _, err := store.Load(Keys(r.cfg)[0], &pos); err != nil {
		r.t.Fatal(err)
	}
	return pos
}

// setPosition puts one into the file. The collector must be stopped.
func (r *rig) setPosition(pos any) {
	r.t.Helper()
	store, err := openStore(r)
	if err != nil {
		r.t.Fatal(err)
	}
	defer closeStore(r)
	if err := store.Commit([]checkpoint.Change{{Key: Keys(r.cfg)[0], Position: pos}}); err != nil {
		r.t.Fatal(err)
	}
}

// restart stops and starts, or kills and starts.
func (r *rig) restart(kill bool) {
	r.t.Helper()
	if kill {
		r.kill()
	} else {
		r.stop()
	}
	r.start()
}

const ownNext = "next token is its own"

func TestABatchWhoseNextTokenIsItsOwn(t *testing.T) {
	t.Parallel()
	withRig(t, simulator.Config{}, []string{"logs", "siem", "poll_interval", "1m"}, func(r *rig) {
		s := scripted(r, map[string]http.HandlerFunc{
			"":    attached(lines(1, 10), "own"),
			"own": attached(lines(11, 20), "own"),
		})
		r.start()
		r.run(time.Hour)
		r.holds(1, 20)
		r.count(ownNext, 1)
		if n := s.requests("own"); n < 58 || n > 62 {
			r.t.Errorf("%d requests in an hour", n)
		}

		// A restart asks for it and delivers nothing of it again.
		for range 3 {
			r.restart(false)
			r.run(5 * time.Minute)
			r.holds(1, 20)
		}
		r.notLogged("delivering it from the start", "level=ERROR")

		// It grows at its end.
		s.set("own", attached(lines(11, 25), "own"))
		r.run(5 * time.Minute)
		r.holds(1, 25)
		r.restart(false)
		r.run(5 * time.Minute)
		r.holds(1, 25)
		r.notLogged("delivering it from the start")

		// It grows while the collector is away.
		r.stop()
		s.set("own", attached(lines(11, 30), "own"))
		r.start()
		r.run(5 * time.Minute)
		r.holds(1, 30)
		r.notLogged("delivering it from the start")

		// It gets other content.
		s.set("own", attached(lines(41, 50), "own"))
		r.run(5 * time.Minute)
		r.holds(1, 30, 41, 50)
		r.count("delivering it from the start", 1)

		// It leads on, as it was.
		s.set("own", attached(lines(41, 50), "next"))
		s.set("next", attached(lines(51, 60), "end"))
		s.set("end", nothing)
		r.run(5 * time.Minute)
		r.holds(1, 30, 41, 60)
		r.count("delivering it from the start", 1)
		r.notLogged("level=ERROR")
	})
}

// TestAnOwnTokenThatLeadsOn gets its next token in each way that it can.
func TestAnOwnTokenThatLeadsOn(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{
		"same": lines(1, 10), "grown": lines(1, 15), "another": lines(11, 15),
	} {
		for _, when := range []string{"running", "stopped", "killed"} {
			t.Run(name+" "+when, func(t *testing.T) {
				withRig(t, simulator.Config{}, []string{"logs", "siem"}, func(r *rig) {
					s := scripted(r, map[string]http.HandlerFunc{"": attached(lines(101, 110), "own"), "own": attached(lines(1, 10), "own")})
					r.start()
					r.run(5 * time.Minute)
					switch when {
					case "stopped":
						r.stop()
					case "killed":
						r.kill()
					}
					s.set("own", attached(content, "next"))
					s.set("next", attached(lines(16, 20), "end"))
					s.set("end", nothing)
					if when != "running" {
						r.start()
					}
					r.run(5 * time.Minute)
					want := []int{101, 110, 1, 10}
					if when == "killed" && name != "another" {
						want = append(want, 10, 10) // when idle the last record is unconfirmed
					}
					switch name {
					case "grown", "another":
						want = append(want, 11, 15)
					}
					r.holds(append(want, 16, 20)...)
				})
			})
		}
	}
}

// TestAnOwnTokenKilledAtEachStep never loses a record.
func TestAnOwnTokenAndKills(t *testing.T) {
	t.Parallel()
	notShort(t)
	for steps := 0; steps < 12; steps += sized(1, 3) {
		withRig(t, simulator.Config{}, []string{"logs", "siem", "poll_interval", "2s"}, func(r *rig) {
			content := lines(1, 10000) // several pieces
			s := scripted(r, map[string]http.HandlerFunc{"": attached(content, "own"), "own": attached(lines(50001, 60000), "own")})
			r.start()
			for range steps {
				r.step(2)
			}
			r.kill()
			s.set("own", attached(lines(50001, 62000), "own"))
			r.start()
			r.run(time.Minute)
			seen := map[int]bool{}
			for _, n := range r.numbers() {
				seen[n] = true
			}
			if len(seen) != 22000 {
				r.t.Errorf("killed after %d steps: %d of 22000 records", steps, len(seen))
			}
			r.notLogged("delivering it from the start", "level=ERROR")
		})
	}
}

func TestAnEmptyBatchWhoseNextTokenIsItsOwn(t *testing.T) {
	t.Parallel()
	withRig(t, simulator.Config{}, []string{"logs", "siem"}, func(r *rig) {
		s := scripted(r, map[string]http.HandlerFunc{"": attached(lines(1, 10), "own"), "own": attached("", "own")})
		r.start()
		r.run(time.Hour)
		r.holds(1, 10)
		r.count(ownNext, 1)
		// One more to be sure of it.
		if n := s.requests("own"); n < 58 || n > 63 {
			r.t.Errorf("%d requests in an hour", n)
		}
		r.restart(false)
		r.run(10 * time.Minute)
		s.set("own", attached(lines(11, 15), "own"))
		r.run(10 * time.Minute)
		s.set("own", attached("", "next"))
		s.set("next", attached(lines(16, 20), "end"))
		s.set("end", nothing)
		r.run(10 * time.Minute)
		r.holds(1, 20)
	})
}

// TestADamagedBatchWhoseNextTokenIsItsOwn has its bytes go out once, whatever
// container they are in and however the archive is named.
func TestADamagedBatchWhoseNextTokenIsItsOwn(t *testing.T) {
	t.Parallel()
	var archive bytes.Buffer
	w := zip.NewWriter(&archive)
	for _, name := range []string{"receipt_1.log", "process_1.log"} {
		f, err := w.Create(name)
		if err == nil {
			_, err = io.WriteString(f, lines(1, 3)+"{\"broken")
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		content string
		records int
		id      bool // the file name is the request's id
	}{
		"a file":        {lines(1, 3) + "{\"broken", 4, false},
		"elements":      {`[{"n":1},7,{"n":2}]`, 3, false},
		"no zip":        {"{\"n\":1}\nnonsense", 2, true},
		"a zip":         {archive.String(), 8, true},
		"a zip cut off": {archive.String()[:archive.Len()-60] + "PK\x03\x04 and more", 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			withRig(t, simulator.Config{}, []string{"logs", "siem"}, func(r *rig) {
				serve := func(next string) http.HandlerFunc {
					return func(w http.ResponseWriter, req *http.Request) {
						file := "receipt_1.log"
						if test.id {
							file = req.Header.Get("X-Mc-Req-Id")
						}
						w.Header().Set("Content-Disposition", "attachment; filename="+file)
						w.Header().Set("Mc-Siem-Token", next)
						_, _ = io.WriteString(w, test.content)
					}
				}
				s := scripted(r, map[string]http.HandlerFunc{"": attached(lines(1, 3), "own"), "own": serve("own")})
				r.start()
				r.run(time.Minute)
				records := len(r.host.stored)
				errors := strings.Count(r.log.String(), "level=ERROR")
				if records < 5 || errors == 0 || (test.records > 0 && records != 3+test.records) {
					r.t.Fatalf("%d records, %d errors: %v\n%s", records, errors, r.host.stored, r.log.String())
				}
				s.requests()
				r.run(time.Hour)
				if n := s.requests(); n < 58 || n > 62 {
					r.t.Errorf("%d requests in an hour", n)
				}
				r.restart(false)
				r.run(10 * time.Minute)
				s.set("own", serve("next"))
				s.set("next", nothing)
				r.run(10 * time.Minute)
				if s.requests("next") == 0 {
					r.t.Error("it does not go on")
				}
				if len(r.host.stored) != records {
					r.t.Errorf("%d records more", len(r.host.stored)-records)
				}
				r.count("level=ERROR", errors)
				r.count(ownNext, 2) // one for each start
				r.notLogged("delivering it from the start")
			})
		})
	}
}

// TestAnOwnTokenInAnotherFormat is asked for as it was delivered.
func TestAnOwnTokenInAnotherFormat(t *testing.T) {
	t.Parallel()
	withRig(t, simulator.Config{}, []string{"logs", "siem"}, func(r *rig) {
		format := func(json, keyValue string) http.HandlerFunc {
			return func(w http.ResponseWriter, req *http.Request) {
				body, _ := io.ReadAll(req.Body)
				content := json
				if strings.Contains(string(body), "key_value") {
					content = keyValue
				}
				attached(content, "own")(w, req)
			}
		}
		s := scripted(r, map[string]http.HandlerFunc{"own": format(lines(1, 3), "n=1\nn=2\nn=3\n"), "": nothing})
		r.start()
		r.stop()
		r.setPosition(map[string]string{"token": "own"})
		r.start()
		r.run(5 * time.Minute)
		r.stop()
		r.configure("logs", "siem", "siem_format", "key_value")
		s.set("own", format(lines(1, 5), "n=1\nn=2\nn=3\nn=4\nn=5\n"))
		r.start()
		r.run(5 * time.Minute)
		r.holds(1, 5)
	})
}

// TestRecordsWithoutATime leave the age of the position unknown.
func TestRecordsWithoutATime(t *testing.T) {
	t.Parallel()
	withRig(t, simulator.Config{}, []string{"logs", "siem"}, func(r *rig) {
		scripted(r, map[string]http.HandlerFunc{"": attached(lines(1, 10), "next"), "next": says(`<html>`, "")})
		r.start()
		r.run(time.Minute)
		r.restart(false)
		r.run(time.Minute)
		r.holds(1, 10)
		r.notLogged("logs are lost", "position_age")
	})
}

const (
	open = `{"meta":{"isLastToken":false,"status":200},"data":[%s],"fail":[]}`
	last = `{"meta":{"isLastToken":true,"status":200},"data":[%s],"fail":[]}`
)

func leadsOn(next string) http.HandlerFunc { return says(fmt.Sprintf(open, ""), next) }

// TestAStepAfterADiskThatFailed takes nothing along of the batch whose reading
// failed: it is not behind the position.
func TestAStepAfterADiskThatFailed(t *testing.T) {
	t.Parallel()
	withRig(t, simulator.Config{}, []string{"logs", "siem"}, func(r *rig) {
		s := scripted(r, map[string]http.HandlerFunc{"": attached(lines(1, 500000), "b"), "b": nothing})
		r.readAt = func(f scratch, p []byte, off int64) (int, error) {
			if off > 1<<20 {
				return 0, syscall.EIO
			}
			return f.ReadAt(p, off)
		}
		r.start()
		r.run(30 * time.Second)
		r.logged("reading a batch back from the disk")
		before := len(r.host.stored)
		s.set("", leadsOn("b"))
		r.run(10 * time.Minute)
		r.stop()
		if pos := r.position(); pos.Token != "b" || len(r.host.stored) != before {
			t.Errorf("at %q, with %d records more", pos.Token, len(r.host.stored)-before)
		}
	})
}

func TestAnAnswerThatLeadsOnWithoutABatch(t *testing.T) {
	t.Parallel()
	withRig(t, simulator.Config{}, []string{"logs", "siem"}, func(r *rig) {
		s := scripted(r, map[string]http.HandlerFunc{
			"":  attached(lines(1, 10), "a"),
			"a": leadsOn("b"),
			"b": leadsOn("c"),
			"c": attached(lines(11, 20), "d"),
			"d": leadsOn("e"),
			"e": nothing,
		})
		r.start()
		r.run(10 * time.Second)
		r.holds(1, 20)
		r.run(10 * time.Minute)
		if n := s.requests("a", "b", "c", "d"); n != 4 {
			r.t.Errorf("%d requests of four tokens", n)
		}
		r.stop()
		if pos := r.position(); pos.Token != "e" {
			r.t.Errorf("position %+v", pos)
		}
		r.start()
		r.run(5 * time.Minute)
		r.holds(1, 20)
	})
}

// TestAStepIsWrittenBehindItsRecords has a host that takes records and stores
// none: the position stays before them.
func TestAStepIsWrittenBehindItsRecords(t *testing.T) {
	t.Parallel()
	withRig(t, simulator.Config{}, []string{"logs", "siem"}, func(r *rig) {
		scripted(r, map[string]http.HandlerFunc{"": attached(lines(1, 10), "a"), "a": leadsOn("b"), "b": leadsOn("c"), "c": nothing})
		r.start()
		for range 20 {
			r.step(0)
		}
		r.kill()
		if pos := r.position(); pos.Token != "" || pos.Records != 0 {
			r.t.Errorf("position %+v with nothing stored", pos)
		}
		r.start()
		r.run(time.Minute)
		r.holds(1, 10)
		r.restart(true)
		r.run(time.Minute)
		r.holds(1, 10, 10, 10) // the last record is unconfirmed when idle
		r.notLogged("level=ERROR", "delivering it from the start")
	})
}

func TestStepsAreBounded(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]func(n int) string{
		"new tokens": func(n int) string { return fmt.Sprint("t", n) },
		"a circle":   func(n int) string { return []string{"x", "y", "z"}[n%3] },
	} {
		t.Run(name, func(t *testing.T) {
			withRig(t, simulator.Config{}, []string{"logs", "siem", "poll_interval", "1m"}, func(r *rig) {
				var requests, batch atomic.Int64 // the batch is the answer to that request
				r.answerWith(func(w http.ResponseWriter, req *http.Request) {
					n := requests.Add(1)
					if next := at(int(n)); n == batch.Load() {
						attached(lines(1, 10), next)(w, req)
					} else {
						leadsOn(next)(w, req)
					}
				})
				r.start()
				r.step(1)
				if n := requests.Load(); n != 10 {
					r.t.Errorf("%d requests at once", n)
				}
				r.run(time.Hour - 2*time.Second)
				if n := requests.Load(); n != 600 {
					r.t.Errorf("%d requests in an hour", n)
				}
				// A batch starts the count anew.
				batch.Store(606)
				r.run(30 * time.Second)
				if n := requests.Load(); n != 616 {
					r.t.Errorf("%d requests with a batch among them", n-600)
				}
				r.holds(1, 10)
				r.stop()
				if pos := r.position(); pos.Token != at(616) {
					r.t.Errorf("position %+v", pos)
				}
			})
		})
	}
}

func TestRecordsInAJSONAnswer(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"json", "key_value"} {
		t.Run(format, func(t *testing.T) {
			withRig(t, simulator.Config{}, []string{"logs", "siem", "siem_format", format, "tag_by_type", "on"}, func(r *rig) {
				s := scripted(r, map[string]http.HandlerFunc{
					"":  says(fmt.Sprintf(open, `{"n":1},null,{"n":2}`), "a"),
					"a": says(fmt.Sprintf(last, `{"n":3},{"n":4}`), "elsewhere"),
				})
				r.start()
				r.run(30 * time.Minute)
				r.holds(1, 4)
				for _, stored := range r.host.stored {
					if stored.tag != "siem.unknown" || !strings.Contains(stored.record, `"log_type":"unknown"`) {
						r.t.Errorf("tag %s of %s", stored.tag, stored.record)
					}
				}
				if n := s.requests("elsewhere"); n > 0 {
					r.t.Error("the last answer's token is followed")
				}
				r.restart(false)
				r.run(5 * time.Minute)
				r.holds(1, 4)

				// It is nothing new in the usual words, and then a batch.
				s.set("a", nothing)
				r.run(5 * time.Minute)
				s.set("a", attached(lines(11, 15), "b"))
				s.set("b", nothing)
				r.run(5 * time.Minute)
				r.holds(1, 4, 11, 15)
				r.notLogged("level=ERROR")
			})
		})
	}
}

// TestElementsThatAreNoRecords go out as they are.
func TestElementsThatAreNoRecords(t *testing.T) {
	t.Parallel()
	withRig(t, simulator.Config{}, []string{"logs", "siem"}, func(r *rig) {
		scripted(r, map[string]http.HandlerFunc{"": says(fmt.Sprintf(open, `{"n":1},"text",null,{"n":2}`), "a"), "a": nothing})
		r.start()
		r.run(5 * time.Minute)
		if len(r.host.stored) != 3 || !strings.Contains(r.host.stored[1].record, `"raw":"\"text\""`) {
			r.t.Errorf("got %v", r.host.stored)
		}
	})
}

func TestMoreWithoutAToken(t *testing.T) {
	t.Parallel()
	const warning = "says there is more, without a token"
	for name, stuck := range map[string]http.HandlerFunc{"no token": leadsOn(""), "its own": leadsOn("a")} {
		t.Run(name, func(t *testing.T) {
			withRig(t, simulator.Config{}, []string{"logs", "siem", "poll_interval", "1m"}, func(r *rig) {
				s := scripted(r, map[string]http.HandlerFunc{"": attached(lines(1, 10), "a"), "a": stuck})
				r.start()
				r.run(3 * time.Hour)
				r.count(warning, 1)
				r.logged("level=WARN msg=\"the service "+warning, "means=", "what_to_do=")
				if n := s.requests("a"); n < 178 || n > 182 {
					r.t.Errorf("%d requests in three hours", n)
				}
				s.set("a", nothing)
				r.run(5 * time.Minute)
				s.set("a", stuck)
				r.run(time.Hour)
				r.count(warning, 2)
				s.set("a", leadsOn("b"))
				s.set("b", attached(lines(11, 20), "c"))
				s.set("c", nothing)
				r.run(5 * time.Minute)
				r.holds(1, 20)
			})
		})
	}
}

// TestAStepInABegunBatch skips what was delivered of it, at the other token.
func TestAStepInABegunBatch(t *testing.T) {
	t.Parallel()
	for _, changed := range []bool{false, true} {
		withRig(t, simulator.Config{}, []string{"logs", "siem"}, func(r *rig) {
			s := scripted(r, map[string]http.HandlerFunc{"": attached(lines(1, 20000), "end"), "end": nothing})
			r.start()
			r.step(3)
			r.end()
			had := len(r.host.stored)
			if had == 0 || had == 20000 {
				r.t.Fatalf("%d records stored: not inside the batch", had)
			}
			from := 1
			if changed {
				from = 2
			}
			s.set("", leadsOn("b"))
			s.set("b", attached(lines(from, 20000), "end"))
			r.start()
			r.run(time.Minute)
			if changed {
				r.holds(1, had, 2, 20000)
				r.count("delivering it from the start", 1)
			} else {
				r.holds(1, 20000)
				r.notLogged("delivering it from the start")
			}
		})
	}
}

const (
	refuses   = "the service refuses the position's token"
	startOver = "starting again from the earliest logs"
	another   = "delivering it from the start"
)

// refusing is a rig whose position is at the token "c", refused from now on,
// behind records 1 to 20 of the batches "" and "b".
func refusing(t *testing.T, fn func(r *rig, s *script)) {
	t.Helper()
	withRig(t, simulator.Config{}, []string{"logs", "siem", "poll_interval", "1m"}, func(r *rig) {
		s := scripted(r, map[string]http.HandlerFunc{
			"": attached(lines(1, 10), "b"), "b": attached(lines(11, 20), "c"), "c": nothing, "end": nothing,
		})
		r.start()
		r.run(10 * time.Minute)
		r.holds(1, 20)
		s.set("c", refusesToken)
		s.requests()
		fn(r, s)
	})
}

func TestARefusedTokenAndABatchBeforeThatLeadsOn(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		before http.HandlerFunc // what "b" answers now
		want   []int
		again  int
	}{
		"as it was":  {before: attached(lines(11, 20), "d"), want: []int{1, 30}},
		"grown":      {before: attached(lines(11, 22), "d"), want: []int{1, 22, 21, 30}},
		"another":    {before: attached(lines(12, 20), "d"), want: []int{1, 20, 12, 30}, again: 1},
		"shorter":    {before: attached(lines(11, 19), "d"), want: []int{1, 20, 11, 19, 21, 30}, again: 1},
		"a step":     {before: leadsOn("d"), want: []int{1, 30}},
		"JSON":       {before: says(fmt.Sprintf(open, `{"n":12}`), "d"), want: []int{1, 20, 12, 12, 21, 30}, again: 1},
		"two steps":  {before: leadsOn("step"), want: []int{1, 30}},
		"a way back": {before: attached(lines(11, 20), "step"), want: []int{1, 30}},
	} {
		t.Run(name, func(t *testing.T) {
			refusing(t, func(r *rig, s *script) {
				s.set("b", test.before)
				s.set("step", leadsOn("d"))
				s.set("d", attached(lines(21, 30), "end"))
				r.run(10 * time.Minute)
				r.holds(test.want...)
				r.count(refuses, 1)
				r.count(another, test.again)
				r.notLogged(startOver)
				if n := s.requests("c", "b", "d"); n != 4 && name != "another" {
					r.t.Errorf("%d requests of three tokens", n)
				}
				r.restart(false)
				r.run(10 * time.Minute)
				r.holds(test.want...)
			})
		})
	}
}

func TestARefusedTokenWithoutAWayOn(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		before http.HandlerFunc
		reason string
	}{
		"the same token":        {attached(lines(11, 20), "c"), "leads to it again"},
		"a step to it":          {leadsOn("c"), "leads to it again"},
		"another with the same": {attached(lines(15, 25), "c"), "leads to it again"},
		"refused":               {refusesToken, "is refused too"},
		"nothing new":           {nothing, "leads nowhere"},
		"its own":               {attached(lines(11, 20), "b"), "leads nowhere"},
		"more without a token":  {leadsOn(""), "leads nowhere"},
	} {
		t.Run(name, func(t *testing.T) {
			refusing(t, func(r *rig, s *script) {
				s.set("b", test.before)
				s.set("", attached(lines(31, 40), "end"))
				r.run(70 * time.Second) // c may be asked once a minute
				r.holds(1, 20, 31, 40)
				r.count(startOver, 1)
				r.logged(test.reason)
				r.notLogged(another)
				if n := s.requests("c", "b", ""); n > 6 {
					r.t.Errorf("%d requests", n)
				}
				r.restart(false)
				r.run(10 * time.Minute)
				r.holds(1, 20, 31, 40)
				r.count(startOver, 1)
			})
		})
	}
}

// TestARefusedTokenInAnOldFile has a position from before the batch before was
// kept.
func TestARefusedTokenInAnOldFile(t *testing.T) {
	t.Parallel()
	for name, old := range map[string]any{
		"at its start": map[string]any{"token": "c", "at": time.Date(1999, 12, 31, 0, 0, 0, 0, time.UTC)},
		"inside":       map[string]any{"token": "c", "at": time.Date(1999, 12, 31, 0, 0, 0, 0, time.UTC), "format": "json", "file": "x", "records": 3, "digest": "17"},
	} {
		t.Run(name, func(t *testing.T) {
			refusing(t, func(r *rig, s *script) {
				r.stop()
				r.setPosition(old)
				s.set("", attached(lines(31, 40), "end"))
				r.start()
				r.run(10 * time.Second)
				r.holds(1, 20, 31, 40)
				r.count(startOver, 1)
				r.logged("is not known")
			})
		})
	}
}

// TestARefusedTokenInsideItsBatch comes back under another token, for which the
// request is made as the batch was begun.
func TestARefusedTokenInsideItsBatch(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		from int
	}{"the same batch": {from: 11}, "another batch": {from: 12}} {
		for _, kill := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " ", kill), func(t *testing.T) {
				withRig(t, simulator.Config{}, []string{"logs", "siem"}, func(r *rig) {
					inJSON := func(content, next string) http.HandlerFunc {
						return func(w http.ResponseWriter, req *http.Request) {
							content := content
							if body, _ := io.ReadAll(req.Body); !bytes.Contains(body, []byte(`"fileFormat":"json"`)) {
								content = strings.NewReplacer(`{"n":`, "n=", "}", "").Replace(content)
							}
							attached(content, next)(w, req)
						}
					}
					s := scripted(r, map[string]http.HandlerFunc{
						"": inJSON(lines(1, 10), "b"), "b": inJSON(lines(11, 20000), "end"), "end": nothing,
					})
					r.start()
					r.step(4)
					if kill {
						r.step(2)
						r.step(0)
						r.kill()
					} else {
						r.end()
					}
					had := len(r.host.stored)
					if had < 20 || had == 20000 {
						r.t.Fatalf("%d records stored: not inside the batch", had)
					}
					s.set("b", refusesToken)
					s.set("", inJSON(lines(1, 10), "b2"))
					s.set("b2", inJSON(lines(test.from, 20000), "end"))
					r.configure("logs", "siem", "siem_format", "key_value")
					r.start()
					r.run(time.Minute)
					r.count(refuses, 1)
					r.notLogged(startOver)
					switch {
					case kill:
						if a := r.spread(); a.distinct != 20000 || a.twice > 20000 {
							r.t.Errorf("%+v", a)
						}
					case test.from == 11:
						r.holds(1, 20000)
						r.notLogged(another)
					default:
						r.holds(1, had, 12, 20000)
						r.count(another, 1)
					}
				})
			})
		}
	}
}

// spread tells how many different numbers are stored, and how many too often.
func (r *rig) spread() (a struct{ distinct, twice int }) {
	seen := map[int]bool{}
	for _, n := range r.numbers() {
		if seen[n] {
			a.twice++
		}
		seen[n] = true
	}
	a.distinct = len(seen)
	return a
}

// TestKillsAroundARefusedToken stops or kills the collector at each step of going
// back to a batch that has grown, and of going on from there.
func TestKillsAroundARefusedToken(t *testing.T) {
	t.Parallel()
	notShort(t)
	for steps := 0; steps < 12; steps += sized(1, 4) {
		for _, kill := range []bool{false, true} {
			withRig(t, simulator.Config{}, []string{"logs", "siem"}, func(r *rig) {
				s := scripted(r, map[string]http.HandlerFunc{"": attached(lines(1, 7000), "b"), "b": attached(lines(14001, 21000), "end"), "end": nothing})
				r.start()
				r.step(3)
				r.step(2)
				r.end()
				s.set("b", refusesToken)
				s.set("", attached(lines(1, 14000), "b2"))
				s.set("b2", attached(lines(14001, 21000), "end"))
				r.start()
				for range steps {
					r.step(1)
				}
				if kill {
					r.kill()
				} else {
					r.end()
				}
				r.start()
				r.run(30 * time.Minute)
				if a := r.spread(); a.distinct != 21000 || (!kill && a.twice > 0) {
					r.t.Errorf("after %d steps, killed %v: %+v", steps, kill, a)
				}
				r.notLogged(startOver, another)
			})
		}
	}
}

// TestAServiceWhoseNextTokensAreRefused answers the batch before with another
// next token each time, none of which is any good.
func TestAServiceWhoseNextTokensAreRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		content func(n int) string
		valid   bool // the first of two tokens brings the batch again
	}{
		"the same batch":                {content: func(int) string { return lines(11, 20) }},
		"another batch":                 {content: func(n int) string { return lines(n, n+10) }},
		"a batch that grows":            {content: func(n int) string { return lines(11, 20+n) }},
		"a batch under each next token": {content: func(int) string { return lines(11, 20) }, valid: true},
	} {
		t.Run(name, func(t *testing.T) {
			refusing(t, func(r *rig, s *script) {
				fresh := 0
				var before http.HandlerFunc
				before = func(w http.ResponseWriter, req *http.Request) {
					fresh++
					next := fmt.Sprint("fresh", fresh)
					if test.valid {
						// Asked for by s, which holds its lock no more.
						s.set(next, before)
						if fresh%2 == 0 {
							s.set(next, refusesToken)
						}
					}
					attached(test.content(fresh), next)(w, req)
				}
				s.set("b", before)
				r.run(time.Hour)
				if n := s.requests(); n > 100 {
					r.t.Errorf("%d requests in an hour", n)
				}
				if n := strings.Count(r.log.String(), startOver); n > 8 {
					r.t.Errorf("it starts over %d times in an hour", n)
				}
				if a := r.spread(); a.distinct < 20 {
					r.t.Errorf("%+v", a)
				}
			})
		})
	}
}

// TestGoingBackMoreThanOnce has a batch delivered in between.
func TestGoingBackMoreThanOnce(t *testing.T) {
	t.Parallel()
	refusing(t, func(r *rig, s *script) {
		s.set("b", attached(lines(11, 20), "d"))
		s.set("d", attached(lines(21, 30), "e"))
		s.set("e", nothing)
		r.run(10 * time.Minute)
		s.set("e", refusesToken)
		s.set("d", attached(lines(21, 30), "f"))
		s.set("f", attached(lines(31, 40), "end"))
		r.run(20 * time.Minute)
		r.holds(1, 40)
		r.count(refuses, 2)
		r.notLogged(startOver)
	})
}

// TestGoingBackToOneBatchTwice ends in a start from the earliest logs, at once;
// when batches have been delivered since, it is gone back to again.
func TestGoingBackToOneBatchTwice(t *testing.T) {
	t.Parallel()
	refusing(t, func(r *rig, s *script) {
		fresh := 0
		s.set("b", func(w http.ResponseWriter, req *http.Request) {
			fresh++
			attached(lines(11, 20), fmt.Sprint("fresh", fresh))(w, req)
		})
		r.run(70 * time.Second) // c may be asked once a minute
		r.count(startOver, 1)
		r.logged("a batch has led to a refused token again")
		r.run(time.Hour)
		if n := strings.Count(r.log.String(), refuses); n < 2 || n > 9 {
			r.t.Errorf("%d returns in an hour", n)
		}
		if n := strings.Count(r.log.String(), startOver); n < 2 || n > 9 {
			r.t.Errorf("%d starts from the earliest logs in an hour", n)
		}
		// The service is well again.
		s.set("b", attached(lines(11, 20), "d"))
		s.set("d", attached(lines(21, 30), "end"))
		r.run(30 * time.Minute)
		if a := r.spread(); a.distinct != 30 {
			r.t.Errorf("%+v", a)
		}
	})
}

// TestTheBatchBeforeIsKept when the batch behind it changes, and while that is
// its own next one.
func TestTheBatchBeforeIsKept(t *testing.T) {
	t.Parallel()
	refusing(t, func(r *rig, s *script) {
		s.set("c", attached(lines(21, 30), "c"))
		r.run(5 * time.Minute)
		s.set("c", attached(lines(31, 40), "c"))
		r.run(5 * time.Minute)
		r.count(another, 1)
		r.stop()
		if pos := r.position(); pos.Token != "c" || pos.Records != 10 || pos.Previous == nil || pos.Previous.Token != "b" || pos.Previous.Records != 10 {
			r.t.Errorf("position %+v, previous %+v", pos, pos.Previous)
		}
		s.set("c", refusesToken)
		s.set("b", attached(lines(11, 20), "d"))
		s.set("d", attached(lines(31, 45), "end"))
		r.start()
		r.run(5 * time.Minute)
		r.holds(1, 45)
		r.count(another, 1)
		r.notLogged(startOver)
	})
}
