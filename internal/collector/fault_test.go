package collector

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"fluent-bit-mimecast/internal/simulator"
)

// passing are the faults that a stream gets over with nothing lost and nothing
// twice.
func passing() []simulator.Fault {
	var list []simulator.Fault
	for _, f := range simulator.Faults() {
		if f != simulator.FaultInvalidToken {
			list = append(list, f)
		}
	}
	return list
}

func TestEachFault(t *testing.T) {
	t.Parallel()
	for i, fault := range passing() {
		for _, compress := range []string{"on", "off"} {
			if testing.Short() && (compress == "on") != (i%2 == 0) {
				continue // one of the two
			}
			t.Run(string(fault)+" "+compress, func(t *testing.T) {
				withRig(t, simulator.Config{BombSize: int64(sized(32, 20)) << 20}, []string{"siem_compress", compress, "impersonation_page_size", "40"}, func(r *rig) {
					for range 3 {
						r.sim.AddBatch(sized(100, 40))
					}
					r.sim.AddEvents(100, time.Now().Add(-time.Hour), 3)
					r.sim.Next(fault)
					r.start()
					r.run(time.Duration(sized(20, 10)) * time.Minute)
					r.sim.NextAt(simulator.PathSIEM, fault, fault)
					r.sim.NextAt(simulator.PathImpersonation, fault, fault)
					r.sim.AddBatch(sized(100, 40))
					r.sim.AddEvents(50, time.Now().Add(-time.Minute), 3)
					r.run(time.Duration(sized(40, 15)) * time.Minute)
					r.clean()
					calm(r, 60) // a batch of ten plain files takes ten
				})
			})
		}
	}
}

func TestFaultsAtHalfOfAllRequests(t *testing.T) {
	t.Parallel()
	for seed := range uint64(sized(4, 2)) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			withRig(t, simulator.Config{Seed: seed, BombSize: int64(sized(32, 20)) << 20}, []string{"impersonation_page_size", "40"}, func(r *rig) {
				if err := r.sim.SetFaults(simulator.Plan{Rate: 0.5, Faults: passing(), Seed: seed}); err != nil {
					r.t.Fatal(err)
				}
				for range 10 {
					r.sim.AddBatch(100)
				}
				r.sim.AddEvents(300, time.Now().Add(-time.Hour), 3)
				r.start()
				r.run(90 * time.Minute)
				r.clean()
				calm(r, 45)
			})
		})
	}
}

// calm fails the test if more requests were made in any minute.
func calm(r *rig, requests int) {
	r.t.Helper()
	if peak := r.sim.Requests().PeakPerMinute; peak > requests {
		r.t.Errorf("%d requests in a minute", peak)
	}
}

func TestARefusedToken(t *testing.T) {
	t.Parallel()
	withRig(t, simulator.Config{}, []string{"logs", "siem"}, func(r *rig) {
		for range 5 {
			r.sim.AddBatch(100)
		}
		r.sim.NextAt(simulator.PathSIEM, simulator.FaultInvalidToken)
		r.start()
		r.run(5 * time.Minute)
		// Once may be a fault of the service.
		r.clean()
		r.notLogged("refuses the position's token", "starting again from the earliest logs")

		r.sim.Expire(3)
		r.sim.AddBatch(100)
		r.sim.NextAt(simulator.PathSIEM, simulator.FaultInvalidToken, simulator.FaultInvalidToken)
		r.run(5 * time.Minute)
		r.logged("refuses the position's token", "starting again from the earliest logs", "leads to it again")
		r.run(10 * time.Minute)
		r.logged("repeated_total=")
		if a := r.account(r.sim.Expected()); a.lost+a.foreign+a.unparsed > 0 || a.twice == 0 || a.twice > 300 {
			r.t.Errorf("%+v", a)
		}
		calm(r, 20)

		// A restart goes on from the new position.
		before := len(r.host.stored)
		r.stop()
		r.start()
		r.run(5 * time.Minute)
		if n := len(r.host.stored) - before; n > 0 {
			r.t.Errorf("%d records more after a restart", n)
		}
	})
}

