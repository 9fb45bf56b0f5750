package collector

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"iter"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/tinylib/msgp/msgp"

	"fluent-bit-mimecast/internal/checkpoint"
	"fluent-bit-mimecast/internal/config"
	"fluent-bit-mimecast/internal/delivery"
	"fluent-bit-mimecast/internal/memory"
	"fluent-bit-mimecast/internal/simulator"
	"fluent-bit-mimecast/internal/sleep"
	"fluent-bit-mimecast/mimecast"
)

// Bounds of package delivery.
const (
	pieceSize     = 192 << 10
	maxInFlight   = 24 << 20
	maxLagBytes   = 64 << 20
	maxLagAppends = 900
	reserve       = 64 << 20 // of a file system that is not small
)

// fakeHost stands in for Fluent Bit: appends go into a ring, from which its
// main thread, here tick, takes them one by one, counting each before it stores
// it.
type fakeHost struct {
	ring    []appended
	counted uint64
	stored  []stored
	blind   bool // it can't tell its count
	extra   int  // it counts so many more with each append
	refuse  int  // so many appends are not taken
	appends int
	queued  int  // of them, those in the ring
	drop    bool // as with a processor that drops everything
	old     bool // it does not count appends: before 4.1.0
}

type appended struct {
	tag     string
	records int
	buf     []byte
}

type stored struct {
	tag    string
	record string // canonical
}

func (h *fakeHost) Append(tag string, records int, buf []byte) error {
	h.appends++
	if h.refuse > 0 {
		h.refuse--
		return errors.New("refused by the test")
	}
	if h.drop {
		return nil
	}
	h.queued++
	h.ring = append(h.ring, appended{tag, records, bytes.Clone(buf)})
	return nil
}

func (h *fakeHost) Counts() (delivery.Counts, bool) {
	c := delivery.Counts{Records: h.counted, Queued: int64(h.queued)}
	if h.old {
		c.Queued = -1
	}
	return c, !h.blind
}

// tick is the main thread taking up to n appends from the ring.
func (h *fakeHost) tick(t testing.TB, n int) {
	for ; n > 0 && len(h.ring) > 0; n-- {
		h.counted += uint64(h.ring[0].records + h.extra)
		h.write(t)
	}
}

// half counts the next append and does not come to storing it.
func (h *fakeHost) half() {
	if len(h.ring) > 0 {
		h.counted += uint64(h.ring[0].records)
	}
}

func (h *fakeHost) write(t testing.TB) {
	t.Helper()
	a := h.ring[0]
	h.ring = h.ring[1:]
	records := 0
	for buf := a.buf; len(buf) > 0; records++ {
		rest, err := msgp.Skip(buf)
		if err != nil {
			t.Fatalf("not msgpack: %v", err)
		}
		var b bytes.Buffer
		if _, err := msgp.UnmarshalAsJSON(&b, buf[13:len(buf)-len(rest)]); err != nil {
			t.Fatal(err)
		}
		record, err := simulator.Canonical(b.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		h.stored = append(h.stored, stored{a.tag, record})
		buf = rest
	}
	if records != a.records {
		t.Errorf("an append of %d records was said to hold %d", records, a.records)
	}
}

// rig runs a collector between a simulator and a fake host, in fake time.
type rig struct {
	t    *testing.T
	sim  *simulator.Server
	host *fakeHost
	cfg  config.Config
	dir  string
	log  logBuffer

	// statfs takes a minute unless a test replaces it: a look each second is most
	// of what happens in a day of fake time.
	statfs func(string) (free, total uint64, err error)
	answer atomic.Pointer[http.HandlerFunc] // in the simulator's place
	turns  sync.Mutex
	readAt func(f scratch, p []byte, off int64) (int, error)

	life      context.Context // of the collector
	die       context.CancelFunc
	memory    *memory.Budget
	files     *checkpoint.Files
	closing   *checkpoint.Claim
	collector *Collector
	handover  *delivery.Handover
}

// logBuffer is a log that goroutines write to.
type logBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestMain(m *testing.M) {
	debug.SetGCPercent(400) // the tests allocate much and keep little
	os.Exit(m.Run())
}

// sized returns how much of something a test does.
func sized(whole, short int) int {
	if testing.Short() {
		return short
	}
	return whole
}

// notShort skips a test that takes long.
func notShort(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("it takes long")
	}
}

