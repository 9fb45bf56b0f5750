package bench

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"fluent-bit-mimecast/internal/harness"
	"fluent-bit-mimecast/internal/simulator"
)

// many is what blocks of as many accounts take of the machine: first when all have a
// backlog, and twice as many when none has anything new.
func (b *bench) many(blocks int, records int64) {
	idle := b.manyBlocks(blocks, 0)
	each := max(int(records)/blocks/len(simulator.EventTypes())/fileRecords, 1)
	busy := b.manyBlocks(blocks, each)
	row(fmt.Sprintf("%d blocks catch up on %d records each: peak of anonymous memory; idle", blocks, busy.records),
		megabytes(busy.most.Anonymous), megabytes(idle.most.Anonymous), fmt.Sprintf("%+d MB", (busy.most.Anonymous-idle.most.Anonymous)/1e6))
	row("records a second of all blocks", thousands(busy.rate), "", "")
	row("records of the slowest block at half-way; mean", fmt.Sprint(busy.slowest), fmt.Sprint(busy.mean), fmt.Sprintf("%.2f", float64(busy.slowest)/float64(busy.mean)))
	row("threads, files; idle", fmt.Sprintf("%d, %d", busy.most.Threads, busy.most.Files), fmt.Sprintf("%d, %d", idle.most.Threads, idle.most.Files), "")
	idle = b.manyBlocks(2*blocks, 0)
	row(fmt.Sprintf("%d idle blocks: resident; anonymous", 2*blocks), megabytes(idle.most.Resident), megabytes(idle.most.Anonymous), "")
	row("threads, files", fmt.Sprintf("%d, %d", idle.most.Threads, idle.most.Files), "", "")
}

// crowd is what many blocks in one host came to.
type crowd struct {
	most          harness.Holdings
	records       int64 // of a block
	rate          float64
	slowest, mean int64 // records of a block when half of all had come
}

// manyIdle is how long blocks with nothing new are looked at. All have asked for
// everything by then.
const manyIdle = 45 * time.Second

// manyBlocks runs so many blocks until each has taken so many files of each type, or
// for a while if there are none.
func (b *bench) manyBlocks(blocks, each int) (c crowd) {
	s := got(startLinks(each))(b.t)
	defer s.server.Close()
	dir := b.t.TempDir()
	settings, url, err := metrics()
	b.must(err)
	h := harness.Host{FluentBit: b.fluentBit, Plugin: b.plugin, Dir: dir, Service: settings, Pipeline: toNull}
	for n := range blocks {
		h.Inputs = append(h.Inputs, harness.Input{
			{"base_url", s.url},
			{"client_id", fmt.Sprint("client", n)},
			{"client_secret", "secret"},
			{"logs", "siem"},
			{"db", filepath.Join(dir, "mimecast.db")},
		})
	}
	p := got(h.Start(context.Background()))(b.t)
	defer p.Kill()
	c.records = int64(each * len(s.files) * fileRecords)
	began, progress := time.Now(), time.Now()
	for last := int64(0); ; {
		select {
		case <-p.Ended():
			b.t.Fatalf("the host ended by itself:\n%s", h.Log())
		case <-time.After(50 * time.Millisecond):
		}
		now := got(p.Holds())(b.t)
		c.most.Resident, c.most.Anonymous = max(c.most.Resident, now.Resident), max(c.most.Anonymous, now.Anonymous)
		c.most.Threads, c.most.Files = max(c.most.Threads, now.Threads), max(c.most.Files, now.Files)
		if each == 0 {
			if time.Since(began) > manyIdle {
				c.most.Resident, c.most.Anonymous = now.Resident, now.Anonymous // the start is not idle
				return c
			}
			continue
		}
		came, total := counted(url)
		all := c.records * int64(blocks)
		if total != last {
			last, progress = total, time.Now()
		}
		if c.mean == 0 && total >= all/2 {
			c.slowest, c.mean = slices.Min(came), total/int64(len(came))
		}
		switch {
		case total >= all:
			c.rate = float64(total) / time.Since(began).Seconds()
			return c
		case time.Since(progress) > patience:
			b.t.Fatalf("%d of %d records, and no more:\n%s", total, all, h.PluginLog())
		}
	}
}