func TestATokenThatIsAlwaysRefused(t *testing.T) {
	t.Parallel()
	withRig(t, simulator.Config{}, []string{"logs", "siem"}, func(r *rig) {
		for range 3 {
			r.sim.AddBatch(100)
		}
		if err := r.sim.SetFaults(simulator.Plan{Rate: 1, Faults: []simulator.Fault{simulator.FaultInvalidToken}}); err != nil {
			r.t.Fatal(err)
		}
		r.start()
		r.run(2 * time.Hour)
		a := r.account(r.sim.Expected())
		if a.twice > 100*14 || r.sim.Requests().Total > 60 {
			r.t.Errorf("in two hours: %+v, %d requests", a, r.sim.Requests().Total)
		}
	})
}

// TestUnreadableBatches is one bad batch of each kind, served like that always:
// the stream moves on, what is readable comes once, and the rest goes out raw.
func TestUnreadableBatches(t *testing.T) {
	t.Parallel()
	for fault, raw := range map[simulator.Fault]bool{
		simulator.FaultNotAZip: true, simulator.FaultZipCut: true, simulator.FaultZipBadChecksum: true, simulator.FaultZipBomb: true,
		simulator.FaultFilePoisoned: true, simulator.FaultZipEmpty: false, simulator.FaultFileEmpty: false, simulator.FaultZipHostileNames: false,
	} {
		t.Run(string(fault), func(t *testing.T) {
			withRig(t, simulator.Config{BombSize: 32 << 20}, []string{"logs", "siem"}, func(r *rig) {
				r.sim.AddBatch(100)
				if _, err := r.sim.AddFaultyBatch(fault, 100); err != nil {
					r.t.Fatal(err)
				}
				r.sim.AddBatch(100)
				r.start()
				r.run(5 * time.Minute)
				a := r.account(both(r.sim.Expected(), r.sim.Salvageable()))
				must := r.account(r.sim.Expected())
				if must.lost > 0 || a.twice+a.foreign > 0 || (a.unparsed > 0) != raw {
					r.t.Errorf("%+v\n%+v\n%s", must, a, r.log.String())
				}
				if raw {
					r.logged("its bytes are in records with log_type unparsed")
				}
				before := len(r.host.stored)
				r.stop()
				r.start()
				r.run(5 * time.Minute)
				if len(r.host.stored) != before {
					r.t.Errorf("%d records more after a restart", len(r.host.stored)-before)
				}
			})
		})
	}
}

func both(a, b iter.Seq[string]) iter.Seq[string] {
	return func(yield func(string) bool) {
		for s := range a {
			if !yield(s) {
				return
			}
		}
		b(yield)
	}
}

// TestUnreadableBytesAreAllThere puts the raw records of a file together again.
func TestUnreadableBytesAreAllThere(t *testing.T) {
	t.Parallel()
	head := `{"type":"MTA","data":[{"first":1},{"second":2},`
	damaged := `{"third":` + strings.Repeat("é", 200000)
	withRig(t, simulator.Config{}, []string{"logs", "siem"}, func(r *rig) {
		if _, err := r.sim.AddBatchFiles([]simulator.File{{Name: "receipt_1.log", JSON: []byte(head + damaged)}}); err != nil {
			r.t.Fatal(err)
		}
		r.start()
		r.run(time.Minute)
		var raw strings.Builder
		for i, s := range r.host.stored {
			var record struct {
				File   string
				Offset int
				Raw    *string
			}
			if err := json.Unmarshal([]byte(s.record), &record); err != nil {
				r.t.Fatal(err)
			}
			switch {
			case (record.Raw != nil) != (i >= 2):
				r.t.Errorf("record %d: %.100s", i, s.record)
			case record.Raw != nil:
				if record.File != "receipt_1.log" || record.Offset != len(head)+raw.Len() {
					r.t.Errorf("record %d: %.100s, after %d bytes", i, s.record, raw.Len())
				}
				raw.WriteString(*record.Raw)
			}
		}
		if len(r.host.stored) < 5 || raw.String() != damaged {
			r.t.Errorf("%d records, %d raw bytes of %d", len(r.host.stored), raw.Len(), len(damaged))
		}
	})
}