// withRig runs fn in fake time. options are those of the block, in pairs.
func withRig(t *testing.T, sim simulator.Config, options []string, fn func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		server, err := simulator.New(sim)
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		r := &rig{t: t, sim: server, host: &fakeHost{}, dir: t.TempDir()}
		r.statfs = r.slowStatfs
		r.configure(options...)
		defer func() {
			if r.collector != nil {
				r.stop()
			}
		}()
		fn(r)
	})
}

// slowStatfs tells of a large file system, a minute after it was asked.
func (r *rig) slowStatfs(string) (free, total uint64, err error) {
	_ = sleep.For(r.life, time.Minute)
	return 1 << 40, 1 << 40, nil
}

// answerWith puts a handler in the simulator's place, until nil is given.
func (r *rig) answerWith(h http.HandlerFunc) {
	if h == nil {
		r.answer.Store(nil)
		return
	}
	r.answer.Store(&h)
}

func (r *rig) configure(options ...string) {
	r.t.Helper()
	keys := r.sim.Credentials()
	block := map[string]string{
		"base_url": "https://eu-api.mimecast.com", "db": filepath.Join(r.dir, "x.db"),
		"app_id": keys.AppID, "app_key": keys.AppKey, "access_key": keys.AccessKey, "secret_key": keys.SecretKey,
		"notices": "off",
	}
	for i := 0; i < len(options); i += 2 {
		block[options[i]] = options[i+1]
	}
	if block["api"] == "2" {
		client := r.sim.Client()
		block = maps.Clone(block)
		for _, key := range []string{"base_url", "app_id", "app_key", "access_key", "secret_key"} {
			delete(block, key)
		}
		block["client_id"] = client.ID
		if block["client_secret"] == "" {
			block["client_secret"] = client.Secret
		}
	}
	cfg, err := config.Parse(func(key string) string { return block[key] })
	if err != nil {
		r.t.Fatal(err)
	}
	r.cfg = cfg
}

