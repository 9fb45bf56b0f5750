package collector

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"fluent-bit-mimecast/internal/simulator"
)

// noticed returns the notices among the stored records, and fails the test unless
// each has what a notice has.
func (r *rig) noticed() (messages []string) {
	r.t.Helper()
	for _, s := range r.host.stored {
		var n map[string]string
		if !strings.Contains(s.record, `"log_type":"notice"`) {
			continue
		}
		if err := json.Unmarshal([]byte(s.record), &n); err != nil || n["log_source"] != "mimecast" || n["log"] == "" || n["severity"] == "" || n["customer"] == "" || n["id_"] == "" {
			r.t.Errorf("the notice %s, %v", s.record, err)
		}
		messages = append(messages, n["log"]+": "+n["message"])
	}
	return messages
}

// check fails the test unless the notices so far begin so.
func (r *rig) checkNotices(begin ...string) {
	r.t.Helper()
	got := r.noticed()
	for i := range max(len(got), len(begin)) {
		if i >= len(got) || i >= len(begin) || !strings.HasPrefix(got[i], begin[i]) {
			r.t.Fatalf("the notices %q", got)
		}
	}
}

var withNotices = []string{"notices", "on", "account_key", "customer", "id_key", "id_"}

// TestNoticesOfTrouble is about trouble that lasts until logs are lost.
func TestNoticesOfTrouble(t *testing.T) {
	t.Parallel()
	for _, tag := range []string{"off", "on"} {
		if testing.Short() && tag == "off" {
			continue
		}
		withRig(t, simulator.Config{}, append([]string{"logs", "siem", "tag_by_type", tag}, withNotices...), func(r *rig) {
			r.sim.AddBatch(100)
			r.start()
			r.run(30 * time.Minute)
			r.checkNotices()
			r.answerWith(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
			r.run(23 * time.Hour)
			r.checkNotices()
			r.run(2 * time.Hour)
			day := "siem: the log could not be fetched for a day: /api/audit/get-siem-logs: the service refused the request: status 403"
			r.checkNotices(day)
			if testing.Short() {
				r.stop()
				time.Sleep(6 * 24 * time.Hour)
				r.start()
				r.run(2 * time.Hour)
			} else {
				r.run(6*24*time.Hour + 2*time.Hour)
			}
			lost := "siem: logs are lost: the service no longer keeps them"
			r.checkNotices(day, lost)
			r.answerWith(nil)
			r.run(time.Hour)
			r.checkNotices(day, lost)
			r.stop()
			r.start()
			r.run(time.Hour)
			r.checkNotices(day, lost)
			wantTag := map[string]string{"off": "", "on": "mimecast.notice"}[tag]
			for _, s := range r.host.stored {
				if strings.Contains(s.record, "could not be fetched") && s.tag != wantTag {
					t.Errorf("the tag %q", s.tag)
				}
			}
		})
	}
}

// TestNoticesOfRepeats is about records that come again.
func TestNoticesOfRepeats(t *testing.T) {
	t.Parallel()
	refuse := func(r *rig, path string, times int) {
		r.run(5 * time.Minute)
		r.checkNotices()
		r.sim.NextAt(path, slices.Repeat([]simulator.Fault{simulator.FaultInvalidToken}, times)...)
		r.run(time.Hour)
		r.checkNotices(r.streamName() + ": records may come again: the log starts anew: ")
		r.kill()
		r.start()
		r.run(time.Hour)
		r.checkNotices(r.streamName() + ": records may come again: the log starts anew: ")
	}
	withRig(t, simulator.Config{}, append([]string{"logs", "siem"}, withNotices...), func(r *rig) {
		r.sim.AddBatch(100)
		r.sim.AddBatch(100)
		r.start()
		refuse(r, simulator.PathSIEM, 4)
	})
	withRig(t, simulator.Config{}, append([]string{"api", "2", "logs", "siem", "siem_types", "receipt"}, withNotices...), func(r *rig) {
		if err := r.sim.AddFiles("receipt", 3, 10); err != nil {
			t.Fatal(err)
		}
		r.start()
		refuse(r, simulator.PathEvents, 2)
	})
}

// streamName is the log of the only stream.
func (r *rig) streamName() string { return r.collector.streams[0].key.Log }

// TestANoticeOfAFileGivenUp comes with the record that stands for the file.
func TestANoticeOfAFileGivenUp(t *testing.T) {
	t.Parallel()
	withRig(t, simulator.Config{}, append([]string{"api", "2", "logs", "siem", "siem_types", "receipt"}, withNotices...), func(r *rig) {
		if err := r.sim.AddFiles("receipt", 2, 10); err != nil {
			t.Fatal(err)
		}
		if err := r.sim.AddFaultyFiles("receipt", simulator.FaultLinkGone, 1, 10); err != nil {
			t.Fatal(err)
		}
		r.start()
		r.run(8 * time.Hour)
		r.checkNotices("siem2:receipt: a log file can't be fetched; going on without it: /")
	})
}

// TestACircleForADay is told in a notice.
func TestACircleForADay(t *testing.T) {
	t.Parallel()
	for _, log := range []string{"audit", "impersonation"} {
		s := &listService{}
		withLists(t, s, log, withNotices, func(r *rig) {
			s.answer = func(w http.ResponseWriter, log string, _ pageAsk) bool {
				list := `{"id":"a"}`
				if log != "audit" {
					list = `{"impersonationLogs":[{"id":"a"}]}`
				}
				_, _ = fmt.Fprintf(w, `{"meta":{"status":200,"pagination":{"next":"x"}},"fail":[],"data":[%s]}`, list)
				return true
			}
			r.start()
			r.run(time.Duration(sized(30, 25)) * time.Hour)
			r.checkNotices(log + ": the log could not be fetched for a day")
		})
	}
}

// TestANoticeOfAnotherTenant comes when the log starts anew.
func TestANoticeOfAnotherTenant(t *testing.T) {
	t.Parallel()
	withBlock(t, withNotices, func(r *rig) {
		s := scripted(r, map[string]http.HandlerFunc{"": attached(of("C1", 1, 10), "a"), "a": nothing})
		r.start()
		r.run(2 * time.Minute)
		r.stop()
		r.checkNotices()
		r.block("app-2", withNotices...)
		s.set("", attached(of("C2", 101, 110), "b"))
		s.set("a", attached(of("C2", 121, 130), "b"))
		s.set("b", nothing)
		r.start()
		r.run(2 * time.Minute)
		r.checkNotices("siem: records may come again: the log starts anew: the position was another customer's")
	})
}