func TestExpiredKeys(t *testing.T) {
	t.Parallel()
	withRig(t, simulator.Config{}, nil, func(r *rig) {
		r.sim.AddBatch(100)
		r.sim.AddEvents(100, time.Now().Add(-time.Hour), 3)
		r.start()
		r.run(time.Minute)
		r.sim.ExpireCredentials()
		r.sim.AddBatch(100)
		r.run(time.Hour)
		r.logged("level=ERROR msg=\"fetching fails\"", "set Authentication Profile TTL to Never Expires", "err_xdk_binding_expired")
		calm(r, 20)
		if n := strings.Count(r.log.String(), "fetching fails"); n > 4 {
			r.t.Errorf("one trouble of two streams is said %d times in an hour", n)
		}
		if err := r.sim.SetCredentials(r.sim.Credentials()); err != nil {
			r.t.Fatal(err)
		}
		r.run(10 * time.Minute)
		r.logged("fetching works again")
		r.clean()
	})
}

func TestAClockThatIsOff(t *testing.T) {
	t.Parallel()
	withRig(t, simulator.Config{DateOffset: time.Hour}, nil, func(r *rig) {
		r.sim.AddBatch(100)
		r.sim.AddEvents(100, time.Now(), 3)
		r.start()
		r.run(3 * time.Minute)
		r.clean()
		r.logged("this machine's clock is off", "1h0m0s behind the service's")
	})
}

func TestAnOldPosition(t *testing.T) {
	t.Parallel()
	withRig(t, simulator.Config{}, []string{"logs", "siem"}, func(r *rig) {
		r.sim.AddBatch(100)
		r.start()
		r.run(30 * time.Minute)
		r.stop()
		time.Sleep(6 * 24 * time.Hour)
		if err := r.sim.SetFaults(simulator.Plan{Rate: 1, Faults: []simulator.Fault{simulator.FaultServerError}}); err != nil {
			r.t.Fatal(err)
		}
		r.start()
		r.step(1)
		r.logged("level=ERROR msg=\"fetching fails\"", "position_age=6.0d")
		r.notLogged("logs are lost")
		r.run(26 * time.Hour)
		r.logged("logs are lost: the service no longer keeps them")
		if n := strings.Count(r.log.String(), "logs are lost"); n != 1 {
			r.t.Errorf("the gap is said %d times", n)
		}
		if n := strings.Count(r.log.String(), "fetching fails"); n < 24 || n > 60 {
			r.t.Errorf("a trouble of a day is said %d times", n)
		}
	})
}

func TestLogsHoldNoSecrets(t *testing.T) {
	t.Parallel()
	withRig(t, simulator.Config{}, nil, func(r *rig) {
		if err := r.sim.SetFaults(simulator.Plan{Rate: 0.7, Faults: simulator.Faults()}); err != nil {
			r.t.Fatal(err)
		}
		for range 3 {
			r.sim.AddBatch(100)
		}
		r.sim.AddEvents(100, time.Now().Add(-time.Hour), 3)
		r.start()
		r.run(time.Hour)
		c := r.sim.Credentials()
		r.notLogged(c.AppKey, c.AccessKey, c.SecretKey, "a bug in this plugin")
	})
}

func TestAFullDisk(t *testing.T) {
	t.Parallel()
	withRig(t, simulator.Config{}, []string{"logs", "siem"}, func(r *rig) {
		var free atomic.Uint64
		free.Store(1 << 40)
		r.statfs = func(string) (uint64, uint64, error) { return free.Load(), 1 << 40, nil }
		for range 4 {
			r.sim.AddBatch(2000)
		}
		r.start()
		r.step(1)
		free.Store(reserve - 1)
		r.run(3 * time.Second)
		before := r.host.appends
		r.sim.AddBatch(2000)
		r.run(time.Minute)
		if r.host.appends != before {
			r.t.Errorf("%d appends to a full disk", r.host.appends-before)
		}
		r.logged("is nearly full")

		// What the plugin itself fills up is said too.
		r.run(3 * time.Second)
		// Room for some, as long as the free space does not show it taken.
		free.Store(reserve + pieceSize*5)
		for range 10 {
			r.step(0)
		}
		size := 0
		for _, a := range r.host.ring {
			size += len(a.buf)
		}
		if size < 3*pieceSize || size > 5*pieceSize {
			r.t.Errorf("%d bytes were handed over with room for %d", size, 5*pieceSize)
		}
		free.Store(1 << 40)
		r.run(time.Minute)
		r.logged("the file system of the db has space again")
		r.clean()
	})
}