// client is one without a network between it and the simulator.
func (r *rig) client() *mimecast.Client {
	r.t.Helper()
	c, err := mimecast.NewClient(mimecast.Options{
		BaseURL: r.cfg.BaseURL, Timeout: r.cfg.HTTPTimeout, Auth: r.cfg.Auth,
		Transport: transport(func(req *http.Request) (*http.Response, error) {
			r.turn()
			if answer := r.answer.Load(); answer != nil {
				return exchange(answer, req)
			}
			return exchange(r.sim, req)
		}),
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return c
}

// exchange asks a handler, and turns what it does to a connection into what a
// client sees of it.
func exchange(h http.Handler, req *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	if req = req.Clone(req.Context()); req.URL.Scheme == "https" {
		req.TLS = &tls.ConnectionState{}
	}
	whole := func() (whole bool) {
		defer func() { whole = recover() == nil }()
		h.ServeHTTP(w, req)
		return true
	}()
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	resp := w.Result()
	resp.Request = req
	if promised, err := strconv.Atoi(resp.Header.Get("Content-Length")); !whole || (err == nil && promised > w.Body.Len()) {
		resp.Body = io.NopCloser(io.MultiReader(resp.Body, iotest.ErrReader(io.ErrUnexpectedEOF)))
	}
	return resp, nil
}

func (r *rig) start() {
	r.t.Helper()
	r.life, r.die = context.WithCancel(context.Background())
	r.files = &checkpoint.Files{}
	var claim *checkpoint.Claim
	if r.cfg.DB != "" {
		var err error
		if claim, err = r.files.Claim(r.cfg.DB, Keys(r.cfg)); err != nil {
			r.t.Fatal(err)
		}
	}
	c, err := Start(Options{
		Config: r.cfg, Claim: claim, Client: r.client(), statfs: r.statfs, Memory: r.memory,
		scratch: func(dir string) (scratch, error) {
			f, err := tempFile(dir)
			return &badDisk{f, r}, err
		},
		Log: slog.New(slog.NewTextHandler(&r.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.collector, r.handover = c, c.Handover()
	r.host.counted, r.host.queued = 0, 0 // they start anew with each instance
}

// turn has a request see what the test has set before its latest step.
func (r *rig) turn() {
	r.turns.Lock()
	r.turns.Unlock() //nolint:staticcheck // an order is all it makes
}

// step is one second of the host: a callback, and the main thread's work.
func (r *rig) step(appends int) {
	synctest.Wait() // for the goroutines to have done what they can
	r.turn()
	r.handover.Drain(r.host, time.Now().Add(700*time.Millisecond))
	r.host.tick(r.t, appends)
	time.Sleep(time.Second)
}

// run steps for some time. After a while the host's seconds take longer, which no
// goroutine minds and long runs need.
func (r *rig) run(d time.Duration) {
	began := time.Now()
	for end := began.Add(d); time.Now().Before(end); {
		r.step(1 << 20)
		if past := time.Since(began); past > 10*time.Minute {
			time.Sleep(min(past/100, time.Until(end)))
		}
	}
	synctest.Wait() // for what the service did to be seen
}

// stop ends the collector as the host does: what is in the ring is taken first.
func (r *rig) stop() {
	r.t.Helper()
	r.handover.Pause()
	r.host.tick(r.t, 1<<20)
	r.end()
}

// end ends it with the ring as it is.
func (r *rig) end() {
	r.t.Helper()
	r.handover.Finish(r.host)
	r.die()
	if !r.collector.Stop(time.Second) {
		r.t.Error("the collector takes more than a second to stop")
	}
	r.host.ring = nil
	r.collector = nil
}

// kill ends the process: what the main thread has not stored is gone, and so is
// what is not in the file.
func (r *rig) kill() {
	r.t.Helper()
	copied, err := os.ReadFile(r.cfg.DB)
	if err != nil && !os.IsNotExist(err) {
		r.t.Fatal(err)
	}
	none := err != nil
	r.host.ring = nil
	r.die()
	r.collector.Stop(time.Minute)
	r.collector = nil
	if none {
		err = os.RemoveAll(r.cfg.DB)
	} else {
		err = os.WriteFile(r.cfg.DB, copied, 0o600)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// account compares what is stored with what should be.
type account struct {
	received, lost, twice, foreign, unparsed, notices int
	firstLost, firstForeign                           string
}

func (r *rig) account(expected iter.Seq[string]) account {
	var a account
	want, seen := map[string]int{}, map[string]int{}
	for record := range expected {
		want[record]++
	}
	for _, s := range r.host.stored {
		a.received++
		seen[s.record]++
	}
	for record, n := range seen {
		switch due := want[record]; {
		case due > 0:
			a.twice += max(0, n-due)
		case strings.Contains(record, `"log_type":"unparsed"`):
			a.unparsed += n
		case strings.Contains(record, `"log_type":"notice"`):
			a.notices += n
		default:
			a.foreign += n
			a.firstForeign = record
		}
	}
	for record, due := range want {
		if n := seen[record]; n < due {
			a.lost += due - n
			a.firstLost = record
		}
	}
	return a
}

// clean fails the test unless everything came once.
func (r *rig) clean() {
	r.t.Helper()
	if a := r.account(r.sim.Expected()); a.lost+a.twice+a.foreign+a.unparsed > 0 || a.received == 0 {
		log := r.log.String()
		r.t.Errorf("%+v\nthe end of the log:\n%s", a, log[max(0, len(log)-3000):])
	}
}

// logged fails the test unless all of some text was logged.
func (r *rig) logged(texts ...string) {
	r.t.Helper()
	for _, text := range texts {
		if !strings.Contains(r.log.String(), text) {
			log := r.log.String()
			r.t.Errorf("%q was not logged; the end of the log:\n%s", text, log[max(0, len(log)-3000):])
		}
	}
}

// notLogged fails the test if some text was logged.
func (r *rig) notLogged(texts ...string) {
	r.t.Helper()
	for _, text := range texts {
		if strings.Contains(r.log.String(), text) {
			r.t.Errorf("%q was logged", text)
		}
	}
}

// badDisk is a file whose reading may fail.
type badDisk struct {
	scratch
	r *rig
}

func (d *badDisk) ReadAt(p []byte, off int64) (int, error) {
	if d.r.readAt != nil {
		return d.r.readAt(d.scratch, p, off)
	}
	return d.scratch.ReadAt(p, off)
}
