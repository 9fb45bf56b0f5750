package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"fluent-bit-mimecast/internal/checkpoint"
	"fluent-bit-mimecast/internal/harness"
)

// stopping is how long a clean stop takes under full load, beside one of an idle
// plugin and one of in_tail under full load: Fluent Bit looks once a second
// whether all is done.
func (b *bench) stopping() {
	f := got(makeFixture("json"))(b.t)
	r := got(makeRival(f, 50, filepath.Join(b.dir, "stop")))(b.t)
	const always = 1 << 20
	var busy, idle, rival, callbacks []float64
	for range b.rounds {
		took, log := b.stopPlugin(f, always)
		_, text, _ := strings.Cut(log, "longest_callback=")
		text, _, _ = strings.Cut(text, " ")
		callback := got(time.ParseDuration(text))(b.t)
		busy, callbacks = append(busy, took.Seconds()), append(callbacks, callback.Seconds())
		took, _ = b.stopPlugin(f, 0)
		idle = append(idle, took.Seconds())
		dir := b.t.TempDir()
		h := got(r.host(b.fluentBit, dir))(b.t)
		took = got(stopAfter(h, 2*time.Second))(b.t)
		rival = append(rival, took.Seconds())
	}
	row("a clean stop under full load; idle", fmt.Sprintf("%.2f s", median(busy)), fmt.Sprintf("%.2f s", median(idle)), fmt.Sprintf("%+.2f s", median(busy)-median(idle)))
	row("a clean stop under full load; in_tail", fmt.Sprintf("%.2f s", median(busy)), fmt.Sprintf("%.2f s", median(rival)), fmt.Sprintf("%+.2f s", median(busy)-median(rival)))
	row("the longest callback under full load", fmt.Sprintf("%.3f s", slices.Max(callbacks)), "", "")
	b.must(os.RemoveAll(r.dir))
}

// stopPlugin stops the plugin in the middle of so many batches.
func (b *bench) stopPlugin(f *fixture, batches int) (took time.Duration, log string) {
	s := got(startService(f.archives, batches))(b.t)
	defer s.close()
	h := b.host(s, "logs", "siem", "log_level", "debug")
	took = got(stopAfter(h, 5*time.Second))(b.t)
	return took, h.PluginLog()
}

func stopAfter(h harness.Host, d time.Duration) (time.Duration, error) {
	p, err := h.Start(context.Background())
	if err != nil {
		return 0, err
	}
	defer p.Kill()
	time.Sleep(d)
	return stop(p)
}

// idle is what it takes to poll every minute with nothing new, beside an in_tail
// that waits.
func (b *bench) idle(d time.Duration) {
	s := got(startService(nil, 0))(b.t)
	defer s.close()
	ours := b.host(s)
	dir := b.t.TempDir()
	theirs := harness.Host{FluentBit: b.fluentBit, Dir: dir, Pipeline: fmt.Sprintf("    - name: tail\n      path: %q\n", dir+"/*.log") + toNull}
	var cpu [2]time.Duration
	var resident [2]int
	var hosts [2]*harness.Process
	for i, h := range []harness.Host{ours, theirs} {
		hosts[i] = got(h.Start(context.Background()))(b.t)
		defer hosts[i].Kill()
	}
	time.Sleep(5 * time.Second) // the start is not idle
	for i, p := range hosts {
		cpu[i] = got(cpuOf(p.PID()))(b.t)
	}
	time.Sleep(d)
	for i, p := range hosts {
		now := got(cpuOf(p.PID()))(b.t)
		held := got(p.Holds())(b.t)
		cpu[i], resident[i] = now-cpu[i], held.Resident
	}
	minute := func(i int) float64 { return micros(cpu[i]) / 1000 / d.Minutes() }
	row(fmt.Sprintf("idle, CPU a minute (%d polls); in_tail", s.polls.Load()), fmt.Sprintf("%.0f ms", minute(0)), fmt.Sprintf("%.0f ms", minute(1)), "")
	row("idle, resident; in_tail", megabytes(resident[0]), megabytes(resident[1]), "")
}

// manyIDs is how many delivered ids a checkpoint may well hold.
const manyIDs = 100_000

// ids compares the cost of a record with many delivered ids in the checkpoint
// to that with none.
func (b *bench) ids(records int64) {
	f := got(makeFixture("json"))(b.t)
	batches := int(records / f.records)
	records = int64(batches) * f.records
	var with, without, ratios []float64
	for range b.rounds {
		var cost [2]float64
		for i, ids := range []int{0, manyIDs} {
			s := got(startService(f.archives, batches))(b.t)
			h := b.host(s)
			b.must(fillCheckpoint(filepath.Join(h.Dir, "mimecast.db"), s.url, ids))
			r := got(measure(h, records))(b.t)
			s.close()
			cost[i] = micros(r.perRecord())
		}
		without, with, ratios = append(without, cost[0]), append(with, cost[1]), append(ratios, cost[1]/cost[0])
	}
	row(fmt.Sprintf("CPU for a record with %d delivered ids in the checkpoint; with none", manyIDs),
		fmt.Sprintf("%.2f µs", median(with)), fmt.Sprintf("%.2f µs", median(without)), fmt.Sprintf("%.2f", median(ratios)))
}

// fillCheckpoint makes a checkpoint of an impersonation stream that polled a
// minute ago and delivered so many events in the last hour.
func fillCheckpoint(path, service string, ids int) error {
	address, err := url.Parse(service)
	if err != nil {
		return err
	}
	now := time.Now().UTC()
	last := now.Add(-time.Minute)
	change := checkpoint.Change{
		Key:      checkpoint.Key{Account: "app", Log: "impersonation"},
		Origin:   &checkpoint.Origin{Host: address.Host, AppID: "app"},
		Position: map[string]time.Time{"newest": last, "last_poll": last},
	}
	for n := range ids {
		id := checkpoint.ID{Unix: now.Add(-time.Hour * time.Duration(n) / time.Duration(ids)).Unix()}
		binary.LittleEndian.PutUint64(id.Hash[:], uint64(n)*0x9e3779b97f4a7c15)
		change.AddIDs = append(change.AddIDs, id)
	}
	var files checkpoint.Files
	claim, err := files.Claim(path, []checkpoint.Key{change.Key})
	if err != nil {
		return err
	}
	store, err := claim.Open()
	if err == nil {
		err = store.Commit([]checkpoint.Change{change})
	}
	return errors.Join(err, claim.Release())
}