// TestABatchThatIsPackedAnew has an unreadable file in an archive that differs
// in its bytes, though not in its contents, each time it is asked for.
func TestABatchThatIsPackedAnew(t *testing.T) {
	t.Parallel()
	withRig(t, simulator.Config{}, []string{"logs", "siem"}, func(r *rig) {
		served := 0
		pack := func() []byte {
			served++
			var b bytes.Buffer
			w := zip.NewWriter(&b)
			for name, content := range map[string]string{"receipt_1.log": `{"type":"MTA","data":[{"a":1},{"a":2},{"b`} {
				f, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: time.Unix(int64(1e9+served*2), 0)})
				if err == nil {
					_, err = io.WriteString(f, content)
				}
				if err != nil {
					r.t.Error(err)
				}
			}
			if err := w.Close(); err != nil {
				r.t.Error(err)
			}
			return b.Bytes()
		}
		r.answerWith(func(w http.ResponseWriter, req *http.Request) {
			body, _ := io.ReadAll(req.Body)
			if strings.Contains(string(body), "second") {
				_, _ = io.WriteString(w, `{"meta":{"status":200},"data":[],"fail":[]}`)
				return
			}
			w.Header().Set("Mc-Siem-Token", "second")
			_, _ = w.Write(pack())
		})
		r.start()
		r.run(2 * time.Minute)
		if len(r.host.stored) != 3 || served > 6 || !strings.Contains(r.host.stored[2].record, `"log_type":"unparsed"`) {
			r.t.Errorf("served %d times, %d records stored: %v", served, len(r.host.stored), r.host.stored)
		}
	})
}

// TestABatchThatIsNeverTheSame goes on after a while.
func TestABatchThatIsNeverTheSame(t *testing.T) {
	t.Parallel()
	withRig(t, simulator.Config{}, []string{"logs", "siem"}, func(r *rig) {
		served := 0
		r.answerWith(func(w http.ResponseWriter, req *http.Request) {
			body, _ := io.ReadAll(req.Body)
			if strings.Contains(string(body), "second") {
				_, _ = io.WriteString(w, `{"meta":{"status":200},"data":[],"fail":[]}`)
				return
			}
			served++
			w.Header().Set("Mc-Siem-Token", "second")
			w.Header().Set("Content-Disposition", "attachment; filename=receipt_1.log")
			_, _ = fmt.Fprintf(w, `[{"a":1},{"broken %d`, served)
			_, _ = io.WriteString(w, strings.Repeat("x", served))
		})
		r.start()
		r.run(20 * time.Minute)
		if len(r.host.stored) != 2 || served < 4 || served > 20 {
			r.t.Errorf("served %d times, %d records stored", served, len(r.host.stored))
		}
	})
}

// TestMuchThatCanNotBeRead is a file of many list elements that are no records.
func TestMuchThatCanNotBeRead(t *testing.T) {
	t.Parallel()
	withRig(t, simulator.Config{}, []string{"logs", "siem"}, func(r *rig) {
		content := `[{"a":1},` + strings.Repeat("0,", 100000) + `{"a":2}]`
		if _, err := r.sim.AddBatchFiles([]simulator.File{{Name: "receipt_1.log", JSON: []byte(content)}}); err != nil {
			r.t.Fatal(err)
		}
		r.start()
		r.run(time.Minute)
		raw := 0
		for _, s := range r.host.stored[1:] {
			var record struct{ Raw string }
			if err := json.Unmarshal([]byte(s.record), &record); err != nil {
				r.t.Fatal(err)
			}
			raw += len(record.Raw)
		}
		if n := len(r.host.stored); n > maxBad+10 || raw != 100000*2+len(`{"a":2}]`)-maxBad {
			r.t.Errorf("%d records, %d raw bytes", n, raw)
		}
		if n := strings.Count(r.log.String(), "level=ERROR"); n != 1 {
			r.t.Errorf("%d error lines", n)
		}
	})
}

// TestNoDirectoryAndARecordTooLong is an archive without a directory whose first
// file stops at a bound: its compressed bytes reach to the archive's end, and
// hold all that follows.
func TestNoDirectoryAndARecordTooLong(t *testing.T) {
	t.Parallel()
	noise := make([]byte, 600<<10)
	dice := rand.NewChaCha8([32]byte{})
	_, _ = dice.Read(noise) // it never fails
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, file := range [][2]string{{"receipt_1.log", fmt.Sprintf(`[{"a":1},{"b":"%x"}]`, noise)}, {"process_1.log", `[{"second":1}]`}} {
		f, err := w.Create(file[0])
		if err == nil {
			_, err = io.WriteString(f, file[1])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	archive := b.Bytes()[:bytes.Index(b.Bytes(), []byte("PK\x01\x02"))]
	for range 3 {
		withRig(t, simulator.Config{}, []string{"logs", "siem"}, func(r *rig) {
			r.answerWith(func(w http.ResponseWriter, req *http.Request) {
				if body, _ := io.ReadAll(req.Body); bytes.Contains(body, []byte("behind")) {
					_, _ = w.Write([]byte(`{"meta":{"status":200},"data":[],"fail":[]}`))
					return
				}
				w.Header().Set("Content-Disposition", `attachment; filename="x"`)
				w.Header().Set("mc-siem-token", "behind")
				_, _ = w.Write(archive)
			})
			r.start()
			r.run(time.Minute)
			raw := 0
			for _, s := range r.host.stored[1:] {
				var record struct{ Raw string }
				if err := json.Unmarshal([]byte(s.record), &record); err != nil {
					r.t.Fatal(err)
				}
				bytes, err := base64.StdEncoding.DecodeString(record.Raw)
				if err != nil {
					r.t.Fatalf("%v: %.200s", err, s.record)
				}
				raw += len(bytes)
			}
			// All but the first file's header.
			if want := len(archive) - len("receipt_1.log") - 30; raw != want {
				r.t.Errorf("%d raw bytes of %d", raw, want)
			}
		})
	}
}

// TestUnparsedEventsHaveTheirTag is about tag_by_type.
func TestUnparsedEventsHaveTheirTag(t *testing.T) {
	t.Parallel()
	withRig(t, simulator.Config{}, []string{"logs", "impersonation", "tag_by_type", "on"}, func(r *rig) {
		deep := strings.Repeat(`{"a":`, 30) + "1" + strings.Repeat("}", 30)
		r.answerWith(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprintf(w, `{"meta":{"status":200,"pagination":{}},"fail":[],"data":[{"impersonationLogs":[{"id":"1","d":%s},{"id":"2"},{"id":"3","d":%s}]}]}`, deep, deep)
		})
		r.start()
		r.run(time.Minute)
		if len(r.host.stored) != 3 {
			r.t.Fatalf("%d records", len(r.host.stored))
		}
		for _, s := range r.host.stored {
			if unparsed := strings.Contains(s.record, `"log_type":"unparsed"`); unparsed != strings.HasSuffix(s.tag, "ttp.unparsed") {
				r.t.Errorf("tag %s of %.100s", s.tag, s.record)
			}
		}
	})
}

// TestServersWhoseClocksDiffer answer in turn.
func TestServersWhoseClocksDiffer(t *testing.T) {
	t.Parallel()
	withRig(t, simulator.Config{}, []string{"logs", "impersonation"}, func(r *rig) {
		var n atomic.Int64
		r.answerWith(func(w http.ResponseWriter, _ *http.Request) {
			ahead := time.Duration(n.Add(1)%2) * 30 * time.Second
			w.Header().Set("Date", time.Now().Add(ahead).UTC().Format(http.TimeFormat))
			_, _ = w.Write([]byte(`{"meta":{"status":200,"pagination":{}},"fail":[],"data":[{"impersonationLogs":[]}]}`))
		})
		r.start()
		r.run(time.Minute)
		if n.Load() > 100 {
			r.t.Errorf("%d requests in a minute", n.Load())
		}
	})
}

// TestBrokenBehindBroken has a syntax error in a file whose compressed bytes are
// broken further on: all of them are kept.
func TestBrokenBehindBroken(t *testing.T) {
	t.Parallel()
	withRig(t, simulator.Config{}, []string{"logs", "siem"}, func(r *rig) {
		var b bytes.Buffer
		w := zip.NewWriter(&b)
		dice := rand.New(rand.NewPCG(1, 1))
		for _, name := range []string{"receipt_1.log", "process_1.log"} {
			f, err := w.Create(name)
			if err == nil {
				_, err = io.WriteString(f, `[{"a":"`+name+`"}] nonsense`)
			}
			for range 100000 {
				_, _ = fmt.Fprintf(f, "%x", dice.Uint64())
			}
			if err != nil {
				r.t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			r.t.Fatal(err)
		}
		archive := b.Bytes()
		for i := range 2000 {
			archive[len(archive)/4+i] ^= 0x5a
		}
		r.answerWith(func(w http.ResponseWriter, req *http.Request) {
			body, _ := io.ReadAll(req.Body)
			if strings.Contains(string(body), "second") {
				_, _ = io.WriteString(w, `{"meta":{"status":200},"data":[],"fail":[]}`)
				return
			}
			w.Header().Set("Mc-Siem-Token", "second")
			_, _ = w.Write(archive)
		})
		r.start()
		r.run(time.Minute)
		packed, readable := 0, 0
		for _, s := range r.host.stored {
			var record struct{ Raw, Encoding, Error, A string }
			if err := json.Unmarshal([]byte(s.record), &record); err != nil {
				r.t.Fatal(err)
			}
			if record.A != "" {
				readable++
			}
			if strings.Contains(record.Error, "compressed bytes") {
				raw, _ := base64.StdEncoding.DecodeString(record.Raw)
				packed += len(raw)
			}
		}
		if readable != 2 || packed < len(archive)/2-1000 {
			r.t.Errorf("%d records, %d compressed bytes of %d", readable, packed, len(archive)/2)
		}
	})
}

func TestAnEventBeforeTheWindow(t *testing.T) {
	t.Parallel()
	withRig(t, simulator.Config{}, []string{"logs", "impersonation"}, func(r *rig) {
		r.answerWith(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"meta":{"status":200,"pagination":{}},"fail":[],"data":[{"impersonationLogs":[{"id":"MTOKEN:a","eventTime":"1999-12-30T10:00:00+0000"}]}]}`)
		})
		r.start()
		r.run(5 * time.Hour)
		if len(r.host.stored) != 1 {
			r.t.Errorf("it came %d times", len(r.host.stored))
		}
	})
}

func TestADiskThatFailsWhenABatchIsReadBack(t *testing.T) {
	t.Parallel()
	notShort(t)
	for compress, records := range map[string]int{"on": 120_000, "off": 20_000} { // of more than 3 MiB
		t.Run(compress, func(t *testing.T) {
			withRig(t, simulator.Config{Types: []string{"receipt"}}, []string{"logs", "siem", "siem_compress", compress}, func(r *rig) {
				failures := 0
				r.readAt = func(f scratch, p []byte, off int64) (int, error) {
					if off > 3<<20 && failures < 2 {
						failures++
						return 0, syscall.EIO
					}
					return f.ReadAt(p, off)
				}
				r.sim.AddBatch(records)
				r.start()
				for range 400 {
					r.step(1 << 20)
				}
				r.clean()
				r.logged("reading a batch back from the disk")
				if failures != 2 {
					r.t.Errorf("%d failures", failures)
				}
			})
		})
	}
}
